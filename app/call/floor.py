"""Who has the floor: when the caller's turn is over, when its answer is begun ahead, and what takes the floor from us.

Everything that the caller does arrives here. A turn ends with words, by the ears' judgement and by patience; an
interruption begins with a sound, which silences the agent at once, and is decided by the words that follow.
"""

from collections.abc import Callable

from app.call.actions import SettleWords
from app.call.agent import Agent
from app.call.answering import AgentSide
from app.call.backchannels import interrupts, is_backchannel, may_become_backchannel
from app.call.dialogue import Dialogue
from app.call.doubt import Doubt
from app.call.events import Digit, EndLikely, SpeechEnded, SpeechPaused, SpeechResumed, SpeechStarted, WordsHeard
from app.call.listening import WORDS_TAKE, CallerSide
from app.call.patience import more_patience
from app.call.stage import Stage
from app.call.timers import Timer

# Beginning to answer costs a request; a caller who pauses more often than this in one turn is answered when they end.
_MOST_TRIES_AHEAD = 3
_MOST_GUESSES_AHEAD = 2  # so that one try is left for when the ears are sure of the words
# What an answer takes until it sounds, at best. Begun so long before a turn is over, it is neither late nor wasted.
_ANSWER_TAKES = 0.5
_MOST_KEYS = 32


class Floor:
    """`held`: the caller made a sound, and the agent waits to know what it was."""

    def __init__(
        self, agent: Agent, stage: Stage, dialogue: Dialogue, answering: AgentSide, noticed: Callable[[], None]
    ) -> None:
        """`noticed` is called when the caller has shown to be there."""
        self._agent = agent
        self._stage = stage
        self._timers = stage.timers
        self._dialogue = dialogue
        self._answering = answering
        self._noticed = noticed
        self._doubt = Doubt()
        self._tries = 0
        self.caller = CallerSide(stage)
        self.held = False

    # --- a voice -----------------------------------------------------------------------------------------------------

    def speech_started(self, event: SpeechStarted) -> None:
        now = self._stage.now
        if self._answering.reply is not None:
            sounded_until = self._answering.speaking.playback.runs_dry
            if self._doubt.about(event.peak, now, now - event.ago, sounded_until):
                self.caller.suspect(event.ago)
                return
        self.caller.started(event.ago)
        self._goes_on()
        if self._interruptible and not self.held:
            self._answering.hold()
            self.held = True
            self._doubt.stopped_by(event.peak)
            self._timers.set(Timer.HOLD, now + self._agent.patience.unconfirmed)

    def _goes_on(self) -> None:
        """The caller has not finished."""
        self._timers.stop(Timer.TURN, Timer.AHEAD)
        self._answering.cancel_ahead("the caller went on")

    def speech_paused(self, event: SpeechPaused) -> None:
        if self.caller.suspect_paused(event.ago):
            return
        self.caller.paused(event.ago)
        if self._answering.reply is None or self.held:
            self._stage.do(SettleWords())
        self._expect_the_end()

    def _expect_the_end(self) -> None:
        """The caller is quiet: the ears will say that the turn is over, and if they forget, patience does."""
        agent, patience, heard_end = self._agent, self._agent.patience, self.caller.heard_end
        if self.caller.ears_away and not self.caller.text:
            self._timers.set(Timer.TURN, self._stage.now + patience.deaf)
        elif self.caller.all_ended:  # a cough after the last word: were it a word, it would be here soon
            self._wait_until(heard_end + max(patience.more_words, self._more_patience))
        else:
            unsettled = patience.unsettled_turns if agent.hears_turns else patience.unsettled
            # Words that have only just come may not be all.
            self._timers.set(Timer.TURN, max(heard_end + unsettled, self._stage.now + WORDS_TAKE))
            if agent.hears_turns and agent.work_ahead == "eager":
                self._timers.set(Timer.AHEAD, max(self._stage.now, heard_end + patience.guess))

    # --- words -------------------------------------------------------------------------------------------------------

    def words_heard(self, event: WordsHeard) -> None:
        text = self.caller.news(event.text)
        if not text:
            return
        self._noticed()
        self._take_words(text, settled=event.settled)
        if self.caller.speaking:
            self._goes_on()
            return
        if self.caller.pausing:
            self._expect_the_end()
        if event.settled:
            self._think_ahead()
        elif self.caller.pausing and self._agent.work_ahead == "eager" and not self._agent.hears_turns:
            self._think_ahead(tries=_MOST_GUESSES_AHEAD)

    def end_likely(self, event: EndLikely) -> None:
        text = self.caller.news(event.text)
        if not text:
            return
        self._take_words(text, settled=True)
        if not self.caller.just_started:  # or the voice is back already, and the ears are about to say so
            self._think_ahead()

    def speech_resumed(self, _: SpeechResumed) -> None:
        self._answering.cancel_ahead("the caller went on")

    def speech_ended(self, event: SpeechEnded) -> None:
        text = self.caller.news(event.text)
        self.caller.utterance_over()
        # A transcript that the ears do not believe is noise; asking again would only bring the same.
        if not text or event.confidence <= 0:
            return
        self._noticed()
        if self.caller.believe():
            self._goes_on()
        if self._answering.reply is not None:
            if not self._may_take_floor(text):
                self._overheard(text)
                return
            self._take_floor()
        self.caller.ended(text)
        over = self.caller.heard_end + self._more_patience
        if self.caller.just_started:  # they may go on: words of it would be here within this time
            over = max(over, self._stage.now + WORDS_TAKE)
        if over > self._stage.now:
            self._wait_until(over)
        else:
            self.turn_over()

    def turn_over(self) -> None:
        """The caller has said all they wanted to say: answer."""
        if self._answering.reply is not None:
            return
        self._timers.stop(Timer.TURN, Timer.AHEAD)
        if not self.caller.text:
            if self.caller.ears_away:
                self._answering.say(self._agent.phrases.apology)
            return
        self._tries = 0
        began, heard_end = self.caller.turn_began, self.caller.heard_end
        self._answering.answer(self.caller.take(), heard_end, began)

    def ears(self, *, away: bool) -> None:
        self.caller.ears_away = away

    def _take_words(self, text: str, *, settled: bool) -> None:
        """Words of the utterance that is going on; over the agent's they may be an interruption."""
        self.caller.believe()
        self.caller.words(text)
        complete = settled and not self.caller.speaking  # of a long utterance the ears settle one part after another
        if self._answering.reply is not None and self._interrupted_by(text, complete=complete):
            self._take_floor()

    # --- working ahead -----------------------------------------------------------------------------------------------

    def _wait_until(self, over: float) -> None:
        """The turn is over then, unless more comes; its answer is begun in time, and not before."""
        self._timers.set(Timer.TURN, over)
        self._timers.set(Timer.AHEAD, max(self._stage.now, over - _ANSWER_TAKES))

    def work_ahead(self) -> None:
        """The caller has been quiet for a while."""
        waited_for = self._timers.at(Timer.TURN) <= self._stage.now + _ANSWER_TAKES
        self._think_ahead(tries=_MOST_TRIES_AHEAD if waited_for else _MOST_GUESSES_AHEAD)

    def _think_ahead(self, tries: int = _MOST_TRIES_AHEAD) -> None:
        """Begin to answer, if these may be all the words: who breaks off in a sentence is waited for first."""
        text = self.caller.text
        if self._agent.work_ahead == "off" or self._tries >= tries or not text or self._answering.reply is not None:
            return
        if self._more_patience and self._timers.at(Timer.TURN) > self._stage.now + _ANSWER_TAKES:
            return
        if self._answering.think_ahead(text):
            self._tries += 1

    @property
    def _more_patience(self) -> float:
        return more_patience(self._dialogue.last_asked(), self.caller.text, self._agent.patience)

    # --- one talks over the other ------------------------------------------------------------------------------------

    @property
    def _interruptible(self) -> bool:
        return self._answering.reply is not None and self._agent.interruption.allowed and not self._answering.protected

    def _interrupted_by(self, text: str, *, complete: bool) -> bool:
        """Words take the floor as soon as they can no longer become a mere sound of listening."""
        if complete:
            return self._may_take_floor(text)
        rules = self._agent.interruption
        return self._interruptible and interrupts(text, rules) and not may_become_backchannel(text, rules)

    def _may_take_floor(self, text: str) -> bool:
        """Do these words end what the agent is saying? A "yes" into the tail of a question is its answer."""
        if not self._interruptible:
            return False
        if interrupts(text, self._agent.interruption):
            return True
        playback = self._answering.speaking.playback
        nearly_done = self._answering.done or (
            playback.open
            and not (self._answering.reply and self._answering.reply.busy)
            and playback.unheard(self._stage.now) <= self._agent.patience.answer_tail
        )
        return nearly_done and is_backchannel(text, self._agent.interruption)

    def _take_floor(self) -> None:
        self.held = False
        self._timers.stop(Timer.HOLD)
        self._answering.drop("the caller interrupted")

    def _overheard(self, text: str) -> None:
        """A whole utterance that does not take the floor: listening sounds are dropped, other words wait."""
        if self.held:
            self._go_on()
        if is_backchannel(text, self._agent.interruption) and self._interruptible:
            self.caller.forget()
        else:
            self.caller.ended(text)

    def unconfirmed(self) -> None:
        """The sound that stopped us has not become words. With the ears away, a lasting voice is believed."""
        if not self.held:
            return
        if self.caller.ears_away and self.caller.speaking:
            self._take_floor()
        else:
            self._doubt.for_nothing(self._stage.now)
            self._go_on()

    def _go_on(self) -> None:
        self.held = False
        self._timers.stop(Timer.HOLD)
        self._answering.resume()

    # --- keys --------------------------------------------------------------------------------------------------------

    def digit(self, event: Digit) -> None:
        self._noticed()
        if self._interruptible:
            self._take_floor()
        if event.key != "#":
            self.caller.keys += event.key
            self._timers.set(Timer.KEYS, self._stage.now + self._agent.patience.keys_more)
        if event.key == "#" or len(self.caller.keys) >= _MOST_KEYS:
            self.keys_over()

    def keys_over(self) -> None:
        keys, self.caller.keys = self.caller.keys, ""
        self._timers.stop(Timer.KEYS)
        if not keys:
            return
        self.caller.ended(f"(pressed the keys {keys})")
        self.caller.heard_end = self._stage.now
        self.turn_over()

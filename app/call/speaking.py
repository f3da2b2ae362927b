"""From text to what was heard: the utterances of the agent, their sound, and the lines they leave in the memory.

An utterance that is kept back is voiced but not played: it belongs to an answer that may never be given.
"""

from dataclasses import dataclass, field

from app.audio import Clip, key_tone
from app.call.actions import Clear, Play, Speak, StopSpeaking, Write
from app.call.agent import Patience
from app.call.dialogue import Dialogue
from app.call.events import Voiced
from app.call.playback import Playback
from app.call.stage import Stage
from app.call.timers import Timer


@dataclass(slots=True)
class Utterance:
    """Text on its way through the mouth under one number."""

    question: int
    text: str = ""
    kept: bool = False
    protected: bool = False
    noted: bool = True  # it belongs into the memory of the call
    fallback: bool = False
    ended: bool = False  # all of its text has been given to the mouth
    closed: bool = False  # all of its sound has come
    words: int = 0  # that have been voiced
    starts: float | None = None  # when the caller begins to hear it
    sounds: list[Voiced] = field(default_factory=list)  # while it is kept back

    @property
    def rest(self) -> str:
        """The text that has not been voiced yet."""
        return "".join(f"{word} " for word in self.text.split()[self.words :])


class Speaking:
    def __init__(self, stage: Stage, dialogue: Dialogue, patience: Patience) -> None:
        self._stage = stage
        self._dialogue = dialogue
        self._patience = patience
        self.playback = Playback()
        self._utterances: dict[int, Utterance] = {}

    # --- text in -----------------------------------------------------------------------------------------------------

    def begin(self, *, kept: bool = False, protected: bool = False, fallback: bool = False) -> int:
        return self._begin(Utterance(self._stage.next_question(), kept=kept, protected=protected, fallback=fallback))

    def _begin(self, utterance: Utterance, *, first: bool = False) -> int:
        self._utterances[utterance.question] = utterance
        if not utterance.kept:
            self._admit(utterance, first=first)
        return utterance.question

    def add(self, question: int, text: str) -> None:
        self._give(question, text, last=False)

    def end(self, question: int) -> None:
        """No more text will come for this utterance."""
        self._give(question, "", last=True)

    def say(self, text: str, *, protected: bool = False) -> int:
        """A whole utterance at once, which the mouth may have ready."""
        question = self.begin(protected=protected)
        self._give(question, text, last=True)
        return question

    def say_first(self, text: str) -> int:
        """A word that covers a wait: heard before what has not begun yet, and of no weight in the conversation."""
        question = self._begin(Utterance(self._stage.next_question(), noted=False), first=True)
        self._give(question, text, last=True)
        return question

    def press(self, keys: str) -> None:
        """Telephone keys as the tones that they are."""
        question = self.begin()
        self._utterances[question].ended = self._utterances[question].closed = True
        tones = Clip.of(b"".join(key_tone(key) for key in keys))
        self._play(self.playback.add(question, tones, (), self._stage.now))
        self._play(self.playback.close(question, self._stage.now))

    def admit(self, question: int) -> None:
        """What was kept back is wanted after all."""
        utterance = self._utterances.get(question)
        if utterance is None or not utterance.kept:
            return
        utterance.kept = False
        self._admit(utterance)
        self._dialogue.agent_adds(question, utterance.text)
        for sound in utterance.sounds:
            self._play(self.playback.add(question, sound.clip, sound.words, self._stage.now))
        utterance.sounds.clear()
        if utterance.closed:
            self._play(self.playback.close(question, self._stage.now))
        self._expect_sound()

    def withdraw(self, question: int) -> None:
        """An utterance of which nothing was played is not wanted any more."""
        utterance = self._utterances.pop(question, None)
        if utterance is None:
            return
        if not utterance.closed:
            self._stage.do(StopSpeaking(question))
        if not utterance.kept:
            self.playback.forget(question)
            self._dialogue.agent_cut(question, "")

    # --- sound out ---------------------------------------------------------------------------------------------------

    def voiced(self, sound: Voiced) -> bool:
        """Sound has come. Says whether anybody still wanted it."""
        utterance = self._utterances.get(sound.question)
        if utterance is None or utterance.closed:
            return False
        utterance.words += len(sound.words)
        if utterance.kept:
            utterance.sounds.append(sound)
        else:
            self._play(self.playback.add(sound.question, sound.clip, sound.words, self._stage.now))
            self._expect_sound()
        return True

    def voice_ended(self, question: int) -> None:
        utterance = self._utterances.get(question)
        if utterance is None or utterance.closed:
            return
        utterance.closed = True
        if not utterance.kept:
            self._play(self.playback.close(question, self._stage.now))
            self._close_lines(self.playback.finish(self._stage.now))
            self._expect_sound()

    def kept(self, question: int) -> bool:
        utterance = self._utterances.get(question)
        return utterance is not None and utterance.kept

    def fail_over(self, question: int) -> int | None:
        """This utterance's voice has failed: speak what is left of it in the second voice, under a new number.

        Returns the new number; None when there is no second voice left to try, or nothing to say.
        """
        utterance = self._utterances.get(question)
        if utterance is None or utterance.closed:
            return None
        self._stage.do(StopSpeaking(question))
        rest, spoken = utterance.rest, " ".join(utterance.text.split()[: utterance.words])
        utterance.text, utterance.ended, was_ended = spoken, True, utterance.ended
        if not utterance.words:
            self._dialogue.agent_cut(question, "")
        else:
            self._dialogue.agent_rewords(question, spoken)
        successor = None if utterance.fallback or not rest else self.begin(protected=utterance.protected, fallback=True)
        self.voice_ended(question)
        if successor is not None:
            self._give(successor, rest, last=was_ended)
        return successor

    def overdue(self) -> int | None:
        """The utterance whose sound should have come by now, if there is one."""
        for utterance in self._utterances.values():
            if utterance.kept or utterance.closed:
                continue
            if utterance.rest:
                return utterance.question
            if utterance.ended:  # all words are there and only the vendor's "that is all" is missing
                self.voice_ended(utterance.question)
                return self.overdue()
        return None

    # --- the floor ---------------------------------------------------------------------------------------------------

    def hold(self) -> None:
        """Be quiet at once, and keep what was not heard."""
        if self.playback.pending:
            self._stage.do(Clear())
        self.playback.hold(self._stage.now)
        self._stage.timers.stop(Timer.PLAYED, Timer.FIRST_VOICE)

    def resume(self) -> None:
        self._play(self.playback.release(self._stage.now))
        self._expect_sound()
        self._close_lines(self.playback.finish(self._stage.now))

    def drop(self) -> None:
        """The caller has taken the floor, or has gone: only what was heard stays in the memory."""
        if self.playback.pending and not self.playback.holding:
            self._stage.do(Clear())
        for utterance in list(self._utterances.values()):
            if utterance.kept:
                continue
            if not utterance.closed:
                self._stage.do(StopSpeaking(utterance.question))
            self._cut_line(utterance)
            del self._utterances[utterance.question]
        self.playback.drop()
        self._stage.timers.stop(Timer.PLAYED, Timer.FIRST_VOICE)

    def played(self, mark: int) -> None:
        self._close_lines(self.playback.played(mark, self._stage.now))
        self._expect_marks()

    def marks_overdue(self) -> None:
        self._close_lines(self.playback.all_played(self._stage.now))

    def heard(self, question: int) -> str:
        """The words of an utterance that is being played, as far as the caller has heard them."""
        return " ".join(word.text for word in self.playback.heard_words(question, self._stage.now))

    def written(self, question: int) -> str:
        """All words of an utterance, as the mind wrote them."""
        utterance = self._utterances.get(question)
        return utterance.text.strip() if utterance else ""

    # --- within ------------------------------------------------------------------------------------------------------

    def _admit(self, utterance: Utterance, *, first: bool = False) -> None:
        self.playback.begin(utterance.question, protected=utterance.protected, first=first)
        if utterance.noted:
            self._dialogue.agent_begins(utterance.question)

    def _give(self, question: int, text: str, *, last: bool) -> None:
        utterance = self._utterances.get(question)
        if utterance is None or utterance.ended:
            return
        utterance.text += text
        utterance.ended = last
        if not utterance.kept:
            self._dialogue.agent_adds(question, text)
        self._stage.do(Speak(question, text, last, utterance.fallback))
        self._expect_sound()

    def _play(self, plays: list[Play]) -> None:
        """Send sound, which may be that of utterances that have been waiting behind this one."""
        self._stage.do(*plays)
        for utterance in self._utterances.values():
            utterance.starts = utterance.starts or self.playback.starts(utterance.question)
        self._expect_marks()

    def _expect_marks(self) -> None:
        if self.playback.pending:
            self._stage.timers.set(Timer.PLAYED, self.playback.runs_dry + self._patience.farewell)
        else:
            self._stage.timers.stop(Timer.PLAYED)

    def _expect_sound(self) -> None:
        """While text is with the mouth, sound must come: 1.5 s after what the caller hears now runs out."""
        awaited = any(not u.kept and not u.closed and (u.rest or u.ended) for u in self._utterances.values())
        if not awaited or self.playback.holding:
            self._stage.timers.stop(Timer.FIRST_VOICE)
        else:
            runs_dry = max(self._stage.now, self.playback.runs_dry)
            self._stage.timers.set(Timer.FIRST_VOICE, runs_dry + self._patience.first_voice)

    def _close_lines(self, questions: list[int]) -> None:
        for question in questions:
            utterance = self._utterances.pop(question, None)
            if utterance is None:
                continue
            self._dialogue.agent_heard_all(question)
            self._write(utterance, utterance.text.strip(), interrupted=False)

    def _cut_line(self, utterance: Utterance) -> None:
        heard = self.heard(utterance.question)
        if utterance.closed and utterance.words and len(heard.split()) >= utterance.words:
            self._dialogue.agent_heard_all(utterance.question)
            self._write(utterance, utterance.text.strip(), interrupted=False)
        else:
            self._dialogue.agent_cut(utterance.question, heard)
            self._write(utterance, heard, interrupted=True)

    def _write(self, utterance: Utterance, heard: str, *, interrupted: bool) -> None:
        now, text = self._stage.now, utterance.text.strip()
        if utterance.starts is None or utterance.starts > now or not text:
            return
        self._stage.do(Write("agent", text, heard, utterance.starts, now, interrupted, utterance.question))

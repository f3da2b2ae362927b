"""The caller's side of the floor: what was said in the turn that is going on, and when its last sound was heard.

Gathers; whether the turn is over, and what an interruption means, is decided in `floor.py`.
"""

from app.call.patience import equivalent
from app.call.stage import Stage
from app.call.states import CallerState, caller_move

# An interim every 0.15 to 0.25 s, and 0.1 to 0.2 s on the way.
WORDS_TAKE = 0.5


class CallerSide:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.state = CallerState.QUIET
        self.heard_end = stage.now
        self.turn_began = stage.now
        self._started = stage.now
        self.keys = ""
        self.ears_away = False
        self._ended: list[str] = []  # utterances of this turn that are over
        self._going_on = ""  # the one that is not
        self._suspected: float | None = None  # since when there is a sound that may be a voice
        self._murmur: tuple[float, float] | None = None  # when such a sound began and ended, if words may still come
        self._taken = ""  # the last turn, as long as the caller has not spoken since
        self._half_taken = ""  # what was taken as a turn of an utterance that the ears have not ended

    @property
    def text(self) -> str:
        """All words of the turn so far."""
        return " ".join(part for part in (*self._ended, self._going_on) if part)

    @property
    def speaking(self) -> bool:
        return self.state is CallerState.SPEAKING

    @property
    def pausing(self) -> bool:
        return self.state is CallerState.PAUSED

    @property
    def all_ended(self) -> bool:
        """Is every utterance of this turn over, by the ears' judgement?"""
        return bool(self._ended) and not self._going_on

    @property
    def just_started(self) -> bool:
        """Is there a voice so new that no words of it can be here yet? A voice that has been there long is noise."""
        return self.speaking and self._stage.now - self._started < WORDS_TAKE

    def suspect(self, ago: float) -> None:
        """There is a sound, and nobody knows yet whether it is the caller."""
        self._suspected = self._stage.now - ago

    def suspect_paused(self, ago: float) -> bool:
        """The sound is over. Says whether it was one that was only suspected; late words may tell that it spoke."""
        suspected, self._suspected = self._suspected, None
        if suspected is None or self.speaking:
            return False
        self._murmur = (suspected, self._stage.now - ago)
        return True

    def believe(self) -> bool:
        """There are words: what was suspected is a voice. Says whether it goes on."""
        began, self._suspected = self._suspected, None
        if began is not None:
            self.started(self._stage.now - began)
            return True
        if self._murmur is not None and not self.speaking:
            began, ended = self._murmur
            self.started(self._stage.now - began)
            self.paused(self._stage.now - ended)
        return False

    def started(self, ago: float) -> None:
        self.state = caller_move(self.state, CallerState.SPEAKING)
        self._started = self._stage.now - ago
        self._taken = ""
        self._suspected = self._murmur = None
        if not self.text:
            self.turn_began = self._stage.now - ago

    def paused(self, ago: float) -> None:
        self.state = caller_move(self.state, CallerState.PAUSED)
        self.heard_end = self._stage.now - ago

    def words(self, text: str) -> None:
        """The utterance that is going on, as far as it has been understood."""
        self._going_on = text

    def ended(self, text: str) -> None:
        """The utterance that was going on is over."""
        self._going_on = self._half_taken = ""
        self._ended.append(text)
        if self.state is CallerState.QUIET:  # words without a voice: too soft for the local detector
            self.state = caller_move(self.state, CallerState.PAUSED)
            self.heard_end = self._stage.now

    def news(self, text: str) -> str:
        """What of this utterance has not been taken as a turn already. The ears tell all of it again and again."""
        if self._taken and (equivalent(text, self._taken) or self._taken.endswith(text)):
            return ""
        if not self._half_taken:
            return text
        words = text.split()
        lengths = range(1, len(words) + 1)
        known = next((n for n in lengths if equivalent(" ".join(words[:n]), self._half_taken)), 0)
        return " ".join(words[known:])

    def utterance_over(self) -> None:
        """The ears begin a new one: what they tell from now on is all new."""
        self._half_taken = ""

    def take(self) -> str:
        """The turn is over: its words, and the floor is empty for the next one."""
        text = self.text
        self._half_taken = " ".join(part for part in (self._half_taken, self._going_on) if part)
        self.forget()
        self._taken = text
        return text

    def forget(self) -> None:
        self._ended.clear()
        self._going_on = ""
        self.keys = ""
        if self.state is CallerState.PAUSED:
            self.state = caller_move(self.state, CallerState.QUIET)

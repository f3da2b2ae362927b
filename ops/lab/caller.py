"""A person who rings: acts a story out on a telephone, frame by frame, and measures what a person would notice.

Pure: the carrier calls `beat` every 20 ms and `receive` with what the server sends, and passes on what they return.
The caller's voice is sound that begins at one beat and leaves, 20 ms at a time, from the next beat on, as sound does
that has to be recorded before it can be sent. Moments are absolute, in seconds of the carrier's clock.
"""

import re
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import zip_longest

from ops.lab import speech
from ops.lab.ear import Ear
from ops.lab.phone import FRAME, FRAME_SECONDS, Hole, Phone
from ops.lab.story import (
    TURN_PAUSE,
    Answers,
    Coughs,
    Ends,
    HangsUp,
    Hears,
    IsQuiet,
    Mutters,
    Noise,
    Parts,
    Presses,
    Repeats,
    Says,
    SilentFor,
    Step,
    Story,
    TalksOver,
    Waits,
)
from ops.lab.transcript import Line, Transcript

_QUIET_FRAME = b"\xff" * FRAME
_LISTEN_EVERY = 5  # beats: nobody reacts faster than in 100 ms, unless the story says after which word


@dataclass(slots=True)
class Turn:
    """Something the caller said that wants an answer, and how the agent took it. All times in seconds."""

    text: str
    onset: float
    end: float
    over: bool  # the agent was sounding when it began
    answered: float | None = None
    cleared: float | None = None
    stopped: float | None = None
    spoken_into: bool = False  # the agent began to sound before the caller had finished

    @property
    def gap(self) -> float | None:
        """From the last sample of the caller's voice to the first audible one of the answer."""
        return None if self.answered is None or self.spoken_into else self.answered - self.end

    @property
    def barge_in(self) -> float | None:
        """From the first sample of the voice over the agent to the `clear`."""
        return self.cleared - self.onset if self.over and self.cleared is not None else None

    @property
    def quieted(self) -> float | None:
        """From the first sample of the voice over the agent to the agent's last."""
        return self.stopped - self.onset if self.over and self.stopped is not None else None


@dataclass(frozen=True, slots=True)
class _Until:
    """What the caller waits for, for how long, and what has gone wrong when it does not come (with "": nothing)."""

    happens: Callable[[float], bool]
    within: float
    otherwise: Callable[[], str]
    the_end: bool = False  # the end of the call is what is waited for


_Plot = Generator[_Until, float, None]


def _never(now: float) -> bool:
    return False


def _nothing() -> str:
    return ""


_NOW = _Until(lambda now: True, 0.0, _nothing)


def _lab_voice(text: str, pace: float) -> bytes:
    return speech.say(text, pace=pace)


class Caller:
    """One person and one call. `leaving`: would hang up now. `failed`: why the story did not go as written, or "".

    `voice`: the sound of a text at a pace, if not the lab's. `prompted`: the agent's voice is a real one, and somebody
    calls `understands` with its words.
    """

    def __init__(
        self,
        story: Story,
        *,
        tell: Callable[[Line], None] = lambda line: None,
        voice: Callable[[str, float], bytes] = _lab_voice,
        prompted: bool = False,
    ) -> None:
        self.story = story
        self.ear = Ear(prompted=prompted)
        self._say = voice
        self.turns: list[Turn] = []
        self.transcript = Transcript(self.ear, tell)
        self.phones: list[Phone] = []
        self.failed = ""
        self.leaving = False
        self._voice: deque[bytes] = deque()  # frames to be sent
        self._room: deque[bytes] = deque()  # frames of background
        self._keys: list[str] = []  # messages of keys pressed since the last beat
        self._plot = self._begins()
        self._wait: _Until | None = next(self._plot)
        self._until = 0.0
        self._beats = 0
        self._attentive = False
        self._since = 0.0  # sound after this moment is an answer
        self._from = 0  # and so are the words from this one on

    # --- the telephone at the ear ---------------------------------------------------------------------------------

    def lift(self, phone: Phone, now: float) -> None:
        """A stream has started: from now on this is what the caller hears and speaks into."""
        if not self.phones:
            self._since = now
        self.phones.append(phone)
        self.ear.attach(phone)

    def beat(self, now: float) -> list[str]:
        """Another 20 ms: what goes out."""
        phone = self.phones[-1]
        frame = self._voice.popleft() if self._voice else self._room.popleft() if self._room else _QUIET_FRAME
        messages = [phone.frame(frame), *phone.tick(now)]
        self._beats += 1
        if self._attentive or self._beats % _LISTEN_EVERY == 0:
            self._listen(phone, now)
        self._go_on(now)
        messages += self._keys
        self._keys.clear()
        return messages

    def receive(self, message: str | bytes, now: float) -> list[str]:
        """Something came from the server: what the telephone company answers."""
        phone = self.phones[-1]
        clearings = len(phone.clearings)
        answer = phone.receive(message, now)
        if len(phone.clearings) > clearings:
            self._listen(phone, now)
            self.ear.cleared()
            self.transcript.cleared(now)
            self._from = len(self.ear.words)
        return answer

    def lower(self, now: float) -> None:
        """The stream is over: what it had not played yet is never heard. The call may go on with another."""
        self._listen(self.phones[-1], now)
        self._go_on(now)

    def told(self, text: str, start: float, end: float) -> None:
        """The telephone company itself says something to the caller."""
        self.transcript.note(Line("carrier", start, end, text))

    def understands(self, text: str) -> None:
        """This is what the agent has just said."""
        self.ear.told(text)
        self.transcript.follow()

    def hang_up(self) -> None:
        """The call is over, whoever ended it. Call it once; after it the figures stand."""
        self.transcript.follow(to_the_end=True)
        if self._wait is not None and not (self._wait.the_end or self.leaving or self.failed):
            self.failed = f"the call ended early: the caller {self._wait.otherwise() or 'had more to say'}"
        self.leaving = True
        self._plot.close()
        for turn, following in zip_longest(self.turns, self.turns[1:]):
            self._judge(turn, following.onset if following else float("inf"))

    # --- what a person would notice -------------------------------------------------------------------------------

    @property
    def greeting(self) -> float | None:
        """From the start of the stream to the first audible sample, if the agent speaks before the caller does."""
        first = self.ear.stretches[0] if self.ear.stretches else None
        if first is None or (self.turns and self.turns[0].onset < first.start):
            return None
        return first.start - self.phones[0].began

    def holes(self) -> list[Hole]:
        """Where the agent's speech was torn, because sound came too late."""
        return [
            hole
            for phone in self.phones
            for hole in self.ear.torn(phone)
            if not any(
                turn.onset < phone.moment(hole.end) and phone.moment(hole.first) < turn.end for turn in self.turns
            )
        ]

    def _judge(self, turn: Turn, before: float) -> None:
        clearings = [clearing.at for phone in self.phones for clearing in phone.clearings]
        turn.cleared = next((at for at in clearings if turn.onset <= at < before), None)
        turn.stopped = self.ear.stopped_after(turn.onset)
        if turn.over and turn.stopped is None:
            return  # it never stopped: whatever came after is no answer
        silent_from = turn.stopped if turn.over and turn.stopped is not None else turn.onset
        collided = not turn.over and turn.stopped is not None
        turn.spoken_into = collided or any(silent_from < stretch.start < turn.end for stretch in self.ear.stretches)
        answer = self.ear.first_after(max(turn.end, silent_from + FRAME_SECONDS))
        if answer is not None and answer.start < before:
            turn.answered = answer.start

    # --- the story, acted out -------------------------------------------------------------------------------------

    def _go_on(self, now: float) -> None:
        while self._wait is not None and not self.leaving:
            if not self._wait.happens(now):
                if now < self._until:
                    return
                if failure := self._wait.otherwise():
                    self.failed = f"the caller {failure} within {self._wait.within:g} s"
                    self.leaving = True
                    return
            try:
                self._wait = self._plot.send(now)
                self._until = now + self._wait.within
            except StopIteration:
                self._wait = None
                self.leaving = True

    def _begins(self) -> _Plot:
        yield _NOW
        yield from self._acts(self.story.steps)

    def _acts(self, steps: tuple[Step, ...]) -> _Plot:
        for step in steps:
            yield from self._act(step)

    def _act(self, step: Step) -> _Plot:
        match step:
            case Hears():
                yield from self._hears(step)
            case Says():
                yield _Until(
                    lambda now: self.ear.quiet_for(self._since) >= step.after,
                    step.within,
                    lambda: f"could not say {step.text!r}: the agent was not quiet",
                )
                yield from self._speaks(step.text, step.pace)
            case TalksOver():
                yield from self._talks_over(step)
            case Answers():
                yield from self._answers(step)
            case Mutters():
                if step.after_words:
                    yield from self._notices(step.after_words, 0.0, step.within)
                yield from self._sounds(self._say(step.text, 1.0), f"({step.text})")
            case Coughs():
                if step.after_words:
                    yield from self._notices(step.after_words, 0.0, step.within)
                yield from self._sounds(speech.cough(), "(coughs)")
            case Noise():
                self._room = _frames(speech.noise(step.seconds, step.level))
            case Waits() | SilentFor():
                yield _Until(_never, step.seconds, _nothing)
            case Presses():
                for key in step.keys:
                    self._keys.append(self.phones[-1].press(key))
                    now = yield _Until(_never, step.every, _nothing)
                    self.transcript.note(Line("caller", now - step.every, now, f"[{key}]"))
            case IsQuiet():
                yield _Until(
                    lambda now: self.ear.quiet_for(self._since) >= step.lasting,
                    step.within + step.lasting,
                    lambda: "did not find the agent quiet",
                )
            case Ends():
                yield _Until(_never, step.within, lambda: "was not hung up on", the_end=True)
            case Parts():
                yield _Until(_never, step.within, _nothing, the_end=True)
                self.leaving = True
            case HangsUp():
                self.leaving = True
            case Repeats():
                yield from self._repeats(step)

    def _repeats(self, step: Repeats) -> _Plot:
        began = now = yield _NOW
        rounds = 0
        while rounds < step.times or now - began < step.seconds:
            yield from self._acts(step.steps)
            now = yield _NOW
            rounds += 1

    def _hears(self, step: Hears) -> _Plot:
        pattern = re.compile(step.pattern, re.IGNORECASE)

        def heard(now: float) -> bool:
            if not step.pattern:
                return bool(self.ear.stretches) and self.ear.stretches[-1].end > self._since
            if found := pattern.search(self._words()):
                self._from += self._words()[: found.end()].count(" ") + 1
            return found is not None

        what = repr(step.pattern) if step.pattern else "anything"
        yield _Until(heard, step.within, lambda: f"did not hear {what}{self._but()}")

    def _answers(self, step: Answers) -> _Plot:
        missed = f"did not hear {step.until!r}" if step.until else "was not hung up on"
        for _ in range(step.times):
            yield _Until(
                lambda now: self._agent_has_finished(),
                step.within,
                lambda: missed + self._but(),
                the_end=not step.until,
            )
            words = self._words()
            self._from = len(self.ear.words)
            if step.until and re.search(step.until, words, re.IGNORECASE):
                return
            replies = [reply for pattern, reply in step.replies.items() if re.search(pattern, words, re.IGNORECASE)]
            if not replies:
                break
            yield from self._speaks(replies[0], 1.0)
        self.failed = f"the caller had no more answers: {words!r}"
        self.leaving = True

    def _agent_has_finished(self) -> bool:
        """It has said something that was understood, and waits."""
        answered = bool(self.ear.stretches) and self.ear.stretches[-1].end > self._since
        return answered and bool(self._words()) and self.ear.quiet_for(self._since) >= TURN_PAUSE

    def _words(self) -> str:
        return " ".join(word.text for word in self.ear.words[self._from :])

    def _but(self) -> str:
        return f", but {self._words()!r}" if self._words() else ""

    def _talks_over(self, step: TalksOver) -> _Plot:
        yield from self._notices(step.after_words, step.after, step.within)
        yield from self._speaks(step.text, step.pace)
        turn = self.turns[-1]
        deadline = turn.onset + step.quiet_within
        yield _Until(
            lambda now: self.ear.until >= deadline and self.ear.stopped_after(turn.onset) is not None,
            max(0.0, deadline - turn.end) + 1.0,  # it takes half a second of quiet to know that it is quiet
            lambda: f"talked over the agent, which did not stop: {turn.text!r}",
        )
        stopped = self.ear.stopped_after(turn.onset)
        if stopped is not None and stopped > deadline:
            took = f"{stopped - turn.onset:.2f} s"
            self.failed = f"the caller talked over the agent, which stopped only after {took}: {turn.text!r}"
            self.leaving = True

    def _notices(self, words: int, after: float, within: float) -> _Plot:
        """Waits for the agent to be in the middle of its speech."""

        def in_the_middle(now: float) -> bool:
            begun = next((stretch for stretch in self.ear.stretches if stretch.end > self._since), None)
            long_enough = begun is not None and now - begun.start >= after
            return long_enough and len(self.ear.words) - self._from >= words and self.ear.sounding

        self._attentive = True
        yield _Until(in_the_middle, within, lambda: f"could not get a word in{self._but()}")
        self._attentive = False

    def _speaks(self, text: str, pace: float) -> _Plot:
        """Says something that wants an answer."""
        sound = self._say(text, pace)
        now = yield _NOW
        turn = Turn(text, now, now + len(sound) / speech.RATE, over=self.ear.sounding)
        self.turns.append(turn)
        self._from = len(self.ear.words)
        self._since = turn.end
        yield from self._sounds(sound, text)

    def _sounds(self, sound: bytes, shown: str) -> _Plot:
        now = yield _NOW
        end = now + len(sound) / speech.RATE
        self._voice.extend(_frames(sound))
        self.transcript.note(Line("caller", now, end, shown))
        yield _Until(lambda now: now >= end, end - now + 1.0, _nothing)

    def _listen(self, phone: Phone, now: float) -> None:
        self.ear.listen(phone, now)
        self.transcript.follow()


def _frames(sound: bytes) -> deque[bytes]:
    """The sound in pieces of 20 ms, the last one filled up with silence."""
    return deque(sound[start : start + FRAME].ljust(FRAME, b"\xff") for start in range(0, len(sound), FRAME))

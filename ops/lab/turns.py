"""The battery of turn-taking: what happens at the telephone, written as recipes, and what a person would expect then.

The recipes are in `turns.yaml`, a case a paragraph. Here they are read and acted out by a caller who keeps to the
moment, in a room with noise and on a line with echo; whether the agent was right is judged by whoever plays them.
"""

from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from ops.lab.caller import Caller
from ops.lab.ear import Ear
from ops.lab.phone import FRAME, FRAME_SECONDS, RATE, Phone, Sound
from ops.lab.speech import noise, silence
from ops.lab.story import Hears, IsQuiet, Says, Step, Story, Waits
from ops.lab.transcript import Transcript
from ops.lab.turns_sounds import RecipeError, mixed, moments, sound_of, wordless

BATTERY = Path(__file__).with_name("turns.yaml")
GREETING = "Hello, this is the clinic. How can I help?"
TELL = "Tell me a story."
TALE = (
    "Our clinic was founded in nineteen fifty two by two sisters from the coast. "
    "In the first years they had one room, one nurse and a bicycle. "
    "Later the clinic moved into the old school by the river."
)
ECHO_DELAY = 0.15  # to the far end of a telephone network and back
_TURN_PAUSE = 0.8  # the caller begins when the agent has been quiet for so long
_LISTENS = 3.0  # after the last sound
_REST = 1.6  # a quiet after which nothing more is to come
_LONGEST = 40.0
_NOISE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Case:
    """One recipe and what is right. `expect` is answer, stop, go on or prompt.

    lead: what comes before: "greeting" (the caller begins after it), "story" (the agent is telling one), or a question
    that the agent greets with. over: begin after so many words of the agent's; after: so long after its last sound.
    noise: of the room, root mean square; echo: of the agent's voice on the line, in decibels below it. turn: the words
    that must be answered, as one. within: seconds to the answer. clears: how often the agent may be silenced, at most.
    pause: how long the story may be interrupted. stop_within: seconds from the last sound's beginning to the clear.
    """

    name: str
    kind: str
    sound: str
    expect: str
    lead: str = "greeting"
    over: int = 0
    after: float = _TURN_PAUSE
    pace: float = 1.0
    decibels: float = 0.0
    noise: float = 0.0
    echo: float | None = None
    turn: str = ""
    within: float = 1.0
    clears: int = 1
    pause: float = 1.2
    stop_within: float = 0.1

    def __post_init__(self) -> None:
        if self.expect not in ("answer", "stop", "go on", "prompt"):
            raise RecipeError(f"{self.name}: nobody can expect {self.expect!r}")
        sound_of(self.sound, pace=self.pace)

    @property
    def story(self) -> Story:
        """What leads up to the moment."""
        told: tuple[Step, ...] = (Says(TELL), Hears("our clinic")) if self.lead == "story" else ()
        rest: tuple[Step, ...] = () if self.over else (IsQuiet(lasting=self.after),)
        return Story(self.name, (Hears("hello" if told else ""), *told, *rest))

    @property
    def greeting(self) -> str:
        return GREETING if self.lead in ("greeting", "story") else self.lead


def battery(path: Path = BATTERY) -> tuple[Case, ...]:
    """All cases of a file. Raises `RecipeError` for one that nobody can play."""
    kinds: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {field.name for field in fields(Case)}
    cases = []
    for kind, written in kinds.items():
        common = {"expect": written["expect"], **written.get("all", {})}
        for name, given in written["cases"].items():
            recipe = {"sound": given} if isinstance(given, str) else dict(given)
            if unknown := recipe.keys() - known:
                raise RecipeError(f"{name}: a case has no {', '.join(sorted(unknown))}")
            cases.append(Case(**{"name": name, "kind": kind, **common, **recipe}))
    return tuple(cases)


class Prober(Caller):
    """Acts one case out. `sounds`: when each sound of the recipe begins and ends, once it is being acted out."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.sounds: list[tuple[float, float]] = []
        super().__init__(case.story)
        self.ear: EchoingEar = EchoingEar()
        self.transcript = Transcript(self.ear, lambda line: None)
        self._now = 0.0
        self._frames = 0
        self._hiss = noise(_NOISE_SECONDS, case.noise, seed=5) if case.noise else b""

    def beat(self, now: float) -> list[str]:
        self._now = now
        self._attentive = True
        voice = self._voice.popleft() if self._voice else silence(FRAME_SECONDS)
        self._voice.appendleft(mixed(voice, *self._surroundings(now)))
        return super().beat(now)

    def _surroundings(self, now: float) -> Iterator[bytes]:
        """What the telephone takes up beside the caller: the room, and our own words coming back."""
        if self._hiss:
            yield self._hiss[self._frames * FRAME % len(self._hiss) :][:FRAME]
        if self.case.echo is not None:
            yield wordless(self.ear.played(self.phones[-1], now - ECHO_DELAY), self.case.echo)
        self._frames += 1

    def _begins(self) -> Generator[Any, float, None]:
        case = self.case
        yield from super()._begins()
        if case.over:
            yield from self._notices(case.over, 0.0, _LONGEST)
        sound = sound_of(case.sound, pace=case.pace, decibels=case.decibels)
        moment = self._now
        made = moments(case.sound, pace=case.pace) or [(0.0, 0.0)]
        self.sounds = [(moment + begin, moment + end) for begin, end in made]
        yield from self._sounds(sound, case.sound)
        yield from self._acts((Waits(_LISTENS), IsQuiet(within=_LONGEST, lasting=_REST)))


class EchoingEar(Ear):
    """An ear that knows also the sound itself of the last moments, as it was played."""

    def __init__(self) -> None:
        super().__init__()
        self._sounds: deque[Sound] = deque(maxlen=50)

    def _take(self, phone: Phone, sound: Sound) -> None:
        self._sounds.append(sound)
        super()._take(phone, sound)

    def played(self, phone: Phone, until: float) -> bytes:
        """The 20 ms of our sound that the caller's telephone played until this moment."""
        last = round((until - phone.began) * RATE)
        first = last - FRAME
        heard = bytearray(silence(FRAME_SECONDS))
        for sound in self._sounds:
            start, end = max(first, sound.first), min(last, sound.end)
            if start < end:
                heard[start - first : end - first] = sound.mulaw[start - sound.first : end - sound.first]
        return bytes(heard)

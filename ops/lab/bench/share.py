"""Whose time was it? Each gap before an answer, cut into what vendors took and what was ours. Pure.

The lab stamps both sides with one clock. An answer is followed back from the ear to the mouth: the sound that answered,
the text that became this sound, the words of the mind that this text consists of, the request that they answered, and
the transcript that the request was made of. Between a vendor's message and what follows from it, the time is ours.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DEFINITION = (
    "own share: the gap without the vendors' waits. What is ours, stamped by one clock: the sound of a voice's end on "
    "its way to the ears' vendor; transcript to request, or for who asks on quiet alone, what it took longer than "
    "the quickest tenth of such requests; the words of the first clause, and the letter that proves its end, "
    "to the text for the voice; the first sound, or the end of the turn if that was told later, to the caller."
)

_FRAME = 0.02
_HALF_A_FRAME = _FRAME / 2

Note = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One turn of one caller, as the caller measured it: when the voice began and ended, and when the answer began.

    `beats` are those behind the voice's end: when each frame was due to be sent, and how late the caller itself was.
    """

    name: str  # a word that this caller says in every turn, and nobody else ever
    onset: float
    end: float
    answered: float
    beats: Sequence[tuple[float, float]] = ()

    @property
    def length(self) -> float:
        """How long the voice was: the same question ends at the same place within its last frame."""
        return round(self.end - self.onset, 3)

    def late(self, moment: float) -> float:
        """How late the caller was to send the sound of this moment."""
        return next((late for due, late in self.beats if due >= moment - _HALF_A_FRAME), 0.0)


@dataclass(frozen=True, slots=True)
class Share:
    """Our part of one gap in seconds, leg by leg; a leg that nobody waited for is 0."""

    hearing: float  # the caller's sound on its way to the ears' vendor
    thinking: float = 0.0  # from the transcript to the request, or from the end of the quiet that was waited for
    speaking: float = 0.0  # from the words of the first clause, and the proof that it is one, to the text for the voice
    playing: float = 0.0  # from the first sound, or the end of the turn, to the caller

    @property
    def total(self) -> float:
        return self.hearing + self.thinking + self.speaking + self.playing


@dataclass(slots=True)
class _Request:
    """One request to the mind, and its answer as far as it was noted."""

    at: float
    text: str
    answer: str = ""
    tokens: list[tuple[int, float]] = field(default_factory=list)  # how long the answer was, and since when
    done: float = math.inf

    def said(self, text: str, before: float) -> float | None:
        """When the answer had all of this text, and the letter behind it: "at 3." may go on with "30".

        Who guessed right and did not wait for that letter is measured from the text alone. None: it was not said.
        """
        begins = len(self.answer) - len(self.answer.lstrip())
        if not self.answer.startswith(text, begins):
            return None
        ends = begins + len(text)
        rest = self.answer[ends:]
        proven = self._since(ends + len(rest) - len(rest.lstrip()) + 1)
        return proven if proven <= before else self._since(ends)

    def _since(self, length: int) -> float:
        return next((at for reached, at in self.tokens if reached >= length), self.done)


@dataclass(slots=True)
class _Utterance:
    """One text that became sound."""

    at: float
    text: str
    sounded: float = math.inf


@dataclass(slots=True)
class _Call:
    """What the vendors saw of one call, in order."""

    words: list[Note] = field(default_factory=list)
    requests: list[_Request] = field(default_factory=list)
    utterances: list[_Utterance] = field(default_factory=list)


def shares(turns: Sequence[Asked], notes: Sequence[Note]) -> list[Share | None]:
    """Our share of each turn's gap, in the same order; None where the way back was lost."""
    calls = _calls(notes, {turn.name for turn in turns})
    ways = [_way(turn, calls[turn.name]) for turn in turns]
    pauses = _chosen_pauses([(turn, way) for turn, way in zip(turns, ways, strict=True) if way is not None])
    return [
        _share(turn, way, pauses.get(turn.length, 0.0)) if way is not None else None
        for turn, way in zip(turns, ways, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Way:
    """The way of one answer, from the ear back."""

    ended: Note
    sounded: float
    spoken: float  # when its text came to the voice's vendor
    said: float  # when the mind had said that text
    request: float
    cause: Note | None  # what the ears' vendor had told last; None: the request was made on quiet alone


def _way(turn: Asked, call: _Call) -> _Way | None:
    ended = _last((note for note in call.words if note["ends"]), turn.onset, turn.answered)
    sounding = [u for u in call.utterances if u.at > turn.onset and u.sounded <= turn.answered]
    if ended is None or not sounding:
        return None
    utterance = max(sounding, key=lambda u: u.sounded)
    request, said = _asked_for(utterance, call.requests)
    if request is None:
        return None
    # Who thinks when the caller pauses has not waited for a transcript that is final.
    told = (note for note in call.words if note["text"] or note["ends"])
    cause = _last(told, turn.end, request.at)
    return _Way(ended, utterance.sounded, utterance.at, said, request.at, cause)


def _share(turn: Asked, way: _Way, pause: float) -> Share | None:
    begins = turn.end - way.ended["voice"]  # when the caller sent the first sound of this socket
    if way.ended["at"] > way.sounded:  # the answer lay ready and waited for the end of the turn
        return Share(_hearing(turn, way.ended, begins), playing=turn.answered - way.ended["at"])
    speaking, playing = way.spoken - way.said, turn.answered - way.sounded
    if way.cause is not None:
        thinking = way.request - way.cause["at"]
        return Share(_hearing(turn, way.cause, begins), thinking, speaking, playing)
    late = turn.late(turn.end + pause - _FRAME)  # of the last frame of quiet before it
    return Share(0.0, max(0.0, way.request - turn.end - pause - late), speaking, playing)


def _chosen_pauses(ways: Iterable[tuple[Asked, _Way]]) -> dict[float, float]:
    """How long is waited on purpose by whoever asks on quiet alone, for turns of each length: as the quickest tenth do.

    What each of those requests takes alike cannot be told from patience, so it is not counted.
    """
    waited: defaultdict[float, list[float]] = defaultdict(list)
    for turn, way in ways:
        if way.cause is None:
            waited[turn.length].append(way.request - turn.end)
    return {length: sorted(each)[len(each) // 10] for length, each in waited.items()}


def _asked_for(utterance: _Utterance, requests: Sequence[_Request]) -> tuple[_Request | None, float]:
    """The request whose answer begins with this text, and when it had said it."""
    for request in reversed(requests):
        if request.at <= utterance.at and (said := request.said(utterance.text, utterance.at)) is not None:
            return request, said
    return None, 0.0


def _hearing(turn: Asked, note: Note, begins: float) -> float:
    """How much later than the caller sent it the vendor had the sound that this transcript was decided on."""
    sent = begins + note["sound"]
    return float(note["heard"] - sent - turn.late(sent))


def _last(notes: Iterable[Note], after: float, until: float) -> Note | None:
    between = [note for note in notes if after < note["at"] <= until]
    return between[-1] if between else None


# --- whose messages these were ----------------------------------------------------------------------------------------


def _calls(notes: Sequence[Note], names: set[str]) -> dict[str, _Call]:
    """Every note with the call whose caller's name was said at its place."""
    calls = {name: _Call() for name in names}
    owners = {
        note["place"]: name
        for note in notes
        for name in names.intersection(_plain(note.get("text", "")).split())  # every caller's name is one of a kind
    }
    requests: dict[str, _Request] = {}
    utterances: dict[tuple[str, str], _Utterance] = {}
    for note in notes:
        call = calls.get(owners.get(note["place"], ""))
        if call is None:
            continue
        match note["what"]:
            case "words":
                call.words.append(note)
            case "asked":
                request = requests[note["place"]] = _Request(note["at"], note["text"])
                call.requests.append(request)
            case "token":
                request = requests[note["place"]]
                request.answer += note["text"]
                request.tokens.append((len(request.answer), note["at"]))
            case "done":
                requests[note["place"]].done = note["at"]
            case "text":
                key = (note["place"], note["context"])
                if key not in utterances:
                    utterances[key] = _Utterance(note["at"], note["text"].strip())
                    call.utterances.append(utterances[key])
            case "sound":
                if (utterance := utterances.get((note["place"], note["context"]))) is not None:
                    utterance.sounded = note["at"]
    return calls


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


# --- names ------------------------------------------------------------------------------------------------------------

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprtvz" for vowel in "aeiou"]


def names(count: int) -> list[str]:
    """So many different words of four syllables that nobody says by chance: the names of the callers."""
    size = len(_SYLLABLES)
    return [f"{_SYLLABLES[n % size]}{_SYLLABLES[n // size % size]}zuko" for n in range(count)]

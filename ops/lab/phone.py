"""One media stream as the telephone company plays it: what it sends, what it accepts, and what the caller hears.

Pure: no socket and no clock. Time is an argument, in seconds of any clock that does not jump; inside, the stream counts
samples from its start, so that whatever it says about sound is exact to the sample.
"""

import json
from binascii import Error as NotBase64
from binascii import a2b_base64, b2a_base64
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

RATE = 8000
FRAME = 160  # samples the company sends at a time
FRAME_SECONDS = FRAME / RATE
BUFFER = 600 * RATE  # the company keeps ten minutes of sound that was not played yet, and no more

# The company's own numbers for what can be wrong with a message from the server.
DISCARDED, UNREADABLE, INVALID = 31931, 31950, 31951

# Of every message that a server may send: its fields, those of its body, and the text that the body must hold.
_FIELDS = {
    "media": ({"event", "streamSid", "media"}, "payload"),
    "mark": ({"event", "streamSid", "mark"}, "name"),
    "clear": ({"event", "streamSid"}, ""),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that the company would write into its error log: its number for it, and what happened when."""

    code: int
    what: str
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound and the sample of the stream at which it begins."""

    first: int
    mulaw: bytes

    @property
    def end(self) -> int:
        return self.first + len(self.mulaw)


@dataclass(frozen=True, slots=True)
class Hole:
    """The buffer ran dry after sound, and more sound came later: which samples were silent for want of it."""

    first: int
    end: int

    @property
    def seconds(self) -> float:
        return (self.end - self.first) / RATE


@dataclass(frozen=True, slots=True)
class Clearing:
    """The server threw away what was not played yet: when, and how much sound that was."""

    at: float
    seconds: float


class Invalid(Exception):
    """A message that the company does not accept."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(what)
        self.code = code


class Phone:
    """One stream. Whatever returns texts returns messages to send to the server, in this order."""

    def __init__(
        self, *, stream_sid: str, call_sid: str, account_sid: str, parameters: Mapping[str, str] | None = None
    ) -> None:
        self.stream_sid = stream_sid
        self.call_sid = call_sid
        self.account_sid = account_sid
        self.parameters = dict(parameters or {})
        self.began = 0.0
        self.faults: list[Fault] = []  # the first of each kind, as the company logs them
        self.refused = 0  # all of them
        self.holes: list[Hole] = []
        self.clearings: list[Clearing] = []
        self.marks_sent = 0
        self._sequence = 0
        self._chunk = 0
        self._tail = f'"}},"streamSid":"{stream_sid}"}}'
        self._pending: deque[Sound] = deque()  # not heard yet, or not to its end
        self._marks: deque[tuple[int, str]] = deque()  # the sample after which each is due
        self._end = 0  # the sample after the last one that is to be played
        self._dry_counts = False  # a buffer that was empty from the start, or was cleared, has not run dry

    # --- what the company sends -----------------------------------------------------------------------------------

    def open(self, now: float) -> list[str]:
        """The first two messages of every stream; the stream's time begins now."""
        self.began = now
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        start = {
            "accountSid": self.account_sid,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1},
            "customParameters": self.parameters,
        }
        return [_compact(connected), self._numbered("start", start)]

    def frame(self, mulaw: bytes) -> str:
        """The next 20 ms of the caller's voice. Written by hand: this is the message of which there are thousands."""
        self._sequence += 1
        self._chunk += 1
        payload = b2a_base64(mulaw, newline=False).decode()
        return (
            f'{{"event":"media","sequenceNumber":"{self._sequence}","media":{{"track":"inbound",'
            f'"chunk":"{self._chunk}","timestamp":"{(self._chunk - 1) * 20}","payload":"{payload}{self._tail}'
        )

    def press(self, key: str) -> str:
        return self._numbered("dtmf", {"track": "inbound_track", "digit": key})

    def stop(self) -> str:
        return self._numbered("stop", {"accountSid": self.account_sid, "callSid": self.call_sid})

    def _numbered(self, event: str, body: Mapping[str, Any]) -> str:
        self._sequence += 1
        return _compact(
            {"event": event, "sequenceNumber": str(self._sequence), event: body, "streamSid": self.stream_sid}
        )

    def _echo(self, names: Iterable[str]) -> list[str]:
        return [self._numbered("mark", {"name": name}) for name in names]

    # --- what the server sends ------------------------------------------------------------------------------------

    def receive(self, message: str | bytes, now: float) -> list[str]:
        """Take one message of the server; what is wrong with it is written down, and it has no effect."""
        try:
            event, text = self._read(message)
            if event == "media":
                self._play(text, now)
                return []
        except Invalid as wrong:
            self.refused += 1
            if wrong.code not in {fault.code for fault in self.faults}:
                self.faults.append(Fault(wrong.code, str(wrong), now))
            return []
        if event == "mark":
            self.marks_sent += 1
            self._marks.append((self._end, text))
            return self.tick(now)
        return self._clear(now)

    def tick(self, now: float) -> list[str]:
        """Echoes of the marks behind which everything has been played by now."""
        sample = self._sample(now)
        played = []
        while self._marks and self._marks[0][0] <= sample:
            played.append(self._marks.popleft()[1])
        return self._echo(played)

    def deadline(self) -> float | None:
        """When the next mark will have been played."""
        return self.moment(self._marks[0][0]) if self._marks else None

    def _read(self, message: str | bytes) -> tuple[str, str]:
        if isinstance(message, bytes):
            raise Invalid(UNREADABLE, f"a binary message of {len(message)} bytes")
        try:
            fields = json.loads(message)
        except ValueError:
            raise Invalid(UNREADABLE, f"not JSON: {message[:80]}") from None
        event = fields.get("event") if isinstance(fields, dict) else None
        if not isinstance(event, str) or event not in _FIELDS:
            raise Invalid(INVALID, f"unknown event {event!r}")
        names, inner = _FIELDS[event]
        if fields.keys() != names:
            raise Invalid(INVALID, f"{event} with the fields {', '.join(sorted(fields))}")
        if fields["streamSid"] != self.stream_sid:
            raise Invalid(INVALID, f"{event} for the stream {fields['streamSid']!r}")
        if not inner:
            return event, ""
        body = fields[event]
        if not isinstance(body, dict) or body.keys() != {inner} or not isinstance(body[inner], str) or not body[inner]:
            raise Invalid(INVALID, f"{event} must hold {inner}, a text, and nothing else")
        return event, body[inner]

    def _play(self, payload: str, now: float) -> None:
        try:
            mulaw = a2b_base64(payload, strict_mode=True)
        except (NotBase64, ValueError):
            raise Invalid(INVALID, f"media whose payload is not base64: {payload[:40]}") from None
        sample = self._sample(now)
        first = max(sample, self._end)
        if first + len(mulaw) - sample > BUFFER:
            raise Invalid(DISCARDED, "media thrown away: ten minutes of sound are waiting to be played")
        if sample > self._end and self._dry_counts:
            self.holes.append(Hole(self._end, sample))
        self._dry_counts = True
        self._pending.append(Sound(first, mulaw))
        self._end = first + len(mulaw)

    def _clear(self, now: float) -> list[str]:
        sample = self._sample(now)
        self.clearings.append(Clearing(now, max(0, self._end - sample) / RATE))
        while self._pending and self._pending[-1].end > sample:
            cut = self._pending.pop()
            if cut.first < sample:
                self._pending.append(Sound(cut.first, cut.mulaw[: sample - cut.first]))
        self._end = min(self._end, sample)
        self._dry_counts = False
        echoes = self._echo(name for _, name in self._marks)
        self._marks.clear()
        return echoes

    # --- what the caller hears ------------------------------------------------------------------------------------

    def hear(self, now: float) -> list[Sound]:
        """What has been played since the last call of this; between two pieces that do not touch there was silence."""
        sample = self._sample(now)
        heard = []
        while self._pending and self._pending[0].first < sample:
            sound = self._pending.popleft()
            if sound.end > sample:
                split = sample - sound.first
                self._pending.appendleft(Sound(sample, sound.mulaw[split:]))
                sound = Sound(sound.first, sound.mulaw[:split])
            heard.append(sound)
        return heard

    def waiting(self, now: float) -> float:
        """Seconds of sound that are still to be played."""
        return max(0, self._end - self._sample(now)) / RATE

    def moment(self, sample: int) -> float:
        """When this sample of the stream is played."""
        return self.began + sample / RATE

    def _sample(self, now: float) -> int:
        """The sample that begins now: those before it have been played."""
        return round((now - self.began) * RATE)


def _compact(message: Mapping[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"))

"""How fast the vendors of one run are, and what goes wrong with them.

A profile is drawn from with a random of the socket or the request that asks, so one seed gives one run. Faults are
set while the lab runs; each says whom it hits. Nothing here waits.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any

_95TH = 1.645  # standard deviations from the median to the 95th percentile


@dataclass(frozen=True, slots=True)
class Spread:
    """A time in seconds that is always the same, or, with a 95th percentile, log-normal, as waiting times are."""

    p50: float
    p95: float | None = None

    def draw(self, chance: Random) -> float:
        if self.p95 is None:
            return self.p50
        return self.p50 * math.exp(chance.gauss(0.0, math.log(self.p95 / self.p50) / _95TH))


@dataclass(frozen=True, slots=True)
class Profile:
    """The timings of every vendor, in seconds."""

    name: str
    transcript_lag: Spread = Spread(0.1)  # from audio received to the message about it
    interim_every: float = 0.15
    update_every: float = 0.25
    eager_after: float = 0.2  # silence until Flux says that the turn may be over
    turn_over_after: Spread = Spread(0.5)  # silence until Flux is sure
    first_token: Spread = Spread(0.3)
    per_token: Spread = Spread(0.015)
    first_voice: Spread = Spread(0.12)
    voice_chunk: float = 0.25  # seconds of sound in a message
    voice_speed: float = 8.0  # seconds of sound made in a second


REFERENCE = Profile("reference")
# What vendors and their customers have published. Flux's 260 ms include the lag of its messages; its p95 is 1.5 s.
PUBLISHED = Profile(
    "published",
    turn_over_after=Spread(0.16, 1.4),
    first_token=Spread(0.637, 1.615),
    per_token=Spread(0.012, 0.02),
    first_voice=Spread(0.17, 0.2),
)
PROFILES = {profile.name: profile for profile in (REFERENCE, PUBLISHED)}

VENDORS = ("deepgram", "anthropic", "elevenlabs", "twilio")
KINDS = {  # what can go wrong, and with whom
    "refuse": VENDORS,  # the handshake or the request is answered with `status`
    "quota": VENDORS[:3],  # the account has no credit left
    "slow": VENDORS,  # every answer comes `after` seconds late
    "mute": VENDORS[:3],  # nothing more is said, `after` seconds from the start; the connection stays open
    "drop": VENDORS[:3],  # the connection breaks without a goodbye, `after` seconds from the start
    "close": (
        "deepgram",
        "elevenlabs",
    ),  # the socket is closed with `code` and `reason`, `after` seconds from the start
    "error": ("anthropic",),  # an error event in the midst of the answer, `after` seconds from the start
    "hollow": ("anthropic", "elevenlabs"),  # all goes well, but there is no text or no sound in the answer
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    `times`: so many sockets or requests are hit, and then no more; None is all. `for_calls`: only these, counted
    from 1 since the last reset. `live`: sockets that are open now are hit, the time counted from now.
    """

    vendor: str
    kind: str
    status: int = 503
    after: float = 0.0
    code: int = 1011
    reason: str = "NET-0000"
    retry_after: float | None = None
    times: int | None = 1
    for_calls: tuple[int, ...] = ()
    live: bool = False

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Fault":
        """From JSON. ValueError says what is wrong with it."""
        unknown = set(given) - {one.name for one in fields(cls)}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        if given.get("vendor") not in KINDS.get(str(given.get("kind")), ()):
            known = "; ".join(f"{kind}: {', '.join(vendors)}" for kind, vendors in KINDS.items())
            raise ValueError(f"a fault needs a kind and a vendor that can have it ({known})")
        return cls(**{**given, "for_calls": tuple(given.get("for_calls", ()))})


@dataclass(slots=True)
class Faults:
    """The faults of this run, in the order in which they were set."""

    _set: list[Fault] = field(default_factory=list)
    _left: list[int | None] = field(default_factory=list)
    _seen: Counter[str] = field(default_factory=Counter)

    def add(self, fault: Fault) -> None:
        self._set.append(fault)
        self._left.append(fault.times)

    def clear(self) -> None:
        self._set.clear()
        self._left.clear()
        self._seen.clear()

    def next(self, vendor: str) -> Fault | None:
        """What hits the socket or request of this vendor that begins now; it is counted by asking."""
        self._seen[vendor] += 1
        for place, fault in enumerate(self._set):
            left = self._left[place]
            hit = fault.vendor == vendor and left != 0 and not fault.live
            if hit and (not fault.for_calls or self._seen[vendor] in fault.for_calls):
                self._left[place] = left - 1 if left is not None else None
                return fault
        return None

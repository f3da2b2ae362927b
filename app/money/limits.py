"""How much is allowed of what, and what follows when it is used up. Pure: the counting is done elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.errors import SettingsError

SCOPES = ("account", "agent", "campaign", "number", "caller", "call")
PERIODS = ("minute", "hour", "day", "month", "now")
MEASURES = ("calls", "minutes", "usd")
ACTIONS = ("warn", "pause", "stop")
LEVELS = (50, 80, 100)  # per cent at which somebody is told

WORDS = {
    "pause": "We cannot take your call at the moment. Please call again later. Goodbye.",
    "stop": "This number does not take calls at the moment. Goodbye.",
}

_SENSE: dict[str, dict[str, tuple[str, ...]]] = {
    "account": {"calls": ("day", "month", "now"), "minutes": ("day", "month"), "usd": ("day", "month")},
    "caller": {"calls": ("minute", "hour")},
    "call": {"minutes": ("now",), "usd": ("now",)},
}
_SENSE |= dict.fromkeys(("agent", "campaign", "number"), _SENSE["account"])


@dataclass(frozen=True, slots=True)
class Cap:
    """So much of `measure` in a `period`, for one subject; an empty subject means each one by itself.

    Period "now" is what is going on at this moment. Action "pause" refuses new calls as long as it lasts, "stop" also
    ends those that are going on, "warn" only tells.
    """

    scope: str
    subject: str
    period: str
    measure: str
    cap: Decimal
    action: str = "warn"

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.scope, self.subject, self.period, self.measure

    def __str__(self) -> str:
        whom = (
            f"{self.scope} {self.subject}".strip() if self.subject or self.scope == "account" else f"each {self.scope}"
        )
        during = "at once" if self.period == "now" and self.scope != "call" else f"a {self.period}"
        during = "" if self.scope == "call" else f" {during}"
        return f"{whom}: {self.cap.normalize():f} {self.measure}{during}"


# Who has not said otherwise is kept from the two ways in which telephones ruin people: a loop that dials, and a
# stranger who does. One number may stand for a whole company, so a caller's limit is one that no company reaches.
DEFAULTS = (
    Cap("agent", "", "day", "calls", Decimal(500), "pause"),
    Cap("caller", "", "minute", "calls", Decimal(240), "pause"),
    Cap("caller", "", "hour", "calls", Decimal(1000), "pause"),
)


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a cap is used, by whom."""

    cap: Cap
    subject: str
    used: Decimal

    @property
    def level(self) -> int:
        """The highest of `LEVELS` that is reached, or 0."""
        return max((level for level in LEVELS if self.used * 100 >= self.cap.cap * level), default=0)

    def told(self) -> str:
        return f"{self.subject or self.cap.scope} has used {self.used.normalize():f} of {self.cap}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """May a call come? `against` is the cap that forbids it; `told` are those of which somebody must know."""

    against: Use | None = None
    told: tuple[Use, ...] = ()
    uncounted: bool = False  # somebody who counts did not answer

    @property
    def words(self) -> str:
        return WORDS[self.against.cap.action] if self.against else ""


def verdict(uses: Iterable[Use]) -> Verdict:
    """`used` is what there would be with this call; the last one that a cap allows is still let in."""
    against: Use | None = None
    told = []
    for use in uses:
        over = use.used > use.cap.cap if use.cap.measure == "calls" else use.used >= use.cap.cap
        if over and use.cap.action != "warn" and (against is None or use.cap.action == "stop"):
            against = use
        if use.level == LEVELS[-1] or (use.level and use.cap.scope != "caller" and use.cap.period != "now"):
            told.append(use)
    return Verdict(against, tuple(told))


def caps_for(caps: Iterable[Cap], scope: str, subject: str) -> list[Cap]:
    """Those that hold for this one: its own, and for the rest those of everybody."""
    own: dict[tuple[str, str], Cap] = {}
    for cap in sorted(caps, key=lambda cap: bool(cap.subject)):
        if cap.scope == scope and cap.subject in ("", subject):
            own[cap.period, cap.measure] = cap
    return list(own.values())


def with_defaults(caps: Iterable[Cap]) -> tuple[Cap, ...]:
    """Those of the operator, and the defaults that he has said nothing of."""
    return tuple({cap.key: cap for cap in (*DEFAULTS, *caps)}.values())


def occasion(use: Use, today: date) -> str:
    """Under which name an alert is raised: once for each level in each period."""
    cap = use.cap
    during = f"{today:%Y-%m}" if cap.period == "month" else f"{today}"
    return f"budget:{cap.scope}:{use.subject}:{cap.measure}:{cap.period}:{during}:{use.level}"


def checked(cap: Cap) -> Cap:
    """The cap, or SettingsError with what is wrong with it."""
    if cap.scope not in SCOPES or cap.measure not in _SENSE[cap.scope]:
        known = ", ".join(_SENSE.get(cap.scope, SCOPES))
        raise SettingsError(f"There is no cap on the {cap.measure} of {cap.scope!r}: choose one of {known}.")
    if cap.period not in _SENSE[cap.scope][cap.measure]:
        known = ", ".join(_SENSE[cap.scope][cap.measure])
        raise SettingsError(
            f"The {cap.measure} of {cap.scope!r} are not capped by {cap.period!r}: choose one of {known}."
        )
    if not cap.cap.is_finite() or cap.cap <= 0 or cap.action not in ACTIONS:
        raise SettingsError(f"A cap is a number above 0, with one of the actions {', '.join(ACTIONS)}.")
    return cap

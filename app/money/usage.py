"""What a call used, as lines that can be priced: exact quantities, each under the name of the fact it comes from."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from app.call.events import Metered
from app.money.rates import Item

QUANTUM = Decimal("0.000001")  # a microsecond, a millionth of a minute; tokens and characters are whole

# A request's size, by which a model may charge the whole of it: every unit that is part of the prompt.
PROMPT_UNITS = frozenset({"input_token", "cache_write_5m_token", "cache_write_1h_token", "cache_read_token"})

ROUNDING = "rounding"  # why minutes were charged that nobody spoke in

TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888"})

# Area codes behind +1 that are not in the fifty states: Canada, the Caribbean, the Pacific. They have prices of their
# own, so their calls must come out as unknown and not as cheap.
ELSEWHERE = frozenset(
    "204 226 236 249 250 257 263 289 306 343 354 365 367 368 382 403 416 418 428 431 437 438 450 460 468 474 506 514 "
    "519 537 548 568 579 581 584 587 604 613 639 647 672 683 705 709 742 753 778 780 782 807 819 825 867 873 879 902 "
    "905 942 242 246 264 268 284 340 345 441 473 649 658 664 670 671 684 721 758 767 784 787 809 829 849 868 869 876 "
    "939".split()
)


@dataclass(frozen=True, slots=True)
class Line:
    """So much of one thing. `key` names the fact: lines of one key are one line, however often they are told."""

    key: str
    vendor: str
    product: str
    unit: str
    quantity: Decimal
    question: int | None = None
    estimated: bool = False
    wasted: str = ""

    @property
    def item(self) -> Item:
        return self.vendor, self.product, self.unit


def line(key: str, fact: Metered) -> Line:
    """The line of a fact; `key` is the fact's place in the trace of its call."""
    quantity = Decimal(fact.quantity)
    assert quantity.is_finite(), f"{fact} has no quantity"
    assert quantity >= 0, f"{fact} has less than nothing"
    exact = quantity.quantize(QUANTUM)
    return Line(key, fact.vendor, fact.product, fact.unit, exact, fact.question, fact.estimated, fact.wasted)


def lines(facts: Iterable[tuple[str, Metered]]) -> tuple[Line, ...]:
    """A line for every fact; nothing used is no line."""
    return tuple(made for key, fact in facts if (made := line(key, fact)).quantity)


def telephone_product(number: str) -> str:
    """What Twilio's US price list calls calls with this number; elsewhere, the number's own beginning."""
    area = number[2:5]
    if not number.startswith("+1") or area in ELSEWHERE:
        return number[:5]
    return "us-toll-free" if area in TOLL_FREE else "us-local"


def telephone(
    direction: str, number: str, party: str, *, seconds: float, streamed: float = 0.0, recorded: float = 0.0,
    machine_detection: bool = False,
) -> tuple[Metered, ...]:  # fmt: skip
    """What Twilio charges for one call: each leg, the media stream and the recording by started minutes.

    The part of the last minute that nobody used is a fact of its own, wasted by rounding.
    `number` is ours, `party` theirs; an outbound call is priced by where it goes, an inbound one by where it comes in.
    """
    product = telephone_product(number if direction == "inbound" else party)
    legs = (
        (product, f"{direction}_minute", seconds),
        ("media-streams", "stream_minute", streamed),
        ("recording", "recording_minute", recorded),
    )
    facts = [fact for leg in legs for fact in _minutes(*leg)]
    if machine_detection:
        facts.append(Metered("twilio", "amd", "amd_call", "1"))
    return tuple(facts)


def _minutes(product: str, unit: str, seconds: float) -> list[Metered]:
    if seconds <= 0:
        return []
    used = (Decimal(str(seconds)) / 60).quantize(QUANTUM)
    rounding = math.ceil(used) - used
    facts = [Metered("twilio", product, unit, str(used))]
    return [*facts, Metered("twilio", product, unit, str(rounding), wasted=ROUNDING)] if rounding else facts

"""What vendors charge, from which day on, and for requests of which size.

A rate is never changed: a new price is a new rate from a later day, so that an old call keeps its old price.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

# A model's exact release, such as claude-haiku-4-5-20251001, costs what the model costs.
RELEASE = re.compile(r"-\d{8}$")

Item = tuple[str, str, str]
"""What is charged for: vendor, product, unit."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A price for `per` units, in dollars, from a day on (the call's, in UTC).

    `tier_from`: for requests with more prompt tokens than this; they are charged by it as a whole.
    A `product` that ends in a star serves every product that begins so and has no rate of its own.
    """

    vendor: str
    product: str
    unit: str
    price: Decimal
    per: int
    effective_from: date
    source: str
    checked_on: date
    tier_from: int = 0
    id: int | None = field(default=None, compare=False)

    @property
    def item(self) -> Item:
        return self.vendor, self.product, self.unit

    @property
    def key(self) -> tuple[str, str, str, int, date]:
        """What there is one rate of."""
        return (*self.item, self.tier_from, self.effective_from)


class RateBook:
    """All rates, and the one that holds for a line of usage."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._rates: dict[Item, list[Rate]] = defaultdict(list)
        for rate in sorted(rates, key=lambda rate: rate.effective_from):
            self._rates[rate.item].append(rate)

    def find(self, item: Item, day: date, prompt_tokens: int = 0) -> Rate | None:
        """The rate of this item on this day; None: it is not known, which is never the same as free."""
        vendor, product, unit = item
        for name in self._names(vendor, product, unit):
            found = self._on(day, prompt_tokens, self._rates.get((vendor, name, unit), []))
            if found is not None:
                return found
        return None

    def _names(self, vendor: str, product: str, unit: str) -> list[str]:
        """Under which names the product may stand, the most exact first."""
        stars = [
            name
            for of_vendor, name, of_unit in self._rates
            if (of_vendor, of_unit) == (vendor, unit) and name.endswith("*") and product.startswith(name[:-1])
        ]
        return [product, RELEASE.sub("", product), *sorted(stars, key=len, reverse=True)]

    @staticmethod
    def _on(day: date, prompt_tokens: int, rates: list[Rate]) -> Rate | None:
        tiers = {rate.tier_from: rate for rate in rates if rate.effective_from <= day}  # of each tier, the newest
        reached = [tier for tier in tiers if tier == 0 or prompt_tokens > tier]
        return tiers[max(reached)] if reached else None

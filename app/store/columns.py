"""Kinds of column that behave alike on SQLite and PostgreSQL: exact money and quantities, and times in UTC."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Numeric
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

# SQLite counts rows up only in a column called INTEGER, which holds 64 bits all the same.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")

Document = JSON().with_variant(JSONB(), "postgresql")

SIGNIFICANT_DIGITS = 15  # as many decimal digits as go through SQLite's 64-bit number and come back the same


class Exact(TypeDecorator[Decimal]):
    """A decimal number that comes back as it went in, at `scale` decimals.

    PostgreSQL keeps it as NUMERIC. SQLite has no such thing: there it is stored as a number of at most fifteen
    significant digits, which round-trips without loss, and a longer one is refused instead of being changed.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, digits: int, scale: int) -> None:
        super().__init__(digits, scale)
        self.digits, self.scale = digits, scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Numeric(self.digits, self.scale, asdecimal=False))
        return dialect.type_descriptor(Numeric(self.digits, self.scale))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if isinstance(value, float):
            raise TypeError(f"{value!r} is a float; exact columns take Decimal")
        exact = Decimal(value)
        if dialect.name != "sqlite":
            return exact
        if self._read(float(exact)) != exact:
            raise ValueError(f"{exact} has more than {SIGNIFICANT_DIGITS} digits or more than {self.scale} decimals")
        return float(exact)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else self._read(value)

    def _read(self, value: Any) -> Decimal:
        text = str(value) if isinstance(value, Decimal) else f"{value:.{SIGNIFICANT_DIGITS}g}"
        return Decimal(text).quantize(Decimal(1).scaleb(-self.scale))


class Utc(TypeDecorator[datetime]):
    """A moment. It goes in with its zone and comes back in UTC, on SQLite too, which forgets zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone; moments are written with one")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def money() -> Exact:
    """Dollars to twelve decimals: one token of the cheapest model still costs ten of them."""
    return Exact(20, 12)


def quantity() -> Exact:
    return Exact(18, 6)

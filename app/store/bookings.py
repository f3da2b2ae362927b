"""A clinic's diary: which appointments are taken, and whose they are.

A slot is a moment of the clinic's own clock, without a zone. That it is given once is seen to by the database, so two
calls that book it in the same instant cannot both have it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import VendorError
from app.store.database import Database
from app.store.tables import BookingRow

BOOKED, CANCELLED = "booked", "cancelled"


class Bookings:
    """One diary, by its name. Every method raises VendorError when the database is away."""

    def __init__(self, database: Database, diary: str) -> None:
        self._database = database
        self._diary = diary

    async def taken(self, first: date, last: date) -> frozenset[datetime]:
        """The appointments from the first to the last day that are not free."""
        wanted = select(BookingRow).where(self._booked(), BookingRow.day.between(first, last))
        async with _blaming(), self._database.reading() as session:
            return frozenset(map(_slot, await session.scalars(wanted)))

    async def of(self, name: str, phone: str, since: datetime) -> list[datetime]:
        """This person's appointments after `since`, the next one first.

        An appointment made from one telephone is not told to another; where a number is not known, the name must do.
        """
        wanted = select(BookingRow).where(self._theirs(name, phone), BookingRow.day >= since.date())
        async with _blaming(), self._database.reading() as session:
            return sorted(slot for slot in map(_slot, await session.scalars(wanted)) if slot > since)

    async def book(self, name: str, phone: str, slot: datetime) -> bool:
        """Whether they have it now; False: it is taken."""
        now = datetime.now(UTC)
        row = BookingRow(
            diary=self._diary,
            name=name,
            known_as=_known_as(name),
            phone=phone,
            state=BOOKED,
            created_at=now,
            changed_at=now,
            **_place(slot),
        )
        try:
            async with _blaming(), self._database.writing() as session:
                session.add(row)
        except IntegrityError:
            return False
        return True

    async def move(self, name: str, phone: str, old: datetime, new: datetime) -> bool:
        """Whether the appointment lies at the new place now; False: that is taken, or the old one is not theirs."""
        return await self._change(name, phone, old, **_place(new))

    async def cancel(self, name: str, phone: str, slot: datetime) -> bool:
        """Whether it was theirs, and is free now."""
        return await self._change(name, phone, slot, state=CANCELLED)

    async def _change(self, name: str, phone: str, slot: datetime, **values: object) -> bool:
        place = _place(slot)
        found = and_(self._theirs(name, phone), BookingRow.day == place["day"], BookingRow.at == place["at"])
        try:
            async with _blaming(), self._database.writing() as session:
                return await _changed(session, found, {**values, "changed_at": datetime.now(UTC)})
        except IntegrityError:
            return False

    def _booked(self) -> ColumnElement[bool]:
        return and_(BookingRow.diary == self._diary, BookingRow.state == BOOKED)

    def _theirs(self, name: str, phone: str) -> ColumnElement[bool]:
        by_name = and_(self._booked(), BookingRow.known_as == _known_as(name))
        return and_(by_name, or_(BookingRow.phone == phone, BookingRow.phone == "")) if phone else by_name


async def _changed(session: AsyncSession, found: ColumnElement[bool], values: dict[str, object]) -> bool:
    changed = await session.execute(update(BookingRow).where(found).values(**values).returning(BookingRow.id))
    return changed.first() is not None


def _place(slot: datetime) -> dict[str, object]:
    return {"day": slot.date(), "at": f"{slot:%H:%M}"}


def _slot(row: BookingRow) -> datetime:
    return datetime.combine(row.day, time.fromisoformat(row.at))


def _known_as(name: str) -> str:
    return " ".join(name.casefold().split())


@asynccontextmanager
async def _blaming() -> AsyncIterator[None]:
    """What goes wrong with the database is a vendor's fault; that something is there already is nobody's."""
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, OSError) as error:
        raise VendorError("database", f"{type(error).__name__}: {error}") from error

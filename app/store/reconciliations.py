"""What the carrier took for a call, beside what we had reckoned; the difference becomes a row of the account.

So a call's cost is the sum of its rows before and after, and every report shows the difference by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.money.cost import shown
from app.store import rollups
from app.store.alerts import raise_alert
from app.store.tables import CallRow, ReconciliationRow, UsageRow
from app.store.upsert import insert_into

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 4 * 3600.0  # prices come within minutes, now and then within hours
GIVEN_UP_AFTER = timedelta(days=1)
CARRIER = "twilio"
DIFFERENCE = "carrier_difference"
_LEGS = frozenset({"inbound_minute", "outbound_minute"})  # what the price of a call covers; streams are billed apart
_WORTH_TELLING = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call whose price is to be asked for."""

    call_id: int
    sid: str
    ended_at: datetime
    tries: int


async def enrol(session: AsyncSession, now: datetime) -> None:
    """Every call of the last day that nobody has asked about; one that was written anew is asked about again."""
    ended = (CallRow.ended_at > now - GIVEN_UP_AFTER, CallRow.sid.startswith("CA"), CallRow.answered_at.is_not(None))
    known = select(ReconciliationRow.call_id)
    rows = [
        {"call_id": call_id, "next_at": now}
        for call_id in await session.scalars(select(CallRow.id).where(*ended, CallRow.id.not_in(known)))
    ]
    if rows:
        await session.execute(insert_into(session, ReconciliationRow).on_conflict_do_nothing(), rows)
    rewritten = select(CallRow.id).where(*ended, CallRow.cost_status == "provisional")
    again = update(ReconciliationRow).where(ReconciliationRow.state == "done", ReconciliationRow.call_id.in_(rewritten))
    await session.execute(again.values(state="waiting", next_at=now, tries=0))


async def due(session: AsyncSession, now: datetime, at_most: int = 20) -> list[Waiting]:
    asked = (
        select(CallRow.id, CallRow.sid, CallRow.ended_at, ReconciliationRow.tries)
        .join(CallRow, CallRow.id == ReconciliationRow.call_id)
        .where(ReconciliationRow.state == "waiting", ReconciliationRow.next_at <= now)
        .order_by(ReconciliationRow.next_at)
        .limit(at_most)
    )
    found = await session.execute(asked)
    return [Waiting(call, sid, ended, tries) for call, sid, ended, tries in found if ended is not None]


async def postpone(session: AsyncSession, waiting: Waiting, now: datetime, fault: str) -> None:
    """No price yet: ask again, later each time, and after a day no more."""
    row = await session.get_one(ReconciliationRow, waiting.call_id)
    row.tries, row.fault = waiting.tries + 1, fault
    if now > waiting.ended_at + GIVEN_UP_AFTER:
        row.state = "given_up"
        what = f"the carrier has told no price for call {waiting.sid} within a day ({fault})"
        await raise_alert(session, f"reconciliation:{waiting.sid}", "reconciliation", what, sid=waiting.sid)
    else:
        row.next_at = now + timedelta(seconds=min(FIRST_PAUSE * 2.0**waiting.tries, LONGEST_PAUSE))


async def settle(
    session: AsyncSession, waiting: Waiting, now: datetime, *, price: Decimal, seconds: int | None, status: str
) -> Decimal:
    """Put the carrier's price in the place of ours; returns the difference. Done twice, it is done once."""
    call = (await session.scalars(select(CallRow).where(CallRow.id == waiting.call_id).with_for_update())).one()
    usage = list(await session.scalars(select(UsageRow).where(UsageRow.call_id == call.id)))
    before = rollups.tally(call, [], usage)
    legs = [row for row in usage if row.vendor == CARRIER and row.unit in _LEGS]
    estimate = sum((row.cost_usd for row in legs if row.cost_usd is not None), Decimal(0))
    difference = price - estimate
    for row in legs:  # the carrier's price covers what we had none for
        row.cost_usd = row.cost_usd if row.cost_usd is not None else Decimal(0)
    _correct(session, call, usage, legs, difference)
    await session.flush()
    unknown = any(row.cost_usd is None for row in usage)
    call.cost_usd = None if unknown else sum((row.cost_usd for row in usage if row.cost_usd is not None), Decimal(0))
    call.cost_status = "unknown" if unknown else "reconciled"
    call.carrier_price_usd, call.reconciled_at = price, now
    await rollups.add(session, rollups.tally(call, [], usage).minus(before))
    told = await session.get_one(ReconciliationRow, call.id)
    told.state, told.tries, told.fault = "done", waiting.tries + 1, ""
    told.carrier_status, told.carrier_seconds = status, seconds
    told.estimate_usd, told.difference_usd = estimate, difference
    if abs(difference) > max(_WORTH_TELLING, estimate / 10):
        what = f"the carrier took {shown(price)} usd for call {call.sid}, and {shown(estimate)} was reckoned"
        await raise_alert(session, f"reconciliation:{call.sid}", "reconciliation", what, sid=call.sid)
    return difference


def _correct(
    session: AsyncSession, call: CallRow, usage: list[UsageRow], legs: Sequence[UsageRow], difference: Decimal
) -> None:
    """The row that makes the sum right."""
    standing = next((row for row in usage if row.unit == DIFFERENCE), None)
    if standing is None and difference:
        product = legs[0].product if legs else "call"
        standing = UsageRow(
            call_id=call.id, key="carrier", vendor=CARRIER, product=product, unit=DIFFERENCE, quantity=Decimal(1),
            wasted="", estimated=False,
        )  # fmt: skip
        session.add(standing)
        usage.append(standing)
    if standing is not None:
        standing.cost_usd = difference

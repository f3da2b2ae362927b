"""The account of a call, written as a whole: its row, its turns, its usage and what it adds to the figures of reports.

One transaction holds it all, and writing the same account again changes nothing. What an account says is not decided
here.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.money.cost import Account, Row, price_unknown
from app.money.rates import Rate, RateBook
from app.money.usage import Line
from app.report.percentiles import percentiles
from app.report.stages import GAP, stages
from app.store import rollups
from app.store.alerts import UNKNOWN_PRICE, raise_alert, settle_alert, standing_alerts
from app.store.rate_card import list_rates
from app.store.tables import CallRow, TurnRow, UsageRow
from app.store.upsert import insert_into


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """What is to be kept of a call besides its turns and its cost."""

    sid: str
    direction: str  # inbound, outbound
    number: str  # ours
    from_number: str
    to_number: str
    started_at: datetime
    agent: str = ""
    agent_version: int | None = None
    campaign: str = ""
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: float | None = None
    end_reason: str = ""
    end_fault: str = ""
    outcome: str = ""
    interruptions: int = 0
    false_interruptions: int = 0
    underruns: int = 0
    greeting_seconds: float | None = None
    bargein_p95: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """One turn; its moments are seconds from the start of the call (see `app.report.stages`)."""

    number: int
    who: str
    heard: str = ""
    written: str = ""
    started: float | None = None
    ended: float | None = None
    interrupted: bool = False
    heard_end: float | None = None
    transcript: float | None = None
    turn_end: float | None = None
    think_first: float | None = None
    clause_first: float | None = None
    voice_first: float | None = None
    sent_first: float | None = None
    vendor_seconds: float | None = None
    own_seconds: float | None = None
    tool_seconds: float | None = None


async def write_call(session: AsyncSession, call: CallRecord, turns: Sequence[TurnRecord], account: Account) -> int:
    """Write the whole account, in place of what stood there of this call; returns the number of the call's row."""
    row = await _locked(session, call)
    old_turns, old_usage = await _turns(session, row.id), await _usage(session, row.id)
    before = rollups.tally(row, old_turns, old_usage) if row.ended_at is not None else rollups.Tally()
    await session.execute(delete(TurnRow).where(TurnRow.call_id == row.id))
    await session.execute(delete(UsageRow).where(UsageRow.call_id == row.id))
    new_turns = [_turn_row(row.id, turn) for turn in turns]
    new_usage = [_usage_row(row.id, priced) for priced in account.rows]
    for name, value in asdict(call).items():
        setattr(row, name, value)
    row.turns = len(new_turns)
    _set_cost(row, account)
    gaps = percentiles(turn.gap_seconds for turn in new_turns if turn.gap_seconds is not None)
    row.latency_p50, row.latency_p95 = gaps.p50, gaps.p95
    session.add_all([*new_turns, *new_usage])
    await session.flush()
    after = rollups.tally(row, new_turns, new_usage) if row.ended_at is not None else rollups.Tally()
    await rollups.add(session, after.minus(before))
    await _alert(session, account)
    return row.id


async def account_of(session: AsyncSession, sid: str) -> Account | None:
    """The account of a call as it stands."""
    call_id = await session.scalar(select(CallRow.id).where(CallRow.sid == sid))
    if call_id is None:
        return None
    rates = {rate.id: rate for rate in await list_rates(session)}
    return _account(await _usage(session, call_id), rates)


async def price_unknown_calls(session: AsyncSession, at_most: int = 1000) -> int:
    """Price what had no rate when it was used and has one now; how many calls are complete by that.

    The oldest calls come first. Rows that have a price keep it.
    """
    rates = await list_rates(session)
    book, by_id = RateBook(rates), {rate.id: rate for rate in rates}
    waiting = select(CallRow).where(CallRow.cost_status == "unknown").order_by(CallRow.started_at).limit(at_most)
    complete = 0
    for call in list(await session.scalars(waiting.with_for_update())):
        rows = await _usage(session, call.id)
        old = rollups.tally(call, [], rows)
        account = price_unknown(_account(rows, by_id), book, call.started_at.astimezone(UTC).date())
        priced = {row.line.key: row for row in account.rows}
        for row in rows:
            _price(row, priced[row.key])
        _set_cost(call, account)
        await rollups.add(session, rollups.tally(call, [], rows).minus(old))
        complete += not account.unknown
    await _settle(session)
    return complete


async def _locked(session: AsyncSession, call: CallRecord) -> CallRow:
    """The call's row, made if need be, and ours until the transaction ends."""
    first = {name: getattr(call, name) for name in ("sid", "direction", "number", "from_number", "to_number")}
    new = insert_into(session, CallRow).values(**first, started_at=call.started_at)
    await session.execute(new.on_conflict_do_nothing(index_elements=[CallRow.sid]))
    return (await session.scalars(select(CallRow).where(CallRow.sid == call.sid).with_for_update())).one()


async def _turns(session: AsyncSession, call_id: int) -> list[TurnRow]:
    return list(await session.scalars(select(TurnRow).where(TurnRow.call_id == call_id)))


async def _usage(session: AsyncSession, call_id: int) -> list[UsageRow]:
    return list(await session.scalars(select(UsageRow).where(UsageRow.call_id == call_id)))


def _turn_row(call_id: int, turn: TurnRecord) -> TurnRow:
    return TurnRow(**asdict(turn), call_id=call_id, gap_seconds=stages(turn).get(GAP))


def _usage_row(call_id: int, priced: Row) -> UsageRow:
    line = priced.line
    row = UsageRow(
        call_id=call_id,
        key=line.key,
        turn=line.question,
        vendor=line.vendor,
        product=line.product,
        unit=line.unit,
        quantity=line.quantity,
        estimated=line.estimated,
        wasted=line.wasted,
    )
    _price(row, priced)
    return row


def _price(row: UsageRow, priced: Row) -> None:
    rate = priced.rate
    row.rate_id, row.rate, row.rate_per = (rate.id, rate.price, rate.per) if rate is not None else (None, None, None)
    row.cost_usd = priced.cost


def _account(rows: Sequence[UsageRow], rates: dict[int | None, Rate]) -> Account:
    lines = [
        (Line(row.key, row.vendor, row.product, row.unit, row.quantity, row.turn, row.estimated, row.wasted), row)
        for row in sorted(rows, key=lambda row: row.key)
    ]
    return Account(tuple(Row(line, rates.get(row.rate_id), row.cost_usd) for line, row in lines))


def _set_cost(row: CallRow, account: Account) -> None:
    row.cost_usd = account.total
    row.cost_status = account.status


async def _alert(session: AsyncSession, account: Account) -> None:
    for vendor, product, unit in account.unknown:
        what = f"{vendor} {product} {unit} has no rate: calls that use it have no known cost until one is imported"
        key = f"{UNKNOWN_PRICE}:{vendor}:{product}:{unit}"
        await raise_alert(session, key, UNKNOWN_PRICE, what, vendor=vendor, product=product, unit=unit)


async def _settle(session: AsyncSession) -> None:
    """Take back the alerts of what no call lacks any more."""
    item = (UsageRow.vendor, UsageRow.product, UsageRow.unit)
    lacking = (
        select(*item).join(CallRow).where(CallRow.cost_status == "unknown", UsageRow.cost_usd.is_(None)).distinct()
    )
    still = {f"{UNKNOWN_PRICE}:{vendor}:{product}:{unit}" for vendor, product, unit in await session.execute(lacking)}
    for alert in await standing_alerts(session):
        if alert.kind == UNKNOWN_PRICE and alert.key not in still:
            await settle_alert(session, alert.key)

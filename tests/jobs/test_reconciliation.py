"""The job that asks the carrier, against the lab's Twilio over a real socket."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.errors import VendorError
from app.jobs.reconciliation import Reconciliation
from app.line.rest import CallRecord, TwilioRest
from app.store.database import Database
from app.store.tables import CallRow, ReconciliationRow
from ops.lab.door import clock
from ops.lab.twilio_rest import Calls
from ops.lab.vendors import vendors
from tests.store.ledgers import CALL, COST, written

NOW = datetime.now(UTC)
ENDED = replace(CALL, started_at=NOW - timedelta(minutes=2), answered_at=NOW - timedelta(minutes=2), ended_at=NOW)


async def row(database: Database) -> ReconciliationRow:
    async with database.reading() as session:
        return (await session.scalars(select(ReconciliationRow))).one()


async def test_the_carriers_own_price_is_fetched_and_settled(database: Database) -> None:
    calls = Calls()
    calls.admit("CA1", "AC1", to=CALL.to_number, from_=CALL.from_number)
    calls.move("CA1", "in-progress", clock())
    calls.by_sid["CA1"].started = datetime.now(UTC) - timedelta(seconds=61)
    await written(database, ENDED)
    async with vendors(calls=calls) as lab:
        carrier = TwilioRest("AC1", "token", base_url=lab.url)
        job = Reconciliation(database, carrier)
        await job(NOW)
        assert (await row(database)).fault == "the carrier says that it is in-progress"
        calls.move("CA1", "completed", clock() - 10.0)  # long enough ago to have a price
        later = (await row(database)).next_at
        await job(later)
        await carrier.close()
    async with database.reading() as session:
        call = (await session.scalars(select(CallRow))).one()
    assert (call.carrier_price_usd, call.cost_status) == (Decimal("0.028"), "reconciled")
    assert call.cost_usd == COST + Decimal("0.028")
    settled = await row(database)
    assert (settled.carrier_status, settled.carrier_seconds in (61, 62)) == ("completed", True)


class Answers:
    """A carrier that says this of every call."""

    def __init__(self, answer: CallRecord | VendorError) -> None:
        self.answer = answer

    async def fetch(self, sid: str) -> CallRecord:
        if isinstance(self.answer, VendorError):
            raise self.answer
        return self.answer


TOLD = CallRecord("CA1", "completed", 61, "-0.0085", "USD", "")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (replace(TOLD, price=None), "it has no price yet"),
        (replace(TOLD, price_unit="EUR"), "its price is in EUR"),
        (replace(TOLD, price="free"), "its price is 'free'"),
        (VendorError("twilio", "503"), "twilio: 503"),
    ],
)
async def test_an_answer_that_settles_nothing_is_asked_for_again(
    database: Database, answer: CallRecord | VendorError, fault: str
) -> None:
    await written(database, ENDED)
    await Reconciliation(database, Answers(answer))(NOW)
    waiting = await row(database)
    assert (waiting.state, waiting.tries, waiting.fault) == ("waiting", 1, fault)
    await Reconciliation(database, Answers(TOLD))(waiting.next_at)
    assert (await row(database)).state == "done"


async def test_a_call_of_no_length_costs_nothing_without_a_price(database: Database) -> None:
    await written(database, ENDED)
    await Reconciliation(database, Answers(replace(TOLD, price=None, seconds=0, status="failed")))(NOW)
    assert ((await row(database)).state, (await row(database)).carrier_status) == ("done", "failed")

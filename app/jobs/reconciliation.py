"""Asks the carrier what it took for each call, until it knows."""

import logging
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Protocol

from app.errors import VendorError
from app.line.rest import CallRecord
from app.store.database import Database
from app.store.reconciliations import Waiting, due, enrol, postpone, settle

log = logging.getLogger(__name__)

_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


class Carrier(Protocol):
    async def fetch(self, sid: str) -> CallRecord: ...


class Reconciliation:
    def __init__(self, database: Database, carrier: Carrier) -> None:
        self._database = database
        self._carrier = carrier

    async def __call__(self, now: datetime) -> None:
        async with self._database.writing() as session:
            await enrol(session, now)
        async with self._database.reading() as session:
            waiting = await due(session, now)
        for call in waiting:
            await self._ask(call, now)

    async def _ask(self, call: Waiting, now: datetime) -> None:
        """One call; whatever the carrier answers, the next one is asked about."""
        try:
            told = await self._carrier.fetch(call.sid)
            fault = _unready(told)
        except VendorError as error:
            told, fault = None, str(error)
        async with self._database.writing() as session:
            if told is None or fault:
                await postpone(session, call, now, fault)
                return
            price = abs(Decimal(told.price or 0))  # the carrier writes it as a debt
            difference = await settle(session, call, now, price=price, seconds=told.seconds, status=told.status)
        if difference:
            log.info("call %s: the carrier took %s usd, %s from what was reckoned", call.sid, price, difference)


def _unready(told: CallRecord) -> str:
    """Why this answer does not settle it; "" when it does."""
    if told.status not in _OVER:
        return f"the carrier says that it is {told.status}"
    if told.price is None:
        return "" if told.seconds == 0 else "it has no price yet"
    try:
        Decimal(told.price)
    except InvalidOperation:
        return f"its price is {told.price!r}"
    return "" if told.price_unit.upper() == "USD" else f"its price is in {told.price_unit or 'no currency'}"

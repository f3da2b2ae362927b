"""Every table, one class each. Their names are a contract with people who write their own SQL; columns may grow.

Moments are UTC (`Utc`), money and quantities are exact (`money`, `quantity`), durations are float seconds.
The migrations make these tables; a test holds the two together.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import Date, ForeignKey, Index, Integer, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.store.columns import Document, Exact, RowNumber, Utc, money, quantity

# Without names a constraint cannot be dropped by a migration, and SQLite gives none.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

SID = 64  # a carrier's name for a call is 34 letters; other carriers' are longer
NAME = 120
E164 = 32  # fifteen digits and a plus; a party may also be a SIP user or a withheld number's placeholder
WORD = 32


class Row(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Utc(),
        date: Date(),
        dict[str, Any]: Document,
        str: Text(),
    }


# --- who answers --------------------------------------------------------------------------------------------------


class AgentRow(Row):
    """One version of one agent. Published versions never change: a change is a new version."""

    __tablename__ = "agents"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        Index(
            "ix_agents_published",
            "name",
            unique=True,  # the database itself sees to it that one version answers
            sqlite_where=text("state = 'published'"),
            postgresql_where=text("state = 'published'"),
        ),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME))
    version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(WORD))  # draft, published, retired
    greeting: Mapped[str]
    prompt: Mapped[str]
    model: Mapped[str] = mapped_column(String(NAME))
    voice: Mapped[str] = mapped_column(String(NAME))
    settings: Mapped[dict[str, Any]]  # all else that `Agent` knows, by its field names
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]


class NumberRow(Row):
    """A telephone number of ours, and the agent that answers it."""

    __tablename__ = "numbers"

    number: Mapped[str] = mapped_column(String(E164), primary_key=True)
    agent: Mapped[str] = mapped_column(String(NAME), index=True)
    purpose: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class BookingRow(Row):
    """An appointment in the diary of a clinic whose agent needs no vendor. Day and time are the clinic's own."""

    __tablename__ = "bookings"
    __table_args__ = (
        Index(
            "ix_bookings_booked",
            "diary",
            "day",
            "at",
            unique=True,  # the database itself sees to it that an appointment is given once
            sqlite_where=text("state = 'booked'"),
            postgresql_where=text("state = 'booked'"),
        ),
        Index("ix_bookings_diary_known_as", "diary", "known_as"),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    diary: Mapped[str] = mapped_column(String(NAME))
    day: Mapped[date]
    at: Mapped[str] = mapped_column(String(WORD))  # 14:30
    name: Mapped[str] = mapped_column(String(NAME))
    known_as: Mapped[str] = mapped_column(String(NAME))  # the name in small letters, to be found by
    phone: Mapped[str] = mapped_column(String(E164), server_default="")
    state: Mapped[str] = mapped_column(String(WORD))  # booked, cancelled
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


# --- what happened ------------------------------------------------------------------------------------------------


class CallRow(Row):
    """One call, complete when `ended_at` is there."""

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_started_at_id", "started_at", "id"),
        Index("ix_calls_agent_started_at", "agent", "started_at"),
        Index("ix_calls_campaign_started_at", "campaign", "started_at"),
        Index("ix_calls_number_started_at", "number", "started_at"),
        Index("ix_calls_cost_status_started_at", "cost_status", "started_at"),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    sid: Mapped[str] = mapped_column(String(SID), unique=True)
    direction: Mapped[str] = mapped_column(String(WORD))  # inbound, outbound
    number: Mapped[str] = mapped_column(String(E164))  # ours
    from_number: Mapped[str] = mapped_column(String(E164), index=True)
    to_number: Mapped[str] = mapped_column(String(E164), index=True)
    agent: Mapped[str] = mapped_column(String(NAME), server_default="")
    agent_version: Mapped[int | None]
    campaign: Mapped[str] = mapped_column(String(NAME), server_default="")
    started_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    duration_seconds: Mapped[float | None]
    end_reason: Mapped[str] = mapped_column(String(NAME), server_default="")
    end_fault: Mapped[str] = mapped_column(String(WORD), server_default="")  # caller, agent, operator, vendor, platform
    outcome: Mapped[str] = mapped_column(String(NAME), server_default="")
    interruptions: Mapped[int] = mapped_column(server_default="0")
    false_interruptions: Mapped[int] = mapped_column(server_default="0")
    turns: Mapped[int] = mapped_column(server_default="0")
    underruns: Mapped[int] = mapped_column(server_default="0")
    cost_usd: Mapped[Decimal | None] = mapped_column(money())  # the sum of its usage rows; NULL when one is unknown
    cost_status: Mapped[str] = mapped_column(String(WORD), server_default="provisional")  # reconciled, unknown
    carrier_price_usd: Mapped[Decimal | None] = mapped_column(money())  # what the carrier says that it took
    reconciled_at: Mapped[datetime | None]
    latency_p50: Mapped[float | None]  # platform gap, seconds
    latency_p95: Mapped[float | None]
    greeting_seconds: Mapped[float | None]
    bargein_p95: Mapped[float | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # connect and first-byte times by vendor, ...


class TurnRow(Row):
    """One turn of one side. Stage times are seconds from the call's start; the stages between them are derived."""

    __tablename__ = "turns"
    __table_args__ = (UniqueConstraint("call_id", "number"),)

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    call_id: Mapped[int] = mapped_column(RowNumber, ForeignKey("calls.id", ondelete="CASCADE"))
    number: Mapped[int]
    who: Mapped[str] = mapped_column(String(WORD))  # caller, agent, platform
    heard: Mapped[str] = mapped_column(server_default="")  # the words that reached the other side
    written: Mapped[str] = mapped_column(server_default="")  # the words as they were meant
    started: Mapped[float | None]
    ended: Mapped[float | None]
    interrupted: Mapped[bool] = mapped_column(server_default=text("false"))
    heard_end: Mapped[float | None]
    transcript: Mapped[float | None]
    turn_end: Mapped[float | None]
    think_first: Mapped[float | None]
    clause_first: Mapped[float | None]
    voice_first: Mapped[float | None]
    sent_first: Mapped[float | None]
    gap_seconds: Mapped[float | None]
    vendor_seconds: Mapped[float | None]  # of the gap: waited for vendors
    own_seconds: Mapped[float | None]  # of the gap: our own share
    tool_seconds: Mapped[float | None]


class UsageRow(Row):
    """One line of a call's account. `key` names the fact that it comes from: written twice, it is there once."""

    __tablename__ = "usage"
    __table_args__ = (UniqueConstraint("call_id", "key"),)

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    call_id: Mapped[int] = mapped_column(RowNumber, ForeignKey("calls.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(WORD))
    turn: Mapped[int | None]
    vendor: Mapped[str] = mapped_column(String(WORD))
    product: Mapped[str] = mapped_column(String(NAME))
    unit: Mapped[str] = mapped_column(String(WORD))
    quantity: Mapped[Decimal] = mapped_column(quantity())
    estimated: Mapped[bool] = mapped_column(server_default=text("false"))
    wasted: Mapped[str] = mapped_column(String(NAME), server_default="")
    rate_id: Mapped[int | None] = mapped_column(RowNumber, ForeignKey("rates.id"))
    rate: Mapped[Decimal | None] = mapped_column(money())  # price of `rate_per` units
    rate_per: Mapped[int | None]
    cost_usd: Mapped[Decimal | None] = mapped_column(money())  # NULL: no rate is known, and an alert stands


class RateRow(Row):
    """A price from a day on. Rows are never changed, so that an old call keeps its old price."""

    __tablename__ = "rates"
    __table_args__ = (UniqueConstraint("vendor", "product", "unit", "tier_from", "effective_from"),)

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    vendor: Mapped[str] = mapped_column(String(WORD))
    product: Mapped[str] = mapped_column(String(NAME))
    unit: Mapped[str] = mapped_column(String(WORD))
    price: Mapped[Decimal] = mapped_column(money())
    per: Mapped[int]  # for how many units
    tier_from: Mapped[int] = mapped_column(server_default="0")  # for requests with more prompt tokens than this
    effective_from: Mapped[date]
    source: Mapped[str]
    checked_on: Mapped[date]


# --- figures kept ready, so that a report over a million calls answers at once ---------------------------------------


class CallDayRow(Row):
    """How many calls, and how long. Written in the transaction that writes the calls."""

    __tablename__ = "calls_by_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    agent: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    campaign: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    number: Mapped[str] = mapped_column(String(E164), primary_key=True)
    calls: Mapped[int] = mapped_column(RowNumber)
    unknown: Mapped[int] = mapped_column(RowNumber)  # calls with a line that has no known price
    seconds: Mapped[float]


class CostDayRow(Row):
    """What was used, and what it cost."""

    __tablename__ = "cost_by_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    agent: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    campaign: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    number: Mapped[str] = mapped_column(String(E164), primary_key=True)
    vendor: Mapped[str] = mapped_column(String(WORD), primary_key=True)
    product: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    unit: Mapped[str] = mapped_column(String(WORD), primary_key=True)
    wasted: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    quantity: Mapped[Decimal] = mapped_column(Exact(24, 6))
    cost_usd: Mapped[Decimal] = mapped_column(Exact(24, 12))  # of the lines that have a price
    unknown: Mapped[int] = mapped_column(RowNumber)  # lines that have none


class LatencyDayRow(Row):
    """How often a stage took how long: a histogram whose buckets grow by a fixed ratio."""

    __tablename__ = "latency_by_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    agent: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    stage: Mapped[str] = mapped_column(String(WORD), primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(RowNumber)


# --- limits, and who is told ------------------------------------------------------------------------------------------


class BudgetRow(Row):
    """A cap: how much of what, for whom, in a day or a month, and what happens then."""

    __tablename__ = "budgets"
    __table_args__ = (UniqueConstraint("scope", "subject", "period", "measure"),)

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    scope: Mapped[str] = mapped_column(String(WORD))  # account, agent, campaign, number
    subject: Mapped[str] = mapped_column(String(NAME), server_default="")
    period: Mapped[str] = mapped_column(String(WORD))  # day, month, now
    measure: Mapped[str] = mapped_column(String(WORD))  # calls, minutes, usd
    cap: Mapped[Decimal] = mapped_column(money())
    action: Mapped[str] = mapped_column(String(WORD), server_default="warn")  # warn, pause, stop
    created_at: Mapped[datetime]


class AlertRow(Row):
    """Something that somebody must know. `key` names the occasion, so that one occasion is told once."""

    __tablename__ = "alerts"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), unique=True)
    kind: Mapped[str] = mapped_column(String(WORD), index=True)  # unknown_price, budget, suspicious, reconciliation
    what: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    raised_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class WebhookRow(Row):
    """An address that is told of events, signed with its secret."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    url: Mapped[str]
    secret: Mapped[str]
    events: Mapped[str] = mapped_column(server_default="*")  # words with a space between, or *
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime]


class DeliveryRow(Row):
    """One event on its way to one webhook, with every try counted."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "key"),
        Index("ix_deliveries_state_next_at", "state", "next_at"),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(RowNumber, ForeignKey("webhooks.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(255))
    event: Mapped[str] = mapped_column(String(WORD))
    body: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(WORD), server_default="waiting")  # waiting, delivered, failed
    tries: Mapped[int] = mapped_column(server_default="0")
    next_at: Mapped[datetime]
    last_status: Mapped[int | None]
    last_fault: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]


# --- what was promised, and what is done after a call -----------------------------------------------------------------


class NoteRow(Row):
    """What the agent wrote down for people: a message, a callback, a wish never to be called again."""

    __tablename__ = "notes"
    __table_args__ = (UniqueConstraint("call_sid", "key"), Index("ix_notes_kind_at", "kind", "at"))

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    call_sid: Mapped[str] = mapped_column(String(SID))
    key: Mapped[str] = mapped_column(String(64))  # what it says, so that it is there once
    kind: Mapped[str] = mapped_column(String(WORD))  # take_message, schedule_callback, opt_out
    agent: Mapped[str] = mapped_column(String(NAME), server_default="")
    number: Mapped[str] = mapped_column(String(E164))  # ours
    party: Mapped[str] = mapped_column(String(E164), index=True)  # theirs
    fields: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class LeaseRow(Row):
    """Who does a job just now, so that two processes do not do it twice."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    holder: Mapped[str] = mapped_column(String(NAME))
    until: Mapped[datetime]


class ReconciliationRow(Row):
    """What the carrier says of a call, beside what we had reckoned."""

    __tablename__ = "reconciliations"
    __table_args__ = (Index("ix_reconciliations_state_next_at", "state", "next_at"),)

    call_id: Mapped[int] = mapped_column(RowNumber, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(String(WORD), server_default="waiting")  # waiting, done, given_up
    tries: Mapped[int] = mapped_column(server_default="0")
    next_at: Mapped[datetime]
    carrier_status: Mapped[str] = mapped_column(String(WORD), server_default="")
    carrier_seconds: Mapped[int | None]
    estimate_usd: Mapped[Decimal | None] = mapped_column(money())
    difference_usd: Mapped[Decimal | None] = mapped_column(money())  # the carrier's price less ours
    fault: Mapped[str] = mapped_column(server_default="")

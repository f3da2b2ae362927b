"""The ledger: calls, turns, usage, rates, and the figures kept ready for reports.

Only new tables, which the release before does not touch.
"""

import sqlalchemy as sa
from alembic import op

from app.store.columns import Document, Exact, RowNumber, Utc, money, quantity

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def make_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("sid", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=32), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("from_number", sa.String(length=32), nullable=False),
        sa.Column("to_number", sa.String(length=32), nullable=False),
        sa.Column("agent", sa.String(length=120), server_default="", nullable=False),
        sa.Column("agent_version", sa.Integer()),
        sa.Column("campaign", sa.String(length=120), server_default="", nullable=False),
        sa.Column("started_at", Utc(), nullable=False),
        sa.Column("answered_at", Utc()),
        sa.Column("ended_at", Utc()),
        sa.Column("duration_seconds", sa.Double()),
        sa.Column("end_reason", sa.String(length=120), server_default="", nullable=False),
        sa.Column("end_fault", sa.String(length=32), server_default="", nullable=False),
        sa.Column("outcome", sa.String(length=120), server_default="", nullable=False),
        sa.Column("interruptions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("false_interruptions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("turns", sa.Integer(), server_default="0", nullable=False),
        sa.Column("underruns", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cost_usd", money()),
        sa.Column("cost_status", sa.String(length=32), server_default="provisional", nullable=False),
        sa.Column("carrier_price_usd", money()),
        sa.Column("reconciled_at", Utc()),
        sa.Column("latency_p50", sa.Double()),
        sa.Column("latency_p95", sa.Double()),
        sa.Column("greeting_seconds", sa.Double()),
        sa.Column("bargein_p95", sa.Double()),
        sa.Column("details", Document, server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.UniqueConstraint("sid", name="uq_calls_sid"),
    )
    op.create_index("ix_calls_agent_started_at", "calls", ["agent", "started_at"], unique=False)
    op.create_index("ix_calls_campaign_started_at", "calls", ["campaign", "started_at"], unique=False)
    op.create_index("ix_calls_cost_status_started_at", "calls", ["cost_status", "started_at"], unique=False)
    op.create_index("ix_calls_from_number", "calls", ["from_number"], unique=False)
    op.create_index("ix_calls_number_started_at", "calls", ["number", "started_at"], unique=False)
    op.create_index("ix_calls_started_at_id", "calls", ["started_at", "id"], unique=False)
    op.create_index("ix_calls_to_number", "calls", ["to_number"], unique=False)


def make_turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("call_id", RowNumber, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("who", sa.String(length=32), nullable=False),
        sa.Column("heard", sa.Text(), server_default="", nullable=False),
        sa.Column("written", sa.Text(), server_default="", nullable=False),
        sa.Column("started", sa.Double()),
        sa.Column("ended", sa.Double()),
        sa.Column("interrupted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("heard_end", sa.Double()),
        sa.Column("transcript", sa.Double()),
        sa.Column("turn_end", sa.Double()),
        sa.Column("think_first", sa.Double()),
        sa.Column("clause_first", sa.Double()),
        sa.Column("voice_first", sa.Double()),
        sa.Column("sent_first", sa.Double()),
        sa.Column("gap_seconds", sa.Double()),
        sa.Column("vendor_seconds", sa.Double()),
        sa.Column("own_seconds", sa.Double()),
        sa.Column("tool_seconds", sa.Double()),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_turns_call_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.UniqueConstraint("call_id", "number", name="uq_turns_call_id_number"),
    )


def make_rates() -> None:
    op.create_table(
        "rates",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("vendor", sa.String(length=32), nullable=False),
        sa.Column("product", sa.String(length=120), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("price", money(), nullable=False),
        sa.Column("per", sa.Integer(), nullable=False),
        sa.Column("tier_from", sa.Integer(), server_default="0", nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("checked_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rates"),
        sa.UniqueConstraint(
            "vendor",
            "product",
            "unit",
            "tier_from",
            "effective_from",
            name="uq_rates_vendor_product_unit_tier_from_effective_from",
        ),
    )


def make_usage() -> None:
    op.create_table(
        "usage",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("call_id", RowNumber, nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("turn", sa.Integer()),
        sa.Column("vendor", sa.String(length=32), nullable=False),
        sa.Column("product", sa.String(length=120), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("quantity", quantity(), nullable=False),
        sa.Column("estimated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("wasted", sa.String(length=120), server_default="", nullable=False),
        sa.Column("rate_id", RowNumber),
        sa.Column("rate", money()),
        sa.Column("rate_per", sa.Integer()),
        sa.Column("cost_usd", money()),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_usage_call_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["rate_id"], ["rates.id"], name="fk_usage_rate_id"),
        sa.PrimaryKeyConstraint("id", name="pk_usage"),
        sa.UniqueConstraint("call_id", "key", name="uq_usage_call_id_key"),
    )


def make_calls_by_day() -> None:
    op.create_table(
        "calls_by_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("agent", sa.String(length=120), nullable=False),
        sa.Column("campaign", sa.String(length=120), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("calls", RowNumber, nullable=False),
        sa.Column("unknown", RowNumber, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("day", "agent", "campaign", "number", name="pk_calls_by_day"),
    )


def make_cost_by_day() -> None:
    op.create_table(
        "cost_by_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("agent", sa.String(length=120), nullable=False),
        sa.Column("campaign", sa.String(length=120), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("vendor", sa.String(length=32), nullable=False),
        sa.Column("product", sa.String(length=120), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("wasted", sa.String(length=120), nullable=False),
        sa.Column("quantity", Exact(24, 6), nullable=False),
        sa.Column("cost_usd", Exact(24, 12), nullable=False),
        sa.Column("unknown", RowNumber, nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "agent", "campaign", "number", "vendor", "product", "unit", "wasted", name="pk_cost_by_day"
        ),
    )


def make_latency_by_day() -> None:
    op.create_table(
        "latency_by_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("agent", sa.String(length=120), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("n", RowNumber, nullable=False),
        sa.PrimaryKeyConstraint("day", "agent", "stage", "bucket", name="pk_latency_by_day"),
    )


def upgrade() -> None:
    make_calls()
    make_turns()
    make_rates()
    make_usage()
    make_calls_by_day()
    make_cost_by_day()
    make_latency_by_day()


def downgrade() -> None:
    op.drop_table("latency_by_day")
    op.drop_table("cost_by_day")
    op.drop_table("calls_by_day")
    op.drop_table("usage")
    op.drop_table("rates")
    op.drop_table("turns")
    op.drop_table("calls")

"""Notes, leases of jobs, and what the carrier said of each call.

Only new tables, which the release before does not touch.
"""

import sqlalchemy as sa
from alembic import op

from app.store.columns import Document, RowNumber, Utc, money

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("call_sid", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("agent", sa.String(length=120), server_default="", nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("party", sa.String(length=32), nullable=False),
        sa.Column("fields", Document, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        sa.UniqueConstraint("call_sid", "key", name="uq_notes_call_sid_key"),
    )
    op.create_index("ix_notes_kind_at", "notes", ["kind", "at"], unique=False)
    op.create_index("ix_notes_party", "notes", ["party"], unique=False)
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("until", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "reconciliations",
        sa.Column("call_id", RowNumber, nullable=False),
        sa.Column("state", sa.String(length=32), server_default="waiting", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", Utc(), nullable=False),
        sa.Column("carrier_status", sa.String(length=32), server_default="", nullable=False),
        sa.Column("carrier_seconds", sa.Integer()),
        sa.Column("estimate_usd", money()),
        sa.Column("difference_usd", money()),
        sa.Column("fault", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_reconciliations_call_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", name="pk_reconciliations"),
    )
    op.create_index("ix_reconciliations_state_next_at", "reconciliations", ["state", "next_at"], unique=False)


def downgrade() -> None:
    op.drop_table("reconciliations")
    op.drop_table("leases")
    op.drop_table("notes")

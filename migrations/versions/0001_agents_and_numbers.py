"""Agents with their versions, and the numbers that they answer.

The first step: there is no release before it.
"""

import sqlalchemy as sa
from alembic import op

from app.store.columns import Document, RowNumber, Utc

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("greeting", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("voice", sa.String(length=120), nullable=False),
        sa.Column("settings", Document, nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("published_at", Utc()),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
        sa.UniqueConstraint("name", "version", name="uq_agents_name_version"),
    )
    op.create_index(
        "ix_agents_published",
        "agents",
        ["name"],
        unique=True,
        sqlite_where=sa.text("state = 'published'"),
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_table(
        "numbers",
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("agent", sa.String(length=120), nullable=False),
        sa.Column("purpose", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("changed_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_numbers"),
    )
    op.create_index("ix_numbers_agent", "numbers", ["agent"], unique=False)


def downgrade() -> None:
    op.drop_table("numbers")
    op.drop_table("agents")

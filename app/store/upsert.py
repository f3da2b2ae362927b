"""INSERT with ON CONFLICT, which both databases know in the same words and SQLAlchemy in two places."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.tables import Row


def insert_into(session: AsyncSession, table: type[Row]) -> Any:
    """The insert of the session's own database, which has `on_conflict_do_update` and `on_conflict_do_nothing`."""
    dialect = {"postgresql": postgresql, "sqlite": sqlite}[session.get_bind().dialect.name]
    return dialect.insert(table)

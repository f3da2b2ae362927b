"""One SQL database, SQLite or PostgreSQL, and the transactions on it.

Nothing of a table is known here. Who opens a `Database` closes it.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

from app.errors import SettingsError

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}

BUSY_SECONDS = 10.0  # SQLite has one writer: a queue of ten seconds means that it is the wrong database
SWITCH_TRIES = 10  # one was enough in every race that was seen
POOL = 10  # the scribe, the admin pages and the jobs of one process; no connection is held while a call talks
POOL_EXTRA = 10
POOL_SECONDS = 5.0

# Marks a connection that only reads, so that on SQLite it need not stand in the queue of the writers.
READING = "patchcord_reading"


def with_driver(text: str) -> URL:
    """The address with the driver that we use; people write `sqlite:///x` and `postgresql://host/name`."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise SettingsError(
            f"DATABASE_URL {text!r} is not a database address; write sqlite:///var/patchcord.db "
            "or postgresql://user:password@host/name"
        ) from None
    backend = url.drivername.partition("+")[0]
    if backend not in DRIVERS:
        raise SettingsError(f"DATABASE_URL begins with {url.drivername!r}; Patchcord knows sqlite and postgresql")
    return url.set(drivername=DRIVERS[backend])


def open_engine(text: str, *, migrating: bool = False) -> AsyncEngine:
    """An engine whose transactions behave alike on both databases: they begin when we say so, and DDL is part of them.

    `migrating`: nothing is pooled, and SQLite does not follow foreign keys. It alters a table by moving its rows to a
    new one, and dropping the old one would otherwise delete every row that refers to it.
    """
    url = with_driver(text)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, migrating)
    if migrating:
        return create_async_engine(url, poolclass=NullPool)
    return create_async_engine(
        url, pool_size=POOL, max_overflow=POOL_EXTRA, pool_timeout=POOL_SECONDS, pool_pre_ping=True
    )


def _sqlite(url: URL, migrating: bool) -> AsyncEngine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    extra: dict[str, Any] = {"poolclass": NullPool} if migrating else {}
    foreign_keys = "OFF" if migrating else "ON"
    engine = create_async_engine(url, connect_args={"timeout": BUSY_SECONDS}, **extra)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions on its own, too late for DDL
        cursor = connection.cursor()
        _write_ahead(cursor)
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute(f"PRAGMA foreign_keys = {foreign_keys}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A reader that turns writer half-way is refused at once, without waiting: so writers queue before they read.
        reading = connection.get_execution_options().get(READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(cursor: Any) -> None:
    """Let readers not wait for the writer. The file remembers it, so it is only ever switched once.

    Of two who switch in the same moment SQLite refuses one without letting it wait; that one then queues as a writer.
    """
    for _ in range(SWITCH_TRIES):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("COMMIT")
    cursor.execute("PRAGMA journal_mode = WAL")


class Database:
    """The database as the rooms use it: a session to write in, or one to read in. Each belongs to one task."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.sessions = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    def open(cls, url: str) -> Self:
        return cls(open_engine(url))

    @property
    def kind(self) -> str:
        """sqlite or postgresql."""
        return self.engine.dialect.name

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction: kept when the block ends, undone when it raises."""
        async with self.sessions.begin() as session:
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """One consistent look at the rows; nothing that is written in it is kept."""
        async with self.sessions() as session:
            await session.connection(execution_options={READING: True})
            yield session

    async def close(self) -> None:
        await self.engine.dispose()

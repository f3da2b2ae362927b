"""Addresses as people write them, and transactions that behave alike on both databases."""

import asyncio

import pytest
from sqlalchemy import text

from app.errors import SettingsError
from app.store.database import Database, with_driver


@pytest.mark.parametrize(
    ("written", "driven"),
    [
        ("sqlite:///var/patchcord.db", "sqlite+aiosqlite:///var/patchcord.db"),
        ("postgresql://u:p@host/name", "postgresql+asyncpg://u:p@host/name"),
        ("postgres://host/name", "postgresql+asyncpg://host/name"),
        ("postgresql+psycopg://host/name", "postgresql+asyncpg://host/name"),
        ("sqlite+aiosqlite://", "sqlite+aiosqlite://"),
    ],
)
def test_an_address_is_given_its_driver(written: str, driven: str) -> None:
    assert with_driver(written).render_as_string(hide_password=False) == driven


@pytest.mark.parametrize("wrong", ["nonsense", "", "mysql://host/name"])
def test_an_address_that_is_none_is_refused_with_a_sentence(wrong: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        with_driver(wrong)


async def test_what_raises_leaves_nothing_behind(database: Database) -> None:
    async def fail_half_way() -> None:
        async with database.writing() as session:
            await session.execute(text("CREATE TABLE half (n INTEGER)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_half_way()
    async with database.writing() as session:
        await session.execute(text("CREATE TABLE half (n INTEGER)"))  # would be there twice


async def test_writers_that_first_read_queue_instead_of_failing(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("CREATE TABLE counter (n INTEGER)"))
        await session.execute(text("INSERT INTO counter VALUES (0)"))

    async def add_one() -> None:
        async with database.writing() as session:
            await session.scalar(text("SELECT n FROM counter"))
            await session.execute(text("UPDATE counter SET n = n + 1"))

    await asyncio.gather(*(add_one() for _ in range(8)))
    async with database.reading() as session:
        assert await session.scalar(text("SELECT n FROM counter")) == 8


async def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    async with database.writing() as writer:
        await writer.execute(text("CREATE TABLE slow (n INTEGER)"))
        async with asyncio.timeout(2), database.reading() as reader:
            assert await reader.scalar(text("SELECT count(*) FROM agents")) == 0


async def test_sqlite_follows_foreign_keys_and_writes_ahead(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    async with database.reading() as session:
        assert await session.scalar(text("PRAGMA foreign_keys")) == 1
        assert await session.scalar(text("PRAGMA journal_mode")) == "wal"
    await database.close()

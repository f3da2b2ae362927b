"""The tables come up and go down, from nothing and from every revision, and are what the models say."""

import asyncio
import logging

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from app.errors import SettingsError
from app.store.database import Database, open_engine
from app.store.migrate import NOTHING, Migrated, migrate, revision_of, revisions
from app.store.tables import Row

OURS = {table.name for table in Row.metadata.sorted_tables}


async def tables_of(url: str) -> set[str]:
    engine = open_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda plain: set(inspect(plain).get_table_names()))
    await engine.dispose()
    return names - {"alembic_version"}


async def test_every_step_goes_up_and_down_again_and_leaves_nothing(bare_database_url: str) -> None:
    seen = [await tables_of(bare_database_url)]
    for revision in revisions():
        await migrate(bare_database_url, revision)
        assert await revision_of(bare_database_url) == revision
        seen.append(await tables_of(bare_database_url))
    assert seen[0] == set()
    assert seen[-1] == OURS
    for revision, before in zip(reversed((NOTHING, *revisions()[:-1])), reversed(seen[:-1]), strict=True):
        await migrate(bare_database_url, revision)
        assert await tables_of(bare_database_url) == before


@pytest.mark.parametrize("start", [NOTHING, *revisions()])
async def test_from_every_revision_the_tables_come_to_the_newest(bare_database_url: str, start: str) -> None:
    await migrate(bare_database_url, start)
    assert await migrate(bare_database_url) == Migrated(start, revisions()[-1])
    assert await tables_of(bare_database_url) == OURS


async def test_rows_outlive_a_step_up(bare_database_url: str) -> None:
    await migrate(bare_database_url, "0001")
    row = "INSERT INTO numbers VALUES ('+15005550001', 'reception', '', '2026-11-20 00:00:00Z', '2026-11-20 00:00:00Z')"
    database = Database.open(bare_database_url)
    async with database.writing() as session:
        await session.execute(text(row))
    await migrate(bare_database_url)
    async with database.reading() as session:
        assert (await session.scalar(text("SELECT agent FROM numbers"))) == "reception"
    await database.close()


async def test_the_migrations_make_what_the_models_say(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        # SQLite's account of a default that is an empty text is not to be compared.
        defaults = connection.dialect.name == "postgresql"
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": defaults}
        )
        return list(compare_metadata(context, Row.metadata))

    engine = open_engine(database_url, migrating=True)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert found == []


async def test_two_processes_that_start_together_migrate_once(bare_database_url: str) -> None:
    outcomes = await asyncio.gather(*(migrate(bare_database_url) for _ in range(3)))
    assert sorted(outcome.before for outcome in outcomes) == [revisions()[-1], revisions()[-1], NOTHING]


async def test_loggers_made_before_a_migration_go_on_logging(bare_database_url: str) -> None:
    log = logging.getLogger("tests.before")
    await migrate(bare_database_url)
    assert not log.disabled


async def test_an_unknown_revision_is_refused_by_name(sqlite_url: str) -> None:
    with pytest.raises(SettingsError, match="no revision '0999'; there are base, 0001"):
        await migrate(sqlite_url, "0999")


async def test_tables_of_a_newer_release_are_left_alone(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    async with database.writing() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    await database.close()
    with pytest.raises(SettingsError, match="0999, which this release does not know"):
        await migrate(sqlite_url)

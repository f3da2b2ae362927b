"""Bring a database's tables to a revision, up or down. Two processes that start together do it once."""

import logging
from dataclasses import dataclass
from importlib.util import find_spec

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text

from app.errors import SettingsError
from app.store.database import open_engine

NOTHING = "base"
NEWEST = "head"

# Any number will do, as long as nobody else in the database uses it.
LOCK = 7_283_001

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Migrated:
    """From which revision to which; equal when there was nothing to do."""

    before: str
    after: str


async def migrate(url: str, revision: str = NEWEST) -> Migrated:
    """Bring the tables to `revision` in one transaction: a number such as 0002, head, or base for no tables at all."""
    engine = open_engine(url, migrating=True)
    try:
        async with engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # on SQLite the transaction is itself the lock
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            migrated = await connection.run_sync(_move, revision)
    finally:
        await engine.dispose()
    log.info("tables were at %s, are at %s", migrated.before, migrated.after)
    return migrated


async def revision_of(url: str) -> str:
    """The revision that the tables are at."""
    engine = open_engine(url, migrating=True)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_current)
    finally:
        await engine.dispose()


def revisions() -> tuple[str, ...]:
    """Every revision that this release knows, oldest first."""
    script = ScriptDirectory.from_config(_config())
    return tuple(reversed([step.revision for step in script.walk_revisions()]))


def _config() -> Config:
    found = find_spec("migrations")
    assert found is not None, "the package is installed without its migrations"
    folder = (found.submodule_search_locations or [""])[0]
    config = Config()
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


def _current(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or NOTHING


def _move(connection: Connection, revision: str) -> Migrated:
    config = _config()
    config.attributes["connection"] = connection
    before, order = _current(connection), (NOTHING, *revisions())
    wanted = order[-1] if revision == NEWEST else revision
    if before not in order:
        raise SettingsError(f"the database is at revision {before}, which this release does not know; run a newer one")
    if wanted not in order:
        raise SettingsError(f"there is no revision {revision!r}; there are {', '.join(order)} and {NEWEST}")
    try:
        if order.index(wanted) >= order.index(before):
            command.upgrade(config, wanted)
        else:
            command.downgrade(config, wanted)
    except CommandError as fault:
        raise SettingsError(f"the tables could not be brought to {revision}: {fault}") from fault
    return Migrated(before, _current(connection))

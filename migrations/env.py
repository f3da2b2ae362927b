"""How Alembic reaches the database: over the connection it is handed, or over one that it opens itself.

`app.store.migrate` hands one over. From the command line: `alembic -x url=sqlite:///var/patchcord.db revision ...`.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection

from app.store.database import open_engine
from app.store.tables import Row


def run(connection: Connection) -> None:
    # SQLite cannot alter a table, so Alembic makes a new one and moves the rows: that is its batch mode.
    batch = connection.dialect.name == "sqlite"
    context.configure(connection=connection, target_metadata=Row.metadata, render_as_batch=batch)
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_run(url: str) -> None:
    engine = open_engine(url, migrating=True)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(connect_and_run(context.get_x_argument(as_dictionary=True)["url"]))

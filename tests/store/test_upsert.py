"""The insert of the session's own database."""

from app.store.database import Database
from app.store.tables import NumberRow
from app.store.upsert import insert_into


async def test_the_insert_speaks_the_dialect_of_its_session(database: Database) -> None:
    async with database.reading() as session:
        statement = insert_into(session, NumberRow).on_conflict_do_nothing()
        assert type(statement).__module__ == f"sqlalchemy.dialects.{database.kind}.dml"
        assert "ON CONFLICT DO NOTHING" in str(statement.compile(dialect=database.engine.dialect))

"""What stands in the diary of a server that needs no vendor."""

from datetime import datetime
from pathlib import Path

from app.store.bookings import Bookings
from app.store.database import Database


async def booked(folder: Path, phone: str = "") -> list[datetime]:
    """When Robert Wilson is to come, who called from there, by the database in this folder."""
    database = Database.open(f"sqlite:///{folder}/patchcord.db")
    try:
        return await Bookings(database, "reception").of("Robert Wilson", phone, datetime.now())
    finally:
        await database.close()

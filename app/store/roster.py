"""Agents and numbers in the database: a roster is applied, and a called number finds its agent.

A published version is never changed. What stands in the database and not in the file is left alone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.call.agent import Agent
from app.store.roster_form import Number, Roster, form_data, restore
from app.store.tables import AgentRow, NumberRow

COLUMNS = ("name", "greeting", "prompt", "model", "voice")  # of an agent; all else stands in `settings`

# Two files applied in the same moment would give two versions the same number.
LOCK = 7_283_002


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one entry. `what` is created, changed or unchanged; `version` is 0 for a number."""

    kind: str
    name: str
    what: str
    version: int = 0

    def __str__(self) -> str:
        version = f" (version {self.version})" if self.version else ""
        return f"{self.kind} {self.name}: {self.what}{version}"


async def apply(session: AsyncSession, roster: Roster) -> list[Applied]:
    """Make the database say what the roster says; the caller's transaction keeps it. A second time changes nothing."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    agents = [await _apply_agent(session, agent) for agent in roster.agents]
    numbers = [await _apply_number(session, number) for number in roster.numbers]
    return agents + numbers


async def answering(session: AsyncSession, number: str) -> tuple[Agent, int] | None:
    """The agent that answers this number of ours, and its version; None: nobody does."""
    found = select(AgentRow).join(NumberRow, NumberRow.agent == AgentRow.name)
    row = await session.scalar(found.where(NumberRow.number == number, AgentRow.state == "published"))
    return None if row is None else (_agent(row), row.version)


async def published(session: AsyncSession, name: str) -> tuple[Agent, int] | None:
    """The agent of this name as it answers now, and its version."""
    row = await _published_row(session, name)
    return None if row is None else (_agent(row), row.version)


async def version_of(session: AsyncSession, name: str, version: int) -> Agent | None:
    """The agent as it was in this version."""
    row = await session.scalar(select(AgentRow).where(AgentRow.name == name, AgentRow.version == version))
    return None if row is None else _agent(row)


async def numbers(session: AsyncSession) -> list[Number]:
    """Every number of ours, in order."""
    rows = await session.scalars(select(NumberRow).order_by(NumberRow.number))
    return [Number(row.number, row.agent, row.purpose) for row in rows]


async def _published_row(session: AsyncSession, name: str) -> AgentRow | None:
    row: AgentRow | None = await session.scalar(
        select(AgentRow).where(AgentRow.name == name, AgentRow.state == "published")
    )
    return row


async def _apply_agent(session: AsyncSession, agent: Agent) -> Applied:
    before = await _published_row(session, agent.name)
    if before is not None and _agent(before) == agent:
        return Applied("agent", agent.name, "unchanged", before.version)
    if before is not None:
        before.state = "retired"
        await session.flush()  # the database allows one published version at a time
    newest = await session.scalar(select(func.max(AgentRow.version)).where(AgentRow.name == agent.name))
    version, now = (newest or 0) + 1, datetime.now(UTC)
    session.add(_row(agent, version, now))
    await session.flush()
    return Applied("agent", agent.name, "changed" if newest else "created", version)


async def _apply_number(session: AsyncSession, number: Number) -> Applied:
    row, now = await session.get(NumberRow, number.number), datetime.now(UTC)
    if row is None:
        session.add(
            NumberRow(number=number.number, agent=number.agent, purpose=number.purpose, created_at=now, changed_at=now)
        )
        return Applied("number", number.number, "created")
    if (row.agent, row.purpose) == (number.agent, number.purpose):
        return Applied("number", number.number, "unchanged")
    row.agent, row.purpose, row.changed_at = number.agent, number.purpose, now
    return Applied("number", number.number, "changed")


def _row(agent: Agent, version: int, now: datetime) -> AgentRow:
    data = form_data(agent)
    columns = {name: data.pop(name) for name in COLUMNS}
    return AgentRow(**columns, settings=data, version=version, state="published", created_at=now, published_at=now)


def _agent(row: AgentRow) -> Agent:
    return restore(Agent, {**row.settings, **{name: getattr(row, name) for name in COLUMNS}})

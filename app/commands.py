"""What the operator's commands do besides serving: agents, tables, traces, and a look at everything a call needs."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from app.call.account import Account
from app.errors import SettingsError, VendorError
from app.jobs.forgetting import forget as forget_everything
from app.money.limits import Cap
from app.money.rate_file import read_rates, write_rates
from app.report import call_sheet, timeline
from app.report.sheets import NO_NAME, Sheet, write
from app.settings import Settings
from app.store import roster
from app.store.budgets import list_budgets, set_budget, spent
from app.store.database import Database
from app.store.ledger import price_unknown_calls
from app.store.live import LocalLive
from app.store.live_redis import RedisLive
from app.store.migrate import migrate as bring_tables
from app.store.migrate import revision_of, revisions
from app.store.rate_card import check_rates, import_rates, list_rates, seed_rates
from app.store.reports import cost_report, latency_report
from app.store.roster_file import read_roster
from app.store.webhooks import add_webhook, delivery_counts
from app.switchboard import trace


async def tables_ready(settings: Settings) -> None:
    """An empty database gets its tables and the prices of this release; another release's is left to its operator."""
    newest = revisions()[-1]
    before = await revision_of(settings.database_url)
    if before == "base":
        await migrate(settings, "head")
    elif before != newest:
        raise SettingsError(
            f"The tables of the database are at revision {before}, this release needs {newest}: run patchcord migrate."
        )


async def migrate(settings: Settings, revision: str) -> str:
    """Bring the tables to a revision; the newest one comes with the prices that this release knows."""
    done = await bring_tables(settings.database_url, revision)
    if done.after == revisions()[-1]:
        database = Database.open(settings.database_url)
        try:
            async with database.writing() as session:
                await import_rates(session, seed_rates())
        finally:
            await database.close()
    if done.before == done.after:
        return f"The tables are at revision {done.after}; there was nothing to do."
    return f"The tables were at revision {done.before} and are at {done.after} now."


async def apply(settings: Settings, text: str, file: str) -> list[str]:
    """Make the database say what the text of this file says; a line for each entry tells what became of it."""
    wanted = read_roster(text, file)
    await tables_ready(settings)
    database = Database.open(settings.database_url)
    try:
        async with database.writing() as session:
            return [str(applied) for applied in await roster.apply(session, wanted)]
    finally:
        await database.close()


# --- figures --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database with its tables, until the block ends. One that is away is the operator's to mend."""
    try:
        await tables_ready(settings)
        database = Database.open(settings.database_url)
        try:
            yield database
        finally:
            await database.close()
    except (OperationalError, InterfaceError, OSError) as error:
        raise SettingsError(f"The database cannot be used ({_short(error)}): check DATABASE_URL.") from error


async def report(settings: Settings, what: str, first: date, last: date, by: str, form: str) -> str:
    """`what` is cost or latency; the days are UTC, both included."""
    if first > last:
        raise SettingsError(f"The report would begin on {first} and end on {last}: give --from a day before --to.")
    async with opened(settings) as database, database.reading() as session:
        sheet = await (cost_report if what == "cost" else latency_report)(session, first, last, by)
    return write(sheet, form)


async def rates_import(settings: Settings, text: str, file: str) -> str:
    """Add the rates of this text, and price what calls used before its price was known."""
    wanted = read_rates(text, file)
    async with opened(settings) as database:
        async with database.writing() as session:
            done = await import_rates(session, wanted)
        priced = 0
        while True:
            async with database.writing() as session:
                complete = await price_unknown_calls(session)
            priced += complete
            if not complete:
                break
    told = f"{done.added} rates were added, {done.unchanged} stood there already."
    return f"{told} {priced} calls have a known cost now." if priced else told


async def rates_list(settings: Settings) -> str:
    """Every rate as the CSV that `rates import` takes."""
    async with opened(settings) as database, database.reading() as session:
        return write_rates(await list_rates(session))


async def rates_check(settings: Settings, today: date) -> list[str]:
    """A sentence for everything that is amiss with the rates."""
    async with opened(settings) as database, database.reading() as session:
        return await check_rates(session, today)


async def budget_set(settings: Settings, cap: Cap) -> str:
    async with opened(settings) as database, database.writing() as session:
        await set_budget(session, cap)
    return f"{cap}, then {cap.action}."


async def budget_list(settings: Settings, today: date, form: str) -> str:
    """Every cap, with what is used of it; the defaults too."""
    async with opened(settings) as database, database.reading() as session:
        caps, used = await list_budgets(session), await spent(session, today)
    rows = []
    for cap in caps:
        known = cap.period in ("day", "month") and (cap.subject != "" or cap.scope == "account")
        amount = used.of(cap.scope, cap.subject, cap.period, cap.measure) if known else None
        rows.append((cap.scope, cap.subject or NO_NAME, cap.measure, cap.period, cap.cap, amount, cap.action))
    columns = ("scope", "subject", "measure", "period", "cap", "used", "action")
    notes = (
        f"{NO_NAME}: each one by itself.",
        "used: by calls that are over; not summed where the cap is each one's.",
    )
    return write(Sheet(f"Caps, {today} (UTC)", columns, tuple(rows), notes), form)


# --- who is told, and who is forgotten ------------------------------------------------------------------------------


async def webhook_add(settings: Settings, url: str, events: str) -> str:
    if urlsplit(url).scheme not in ("https", "http") or not urlsplit(url).hostname:
        raise SettingsError(f"{url!r} is no address: it begins with https:// or http://")
    secret = secrets.token_urlsafe(32)
    async with opened(settings) as database, database.writing() as session:
        await add_webhook(session, url, secret, events, datetime.now(UTC))
    return f"{url} is told of {events}. Its messages are signed with {secret}"


async def webhook_list(settings: Settings) -> str:
    async with opened(settings) as database, database.reading() as session:
        rows = await delivery_counts(session)
    return write(Sheet("Webhooks", ("id", "url", "events", "delivered", "waiting", "failed"), tuple(rows)), "table")


async def forget(settings: Settings, number: str) -> str:
    """Everything of this caller, also what another process remembers of a call that is going on."""
    live = RedisLive(settings.redis_url) if settings.redis_url else LocalLive()
    try:
        async with opened(settings) as database:
            calls, files = await forget_everything(number, database, live, settings.data_dir)
    finally:
        await live.close()
    return f"{calls} calls and {files} files of {number} are deleted."


def _short(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


# --- traces ---------------------------------------------------------------------------------------------------------


def replay(file: Path, say: Callable[[str], None], *, quiet: bool = False, picture: Path | None = None) -> int:
    """Tell a call from its trace and run it through the core again: 0 if it would go the same way today, else 1."""
    recorded = trace.read(file)
    account = Account()
    for entry in recorded.entries:
        lines = len(account.lines)
        if entry.thing is not None:
            account.add(entry.moment, entry.thing)
        for line in account.lines[lines:]:
            if not quiet:
                say(call_sheet.said(line, recorded.head.moment))
    if recorded.end is not None:
        account.ended, account.reason, account.fault = recorded.end
    if picture is not None:
        facts = recorded.head.facts
        picture.write_text(timeline.picture(account, f"{facts.party} and {recorded.head.agent.name}"), "utf-8")
    if not quiet:
        say("")
        for line_of_sheet in call_sheet.sheet(account):
            say(line_of_sheet)
        say("")
    differences = trace.replay(recorded)
    for difference in differences:
        say(f"{difference.moment:.3f}: at {difference.happened}")
        say(f"  then: {'; '.join(difference.then) or 'nothing'}")
        say(f"  now:  {'; '.join(difference.now) or 'nothing'}")
    say(
        f"The core would do otherwise today at {len(differences)} moments."
        if differences
        else "The core would do exactly the same today."
    )
    return 1 if differences else 0


async def doctor(settings: Settings, say: Callable[[str], None]) -> int:
    """Look at everything that a call needs, and say what is amiss and how to mend it: 0 if nothing is."""
    faults = 0

    def found(fault: str, well: str) -> None:
        nonlocal faults
        faults += bool(fault)
        say(f"amiss  {fault}" if fault else f"well   {well}")

    try:
        settings.require_serving()
        verified = f"Twilio reaches us at {settings.public_url}, and its requests can be verified"
        browser = f"{settings.public_url}/phone"
        refused = f"no TWILIO_AUTH_TOKEN: Twilio is refused, and this machine's browsers call at {browser}"
        found("", verified if settings.twilio_auth_token else refused)
    except SettingsError as error:
        for sentence in str(error).splitlines():
            found(sentence, "")
    for key in settings.missing_keys():
        found(f"{key} is not set: copy it from the vendor's console into the environment", "")
    if settings.without_vendors:
        from app.senses import cannot_work  # only this question needs the vendors' packages, which take two seconds

        found(cannot_work(settings), "no vendor's key is set, and this machine can do without")
    await _look_at_servers(settings, found)
    await _look_at_database(settings, found)
    await _look_at_redis(settings, found)
    return 1 if faults else 0


async def _look_at_servers(settings: Settings, found: Callable[[str, str], None]) -> None:
    """Whoever hears, thinks and speaks for us, if it is not we."""
    vendors = {
        "Deepgram": "" if settings.stt_url else settings.deepgram_http_url,
        "Anthropic": settings.anthropic_base_url,
        "ElevenLabs": "" if settings.tts_url else settings.elevenlabs_http_url,
    }
    own = {"the server that hears": settings.stt_url, "the server that speaks": settings.tts_url}
    for name, url in {**({} if settings.without_vendors else vendors), **own}.items():
        if not url:
            continue
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        fault = ""
        try:
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection(parts.hostname, port)
                writer.close()
        except (OSError, TimeoutError) as error:
            fault = (
                f"{name} cannot be reached at {url} ({error or 'no answer in 5 s'}): check the address and the network"
            )
        found(fault, f"{name} can be reached at {url}")


async def _look_at_database(settings: Settings, found: Callable[[str, str], None]) -> None:
    try:
        revision, newest = await revision_of(settings.database_url), revisions()[-1]
    except (SQLAlchemyError, OSError) as error:
        found(f"the database cannot be opened ({error}): check DATABASE_URL", "")
        return
    fault = (
        ""
        if revision in ("base", newest)
        else f"the tables are at revision {revision}, not {newest}: run patchcord migrate"
    )
    found(
        fault,
        f"the database is there; its tables are {'made at the first start' if revision == 'base' else 'up to date'}",
    )


async def _look_at_redis(settings: Settings, found: Callable[[str, str], None]) -> None:
    if not settings.redis_url:
        found("", "no REDIS_URL: one process keeps its calls by itself, and no other can go on with them")
        return
    redis = RedisLive(settings.redis_url)
    try:
        await redis.ping()
        found("", "Redis answers")
    except VendorError as error:
        found(f"{error}: check REDIS_URL", "")
    finally:
        await redis.close()

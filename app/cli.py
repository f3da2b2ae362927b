"""The `patchcord` command. Every fault of the operator's is one clear sentence on stderr and exit code 2."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from app import commands
from app import processes as family
from app.errors import SettingsError
from app.money import limits
from app.report.sheets import FORMATS
from app.settings import Settings

T = TypeVar("T")

_WRONG = 2


class _Commands(click.Group):
    """Says an operator's faults as sentences instead of tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as fault:
            _refuse(str(fault))


def _refuse(why: str) -> NoReturn:
    for sentence in why.splitlines():
        click.echo(f"patchcord: {sentence}", err=True)
    sys.exit(_WRONG)


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(work)


def _loop() -> asyncio.AbstractEventLoop:
    """The quick loop, where there is one."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="patchcord", prog_name="patchcord")
def main() -> None:
    """A call-centre voice agent: answers the telephone, and accounts for every call."""


@main.command()
@click.option("--processes", type=int, default=1, show_default=True, help="So many servers on one port.")
@click.option("--one-of-many", is_flag=True, hidden=True)
def serve(processes: int, one_of_many: bool) -> None:
    """Answer the telephone until told to stop."""
    settings = Settings.read(os.environ)
    settings.require_serving()
    family.check(settings, processes)
    if processes > 1:
        sys.exit(family.Family(processes, os.environ).run())
    from app import main as house  # the vendors' packages take two seconds, which only a server has to spend

    _run(house.serve(settings, one_of_many=one_of_many))


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def apply(file: Path) -> None:
    """Make agents and numbers what FILE says. A second time changes nothing."""
    for line in _run(commands.apply(Settings.read(os.environ), file.read_text(encoding="utf-8"), str(file))):
        click.echo(line)


@main.command()
@click.argument("revision", default="head")
def migrate(revision: str) -> None:
    """Bring the database's tables to REVISION: a number such as 0002, head, or base for none."""
    click.echo(_run(commands.migrate(Settings.read(os.environ), revision)))


_DAY = click.DateTime(["%Y-%m-%d"])


@main.command()
@click.argument("what", type=click.Choice(["cost", "latency"]))
@click.option("--from", "first", type=_DAY, help="The first day, UTC (2026-11-01); else thirty days before the last.")
@click.option("--to", "last", type=_DAY, help="The last day, UTC; else today.")
@click.option("--by", help="day, component, agent, campaign, number; for latency stage, agent, day.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def report(what: str, first: datetime | None, last: datetime | None, by: str | None, form: str) -> None:
    """What calls cost, or how long people waited."""
    until = (last or datetime.now(UTC)).date()
    since = first.date() if first else until - timedelta(days=30)
    usual = "day" if what == "cost" else "stage"
    told = _run(commands.report(Settings.read(os.environ), what, since, until, by or usual, form))
    click.echo(told, nl=not told.endswith("\n"))


@main.group()
def rates() -> None:
    """What vendors charge. A price is never changed: a new one is a new rate, from a later day."""


@rates.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def rates_import(file: Path) -> None:
    """Add the rates of FILE, a CSV as `rates list` prints it."""
    click.echo(_run(commands.rates_import(Settings.read(os.environ), file.read_text(encoding="utf-8"), str(file))))


@rates.command("list")
def rates_list() -> None:
    """Print every rate as CSV."""
    click.echo(_run(commands.rates_list(Settings.read(os.environ))), nl=False)


@rates.command("check")
def rates_check() -> None:
    """Say what was used without a known price, and which prices nobody has looked at for long (exit code 1)."""
    told = _run(commands.rates_check(Settings.read(os.environ), datetime.now(UTC).date()))
    for sentence in told or ["Everything that was used has a price, and all prices were checked of late."]:
        click.echo(sentence)
    sys.exit(1 if told else 0)


@main.group()
def budget() -> None:
    """How much is allowed of what, and what happens when it is used up."""


@budget.command("set")
@click.argument("scope", type=click.Choice(limits.SCOPES))
@click.argument("amount")
@click.argument("measure", type=click.Choice(limits.MEASURES))
@click.option("--a", "--per", "period", type=click.Choice(limits.PERIODS), default="day", show_default=True)
@click.option("--of", "subject", default="", help="Whose: a name or a number; else each one's.")
@click.option("--then", "action", type=click.Choice(limits.ACTIONS), default="pause", show_default=True)
def budget_set(scope: str, amount: str, measure: str, period: str, subject: str, action: str) -> None:
    """Cap what SCOPE uses: `budget set agent 20 usd --per day --of reception --then pause`.

    warn only tells, pause refuses new calls as long as it lasts, stop also ends those that are going on. A call's own
    cap is for --per now: `budget set call 2 usd --per now`.
    """
    try:
        cap = limits.Cap(scope, subject, period, measure, Decimal(amount), action)
    except InvalidOperation:
        raise SettingsError(f"{amount!r} is no number.") from None
    click.echo(_run(commands.budget_set(Settings.read(os.environ), cap)))


@budget.command("list")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def budget_list(form: str) -> None:
    """Every cap, and how much of it is used."""
    click.echo(_run(commands.budget_list(Settings.read(os.environ), datetime.now(UTC).date(), form)), nl=False)


@main.group()
def webhook() -> None:
    """Addresses that are told of alerts, each message signed with their secret."""


@webhook.command("add")
@click.argument("url")
@click.option("--events", default="*", show_default=True, help='Such as "alert.budget alert.unknown_price".')
def webhook_add(url: str, events: str) -> None:
    """Tell URL of alerts; prints the secret that its messages are signed with."""
    click.echo(_run(commands.webhook_add(Settings.read(os.environ), url, events)))


@webhook.command("list")
def webhook_list() -> None:
    """Every address, and how many of its messages were delivered, wait, or failed."""
    click.echo(_run(commands.webhook_list(Settings.read(os.environ))), nl=False)


@main.command()
@click.argument("number")
@click.option("--yes", is_flag=True, help="Do not ask again.")
def forget(number: str, yes: bool) -> None:
    """Delete every call with NUMBER (+15005550100): rows, traces, memory. Sums of cost stay, without the person."""
    settings = Settings.read(os.environ)
    if not yes:
        click.confirm(f"Delete everything of {number}?", abort=True)
    click.echo(_run(commands.forget(settings, number)))


@main.command()
@click.argument("trace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--quiet", is_flag=True, help="Only say whether the core would do the same today.")
@click.option("--picture", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Draw it too, as SVG.")
def replay(trace: Path, quiet: bool, picture: Path | None) -> None:
    """Run a call again from its trace, and say where the core would do otherwise today (exit code 1)."""
    sys.exit(commands.replay(trace, click.echo, quiet=quiet, picture=picture))


@main.command()
def doctor() -> None:
    """Check keys, addresses, database and clocks; exit code 1 if something is amiss."""
    sys.exit(_run(commands.doctor(Settings.read(os.environ), click.echo)))


def _placing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `call` and `load` share."""
    for option in reversed(
        (
            click.argument("url", default=""),
            click.option(
                "--story", type=click.Path(exists=True, dir_okay=False), help="A YAML file: what the caller does."
            ),
            click.option("--account-sid", help="In whose name requests are signed; else TWILIO_ACCOUNT_SID."),
            click.option("--auth-token", help="What they are signed with; else TWILIO_AUTH_TOKEN."),
            click.option("--from", "from_", help="The caller's number."),
            click.option("--to", help="The number called."),
            click.option("--socket", help="Only a media socket, without webhooks: ws://host/path."),
            click.option("--public", help="The origin the server believes to be at, if that is not URL."),
            click.option("--status-url", help="Where the end of the call is told."),
            click.option("--json", is_flag=True, help="Print the report as JSON."),
        )
    ):
        command = option(command)
    return command


@main.command()
@_placing
def call(**options: Any) -> None:
    """Place one simulated call on the server at URL, and print it."""
    from ops.lab.place import call_command

    sys.exit(call_command(**options))


@main.command()
@_placing
@click.option("--calls", type=int, help="How many calls.")
@click.option("--ramp", type=float, help="Seconds over which they begin.")
@click.option("--turns", type=int, help="How often each asks its questions.")
@click.option("--seconds", type=float, help="Ask them again until so many have passed.")
@click.option("--output", type=click.Path(dir_okay=False), help="A file for the figures, as JSON.")
def load(**options: Any) -> None:
    """Place many simulated calls on the server at URL, and print one table."""
    from ops.lab.load import load_command

    sys.exit(load_command(**options))


if __name__ == "__main__":
    main()

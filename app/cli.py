"""The `patchcord` command. Every fault of the operator's is one clear sentence on stderr and exit code 2."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from app import main as house
from app.errors import SettingsError
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
    import uvloop

    return asyncio.run(work, loop_factory=uvloop.new_event_loop) if sys.version_info >= (3, 12) else uvloop.run(work)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="patchcord")
def main() -> None:
    """A call-centre voice agent: answers the telephone, and accounts for every call."""


@main.command()
def serve() -> None:
    """Answer the telephone until told to stop."""
    settings = Settings.read(os.environ)
    settings.require_serving()
    _run(house.serve(settings))


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def apply(file: Path) -> None:
    """Make agents and numbers what FILE says. A second time changes nothing."""
    for line in _run(house.apply(Settings.read(os.environ), file)):
        click.echo(line)


@main.command()
@click.argument("revision", default="head")
def migrate(revision: str) -> None:
    """Bring the database's tables to REVISION: a number such as 0002, head, or base for none."""
    click.echo(_run(house.migrate(Settings.read(os.environ), revision)))


@main.command()
@click.argument("trace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--quiet", is_flag=True, help="Only say whether the core would do the same today.")
def replay(trace: Path, quiet: bool) -> None:
    """Run a call again from its trace, and say where the core would do otherwise today (exit code 1)."""
    sys.exit(house.replay(trace, click.echo, quiet=quiet))


@main.command()
def doctor() -> None:
    """Check keys, addresses, database and clocks; exit code 1 if something is amiss."""
    sys.exit(_run(house.doctor(Settings.read(os.environ), click.echo)))

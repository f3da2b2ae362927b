"""One call on any server, told live: `patchcord call URL`."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.lab import story as stories
from ops.lab.caller import Caller
from ops.lab.carrier import Carrier
from ops.lab.report import Report
from ops.lab.story import FIRST_CALL, Story, StoryError
from ops.lab.transcript import Line
from ops.lab.webhook import Reach

VOICE, STATUS = "/twilio/voice", "/twilio/status"  # where a server's doors are when only its base is given

Result = TypeVar("Result")

_COLOURS = {"caller": "cyan", "agent": "green", "carrier": "yellow"}


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call, and as whom.

    url: the server's base, or the full address of its voice webhook; socket: a media socket to go to without a
    webhook; public: the origin that the server believes to be at, if it is not `url`: signatures are made for it.
    """

    url: str = ""
    account_sid: str = "AC00000000000000000000000000000000"
    auth_token: str = ""
    from_: str = "+15005550100"
    to: str = "+15005550001"
    socket: str = ""
    public: str = ""
    status_url: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def _is_base(self) -> bool:
        return urlsplit(self.url).path in ("", "/")

    @property
    def voice_url(self) -> str:
        return self._seen(self.url.rstrip("/") + VOICE if self._is_base else self.url)

    def carrier(self) -> Carrier:
        status = self.status_url or (self.url.rstrip("/") + STATUS if self.url and self._is_base else "")
        return Carrier(
            account_sid=self.account_sid,
            auth_token=self.auth_token,
            plain=urlsplit(self.public or self.socket or self.url).scheme in ("http", "ws"),
            reach=Reach(self.public, self.url) if self.public else None,
            status_url=self._seen(status) if status else "",
        )

    def _seen(self, url: str) -> str:
        """The same address as the server's owner would give it to the telephone company."""
        if not self.public:
            return url
        public = urlsplit(self.public)
        return urlsplit(url)._replace(scheme=public.scheme, netloc=public.netloc).geturl()

    async def ring(self, carrier: Carrier, caller: Caller) -> Report:
        if self.socket:
            outcome = await carrier.ring_socket(self.socket, caller, self.parameters, to=self.to)
        else:
            outcome = await carrier.ring(self.voice_url, caller, from_=self.from_, to=self.to)
        return Report.of(outcome, caller)


async def place(
    target: Target, story: Story = FIRST_CALL, *, tell: Callable[[Line], None] = lambda line: None
) -> Report:
    """One call, from the ring to the report; `tell` gets every line of the transcript as soon as it is over."""
    async with target.carrier() as carrier:
        return await target.ring(carrier, Caller(story, tell=tell))


def call_command(url: str = "", **options: Any) -> int:
    """`patchcord call URL`: place one call and print it. The exit code: 0 it went well, 1 it did not, 2 wrong options.

    story: a YAML file with what the caller does (see ops/lab/story.py); without it three questions are asked.
    account_sid, auth_token: the account in whose name requests are signed; without them TWILIO_ACCOUNT_SID and
    TWILIO_AUTH_TOKEN of the environment. from_, to: the two numbers.
    socket: ws://host/path, for a server that has only a media socket; then no URL is needed.
    public: the origin the server believes to be at (its PUBLIC_URL), if that is not URL. status_url: is told the end.
    json: print the report as JSON instead.
    """
    as_json, file = bool(options.pop("json", False)), options.pop("story", None)
    try:
        target = wanted(url, options)
        story = stories.read(Path(file)) if file else FIRST_CALL
    except (StoryError, ValueError) as wrong:
        print(f"patchcord call: {wrong}", file=sys.stderr)
        return 2
    if as_json:
        report = run(place(target, story))
        print(json.dumps(report.as_data(), indent=2, ensure_ascii=False))
    else:
        report = _shown(target, story, Console(highlight=False))
    return 1 if report.failed else 0


def wanted(url: str, options: Mapping[str, Any]) -> Target:
    """The target that these options describe; those that are None were not given."""
    named = {"account_sid": os.environ.get("TWILIO_ACCOUNT_SID"), "auth_token": os.environ.get("TWILIO_AUTH_TOKEN")}
    given = {
        **{name: value for name, value in named.items() if value},
        **{name: value for name, value in options.items() if value is not None},
    }
    try:
        target = Target(url, **given)
    except TypeError as unknown:
        raise ValueError(str(unknown).partition(")")[2].strip() or str(unknown)) from None
    for address, schemes in ((target.url, ("http", "https")), (target.socket, ("ws", "wss"))):
        parts = urlsplit(address)
        if address and (parts.scheme not in schemes or not parts.netloc):
            raise ValueError(f"{address!r} is no address: it begins with {schemes[0]}:// or {schemes[1]}://")
    if not (target.url or target.socket):
        raise ValueError("whom to call? Give the server's address, or its media socket with --socket")
    return target


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run on the quick event loop, where there is one."""
    try:
        from uvloop import new_event_loop
    except ImportError:  # Windows has none
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def _shown(target: Target, story: Story, console: Console) -> Report:
    console.print(f"[bold]{escape(target.socket or target.voice_url)}[/]  [dim]{escape(story.name)}[/]\n")
    started: list[float] = []

    def tell(line: Line) -> None:
        started.append(line.start)
        console.print(_line(line, started[0]))

    report = run(place(target, story, tell=tell))
    console.print()
    console.print(turns_table(report))
    console.print(_summary(report))
    return report


def _line(line: Line, began: float) -> str:
    colour = _COLOURS[line.who]
    cut = "[bold red] ✂[/]" if line.cut else ""
    when = f"[dim]{line.start - began:6.2f}[/]"
    return f"{when}  [{colour}]{line.who:>7}[/]  {escape(line.text)}{cut}"


def turns_table(report: Report) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("the caller said")
    for name in ("answered after", "clear after", "quiet after"):
        table.add_column(name, justify="right")
    for turn in report.turns:
        gap = "spoken into" if turn.spoken_into else milliseconds(turn.gap)
        table.add_row(escape(turn.text), gap, milliseconds(turn.barge_in), milliseconds(turn.quieted))
    return table


def _summary(report: Report) -> str:
    outcome = report.outcome
    head = f"[bold red]✗ {escape(report.failed)}[/]" if report.failed else "[bold green]✓ The call went well.[/]"
    holes = f"{len(report.holes)} holes in its speech" if report.holes else "no hole in its speech"
    lines = [
        f"\n{head}",
        f"[dim]{escape(outcome.why)} after {outcome.ended - outcome.began:.1f} s; greeted after "
        f"{milliseconds(report.caller.greeting)}; {holes}[/]",
        f"[dim]{escape(' → '.join(outcome.verbs))}[/]",
    ]
    return "\n".join(lines + [f"[yellow]{fault.code} {escape(fault.what)}[/]" for fault in outcome.grave])


def milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1000 * seconds:.0f} ms"

"""The lab by itself: `python -m ops.lab call URL`, `load URL --calls N`, `vendors`, `bench`."""

import argparse
import signal
import sys
from collections.abc import Sequence

from ops.lab.load import load_command
from ops.lab.place import call_command


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["vendors"]:
        from ops.lab import vendors  # brings the vendors' servers, which a caller does not need

        vendors.main(arguments[1:])
        return 0
    if arguments[:1] == ["bench"]:
        from ops.lab.bench.command import bench_command

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and leave no process behind
        return bench_command(arguments[1:])
    options = vars(_parser().parse_args(arguments))
    command = {"call": call_command, "load": load_command}[options.pop("command")]
    return command(**options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("vendors", help="play the vendors (see: vendors --help)", add_help=False)
    commands.add_parser("bench", help="measure Patchcord beside its best peer (see: bench --help)", add_help=False)
    call = commands.add_parser("call", help="place one call and print it")
    many = commands.add_parser("load", help="place many calls and print one table")
    for command in (call, many):
        command.add_argument("url", nargs="?", default="", help="the server's base, or its voice webhook")
        command.add_argument("--story", help="a YAML file with what the caller does")
        command.add_argument("--account-sid")
        command.add_argument("--auth-token", help="signs the requests; like the SID, from TWILIO_* in the environment")
        command.add_argument("--from", dest="from_")
        command.add_argument("--to")
        command.add_argument("--socket", help="a media socket, without any webhook: ws://host/path")
        command.add_argument("--public", help="the origin the server believes to be at")
        command.add_argument("--status-url")
        command.add_argument("--json", action="store_true")
    many.add_argument("--calls", type=int)
    many.add_argument("--ramp", type=float, help="seconds over which the calls begin")
    many.add_argument("--turns", type=int, help="how often the questions are asked")
    many.add_argument("--seconds", type=float, help="ask them again until so many have passed")
    many.add_argument("--output", help="a file for the figures, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

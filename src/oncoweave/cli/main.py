"""The entry of the command line: finds the verb, runs it, and turns what went wrong into a message and an exit code.

Nothing heavy is imported here or at the top of a verb's module, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

import click

from oncoweave.cli.failure import exit_code_of
from oncoweave.garbage import collect_seldom
from oncoweave.pandas_guard import keep_pandas_out

VERBS = (
    "demo",
    "lint",
    "arrivals",
    "extract",
    "map",
    "check",
    "failing",
    "waive",
    "signoff",
    "publish",
    "run",
    "explain",
    "report",
    "verify",
    "fhir",
    "hub",
    "status",
    "vocab",
    "schema",
)
"""In the order of the flow, as `--help` lists them."""


class Verbs(click.Group):
    """Loads a verb's module only when the verb is asked for; each module `cli/<verb>.py` holds one command `<verb>`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(f"oncoweave.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from oncoweave.errors import UsageError, nearest

            raise UsageError(f"there is no command `{args[0]}`", mend=nearest(args[0], VERBS))
        return super().resolve_command(ctx, args)


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExit codes:\n"
    "  0  done\n"
    "  1  a fault in Oncoweave itself\n"
    "  2  a specification is wrong, the call is wrong, or there is no key\n"
    "  3  the data did not pass; nothing was published\n"
    "  4  a source or the package index was not reachable; may be tried again\n"
    "  5  disk, permission, a lock that another run holds, or a file that is not what its manifest says\n"
    "  130, 143  stopped by a signal\n"
    "\b\nExample:\n  oncoweave demo",
)
@click.option(
    "--debug", is_flag=True, help="Show the full text of an unexpected error; it may hold values of the data."
)
@click.version_option(package_name="oncoweave", prog_name="oncoweave", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """From the raw extracts of cancer registries to OMOP CDM v5.4: checked, pseudonymised, published."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _terminated)
    keep_pandas_out()
    collect_seldom()
    try:
        code = cli.main(given, prog_name="oncoweave", standalone_mode=False)
        leave(code if isinstance(code, int) else 0)
    except BaseException as error:
        leave(exit_code_of(error, debug="--debug" in given, machine="--json" in given))


def leave(code: int) -> NoReturn:
    """Exit; output that nobody reads any more is no fault."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)

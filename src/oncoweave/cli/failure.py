"""What went wrong, told once: a user's mistake without a traceback, a fault of ours with one, neither with a value."""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback

import click

from oncoweave.errors import OncoweaveError, frames_of

INTERRUPTED = 130
BROKEN_PIPE = 141
_ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE, errno.EIO}


def exit_code_of(error: BaseException, *, debug: bool = False, machine: bool = False) -> int:
    """Tell the error on stderr (with `machine`, as JSON on stdout too); the exit code that follows from it."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        click.echo("stopped; nothing half-done was left behind", err=True)
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    if isinstance(error, OncoweaveError):
        return _told(error, machine)
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
        from oncoweave.errors import EnvironmentFault

        return _told(EnvironmentFault(f"{error.filename or 'the disk'}: {os.strerror(error.errno)}"), machine)
    return _ours(error, debug)


def tell(error: OncoweaveError) -> None:
    """Say on stderr what is wrong, where, and how to mend it: all problems at once."""
    if error.problems:
        from oncoweave.spec.render import render

        click.echo(render(error.problems, color=colourful()), err=True)
    click.echo(click.style("error: ", fg="red", bold=True) + error.message, err=True, color=colourful())
    if error.mend:
        click.echo(f"  = {error.mend}", err=True)


def as_tree(error: OncoweaveError) -> dict[str, object]:
    """The error for a machine."""
    from dataclasses import asdict

    return {
        "exit_code": error.exit_code,
        "transient": error.transient,
        "message": error.message,
        "mend": error.mend,
        "problems": [asdict(problem) for problem in error.problems],
    }


def colourful() -> bool:
    """Whether stderr shows colour."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _told(error: OncoweaveError, machine: bool) -> int:
    tell(error)
    if machine:
        click.echo(json.dumps({"error": as_tree(error)}, indent=2))
    return error.exit_code


def _ours(error: BaseException, debug: bool) -> int:
    """A fault of ours: where it happened and of what kind; its text may quote the data, so only with --debug."""
    if debug:
        click.echo("".join(traceback.format_exception(error)), err=True)
    else:
        click.echo("".join(frames_of(error)), err=True, nl=False)
    click.echo("error: this is a fault in Oncoweave, not in your files; nothing was published", err=True)
    if not debug:
        click.echo("  = its text is left out, since it may quote the data: `oncoweave --debug …` shows it", err=True)
    return 1

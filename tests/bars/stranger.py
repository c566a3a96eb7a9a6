"""Runs `oncoweave …` as a stranger would: a process of its own, with its environment, folder, umask and clock.

The process is forked from one that has imported everything heavy once, so that a hundred calls cost little;
nothing of Oncoweave is replaced in it.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field

from tests.forked import Forked, serve


@dataclass(frozen=True)
class Call:
    """The arguments, what of the environment is set, and how the process lives: folder, umask, and its clock's moment."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    umask: int = 0o022
    moment: str = ""


@dataclass(frozen=True)
class Said:
    """What the call said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Everything that it said."""
        return self.out + self.err


class Stranger:
    """Calls `oncoweave`; the process behind it waits for the next call until `close`."""

    def __init__(self) -> None:
        self._process = Forked("tests.bars.stranger")

    def call(self, call: Call) -> Said:
        """The call, to its end."""
        return Said(**self._process.ask(call))

    def close(self) -> None:
        """Let the process go."""
        self._process.close()


def _answered(call: Call) -> Said:
    out, err = os.memfd_create("out"), os.memfd_create("err")
    child = os.fork()
    if child == 0:
        _live(call, out, err)
    _, status = os.waitpid(child, 0)
    return Said(os.waitstatus_to_exitcode(status), _text(out), _text(err))


def _text(handle: int) -> str:
    with os.fdopen(handle, "rb") as file:
        file.seek(0)
        return file.read().decode("utf-8", "backslashreplace")


def _live(call: Call, out: int, err: int) -> None:
    """The child's life: never returns."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.chdir(call.folder)
        os.umask(call.umask)
        os.environ.update(call.environment)
        time.tzset()
        _move_clock(call.moment)
        from oncoweave.cli.main import main as oncoweave

        oncoweave(call.arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _move_clock(moment: str) -> None:
    if moment:
        import time_machine

        time_machine.travel(moment).start()


if __name__ == "__main__":
    serve(lambda asked: _answered(Call(**asked)))

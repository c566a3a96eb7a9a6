"""Runs `oncoweave …` as a stranger would: a process of its own, with its environment, folder, umask and clock.

The process is forked from one that has imported everything heavy once, so that a hundred calls cost little;
nothing of Oncoweave is replaced in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO


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
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )

    def call(self, call: Call) -> Said:
        """The call, to its end."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asdict(call)) + "\n")
        self.process.stdin.flush()
        return Said(**json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """Let the process go."""
        self.process.communicate("")


def main(calls: IO[str], answers: IO[str]) -> None:
    """Answer calls, a line of JSON each, until there are no more."""
    import oncoweave.cli.main
    import oncoweave.compiler.execute
    import oncoweave.lint
    import oncoweave.quality.validation
    import oncoweave.run
    import oncoweave.stages.check  # noqa: F401

    for line in calls:
        answers.write(json.dumps(asdict(_answered(Call(**json.loads(line))))) + "\n")
        answers.flush()


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
    main(sys.stdin, sys.stdout)

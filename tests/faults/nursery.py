"""Runs a command in a child process and lets its n-th system call fail, or kills the child there.

The nursery is a process of its own that has imported everything heavy once; each request forks a child, so
that a kill is a real kill. Calls are seen by Python's audit hook (open for writing, rename, mkdir, link,
remove, chmod) and at os.fsync; nothing of Oncoweave is replaced. Only calls below the request's root count.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.forked import Forked, serve

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
EVENTS = frozenset({"os.rename", "os.mkdir", "os.symlink", "os.link", "os.remove", "os.rmdir", "os.chmod"})


@dataclass(frozen=True)
class Request:
    """What to run (arguments of `oncoweave`), and the fault: at the n-th call `kill` or an errno's name.

    `after` sends a signal after so many seconds instead. `limit` is the largest file in bytes that the child
    may write, whoever writes it: it stands for a disk that fills up.
    """

    arguments: list[str]
    root: str
    at: int = 0
    fault: str = ""
    after: float = 0
    signal: int = 0
    limit: int = 0
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The exit code (negative: killed by that signal), the calls seen, stderr, and the seconds it took."""

    code: int
    calls: int
    stderr: str
    seconds: float


class Nursery:
    """The nursery's other end, in the test."""

    def __init__(self) -> None:
        self._process = Forked("tests.faults.nursery")

    def run(self, request: Request) -> Outcome:
        """Run the request in a child, to its end."""
        return Outcome(**self._process.ask(request))

    def close(self) -> None:
        """Let the process go."""
        self._process.close()


def _serve(request: Request) -> Outcome:
    read, write = os.pipe()
    errors = os.memfd_create("stderr")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _live(request, write, errors)
    os.close(write)
    if request.signal:
        time.sleep(request.after)
        os.kill(child, request.signal)
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - began
    with os.fdopen(read, "rb") as calls, os.fdopen(errors, "rb") as stderr:
        stderr.seek(0)
        return Outcome(os.waitstatus_to_exitcode(status), len(calls.read()), stderr.read().decode(), seconds)


def _live(request: Request, calls: int, errors: int) -> None:
    """The child's life: never returns."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(errors, 2)
        os.environ.update(request.environment)
        if request.limit:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (request.limit, request.limit))
        _watch(request, calls)
        from oncoweave.cli.main import main as oncoweave

        oncoweave(request.arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stderr.flush()
        os._exit(code)


def _watch(request: Request, calls: int) -> None:
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        os.write(calls, b".")
        if seen == request.at:
            if request.fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            number = getattr(errno, request.fault)
            raise OSError(number, os.strerror(number))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if (writes or event in EVENTS) and _below(arguments[0], request.root):
            count()

    def fsync(handle: int, real: Callable[[int], None] = os.fsync) -> None:
        count()
        real(handle)

    os.fsync = fsync  # type: ignore[assignment]
    sys.addaudithook(hook)


def _below(path: object, root: str) -> bool:
    return isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(root + os.sep)


if __name__ == "__main__":
    serve(lambda asked: _serve(Request(**asked)))

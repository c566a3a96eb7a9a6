"""What can go wrong, told as problems with a place and a mend; every other module may import this one.

A *problem* is one fault with its place in a file. An *error* stops the run and carries the exit code
that the command line returns. Neither ever holds a patient's value.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import ClassVar, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Problem:
    """One fault: where it is (file, 1-based line and column), what it is, and how to mend it.

    `source` is the text of the line in the *specification* file (never of a data file).
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    help: str = ""
    source: str = ""
    severity: Severity = "error"

    def at(self, file: str, line: int, column: int, source: str = "") -> Problem:
        """The same problem, placed."""
        return replace(self, file=file, line=line, column=column, source=source)


def nearest(name: str, valid: Iterable[str]) -> str:
    """A sentence that names the nearest valid name, or lists the valid ones, for `Problem.help`."""
    names = sorted(set(valid))
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return "valid names: " + ", ".join(f"`{n}`" for n in names[:12]) if names else ""


class OncoweaveError(Exception):
    """Stops the run; `exit_code` is what the command line returns, `transient` says a retry may help."""

    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)
        self.mend = mend


class SpecError(OncoweaveError):
    """A specification file is wrong: all its problems at once, and nothing was run."""

    exit_code = 2


class UsageError(OncoweaveError):
    """The command was asked for something it cannot do: unknown source, missing key, wrong option."""

    exit_code = 2


class DataError(OncoweaveError):
    """The delivery or the mapped tables did not pass; nothing was published."""

    exit_code = 3


class SourceUnreachable(OncoweaveError):
    """The source or the package index could not be reached; the same call may succeed later."""

    exit_code = 4
    transient = True


class EnvironmentFault(OncoweaveError):
    """Disk, permission, a lock held by another run, or a file that is not what the manifest says."""

    exit_code = 5


class LockHeld(EnvironmentFault):
    """Another process is at the same work; the same call succeeds when that one has ended."""

    transient = True


def frames_of(error: BaseException) -> list[str]:
    """Where an unforeseen error happened and of what kind, cause first; without its text, which may quote the data."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [*frames_of(cause), "which led to\n"] if cause else []
    return [*before, "Traceback (most recent call last):\n", *traceback.format_tb(error.__traceback__), f"{kind}\n"]

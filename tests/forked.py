"""A process that has imported Oncoweave once and answers each request from a child it forks: hundreds of calls, one import.

A module that serves so is started by its name and calls `serve`; the test's end holds a `Forked`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Forked:
    """The test's end of a process that serves requests: a line of JSON each, and a line for each answer."""

    def __init__(self, module: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[1],
        )

    def ask(self, request: DataclassInstance) -> dict[str, Any]:
        """The answer to a request, when it has come to its end."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asdict(request)) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """Let the process go."""
        self.process.communicate("")


def serve(answer: Callable[[dict[str, Any]], DataclassInstance]) -> None:
    """Answer requests until there are no more, with everything heavy imported before the first."""
    import oncoweave.cli.main
    import oncoweave.compiler.execute
    import oncoweave.lint
    import oncoweave.quality.validation
    import oncoweave.run
    import oncoweave.stages.check  # noqa: F401

    for line in sys.stdin:
        sys.stdout.write(json.dumps(asdict(answer(json.loads(line)))) + "\n")
        sys.stdout.flush()

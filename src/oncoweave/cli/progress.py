"""What is being done, told on stderr: only on a terminal, and only when it takes more than a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

PATIENCE = 1.0
"""Seconds of work after which progress is shown."""


@contextmanager
def progress(steps: int) -> Iterator[Callable[[str], None]]:
    """A function that is told each step as it begins; `steps` is how many there are at most."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    shape = (SpinnerColumn(), TextColumn("{task.description:<24}"), BarColumn(30), TimeElapsedColumn())
    bar = Progress(*shape, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=steps)
    begun: list[str] = []

    def tell(step: str) -> None:
        bar.update(task, description=step, completed=len(begun))
        begun.append(step)

    patience = Timer(PATIENCE, bar.start)
    patience.daemon = True
    patience.start()
    try:
        yield tell
    finally:
        patience.cancel()
        bar.stop()

"""Runs pieces of work on one database side by side, each by a caller of its own.

DuckDB divides a statement among its threads, and the thread that called it looks for work again and again while another has
the only piece: a fifth of the CPU of a run. Two callers with different statements keep two processors busy instead, and neither waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import duckdb

from oncoweave.engine.connection import CALLERS, processors

Result = TypeVar("Result")

AGAIN = 0.05
"""Seconds after which a statement that is to stop is told so again: it may have been between two statements."""


@dataclass(frozen=True)
class Task(Generic[Result]):
    """A piece of work: what it does with a connection, and the names of the tasks before it that must be done."""

    name: str
    work: Callable[[duckdb.DuckDBPyConnection], Result]
    after: frozenset[str] = frozenset()


def side_by_side(connection: duckdb.DuckDBPyConnection, tasks: Sequence[Task[Result]]) -> dict[str, Result]:
    """The results of the tasks by name, in their order; each starts when it can, those that come first being preferred.

    A task sees the tables and views of `connection`, but not its temporary ones, and its own temporary ones are gone after it.
    With one processor the tasks are done one after the other, on `connection` itself.

    Raises the error of the first task, by their order, that fails: it does not depend on which is the fastest. The tasks behind
    it are stopped. A signal whose handler raises stops all.
    """
    done: set[str] = set()
    for task in tasks:
        if not task.after <= done:
            raise ValueError(f"`{task.name}` comes before what it needs: {', '.join(sorted(task.after - done))}")
        done.add(task.name)
    if min(CALLERS, processors(), len(tasks)) < CALLERS:
        return {task.name: task.work(connection) for task in tasks}
    return _Crew(tasks, end=len(tasks)).run(connection)


@dataclass
class _Crew(Generic[Result]):
    """The callers at work. What they share is changed under `changed` only.

    `end` is the number of the first task that is not to be done any more, `ended` how many callers have ended.
    """

    tasks: Sequence[Task[Result]]
    end: int
    ended: int = 0
    waiting: list[int] = field(default_factory=list)
    running: dict[int, duckdb.DuckDBPyConnection] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    faults: dict[int, BaseException] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def run(self, connection: duckdb.DuckDBPyConnection) -> dict[str, Result]:
        """Everything, from the start of the callers to their end, also when a signal comes."""
        self.waiting = list(range(len(self.tasks)))
        callers = [threading.Thread(target=self._call, args=(connection.cursor(),)) for _ in range(CALLERS)]
        try:
            for caller in callers:
                caller.start()
            self._watch(callers)
        except BaseException:
            self._stop_at(0)
            self._watch(callers)
            raise
        if self.faults:
            raise self.faults[min(self.faults)]
        return {task.name: self.results[task.name] for task in self.tasks}

    def _watch(self, callers: Sequence[threading.Thread]) -> None:
        """Waits until the callers that were started have ended, and interrupts those that work in vain."""
        with self.changed:
            while self.ended < sum(caller.ident is not None for caller in callers):
                vain = [cursor for number, cursor in self.running.items() if number >= self.end]
                for cursor in vain:
                    cursor.interrupt()
                self.changed.wait(AGAIN if vain else None)

    def _call(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """The life of a caller: one task after the other, as long as there are any."""
        try:
            with cursor:
                while (number := self._next(cursor)) is not None:
                    self._do(number, cursor)
        finally:
            with self.changed:
                self.ended += 1
                self.changed.notify_all()

    def _next(self, cursor: duckdb.DuckDBPyConnection) -> int | None:
        """The next task, as soon as one can be done; None when none is left that will be."""
        with self.changed:
            while True:
                left = [number for number in self.waiting if number < self.end]
                for number in left:
                    if self.tasks[number].after <= self.results.keys():
                        self.waiting.remove(number)
                        self.running[number] = cursor
                        return number
                if not left or not self.running:
                    return None
                self.changed.wait()

    def _do(self, number: int, cursor: duckdb.DuckDBPyConnection) -> None:
        task = self.tasks[number]
        try:
            result = task.work(cursor)
        except BaseException as fault:
            self.faults[number] = fault
            self._stop_at(number)
        else:
            self.results[task.name] = result
        with self.changed:
            del self.running[number]
            self.changed.notify_all()

    def _stop_at(self, number: int) -> None:
        """Nothing is to be done any more from this task on."""
        with self.changed:
            self.end = min(self.end, number)
            self.changed.notify_all()

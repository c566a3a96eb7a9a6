"""Work side by side on one database: the same results as one after the other, one error that is told, and a stop that stops all."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from oncoweave.engine.connection import CALLERS, connect
from oncoweave.engine.side_by_side import Task, side_by_side

LONG = "SELECT count(*) FROM range(1000000000) AS a(i), range(1000000000) AS b(j) WHERE i + j = -1"
"""A statement that nobody waits for to end."""

Work = Callable[[duckdb.DuckDBPyConnection], object]


@pytest.fixture(params=["1", "2", "5"])
def connection(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of a process that may use so many processors."""
    monkeypatch.setenv("ONCOWEAVE_THREADS", request.param)
    with connect(work=tmp_path, allow=[], callers=CALLERS) as connection:
        yield connection


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with two callers."""
    monkeypatch.setenv("ONCOWEAVE_THREADS", "2")
    with connect(work=tmp_path, allow=[], callers=CALLERS) as connection:
        yield connection


def runs(sql: str) -> Work:
    return lambda connection: connection.execute(sql).fetchall()


def fails(words: str, after: float = 0) -> Work:
    def work(_: duckdb.DuckDBPyConnection) -> object:
        time.sleep(after)
        raise LookupError(words)

    return work


def test_results_come_in_the_order_of_the_tasks_and_what_is_needed_is_there(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    tasks = [
        Task("slow", runs("CREATE TABLE slow AS SELECT range AS i FROM range(300000)")),
        Task("fast", runs("CREATE TABLE fast AS SELECT 7 AS i")),
        Task("both", runs("SELECT count(*) FROM slow JOIN fast USING (i)"), frozenset({"slow", "fast"})),
        Task("view", runs("CREATE VIEW seen AS FROM fast"), frozenset({"fast"})),
        Task("last", runs("SELECT * FROM seen"), frozenset({"view"})),
    ]
    results = side_by_side(connection, tasks)
    assert list(results) == ["slow", "fast", "both", "view", "last"]
    assert (results["both"], results["last"]) == ([(1,)], [(7,)])


def test_a_task_before_what_it_needs_is_a_mistake_of_ours(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match="`early` comes before what it needs: late"):
        side_by_side(connection, [Task("early", runs("SELECT 1"), frozenset({"late"})), Task("late", runs("SELECT 1"))])


def test_a_caller_has_the_settings_of_the_connection(pair: duckdb.DuckDBPyConnection) -> None:
    names = "'TimeZone', 'python_enable_replacements', 'enable_external_access', 'lock_configuration', 'threads'"
    sql = f"SELECT name, value FROM duckdb_settings() WHERE name IN ({names}) ORDER BY ALL"
    own = pair.execute(sql).fetchall()
    results = side_by_side(pair, [Task("one", runs(sql)), Task("two", runs(sql))])
    assert results == {"one": own, "two": own}
    assert dict(own)["TimeZone"] == "UTC" and dict(own)["python_enable_replacements"] == "false"
    assert dict(own)["threads"] == "1"  # the two callers are the threads


def test_two_tasks_are_done_at_the_same_time(pair: duckdb.DuckDBPyConnection) -> None:
    both = threading.Barrier(2, timeout=20)
    tasks = [Task(name, lambda _: both.wait()) for name in ("one", "two")]
    assert sorted(side_by_side(pair, tasks).values()) == [0, 1]


def test_an_error_stops_the_tasks_behind_it(pair: duckdb.DuckDBPyConnection) -> None:
    started: list[str] = []
    tasks: list[Task[object]] = [
        Task("first", fails("no such thing", after=0.2)),
        Task("second", runs(LONG)),
        Task("third", lambda _: started.append("third")),
    ]
    with pytest.raises(LookupError, match="no such thing"):
        side_by_side(pair, tasks)
    assert started == []
    assert pair.execute("SELECT 1").fetchall() == [(1,)]


def test_of_two_errors_the_first_by_order_is_told(pair: duckdb.DuckDBPyConnection) -> None:
    tasks = [
        Task("first", fails("the first", after=0.3)),
        Task("second", fails("the second")),
        Task("third", runs(LONG)),
    ]
    with pytest.raises(LookupError, match="the first"):
        side_by_side(pair, tasks)


def test_what_needs_a_failed_task_is_not_done(connection: duckdb.DuckDBPyConnection) -> None:
    done: list[str] = []
    tasks: list[Task[object]] = [
        Task("broken", runs("SELECT * FROM nothing")),
        Task("next", lambda _: done.append("next"), frozenset({"broken"})),
    ]
    with pytest.raises(duckdb.CatalogException):
        side_by_side(connection, tasks)
    assert done == []


@pytest.mark.parametrize("when", [0.05, 0.3])
def test_a_signal_stops_all(when: float, pair: duckdb.DuckDBPyConnection) -> None:
    def stop(number: int, frame: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, stop)
    threading.Timer(when, os.kill, (os.getpid(), signal.SIGTERM)).start()
    began = time.monotonic()
    try:
        with pytest.raises(SystemExit):
            side_by_side(pair, [Task("one", runs(LONG)), Task("two", runs(LONG)), Task("three", runs(LONG))])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert time.monotonic() - began < 20
    assert pair.execute("SELECT 1").fetchall() == [(1,)]

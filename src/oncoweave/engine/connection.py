"""Opens every DuckDB connection: bounded memory, and locked to the folders it was given."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from oncoweave.errors import EnvironmentFault, OncoweaveError, UsageError

DEFAULT_MEMORY = "1500MB"
CALLERS = 2
"""How many callers give statements to one database at the same time (`engine.side_by_side`), where there are processors for them."""


def connect(
    *,
    work: Path,
    allow: Sequence[Path],
    memory: str = DEFAULT_MEMORY,
    threads: int | None = None,
    preserve_insertion_order: bool = False,
    callers: int = 1,
) -> duckdb.DuckDBPyConnection:
    """An in-memory database that reads and writes in `work` and in the folders `allow` only.

    It spills to `work`. ONCOWEAVE_MEMORY wins over `memory`, the fewer of ONCOWEAVE_THREADS and `threads` are used,
    without either all processors; each of so many `callers` at the same time is one of the threads. The configuration is
    locked, nothing can be attached, installed or loaded.

    Raises UsageError for a memory or thread setting that DuckDB does not take.
    """
    connection = duckdb.connect(":memory:")
    _set(connection, "memory_limit", os.environ.get("ONCOWEAVE_MEMORY") or memory)
    _set(connection, "threads", max(1, processors(threads) - callers + 1))
    _set(connection, "preserve_insertion_order", preserve_insertion_order)
    _set(connection, "temp_directory", str(work))
    _set(connection, "GLOBAL TimeZone", "UTC")  # GLOBAL: for cursors of the connection too
    _set(connection, "enable_progress_bar", False)
    _set(connection, "GLOBAL python_enable_replacements", False)
    _lock_down(connection, [work, *allow])
    return connection


@contextmanager
def without_values(doing: str) -> Iterator[None]:
    """Turns a DuckDB error into ours without its text, which may hold a patient's value.

    `doing` says what was being done, as in "writing person.parquet".
    Raises EnvironmentFault for memory, disk and files; OncoweaveError (our bug) for everything else.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        mend = "raise ONCOWEAVE_MEMORY, or lower ONCOWEAVE_THREADS"
        raise EnvironmentFault(f"{doing}: the memory limit was reached", mend=mend) from None
    except (duckdb.IOException, duckdb.PermissionException) as error:
        full = " (no space is left)" if "no space left" in str(error).lower() else ""
        raise EnvironmentFault(f"{doing}: a file could not be read or written{full}") from None
    except duckdb.Error as error:
        raise OncoweaveError(f"{doing}: {type(error).__name__}") from None


def fetch_rows(connection: duckdb.DuckDBPyConnection, sql: str, doing: str) -> list[tuple[Any, ...]]:
    """The rows that a statement finds; an error is told as by `without_values`."""
    with without_values(doing):
        return connection.execute(sql).fetchall()


def processors(asked: int | None = None) -> int:
    """How many threads may work at the same time: ONCOWEAVE_THREADS or all processors, at most as many as are asked for.

    Raises UsageError for an ONCOWEAVE_THREADS that is no number.
    """
    text = os.environ.get("ONCOWEAVE_THREADS", "")
    if not text:
        return asked or len(os.sched_getaffinity(0))
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"ONCOWEAVE_THREADS is `{text}`", mend="give the number of threads, 1 or more")
    return min(int(text), asked or int(text))


def _lock_down(connection: duckdb.DuckDBPyConnection, folders: Sequence[Path]) -> None:
    """The order matters: folders first, access off, the lock last."""
    _set(connection, "allowed_directories", [str(folder.resolve()) for folder in folders])
    _set(connection, "autoinstall_known_extensions", False)
    _set(connection, "autoload_known_extensions", False)
    _set(connection, "allow_community_extensions", False)
    _set(connection, "enable_external_access", False)
    _set(connection, "lock_configuration", True)


def _set(connection: duckdb.DuckDBPyConnection, setting: str, value: object) -> None:
    try:
        connection.execute(f"SET {setting} = ?", [value])
    except duckdb.Error:
        raise UsageError(f"DuckDB does not take `{value}` as {setting}") from None

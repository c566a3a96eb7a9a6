"""How this project writes Parquet: fixed settings and sorted rows, so that same input gives same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values

COPY_OPTIONS = (
    "FORMAT parquet, ROW_GROUP_SIZE 122880, DICTIONARY_SIZE_LIMIT 1000,"
    " STRING_DICTIONARY_PAGE_SIZE_LIMIT 65536, WRITE_BLOOM_FILTER false"
)
"""Options of every COPY to Parquet: DuckDB's default row groups, no dictionary of more than 1,000 values
(a third less CPU and a seventh less space on a table of keyed ids; measured in docs/decisions). The page limit keeps
the memory that DuckDB sets aside for the dictionaries of a wide table small."""

SMALL = "PARQUET_VERSION v1, COMPRESSION zstd, COMPRESSION_LEVEL 1"
"""For what is kept and passed on: level 3 takes a tenth more CPU for a hundredth less space."""
FAST = "PARQUET_VERSION v2, COMPRESSION lz4"
"""For what is private to a run and soon read again: a tenth less CPU. Version 2, which not every reader knows, is read
in a quarter less time, and lies in less space than version 1."""


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A text, or what `str` makes of a path, as an SQL literal: for statements that take no parameters, as those of views."""
    return "'" + str(value).replace("'", "''") + "'"


def copy_sorted(
    connection: duckdb.DuckDBPyConnection,
    select_sql: str,
    target: Path,
    *,
    order_by: Sequence[str],
    parameters: Mapping[str, object] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Writes the rows of a SELECT to a Parquet file (0600), sorted by the named columns; returns their number.

    The bytes depend on the rows only where `order_by` tells every row from every other. `parameters`
    are the SELECT's named parameters (`$name`); `metadata` becomes the file's key-value metadata.
    """
    order = ", ".join(f"{identifier(column)} ASC NULLS FIRST" for column in order_by)
    sorted_sql = f"SELECT * FROM ({select_sql}) ORDER BY {order}" if order else select_sql
    return copy(connection, sorted_sql, target, parameters=parameters, metadata=metadata)


def copy(
    connection: duckdb.DuckDBPyConnection,
    select_sql: str,
    target: Path,
    *,
    parameters: Mapping[str, object] | None = None,
    metadata: Mapping[str, str] | None = None,
    compression: str = SMALL,
) -> int:
    """Writes the rows of a SELECT to a Parquet file (0600) in the order they come; returns their number."""
    values: dict[str, object] = {**(parameters or {}), "copy_target": str(target)}
    with without_values(f"writing {target.name}"):
        rows = connection.execute(
            f"COPY ({select_sql}) TO $copy_target ({_options(metadata, values)}, {compression})", values
        ).fetchall()
    target.chmod(0o600)
    return int(rows[0][0])


def row_count(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The number of rows of a Parquet file, from its footer."""
    with without_values(f"reading {path.name}"):
        rows = connection.execute("SELECT num_rows FROM parquet_file_metadata(?)", [str(path)]).fetchall()
    return int(rows[0][0])


def _options(metadata: Mapping[str, str] | None, values: dict[str, object]) -> str:
    """The COPY options; each metadata value is added to `values` as a parameter."""
    if not metadata:
        return COPY_OPTIONS
    pairs = []
    for number, (key, value) in enumerate(sorted(metadata.items())):
        values[f"copy_metadata_{number}"] = value
        pairs.append(f"{identifier(key)}: $copy_metadata_{number}")
    return f"{COPY_OPTIONS}, KV_METADATA {{{', '.join(pairs)}}}"

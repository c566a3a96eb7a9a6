"""Takes the rows of the first persons out of a snapshot, for a trial of the mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.engine.parquet import copy, identifier


@dataclass(frozen=True)
class Sampled:
    """A table of the snapshot: its file, and the fields that identify the person; none where no field does."""

    path: Path
    person: tuple[str, ...]


def take_sample(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Sampled],
    first: Sequence[str],
    persons: int,
    folder: Path,
) -> dict[str, int]:
    """Write each table with the rows of the first `persons` persons, as the tables `first` name them; the number of rows.

    A table without fields of its own that identify the person is written whole, unless it is the only one that names
    persons: then its first rows are taken.
    """
    named = [tables[name] for name in first if tables[name].person]
    with without_values("choosing the first persons"):
        connection.execute(f"CREATE TEMP TABLE chosen AS {_chosen(named)}", {"persons": persons} if named else {})
    return {
        name: _write(connection, name, table, first, bool(named), persons, folder) for name, table in tables.items()
    }


def _chosen(named: Sequence[Sampled]) -> str:
    """The keys of the first persons, in the order of files and lines."""
    if not named:
        return "SELECT [NULL::VARCHAR] AS key WHERE false"
    keys = (f"SELECT {_key(t.person)} AS key, _file, _line FROM read_parquet('{_quoted(t.path)}')" for t in named)
    return f"""SELECT key FROM ({" UNION ALL ".join(keys)}) GROUP BY key
        ORDER BY min({{'file': _file, 'line': _line}}) LIMIT $persons"""


def _write(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: Sampled,
    first: Sequence[str],
    by_key: bool,
    persons: int,
    folder: Path,
) -> int:
    rows = f"FROM read_parquet('{_quoted(table.path)}')"
    if by_key and table.person:
        rows += f" WHERE {_key(table.person)} IN (SELECT key FROM chosen)"
    elif not by_key and name in first:
        rows += f" ORDER BY _file, _line LIMIT {int(persons)}"
    return copy(connection, f"SELECT * {rows}", folder / f"{name}.parquet")


def _key(fields: Sequence[str]) -> str:
    return "[" + ", ".join(f"trim({identifier(field)})" for field in fields) + "]"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")

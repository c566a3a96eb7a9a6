"""Applies a delta, the new, changed and removed rows of one table, to the snapshot that it builds on.

The result is the snapshot of the union: a delivered row replaces those of its key, a removed one is taken out, and
all other rows stay as they were, with the file and line that they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import copy, identifier
from oncoweave.errors import OncoweaveError
from oncoweave.records import TableChange
from oncoweave.spec.source import FieldSpec, Table


@dataclass(frozen=True)
class Change:
    """What changes a table: the snapshot before (none: it had no rows), the delivered rows, and those that are gone."""

    table: Table
    base: Path | None
    given: Path
    removed: Path | None


def apply_change(change: Change, target: Path, work: Path) -> TableChange:
    """Writes the snapshot of the union to `target` and counts what changed.

    Raises OncoweaveError (our bug) when the rows do not add up.
    """
    folders = sorted({p.parent for p in (change.base, change.given, target, change.removed) if p is not None})
    with connect(work=work, allow=folders, preserve_insertion_order=True) as connection:
        with without_values("opening a delta"):
            _open(connection, change)
        kept = _kept_by_key(change.table) if change.table.row.fields else _kept_by_content(connection)
        added = f"SELECT * FROM given WHERE NOT ({_marked(change.table)})"
        total = copy(connection, f"SELECT * FROM ({kept}) UNION ALL BY NAME {added}", target)
        counted = _counts(connection, change.table, kept)
    if total != counted.total:
        raise OncoweaveError(f"a delta of {target.stem} does not add up: {total} rows instead of {counted.total}")
    return counted


def _open(connection: duckdb.DuckDBPyConnection, change: Change) -> None:
    for name, path in (("base", change.base), ("given", change.given), ("removed", change.removed)):
        if path is not None:
            text = "'" + str(path).replace("'", "''") + "'"
            connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM read_parquet({text})")
    if change.base is None:
        connection.execute("CREATE TEMP VIEW base AS SELECT * FROM given WHERE false")
    if change.removed is None:
        connection.execute("CREATE TEMP VIEW removed AS SELECT * FROM base WHERE false")
    if not change.table.row.fields:
        return
    key, valid = _key(change.table), _valid(change.table)
    marked = _marked(change.table)
    connection.execute(
        f"CREATE TEMP TABLE replaced_keys AS SELECT DISTINCT {key} FROM given WHERE {valid} AND NOT ({marked})"
    )
    connection.execute(
        f"""CREATE TEMP TABLE removed_keys AS SELECT DISTINCT * FROM (SELECT {key} FROM removed WHERE {valid}
        UNION ALL SELECT {key} FROM given WHERE {valid} AND ({marked}))"""
    )


def _kept_by_key(table: Table) -> str:
    """The rows of the base whose key the delta does not name."""
    return f"SELECT * FROM base AS b WHERE NOT {_named(table, 'replaced_keys')} AND NOT {_named(table, 'removed_keys')}"


def _named(table: Table, keys: str) -> str:
    same = " AND ".join(f"k.{identifier(f)} = trim(b.{identifier(f)})" for f in table.row.fields)
    return f"EXISTS (SELECT 1 FROM {keys} AS k WHERE {same})"


def _kept_by_content(connection: duckdb.DuckDBPyConnection) -> str:
    """The rows of the base without one row for each removed row of the same content."""
    columns = _columns(connection, "base")
    there = _columns(connection, "removed")
    listed = ", ".join(identifier(name) for name in columns)
    theirs = ", ".join(identifier(n) if n in there else f"CAST(NULL AS VARCHAR) AS {identifier(n)}" for n in columns)
    numbered = f"row_number() OVER (PARTITION BY {listed} ORDER BY _file, _line) AS _n"
    same = " AND ".join(f"r.{identifier(n)} IS NOT DISTINCT FROM b.{identifier(n)}" for n in columns)
    removed = f"SELECT *, {numbered} FROM (SELECT {theirs}, _file, _line FROM removed)"
    return f"""SELECT b.* EXCLUDE (_n) FROM (SELECT *, {numbered} FROM base) AS b
        WHERE NOT EXISTS (SELECT 1 FROM ({removed}) AS r WHERE r._n = b._n AND {same})"""


def _counts(connection: duckdb.DuckDBPyConnection, table: Table, kept: str) -> TableChange:
    with without_values("counting a delta"):
        ((base,),) = connection.execute("SELECT count(*) FROM base").fetchall()
        given_sql = f"SELECT count(*) FROM given WHERE NOT ({_marked(table)})"
        ((added,),) = connection.execute(given_sql).fetchall()
        ((stay,),) = connection.execute(f"SELECT count(*) FROM ({kept})").fetchall()
        if table.row.fields:
            replaced_sql = f"SELECT count(*) FROM base AS b WHERE {_named(table, 'replaced_keys')}"
            ((replaced,),) = connection.execute(replaced_sql).fetchall()
            same = " AND ".join(f"k.{identifier(f)} = trim(b.{identifier(f)})" for f in table.row.fields)
            unmatched_sql = (
                f"SELECT count(*) FROM removed_keys AS k WHERE NOT EXISTS (SELECT 1 FROM base AS b WHERE {same})"
            )
            ((unmatched,),) = connection.execute(unmatched_sql).fetchall()
        else:
            replaced = 0
            ((asked,),) = connection.execute("SELECT count(*) FROM removed").fetchall()
            unmatched = asked - (base - stay)
    return TableChange(
        base=base,
        added=added,
        replaced=replaced,
        removed=base - stay - replaced,
        unmatched=unmatched,
        total=stay + added,
    )


def _key(table: Table) -> str:
    return ", ".join(f"trim({identifier(f)}) AS {identifier(f)}" for f in table.row.fields)


def _valid(table: Table) -> str:
    """Whether a row has a key: no part of it is one of the texts that mean no value."""
    parts = [f"trim({identifier(f)}) NOT IN ({_texts(_codes(table, f))})" for f in table.row.fields]
    return " AND ".join(f"coalesce({part}, false)" for part in parts)


def _codes(table: Table, field: str) -> Sequence[str]:
    spec = table.fields.get(field) or FieldSpec(type="text")
    return sorted({"", *(code.strip() for code in (*table.missing, *spec.missing))})


def _marked(table: Table) -> str:
    """Whether a delivered row says of itself that it is gone."""
    gone = table.removed
    if gone is None or gone.field is None:
        return "false"
    return f"coalesce(trim({identifier(gone.field)}) IN ({_texts(gone.codes)}), false)"


def _texts(texts: Sequence[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


def _columns(connection: duckdb.DuckDBPyConnection, view: str) -> list[str]:
    with without_values("reading a delta's columns"):
        names = [str(row[0]) for row in connection.execute(f"DESCRIBE {view}").fetchall()]
    return [name for name in names if name not in ("_file", "_line")]

"""Applies a delta, the new, changed and removed rows of one table, to the snapshot that it builds on.

The result is the snapshot of the union: a delivered row replaces those of its key, a removed one is taken out, and
all other rows stay as they were, in their order, with the file and line that they came from.

Which rows of the base go is found by key or content, in its key columns alone, and kept as one bit a row of that file.
The copy then leaves them out by a filter: a join over all rows would cost more, and would write them in any order. One
thread does it, for where row groups end behind a filter depends on the number of threads.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import FAST, copy, identifier, literal, row_count
from oncoweave.errors import OncoweaveError
from oncoweave.files import faults
from oncoweave.records import TableChange
from oncoweave.spec.source import FieldSpec, Table, missing_codes


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
    with connect(work=work, allow=folders, preserve_insertion_order=True, threads=1) as connection:
        with without_values("finding the rows that a delta changes"):
            counted = _find(connection, change)
        if change.base is not None and _changes_nothing(counted):
            with faults(target):
                shutil.copyfile(change.base, target)
                target.chmod(0o600)
            return counted
        total = copy(connection, _union(change, counted), target, compression=FAST)
    if total != counted.total:
        raise OncoweaveError(f"a delta of {target.stem} does not add up: {total} rows instead of {counted.total}")
    return counted


def _changes_nothing(counted: TableChange) -> bool:
    return not (counted.added or counted.replaced or counted.removed)


def _find(connection: duckdb.DuckDBPyConnection, change: Change) -> TableChange:
    """Makes the table `gone` (n, the row of the base; replaced, whether another takes its place) and counts it."""
    _open(connection, change)
    rows = row_count(connection, change.base) if change.base else 0
    unmatched = (
        _find_by_key(connection, change.table) if change.table.row.fields else _find_by_content(connection, change)
    )
    ((replaced, removed),) = connection.execute(
        "SELECT count(*) FILTER (replaced), count(*) FILTER (NOT replaced) FROM gone"
    ).fetchall()
    ((added,),) = connection.execute(f"SELECT count(*) FROM given WHERE NOT ({_marked(change.table)})").fetchall()
    if replaced + removed:
        connection.execute(f"SET VARIABLE gone = (SELECT bitstring_agg(n, 0, {rows - 1}) FROM gone)")
    total = rows - replaced - removed + added
    return TableChange(
        base=rows, added=added, replaced=replaced, removed=removed, unmatched=unmatched, total=total
    )  # fmt: skip


def _open(connection: duckdb.DuckDBPyConnection, change: Change) -> None:
    for name, path in (("base", change.base), ("given", change.given), ("removed", change.removed)):
        if path is not None:
            numbered = ", file_row_number = true" if name == "base" else ""
            connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM read_parquet({literal(path)}{numbered})")
    if change.base is None:
        connection.execute("CREATE TEMP VIEW base AS SELECT *, 0::BIGINT AS file_row_number FROM given WHERE false")
    if change.removed is None:
        connection.execute("CREATE TEMP VIEW removed AS SELECT * FROM given WHERE false")


def _find_by_key(connection: duckdb.DuckDBPyConnection, table: Table) -> int:
    """The rows of the base whose key the delta names; returns how many removals match none, or have no key."""
    key, valid, marked = _key(table), _valid(table), _marked(table)
    names = ", ".join(identifier(f) for f in table.row.fields)
    gone = f"SELECT {names} FROM removed UNION ALL SELECT {names} FROM given WHERE {marked}"
    named = f"""SELECT {names}, true AS _replaces FROM given WHERE NOT ({marked})
        UNION ALL SELECT *, false AS _replaces FROM ({gone})"""
    connection.execute(
        f"""CREATE TEMP TABLE keys AS SELECT row_number() OVER () AS _id, * FROM (
        SELECT {names}, bool_or(_replaces) AS _replaced, bool_or(NOT _replaces) AS _removed
        FROM (SELECT {key}, _replaces FROM ({named}) WHERE {valid}) GROUP BY {names})"""
    )
    same = " AND ".join(f"k.{identifier(f)} = trim(b.{identifier(f)})" for f in table.row.fields)
    connection.execute(
        f"""CREATE TEMP TABLE gone AS SELECT b.file_row_number AS n, k._replaced AS replaced, k._id AS id
        FROM base AS b JOIN keys AS k ON {same}"""
    )
    ((unmatched,),) = connection.execute(
        "SELECT count(*) FROM keys WHERE _removed AND _id NOT IN (SELECT id FROM gone)"
    ).fetchall()
    ((without,),) = connection.execute(f"SELECT count(*) FROM ({gone}) WHERE NOT ({valid})").fetchall()
    return int(unmatched + without)


def _find_by_content(connection: duckdb.DuckDBPyConnection, change: Change) -> int:
    """One row of the base for each removed row of the same declared fields; returns how many removals match none.

    Of rows with the same declared fields the first by all else goes, so that it depends on no order.
    """
    declared = list(change.table.fields) or _columns(connection, "removed")
    listed = ", ".join(identifier(name) for name in declared)
    others = [identifier(n) for n in _columns(connection, "base") if n not in declared]
    order = ", ".join([*others, "_file", "_line"])
    same = " AND ".join(f"r.{identifier(n)} IS NOT DISTINCT FROM b.{identifier(n)}" for n in declared)
    ((asked,),) = connection.execute("SELECT count(*) FROM removed").fetchall()
    connection.execute(
        f"""CREATE TEMP TABLE gone AS
        WITH r AS (SELECT {listed}, count(*) AS _many FROM removed GROUP BY {listed}),
        alike AS (SELECT b.*, r._many FROM base AS b JOIN r ON {same}),
        numbered AS (SELECT *, row_number() OVER (PARTITION BY {listed} ORDER BY {order}) AS _place FROM alike)
        SELECT file_row_number AS n, false AS replaced FROM numbered WHERE _place <= _many"""
    )
    ((found,),) = connection.execute("SELECT count(*) FROM gone").fetchall()
    return int(asked - found)


def _union(change: Change, counted: TableChange) -> str:
    """The rows of the base that stay, in their order, and the delivered ones behind them."""
    added = f"SELECT * FROM given WHERE NOT ({_marked(change.table)})"
    stay = (
        "WHERE get_bit(getvariable('gone'), file_row_number::INTEGER) = 0" if counted.replaced + counted.removed else ""
    )
    return f"SELECT * EXCLUDE (file_row_number) FROM base {stay} UNION ALL BY NAME {added}"


def _key(table: Table) -> str:
    return ", ".join(f"trim({identifier(f)}) AS {identifier(f)}" for f in table.row.fields)


def _valid(table: Table) -> str:
    """Whether a row has a key: no part of it is one of the texts that mean no value."""
    undeclared = FieldSpec(type="text")
    codes = {f: missing_codes(table.missing, table.fields.get(f, undeclared)) for f in table.row.fields}
    parts = [f"trim({identifier(f)}) NOT IN ({_texts(none)})" for f, none in codes.items()]
    return " AND ".join(f"coalesce({part}, false)" for part in parts)


def _marked(table: Table) -> str:
    """Whether a delivered row says of itself that it is gone."""
    gone = table.removed
    if gone is None or gone.field is None:
        return "false"
    codes = [code.strip() for code in gone.codes]
    return f"coalesce(trim({identifier(gone.field)}) IN ({_texts(codes)}), false)"


def _texts(texts: Sequence[str]) -> str:
    return ", ".join(map(literal, texts))


def _columns(connection: duckdb.DuckDBPyConnection, view: str) -> list[str]:
    names = [str(row[0]) for row in connection.execute(f"DESCRIBE {view}").fetchall()]
    return [name for name in names if name not in ("_file", "_line", "file_row_number")]

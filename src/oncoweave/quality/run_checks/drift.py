"""Checks of the values in a delivery: what repeats in it, and how its fields are filled against the last delivery.

Both snapshots are read where they are. Of a code or a number only counts are taken; what a table of Python holds are
numbers of rows, never what stood in them (the tenths of a number stay in the statement that they are a part of).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import duckdb

from oncoweave.engine.connection import fetch_rows
from oncoweave.engine.parquet import identifier, row_count
from oncoweave.errors import OncoweaveError
from oncoweave.project import RunFolder
from oncoweave.quality.run_checks.delivery import NEW_TABLE, Delivered
from oncoweave.quality.run_checks.finding import Finding, beyond
from oncoweave.quality.snapshot_tables import declared, snapshot_select, value_of
from oncoweave.records import SourceTableRecord
from oncoweave.spec.source import FieldSpec, Table

SAMPLE = 2_000_000
"""From more rows than this the tenths of a number are taken of every so many-th one."""
GONE = "the snapshot has been removed"
_CODES = ("codes_new", "codes_gone", "codes_shifted")


def findings(connection: duckdb.DuckDBPyConnection, run: RunFolder, given: Delivered) -> Iterator[Finding]:
    """What the snapshot of `run` says of each table and declared field; `connection` may read both snapshots."""
    for table in given.now.tables:
        spec = given.spec.tables.get(table.table)
        if spec is None:
            continue
        path = run.snapshot / table.snapshot.name
        if not path.is_file():
            check = "rows_repeated" if spec.row.content else "keys_repeated"
            yield Finding(check, (table.table,), table.table, not_applicable=GONE)
            yield from _not_compared(table, spec, GONE)
            continue
        now = snapshot_select(spec, table.columns, path)
        yield _repeats(connection, table, spec, now)
        before, why_not = _before(connection, given, table, spec)
        if before is None:
            yield from _not_compared(table, spec, why_not)
        else:
            yield from _compared(connection, table, spec, now, before)


def _before(
    connection: duckdb.DuckDBPyConnection, given: Delivered, table: SourceTableRecord, spec: Table
) -> tuple[tuple[str, SourceTableRecord] | None, str]:
    """The rows of a table by the last delivery, as SQL; or why there are none."""
    known = given.table_before(table.table)
    if known is None or given.previous is None or given.previous.folder is None:
        return None, given.why_not or NEW_TABLE
    path = given.previous.folder.snapshot / known.snapshot.name
    if not path.is_file():
        return None, "the snapshot of the last delivery has been removed"
    if not (table.files and known.files):
        return None, "one of the two deliveries lacks the table"
    try:
        row_count(connection, path)
    except OncoweaveError:  # that an old run is damaged must not stop this one
        return None, "the snapshot of the last delivery cannot be read"
    return (snapshot_select(spec, known.columns, path), known), ""


def _repeats(connection: duckdb.DuckDBPyConnection, table: SourceTableRecord, spec: Table, rows: str) -> Finding:
    """Rows beyond the first of each key, or of each content where rows have no key."""
    check = "rows_repeated" if spec.row.content else "keys_repeated"
    fields = declared(spec, table.columns) if spec.row.content else list(spec.row.fields)
    of = ", ".join(map(identifier, fields))
    filled = "true" if spec.row.content else " AND ".join(f"{identifier(f)} IS NOT NULL" for f in fields)
    sql = f"SELECT count(*), count(DISTINCT hash({of})) FROM ({rows}) WHERE {filled}"
    ((all_rows, different),) = fetch_rows(connection, sql, f"counting repeated rows of {table.table}")
    return Finding(check, (table.table,), table.table, all_rows, all_rows - different)


def _not_compared(table: SourceTableRecord, spec: Table, why_not: str) -> Iterator[Finding]:
    for name, field in spec.fields.items():
        yield from _field_not_compared(table, name, field, why_not)


def _field_not_compared(table: SourceTableRecord, name: str, field: FieldSpec, why_not: str) -> Iterator[Finding]:
    place = ((table.table, name), table.table)
    yield from (Finding(c, *place, column=name, not_applicable=why_not) for c in ("cells_emptied", *_of(field)))


def _of(field: FieldSpec) -> Sequence[str]:
    """The checks by which the values of a field are compared."""
    if field.type == "code":
        return _CODES
    return ("numbers_shifted",) if field.type in ("integer", "number") else ()


def _compared(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTableRecord,
    spec: Table,
    now: str,
    before: tuple[str, SourceTableRecord],
) -> Iterator[Finding]:
    rows_before, known = before
    here, there = declared(spec, table.columns), declared(spec, known.columns)
    both = [name for name in here if name in there and name not in (*table.absent, *known.absent)]
    filled_now, filled_before = _filled(connection, now, both), _filled(connection, rows_before, both)
    for name, field in spec.fields.items():
        if name not in both:
            yield from _field_not_compared(table, name, field, "one of the two deliveries lacks the field")
            continue
        empty, empty_before = (counted[None] - counted[name] for counted in (filled_now, filled_before))
        more = beyond(empty, filled_now[None], empty_before, filled_before[None])
        yield Finding("cells_emptied", (table.table, name), table.table, filled_now[None], more, name)
        if field.type == "code":
            yield from _codes(_pairs(connection, now, rows_before, identifier(name)), table.table, name)
        elif field.type in ("integer", "number"):
            yield _numbers(connection, table, now, rows_before, name)


def _filled(connection: duckdb.DuckDBPyConnection, rows: str, fields: Sequence[str]) -> dict[str | None, int]:
    """How many rows there are (under None), and how many have each field filled."""
    counts = ", ".join(["count(*)", *(f"count({identifier(f)})" for f in fields)])
    (counted,) = fetch_rows(connection, f"SELECT {counts} FROM ({rows})", "counting filled fields")
    return dict(zip([None, *fields], counted, strict=True))


Pairs = list[tuple[int, int, int]]
"""Rows with the same code now and before, and how many codes have just these two numbers."""


def _pairs(connection: duckdb.DuckDBPyConnection, now: str, before: str, group: str) -> Pairs:
    """How often each group occurs now and before."""

    def counted(rows: str) -> str:
        return f"SELECT {group} AS g, count(*) AS n FROM ({rows}) WHERE {group} IS NOT NULL GROUP BY 1"

    sql = f"""SELECT coalesce(a.n, 0) AS now, coalesce(b.n, 0) AS before, count(*) FROM ({counted(now)}) AS a
        FULL JOIN ({counted(before)}) AS b ON a.g = b.g GROUP BY 1, 2 ORDER BY 1, 2"""
    return [(int(n), int(b), int(c)) for n, b, c in fetch_rows(connection, sql, "comparing with the last delivery")]


def _codes(pairs: Pairs, table: str, field: str) -> Iterator[Finding]:
    place = ((table, field), table)
    now, before = _totals(pairs)
    yield Finding("codes_new", *place, now, sum(n * codes for n, b, codes in pairs if not b), field)
    yield Finding("codes_gone", *place, before, sum(b * codes for n, b, codes in pairs if not n), field)
    yield Finding("codes_shifted", *place, now, shifted(pairs), field, not_applicable=_one_sided(now, before))


def _numbers(
    connection: duckdb.DuckDBPyConnection, table: SourceTableRecord, now: str, before: str, field: str
) -> Finding:
    value = identifier(value_of(field))
    tenths = ", ".join(str(n / 10) for n in range(1, 10))
    every = table.rows // SAMPLE + 1
    some = f" AND hash(_file, _line) % {every} = 0" if every > 1 else ""
    sql = f"SELECT quantile_disc({value}, [{tenths}]) FROM ({before}) WHERE {value} IS NOT NULL{some}"
    ((cuts,),) = fetch_rows(connection, sql, f"finding the tenths of {table.table}.{field}")
    # A number is written as it prints: a statement of many parts takes each of them once, and `repr` is exact.
    tenth = " + ".join(f"({value} > {cut!r})::INTEGER" for cut in sorted(set(cuts or ())))
    pairs = _pairs(connection, now, before, tenth) if cuts else []
    totals = _totals(pairs)
    why_not = _one_sided(*totals)
    return Finding("numbers_shifted", (table.table, field), table.table, totals[0], shifted(pairs), field, why_not)


def _one_sided(now: int, before: int) -> str:
    return "" if now and before else "the field is empty in one of the two deliveries"


def _totals(pairs: Pairs) -> tuple[int, int]:
    return sum(n * times for n, _, times in pairs), sum(b * times for _, b, times in pairs)


def shifted(pairs: Pairs) -> int:
    """Rows that would have to be in another group, for the shares to be those of before: the total variation distance.

    Less what it would be on average if both were drawn from the same shares: for few rows that is much. Exact, so that no
    order of rows changes it.
    """
    now, before = _totals(pairs)
    if not now or not before:
        return 0
    distance = sum(abs(n * before - b * now) * times for n, b, times in pairs) / (2 * now * before)
    of_both = now + before
    shares = (((n + b) / of_both, times) for n, b, times in pairs)
    spread = math.fsum(times * math.sqrt(share * (1 - share)) for share, times in shares)
    chance = spread * math.sqrt((1 / now + 1 / before) / (2 * math.pi))
    return math.floor(max(0.0, distance - chance) * now)

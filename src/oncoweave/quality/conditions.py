"""Writes a check as SQL: how many rows it judges and how many fail, and the keys of those that fail.

The text goes to Great Expectations, which takes no prepared parameters; so every name is quoted and every
text is written as a literal. They come from a suite file, never from data.
"""

from __future__ import annotations

import re
from string import Template

from oncoweave.engine.parquet import identifier, literal
from oncoweave.omop.model import CdmTable
from oncoweave.quality.compilation import Check
from oncoweave.quality.definitions import MODEL
from oncoweave.quality.expectation import RowSql
from oncoweave.quality.faults import Argument
from oncoweave.quality.snapshot_suites import failing_keys, is_snapshot

KEYS_A_CHECK = 10_000
"""At most so many keys of failing rows are kept for one check."""


_NAMED_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")
"""What SQLAlchemy would take for a parameter of that name, were it not escaped: `(?:x)` in a regular expression."""


def query(check: Check) -> str | None:
    """One row, `evaluated` and `unexpected`; `{batch}` stands for the table. None for Great Expectations' own."""
    if check.definition is MODEL:
        return _columns_query(check.table)
    sql = check.definition.sql
    if sql is None:
        return None
    condition = f"({_filled(sql.evaluated, check)})"
    counts = (
        f"count(*) FILTER (WHERE {condition}) AS evaluated, "
        f"count(*) FILTER (WHERE {condition} AND ({_filled(sql.unexpected, check)}) IS NOT FALSE) AS unexpected"
    )
    judged = f"SELECT {counts} {_from(sql, check)}".replace("{", "{{").replace("}", "}}")
    judged = _NAMED_PARAMETER.sub(r"\\:", judged)
    return f"WITH batch AS (SELECT * FROM {{batch}}) {judged}"


def rows_of(check: Check) -> str:
    """The rows that a check is about, as a relation: its table, or those of its rows that meet its `where`."""
    table = identifier(check.table.name)
    return f"(SELECT * FROM {table} AS r WHERE {check.where})" if check.where else table


def keys_query(check: Check) -> str | None:
    """The keys of failing rows as columns "table", "key" and "check"; None where rows have none or it is unknown."""
    sql, key = check.definition.failing, row_key(check.table)
    if is_snapshot(check.table):
        columns = failing_keys(check.table)
    elif key is None:
        return None
    else:
        columns = f'{_literal(check.table.name)} AS "table", r.{identifier(key)} AS "key"'
    if sql is None:
        return None
    columns += f', {_literal(check.id)} AS "check"'
    where = f"({_filled(sql.evaluated, check)}) AND ({_filled(sql.unexpected, check)}) IS NOT FALSE"
    batch = f"WITH batch AS (SELECT * FROM {rows_of(check)})"
    return f'{batch} SELECT DISTINCT {columns} {_from(sql, check)} WHERE {where} ORDER BY "key" LIMIT {KEYS_A_CHECK}'


def row_key(table: CdmTable) -> str | None:
    """The field by which a row of the table is named in the quarantine: its pseudonymous id."""
    return next((f.name for f in table.fields if f.name == f"{table.name}_id"), _OTHER_KEYS.get(table.name))


_OTHER_KEYS = {"death": "person_id", "episode_event": "event_id", "fact_relationship": "fact_id_1"}


def _from(sql: RowSql, check: Check) -> str:
    return f"FROM ({_filled(sql.rows, check)}) AS r {_filled(sql.joins, check)}"


def _filled(sql: str, check: Check) -> str:
    parts = {
        name: parameter.absent for name, parameter in check.definition.parameters.items() if not parameter.required
    }
    parts |= {name: _part(check.definition.parameters[name].kind, value) for name, value in check.arguments.items()}
    return Template(sql).substitute(parts)


def _part(kind: str, value: Argument) -> str:
    if kind == "column":
        return f"r.{identifier(str(value))}"
    if kind in ("table", "field"):
        return identifier(str(value))
    if kind == "columns" and isinstance(value, tuple):
        return ", ".join(f"r.{identifier(str(one))}" for one in value)
    if kind == "condition":
        return f"({value})"
    if kind == "patterns" and isinstance(value, tuple):
        return ", ".join(_literal(one) for one in value)
    if isinstance(value, tuple):
        return f"({', '.join(_literal(one) for one in value)})"
    return _literal(value)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return literal(value)


def _columns_query(table: CdmTable) -> str:
    model = ", ".join(f"({n}, {_literal(f.name)}, {_literal(f.type)})" for n, f in enumerate(table.fields, 1))
    actual = (
        "SELECT row_number() OVER (ORDER BY column_index) AS position, column_name, data_type "
        f"FROM duckdb_columns() WHERE table_name = {_literal(table.name)}"
    )
    wrong = "m.name IS DISTINCT FROM a.column_name OR m.type IS DISTINCT FROM a.data_type"
    return (
        f"SELECT count(*) AS evaluated, count(*) FILTER (WHERE {wrong}) AS unexpected "
        f"FROM (VALUES {model}) AS m(position, name, type) FULL JOIN ({actual}) AS a ON a.position = m.position"
    )

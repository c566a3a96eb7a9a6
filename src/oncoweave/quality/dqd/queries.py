"""The query of one DQD check alone: for people to read and run again, and for the keys of the rows that fail."""

from __future__ import annotations

from oncoweave.engine.parquet import literal
from oncoweave.omop.model import tables
from oncoweave.quality.conditions import KEYS_A_CHECK, row_key
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.forms import Form, form, named

EXISTENCE = ("cdmTable", "cdmField")
"""The checks that judge no rows, but whether something is there."""


def query(check: DqdCheck) -> str:
    """One row: `violated` and `denominator`. It reads the target tables, the vocabulary's and `check_delivery`."""
    if check.name in EXISTENCE:
        return _existence(check)
    wanted = form(check)
    judged = f"\nWHERE {wanted.judged}" if wanted.judged else ""
    return (
        f"SELECT count(*) FILTER (WHERE {wanted.failing}) AS violated,\n       count(*) AS denominator\n"
        f"FROM {_rows(check, wanted)} AS r{judged}"
    )


def keys_query(check: DqdCheck) -> str | None:
    """The keys of failing rows as columns "table", "key" and "check", in order, as those of the suites.

    None where no row fails (a table is missing) or a row of the table has no key that is a number.
    """
    if check.name in EXISTENCE:
        return None
    wanted = _of_rows(check)
    table = wanted.key_of or check.table
    key = f"{table}_id" if table not in tables() else row_key(tables()[table])
    if key is None or table in _WITHOUT_KEY:
        return None
    where = f"({wanted.judged}) AND ({wanted.failing})" if wanted.judged else wanted.failing
    keys = (
        f'SELECT DISTINCT r.{named(key)} AS "key" FROM {_rows(check, wanted)} AS r WHERE {where} '
        f'AND r.{named(key)} IS NOT NULL ORDER BY "key" LIMIT {KEYS_A_CHECK}'
    )
    return f'SELECT {literal(table)} AS "table", "key", {literal(check.id)} AS "check" FROM ({keys}) ORDER BY "key"'


_WITHOUT_KEY = (
    "vocabulary", "domain", "concept_class", "relationship", "concept_relationship", "concept_synonym",
    "concept_ancestor", "source_to_concept_map", "drug_strength", "cohort",
)  # fmt: skip


def _of_rows(check: DqdCheck) -> Form:
    """What fails, told of rows: those of a source value that fails, as the value has no key."""
    if check.name != "sourceValueCompleteness":
        return form(check)
    return Form(f"r.{named(check.parameters.standard_concept_field)} = 0")


def _rows(check: DqdCheck, wanted: Form) -> str:
    return f"({wanted.rows})" if wanted.rows else named(check.table)


def _existence(check: DqdCheck) -> str:
    what = "columns" if check.field else "tables"
    where = f"table_schema = 'main' AND table_name = {literal(check.table)}"
    if check.field:
        where += f" AND column_name = {literal(check.field)}"
    return (
        "SELECT CASE WHEN count(*) = 0 THEN 1 ELSE 0 END AS violated, 1 AS denominator\n"
        f"FROM information_schema.{what} WHERE {where}"
    )

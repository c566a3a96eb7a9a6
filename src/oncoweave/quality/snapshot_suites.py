"""Suites that judge a source table of the snapshot, as it was delivered, in place of a table of the release.

Each source table is two relations: its texts, and its values, where a number or a day is what source.yaml reads out of the
text (empty where it cannot be read). An expectation that compares sizes looks at the values, every other one at the texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import duckdb

from oncoweave.compiler.staging import is_typed
from oncoweave.engine.parquet import identifier
from oncoweave.errors import nearest
from oncoweave.files import read_record
from oncoweave.omop.model import CdmField, CdmTable
from oncoweave.project import RunFolder
from oncoweave.quality.definitions import CATALOGUE, MODEL
from oncoweave.quality.faults import Fault, Location
from oncoweave.quality.snapshot_tables import declared, snapshot_select, value_of
from oncoweave.records import ExtractRecord
from oncoweave.spec.source import Source, Table
from oncoweave.spec.suite import ExpectationSpec

PREFIX, VALUES = "snapshot_", "_by_value"
BY_VALUE = frozenset(
    (
        "expect_column_values_to_be_between",
        "expect_columns_in_order",
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_multicolumn_sum_to_equal",
    )
)
"""The expectations that compare sizes."""
_ELSEWHERE = frozenset(("table", "table_name", "field"))
_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "date": "DATE"}


def allowed() -> list[str]:
    """The expectations that can judge a snapshot: those that need nothing but its own rows, and tell no value of them."""
    return [
        d.name
        for d in CATALOGUE.values()
        if (d.sql is None or d.name in BY_VALUE)
        and d is not MODEL
        and not d.tells_value
        and not any(parameter.kind in _ELSEWHERE for parameter in d.parameters.values())
    ]


def snapshot_table(name: str, table: Table, spec: ExpectationSpec) -> CdmTable:
    """The relation of a source table that an expectation looks at: its declared fields, as texts or as values."""
    by_value = spec.expect in BY_VALUE
    fields = (
        CdmField(field, _TYPES.get(told.type, "VARCHAR") if by_value else "VARCHAR", required=False)
        for field, told in table.fields.items()
    )
    return CdmTable(f"{PREFIX}{name}{VALUES if by_value else ''}", tuple(fields))


def is_snapshot(table: CdmTable) -> bool:
    """Whether a relation is that of a source table."""
    return table.name.startswith(PREFIX)


def snapshot_faults(spec: ExpectationSpec, place: Location) -> Iterator[Fault]:
    """That an expectation cannot judge a snapshot."""
    can = allowed()
    if spec.expect in CATALOGUE and spec.expect not in can:
        message = f"`{spec.expect}` judges a table of the release, not a snapshot"
        yield Fault(message, (*place, "expect"), nearest(spec.expect, can))


def prepare_snapshots(connection: duckdb.DuckDBPyConnection, run: RunFolder, spec: Source) -> None:
    """Make the relations of the source tables of a run; one that has been removed is not there, and its checks cannot run."""
    for taken in read_record(run.path / "extract.json", ExtractRecord).tables:
        table = spec.tables.get(taken.table)
        path = run.snapshot / taken.snapshot.name
        if table is None or not path.is_file():
            continue
        name, select = f"{PREFIX}{taken.table}", snapshot_select(table, taken.columns, path)
        fields = declared(table, taken.columns)
        texts = ", ".join([*map(identifier, fields), "_file", "_line"])
        values = ", ".join(
            f"{identifier(value_of(f))} AS {identifier(f)}" if is_typed(table.fields[f]) else identifier(f)
            for f in fields
        )
        with suppress(duckdb.Error):
            connection.execute(f"CREATE VIEW {identifier(name)} AS SELECT {texts} FROM ({select})")
            by_value = f"SELECT {', '.join(filter(None, (values, '_file', '_line')))} FROM ({select})"
            connection.execute(f"CREATE VIEW {identifier(name + VALUES)} AS {by_value}")


def failing_keys(table: CdmTable) -> str:
    """The columns by which the failing rows of a snapshot are known: file and line."""
    told = table.name.removesuffix(VALUES)
    return f'\'{told}\' AS "table", r._line AS "key", r._file AS "file"'


def shown(table: CdmTable) -> str:
    """The name of the table that a report shows."""
    return table.name.removesuffix(VALUES) if is_snapshot(table) else table.name

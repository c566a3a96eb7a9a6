"""The source tables of a snapshot as the checks see them: of each declared field its text, and its value where it has a type.

A field `f` is the text as delivered, empty (NULL) where source.yaml calls it missing; `f$` is the number or day that it says,
empty where it cannot be read. `_file` and `_line` are the place in the delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oncoweave.compiler.staging import DELIVERED, is_typed, parsed, raw_text
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.expressions import Kind, column
from oncoweave.engine.parquet import identifier, literal
from oncoweave.spec.source import Table


def value_of(field: str) -> str:
    """The column that holds the value of a typed field."""
    return f"{field}$"


def declared(table: Table, columns: Sequence[str]) -> list[str]:
    """The declared fields that a snapshot with these columns has."""
    return [name for name in table.fields if name in columns]


def snapshot_select(table: Table, columns: Sequence[str], path: Path) -> str:
    """SQL of a SELECT of the declared fields of a snapshot, text and value, with file and line of each row."""
    fields = declared(table, columns)
    texts = [f"{to_duckdb(raw_text(n, table.fields[n], table.missing))} AS {identifier(n)}" for n in fields]
    rows = f"SELECT {', '.join([*texts, '_file', '_line'])} FROM read_parquet({literal(path)}) AS {DELIVERED}"
    values = [
        f"{to_duckdb(parsed(table.fields[n], column(n, Kind.TEXT)).node)} AS {identifier(value_of(n))}"
        for n in fields
        if is_typed(table.fields[n])
    ]
    return f"SELECT {', '.join(['*', *values])} FROM ({rows})"

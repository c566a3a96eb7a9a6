"""Which tables and fields are there and how many rows they have, asked once for all checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb

from oncoweave.engine.parquet import identifier
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.forms import form

Value = int | str
"""A count, or the type of the exception that there was instead."""


@dataclass(frozen=True)
class Present:
    """The type of each field by table and field."""

    types: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection) -> Present:
        """What the tables and views of the connection have."""
        types: dict[str, dict[str, str]] = {}
        found = connection.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = 'main'"
        )
        for table, name, kind in found.fetchall():
            types.setdefault(table, {})[name] = kind
        return cls(types)

    def absent(self, check: DqdCheck) -> str:
        """The table, or table.field, that the check of rows cannot do without and that is not there; "" when all is."""
        own = ((check.table, check.field),)
        for table, field in (*own, *form(check).needs):
            if table not in self.types:
                return table
            if field and field not in self.types[table]:
                return f"{table}.{field}"
        return ""

    def is_integer(self, table: str, field: str) -> bool:
        """Whether the type of the field lets in nothing but whole numbers."""
        return self.types[table][field].endswith("INT") or self.types[table][field].endswith("INTEGER")


def aggregate(connection: duckdb.DuckDBPyConnection, source: str, expressions: Iterable[str]) -> dict[str, Value]:
    """The value of every aggregate over the rows of `source`, some hundred in a query.

    Where a query cannot run, its halves are tried, until the aggregates that cannot are known.
    """
    wanted = list(dict.fromkeys(expressions))
    values: dict[str, Value] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        values |= _aggregate(connection, source, wanted[start : start + _AT_ONCE])
    return values


_AT_ONCE = 200
"""DuckDB takes disproportionately long for thousands of aggregates in one query."""


def _aggregate(connection: duckdb.DuckDBPyConnection, source: str, wanted: list[str]) -> dict[str, Value]:
    try:
        row = connection.execute(f"SELECT {', '.join(wanted)} FROM {source}").fetchone()
    except duckdb.Error as error:
        if len(wanted) == 1:
            return {wanted[0]: type(error).__name__}
        middle = len(wanted) // 2
        return _aggregate(connection, source, wanted[:middle]) | _aggregate(connection, source, wanted[middle:])
    assert row is not None
    return dict(zip(wanted, map(int, row), strict=True))


def rows_of(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> dict[str, Value]:
    """The number of rows of each table."""
    return {table: aggregate(connection, identifier(table), ["count(*)"])["count(*)"] for table in sorted(set(tables))}

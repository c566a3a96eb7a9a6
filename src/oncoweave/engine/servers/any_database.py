"""Asks any database that SQLAlchemy has a driver for: rows come by a server-side cursor and are written as text here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oncoweave.engine.servers.row_text import RowText
from oncoweave.engine.servers.texts import text
from oncoweave.errors import DataError
from oncoweave.spec.queries import Query

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, TextClause

BATCH = 5000
ESCAPED = r"\:"  # how SQLAlchemy is told that a colon is one

DUCKDB = {"read_only": True, "config": {"enable_external_access": "false"}}


def begin(server: str, timeout: int) -> list[str]:
    """The statements that open one consistent, read-only snapshot, as far as that kind of server knows such."""
    return {
        "sqlite": ["PRAGMA query_only = ON", "BEGIN"],
        "duckdb": [],  # opened read-only, and its driver begins a transaction by itself
        "mysql": [
            f"SET SESSION MAX_EXECUTION_TIME = {timeout * 1000}",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ],
        "mariadb": [
            f"SET SESSION max_statement_time = {timeout}",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ],
        "oracle": ["SET TRANSACTION READ ONLY"],
        "mssql": ["SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "BEGIN TRANSACTION"],
    }[server]


@dataclass(frozen=True)
class AnyDatabase:
    """One session of a database, inside its snapshot."""

    connection: Connection
    parameters: Mapping[str, object]

    def columns(self, query: Query) -> tuple[str, ...]:
        """The names of a query's columns."""
        with self._execute(query, "SELECT * FROM (", "\n) asked WHERE 1 = 0") as result:
            return tuple(result.keys())

    def count(self, query: Query) -> int:
        """The number of rows that a query has in this snapshot."""
        with self._execute(query, "SELECT count(*) FROM (", "\n) asked") as result:
            return int(str(result.scalar()))

    def first(self, query: Query) -> object:
        """The first column of a query's first row, as text; None where there is no row."""
        with self._execute(query) as result:
            row = result.first()
            return None if row is None else text(row[0])

    def copy(self, query: Query, columns: Sequence[str], rows: RowText) -> None:
        """Adds all rows of a query to `rows`; raises DataError for a value that is no text."""
        with self._execute(query) as result:
            for batch in result.partitions(BATCH):
                try:
                    rows.add([text(value) for value in row] for row in batch)
                except (TypeError, UnicodeEncodeError):
                    raise _no_text(query, columns, batch) from None

    def _execute(self, query: Query, before: str = "", after: str = "") -> CursorResult[tuple[object, ...]]:
        values = {name: self.parameters[name] for name, _, _ in query.parameters}
        return self.connection.execute(_statement(query, before, after), values)


def _statement(query: Query, before: str, after: str) -> TextClause:
    from sqlalchemy import text as clause

    return clause(f"{before}{query.with_parameters(':{}', ':', ESCAPED)}{after}")


def _no_text(query: Query, columns: Sequence[str], batch: Sequence[Sequence[object]]) -> DataError:
    found = next(_without_text(columns, batch))
    return DataError(
        f"{query.shown}: column `{found[0]}` holds values of the type {found[1]}, which are not text",
        mend="leave the column out, or write it as text in the query (hex, cast, to_char)",
    )


def _without_text(columns: Sequence[str], batch: Sequence[Sequence[object]]) -> Iterator[tuple[str, str]]:
    for row in batch:
        for column, value in zip(columns, row, strict=True):
            try:
                (text(value) or "").encode()
            except (TypeError, UnicodeEncodeError):
                yield column, type(value).__name__

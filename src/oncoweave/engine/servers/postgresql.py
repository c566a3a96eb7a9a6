"""Asks PostgreSQL: every column is cast to text by the server, and the rows come by COPY, a quarter of a cursor's cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oncoweave.engine.servers.row_text import MARK, RowText
from oncoweave.spec.queries import Query

if TYPE_CHECKING:
    import psycopg

DRIVER = "postgresql+psycopg"
CONNECT = {
    "connect_timeout": 30,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "application_name": "oncoweave",
    "client_encoding": "UTF8",
}
"""A server that has gone without a word is noticed after a minute."""
SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "lock_timeout": "60s",
}
"""What decides how the server writes a value, fixed; and a table that another session has locked is waited for a minute."""
_FLOATS = (700, 701)
FRONT = "SELECT * FROM ("
FRONT_OF_FIRST = "SELECT (SELECT asked.c0::text FROM ("
"""What stands before a query when its columns are asked for, and when its first value is."""


def begin(timeout: int) -> list[str]:
    """The statements that open one consistent, read-only snapshot, whose statements may take `timeout` seconds each."""
    settings = {**SETTINGS, "statement_timeout": f"{timeout}s"}
    return [
        "SET default_transaction_read_only = on",
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        *(f"SET LOCAL {name} = '{value}'" for name, value in settings.items()),
    ]


@dataclass
class PostgreSQL:
    """One session of PostgreSQL, inside its snapshot."""

    connection: psycopg.Connection[Any]
    parameters: Mapping[str, object]
    _floats: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def columns(self, query: Query) -> tuple[str, ...]:
        """The names of a query's columns.

        The server prepares the statement, so it refuses a text that is more than one, whatever our parser made of it.
        """
        found = self._execute(query, f"{FRONT}{{}}\n) AS asked LIMIT 0", prepare=True).description or []
        self._floats[query.name] = tuple(n for n, column in enumerate(found) if column.type_code in _FLOATS)
        return tuple(column.name for column in found)

    def count(self, query: Query) -> int:
        """The number of rows that a query has in this snapshot."""
        return int(self._execute(query, "SELECT count(*) FROM ({}\n) AS asked").fetchone()[0])

    def first(self, query: Query) -> object:
        """The first column of a query's first row, as text; None where there is no row."""
        (row,) = self._execute(query, f"{FRONT_OF_FIRST}{{}}\n) AS asked(c0) LIMIT 1)")
        return row[0]

    def copy(self, query: Query, columns: Sequence[str], rows: RowText) -> None:
        """Adds all rows of a query to `rows`."""
        statement, parameters = self._rendered(query, as_text(len(columns), self._floats[query.name]))
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)", parameters) as copied,
        ):
            rows.add_copied(copied)

    def _execute(self, query: Query, around: str, *, prepare: bool = False) -> Any:
        statement, parameters = self._rendered(query, around)
        return self.connection.execute(statement, parameters, prepare=prepare)

    def _rendered(self, query: Query, around: str) -> tuple[Any, dict[str, object] | None]:
        """The statement as psycopg takes it: where there are no parameters, a percent sign is one."""
        before, after = around.split("{}")
        if not query.parameters:
            return f"{before}{query.text}{after}", None
        text = query.with_parameters("%({})s", "%", "%%")
        before, after = (part.replace("%", "%%") for part in (before, after))
        return f"{before}{text}{after}", {name: self.parameters[name] for name, _, _ in query.parameters}


def as_text(columns: int, floats: Sequence[int]) -> str:
    """The SELECT around a query, `{}`, that gives every column as text, a number of the kind `float` without an exponent."""
    names = [f"c{number}" for number in range(columns)]
    texts = (
        f"CASE WHEN {name}::text LIKE '%e%' THEN {name}::text::numeric::text ELSE {name}::text END"
        if number in floats
        else f"{name}::text"
        for number, name in enumerate(names)
    )
    return f"SELECT '{MARK}', {', '.join(texts)} FROM ({{}}\n) AS asked({', '.join(names)})"

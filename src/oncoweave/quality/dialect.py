"""Lets Great Expectations speak to DuckDB: a SQLAlchemy dialect over a connection that the engine opened.

The dialect of duckdb-engine alone does not do: SQLAlchemy's rollback at the end of each statement drops the
result that Great Expectations has yet to fetch (its issues 10738 and 11579), and DuckDB's `~` matches the
whole text where PostgreSQL's finds a part.
"""

from __future__ import annotations

from typing import Any

import duckdb
import duckdb_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler
from sqlalchemy.pool import StaticPool

URL = "duckdb+oncoweave:///:memory:"


class DuckDbCompiler(PGCompiler):
    """Writes PostgreSQL's regular expression operators as DuckDB's function."""

    def visit_custom_op_binary(self, element: Any, operator: Any, **kw: Any) -> str:
        """`a ~ b` as `regexp_matches(a, b)`, every other operator as it is."""
        if operator.opstring not in ("~", "!~"):
            return str(super().visit_custom_op_binary(element, operator, **kw))  # type: ignore[no-untyped-call]
        text, pattern = self.process(element.left, **kw), self.process(element.right, **kw)
        return f"{'NOT ' if operator.opstring == '!~' else ''}regexp_matches({text}, {pattern})"


class DuckDbDialect(duckdb_engine.Dialect):
    """duckdb-engine's dialect without transactions, named so that Great Expectations takes its PostgreSQL paths.

    Nothing is written through it, so there is nothing to commit or to roll back.
    """

    name = "postgresql"
    supports_statement_cache = False
    statement_compiler = DuckDbCompiler

    def do_begin(self, connection: Any) -> None:
        """No transaction."""

    def do_rollback(self, connection: Any) -> None:
        """No transaction; a real one would drop the pending result."""

    def do_commit(self, connection: Any) -> None:
        """No transaction."""


def engine_options(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """The options of `sqlalchemy.create_engine(URL, ...)` by which it uses this one connection and opens none."""
    registry.register("duckdb.oncoweave", __name__, DuckDbDialect.__name__)
    return {"creator": lambda: _Borrowed(connection), "poolclass": StaticPool}


class _Borrowed(duckdb_engine.ConnectionWrapper):
    """A connection that SQLAlchemy does not close: it would, at the moment when it happens to be cleared away."""

    def close(self) -> None:
        """Left open: whoever opened it closes it."""

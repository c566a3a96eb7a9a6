"""Writes SQLGlot trees for DuckDB: calls of catalogue functions become their templates, names are always quoted.

Works for single expressions and for whole statements; named parameters survive as `$name`.
"""

from __future__ import annotations

import duckdb
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.generators.duckdb import DuckDBGenerator

from oncoweave.engine.expressions import Expression
from oncoweave.engine.functions import CATALOGUE


class CatalogueDuckDB(DuckDB):
    """DuckDB's SQL with the function catalogue."""

    class Generator(DuckDBGenerator):
        """Fills in the templates; a name outside the catalogue is written as it is."""

        def anonymous_sql(self, expression: exp.Anonymous) -> str:
            """A call: the catalogue function's template with the arguments rendered."""
            function = CATALOGUE.get(expression.name)
            if function is None:
                return super().anonymous_sql(expression)
            return function.render(expression.expressions, self.sql)


def to_duckdb(node: exp.Expression) -> str:
    """The SQL text of a node, an expression or a statement, for DuckDB."""
    return node.sql(dialect=CatalogueDuckDB, identify=True, comments=False)


def evaluate(expression: Expression) -> object:
    """The value of an expression without columns, as DuckDB computes it; for doctests and conformance tests."""
    row = _run("SELECT " + to_duckdb(expression.node), [])
    return row[0] if row else None


def pattern_fault(pattern: str) -> str:
    """What is wrong with a regular expression; empty if nothing is. It is RE2's: no look-around, no back references."""
    try:
        _run("SELECT regexp_matches('', $1)", [pattern])
    except duckdb.Error as error:
        return str(error).partition("Error: ")[2].splitlines()[0]
    return ""


def _run(sql: str, parameters: list[str]) -> tuple[object, ...] | None:
    """The first row, from an engine that reaches neither files nor network."""
    connection = duckdb.connect(":memory:", config={"enable_external_access": "false", "lock_configuration": "true"})
    try:
        return connection.execute(sql, parameters).fetchone()
    finally:
        connection.close()

"""Gives a plan's statements to DuckDB, with the secrets and the day that their parameters stand for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from oncoweave.compiler.keys import UNITS_OF, unit_secret_words
from oncoweave.compiler.plan import Plan
from oncoweave.engine.connection import fetch_rows, without_values
from oncoweave.privacy.pseudonym import Key


@dataclass(frozen=True)
class Statements:
    """A connection, and all that the parameters of the statements of a plan can mean."""

    connection: duckdb.DuckDBPyConnection
    plan: Plan
    key: Key
    delivery: date

    def do(self, sql: str, doing: str) -> None:
        """Run a statement for what it does; `doing` says that to the user, should it fail."""
        with without_values(doing):
            self.connection.execute(sql, self.given(sql))

    def rows(self, sql: str, doing: str) -> list[tuple[Any, ...]]:
        """The rows that a statement without parameters finds."""
        return fetch_rows(self.connection, sql, doing)

    def given(self, sql: str) -> dict[str, object]:
        """The parameters of a statement: what is made of the key, and the day of the delivery, the end of an unended visit."""
        known: dict[str, object] = {"inner": self.key.inner, "outer": self.key.outer, "delivery": self.delivery}
        (statement,) = self.connection.extract_statements(sql)  # a `$` in a path or a text is no parameter
        return {name: known.get(name) or self._secret(name) for name in statement.named_parameters}

    def _secret(self, parameter: str) -> bytes:
        """The secret of the units of a table, which the name of the parameter names."""
        words = unit_secret_words(self.plan.source, parameter.removeprefix(UNITS_OF))
        return self.key.secret_of(*words)

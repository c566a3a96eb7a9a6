"""Conditions over the rows of a target table: a reviewer's expression, as SQL.

The language is that of the mapping's expressions, which names no file, table or setting, so that a suite cannot reach
further than the row that is judged.
"""

from __future__ import annotations

from sqlglot import exp

from oncoweave.compiler.expressions import Scope, parse
from oncoweave.compiler.subset import ExpressionError
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.expressions import Expression, Kind
from oncoweave.omop.model import CdmField, CdmTable

_KINDS = {
    "BIGINT": Kind.INTEGER,
    "INTEGER": Kind.INTEGER,
    "DOUBLE": Kind.NUMBER,
    "DATE": Kind.DATE,
    "TIMESTAMP": Kind.DATE,
    "VARCHAR": Kind.TEXT,
}


def row_condition(text: str, table: CdmTable) -> str:
    """The condition as SQL over a row `r` of the table; raises ExpressionError."""
    found = parse(text, Scope({field.name: _value(field) for field in table.fields}))
    if found.kind is not Kind.BOOLEAN:
        raise ExpressionError(
            f"this gives {found.kind.value}, and a condition is true or false",
            "compare it: `value_as_number > 0`, `unit_source_value is not null`",
        )
    return to_duckdb(found.node)


def _value(field: CdmField) -> Expression:
    column: exp.Expression = exp.column(field.name, table="r", quoted=True)
    if field.type == "TIMESTAMP":  # the language knows days only
        column = exp.Cast(this=column, to=exp.DataType.build("DATE"))
    return Expression(_KINDS[field.type], column)

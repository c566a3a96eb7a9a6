"""Typed expressions: what the mapping language, the transforms and the compiler pass to one another.

An expression is an engine-neutral SQLGlot node with its kind. A call of a catalogue function is a node
`exp.Anonymous(this=<function>, expressions=[...])`; `engine.dialect` writes it for an engine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from sqlglot import exp


class Kind(StrEnum):
    """What an expression gives; there are no implicit conversions except integer to number."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"


SQL_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.NUMBER: "DOUBLE",
    Kind.DATE: "DATE",
    Kind.BOOLEAN: "BOOLEAN",
}


class KindError(TypeError):
    """An argument has the wrong kind, or an option a value that the function does not know."""


@dataclass(frozen=True)
class Expression:
    """A node with its kind.

    A date's node is the first day of the period that is known; `precision` is a text node that gives
    'day', 'month' or 'year', and None means 'day' throughout. `time` is an integer node, the microseconds of the day
    at which it was (NULL: not known; it means nothing where the date is NULL), and None means that none is known.
    """

    kind: Kind
    node: exp.Expression
    precision: exp.Expression | None = None
    time: exp.Expression | None = None

    @property
    def is_null(self) -> bool:
        """Whether this is a literal null, which fits every kind."""
        node = self.node.this if isinstance(self.node, exp.Cast) else self.node
        return isinstance(node, exp.Null)

    @property
    def constant(self) -> str | int | float | bool | None:
        """The Python value of a literal; None for everything else."""
        negative = isinstance(self.node, exp.Neg)
        node = self.node.this if isinstance(self.node, exp.Neg | exp.Cast) else self.node
        if isinstance(node, exp.Boolean):
            return bool(node.this)
        if not isinstance(node, exp.Literal) or self.kind is Kind.DATE:
            return None
        if node.is_string:
            return str(node.this)
        number = int(node.this) if self.kind is Kind.INTEGER else float(node.this)
        return -number if negative else number


Value = Expression | str | int | float | bool | date | None
"""What a catalogue function takes: an expression, or a Python value that becomes a literal."""

Text = Annotated[Expression, Kind.TEXT]
Integer = Annotated[Expression, Kind.INTEGER]
Number = Annotated[Expression, Kind.NUMBER]
Date = Annotated[Expression, Kind.DATE]
Boolean = Annotated[Expression, Kind.BOOLEAN]


def literal(value: str | int | float | bool | date) -> Expression:
    """A constant; the kind follows the Python type."""
    if isinstance(value, bool):
        return Expression(Kind.BOOLEAN, exp.Boolean(this=value))
    if isinstance(value, str):
        if "\0" in value:
            raise KindError("a text may not hold the character NUL")
        return Expression(Kind.TEXT, exp.Literal.string(value))
    if isinstance(value, date):
        return Expression(Kind.DATE, cast(exp.Literal.string(value.isoformat()), Kind.DATE))
    if isinstance(value, int):
        if not -(2**63) < value < 2**63:
            raise KindError("a whole number may have at most 18 digits")
        return Expression(Kind.INTEGER, exp.Literal.number(value))
    if not math.isfinite(value):
        raise KindError("a number must be finite")
    return Expression(Kind.NUMBER, cast(exp.Literal.number(repr(value)), Kind.NUMBER))


def null(kind: Kind) -> Expression:
    """The missing value, typed."""
    return Expression(kind, cast(exp.Null(), kind))


def column(
    name: str,
    kind: Kind,
    table: str | None = None,
    precision: exp.Expression | None = None,
    time: exp.Expression | None = None,
) -> Expression:
    """A column of the table that the statement reads."""
    return Expression(kind, exp.column(name, table=table, quoted=True), precision, time)


def cast(node: exp.Expression, kind: Kind) -> exp.Expression:
    """The node with its physical type stated; for literals and for widening integer to number only."""
    return exp.Cast(this=node, to=exp.DataType.build(SQL_TYPES[kind]))


def lift(value: Value) -> Expression:
    """An expression as it is, a Python value as a literal, None as null of no particular kind."""
    if value is None:
        return Expression(Kind.TEXT, exp.Null())
    return value if isinstance(value, Expression) else literal(value)


def widen(given: Expression, kind: Kind) -> Expression:
    """The expression as `kind`, where that loses nothing: null fits all, an integer is a number."""
    if given.is_null:
        return Expression(kind, cast(exp.Null(), kind))
    if given.kind is Kind.INTEGER and kind is Kind.NUMBER:
        return Expression(kind, cast(given.node, kind))
    return given

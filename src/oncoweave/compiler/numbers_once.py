"""Numbers in texts, read once: a rule with `where: to_number(value) is not null` asks for the number of a text in its
condition, in its value, and where it says what it leaves out. The staged table holds it instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from oncoweave.compiler.bound import BoundRule
from oncoweave.compiler.sql import Node, col
from oncoweave.engine import functions
from oncoweave.engine.expressions import Kind, column

NUMBER = "$$"
"""What the name of the staged column ends with, after that of the field."""


def asks_for_number(rule: BoundRule) -> bool:
    """Whether the condition of a rule reads the number of a text."""
    return rule.where is not None and any(_field(node) for node in rule.where.expression.node.find_all(exp.Anonymous))


def name_numbers(selects: Sequence[exp.Select]) -> None:
    """In these statements, put the staged column in place of each reading of a field's number."""
    for select in selects:
        for node in list(select.find_all(exp.Anonymous)):
            field = _field(node)
            if field is not None:
                node.replace(col(f"{field}{NUMBER}", node.expressions[0].expressions[0].table))


def number_of(field: str, alias: str) -> Node:
    """The number of a field's text, as the statements would have read it."""
    return functions.to_number(functions.trimmed(column(field, Kind.TEXT, alias))).node


def _field(node: exp.Anonymous) -> str | None:
    """The field whose number a node reads, if it is one alone."""
    if node.name != functions.to_number.name:
        return None
    (text,) = node.expressions
    alone = isinstance(text, exp.Anonymous) and text.name == functions.trimmed.name
    inner = text.expressions[0] if alone else None
    return str(inner.name) if isinstance(inner, exp.Column) else None

"""Small builders of SQLGlot nodes that the compiler's passes share; names are always quoted, text is never pasted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from sqlglot import exp

Node = exp.Expression


def col(name: str, table: str | None = None) -> exp.Column:
    """A column, quoted."""
    return exp.column(name, table=table, quoted=True)


def text(value: str) -> exp.Literal:
    """A text constant."""
    return exp.Literal.string(value)


def number(value: int | float) -> Node:
    """A numeric constant."""
    return exp.Literal.number(value)


def null(kind: str) -> exp.Cast:
    """NULL of a DuckDB type."""
    return cast(exp.Null(), kind)


def cast(node: Node, kind: str) -> exp.Cast:
    """The node as a DuckDB type."""
    return exp.Cast(this=node, to=_type(kind).copy())


def call(name: str, *arguments: Node) -> exp.Anonymous:
    """A call of an SQL function by name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def parameter(name: str) -> exp.Placeholder:
    """A named parameter of a prepared statement."""
    return exp.Placeholder(this=name)


def is_null(node: Node) -> Node:
    """Whether a node is NULL."""
    return exp.Is(this=_operand(node), expression=exp.Null())


def is_not_null(node: Node) -> Node:
    """Whether a node is not NULL."""
    return exp.Not(this=is_null(node))


def equals(left: Node, right: Node) -> Node:
    """Equality."""
    return exp.EQ(this=_operand(left), expression=_operand(right))


def all_of(nodes: Iterable[Node]) -> Node:
    """All conditions hold; true when there are none."""
    found = list(nodes)
    return exp.Paren(this=exp.and_(*found, copy=False)) if found else exp.true()


def any_of(nodes: Iterable[Node]) -> Node:
    """One of the conditions holds; false when there are none."""
    found = list(nodes)
    return exp.Paren(this=exp.or_(*found, copy=False)) if found else exp.false()


def negate(node: Node) -> Node:
    """The condition does not hold."""
    return exp.Not(this=exp.Paren(this=node))


def is_not_true(node: Node) -> Node:
    """The condition does not hold, or nobody knows."""
    return exp.Not(this=exp.Is(this=exp.Paren(this=node), expression=exp.true()))


def case(branches: Sequence[tuple[Node, Node]], otherwise: Node) -> Node:
    """The value of the first branch whose condition holds."""
    if not branches:
        return otherwise
    ifs = [exp.If(this=condition, true=value) for condition, value in branches]
    return exp.Case(ifs=ifs, default=otherwise)


def coalesce(*nodes: Node) -> Node:
    """The first node that is not NULL."""
    return exp.Coalesce(this=nodes[0], expressions=list(nodes[1:]))


def named(node: Node, name: str) -> exp.Alias:
    """The node under a name."""
    return exp.Alias(this=node, alias=exp.to_identifier(name, quoted=True))


def table(name: str, alias: str | None = None) -> exp.Table:
    """A table or view, quoted."""
    found = exp.TableAlias(this=exp.to_identifier(alias, quoted=True)) if alias else None
    return exp.Table(this=exp.to_identifier(name, quoted=True), alias=found)


def subquery(select: exp.Query, alias: str) -> exp.Subquery:
    """A select as a table."""
    return exp.Subquery(this=select, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def left_join(select: exp.Select, joined: exp.Expression, on: Node) -> exp.Select:
    """The select, left-joined: no row of it is ever lost."""
    return select.join(joined, on=on, join_type="left", copy=False)


@cache
def _type(kind: str) -> exp.DataType:
    return exp.DataType.build(kind, dialect="duckdb")


def _operand(node: Node) -> Node:
    return exp.Paren(this=node) if isinstance(node, (exp.Binary, exp.Case, exp.Not)) else node

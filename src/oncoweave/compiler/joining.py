"""Joined tables: the fields of a source table that rows of others look up, one row for each key, and the join itself.

A joined table holds, of the fields that are looked up, what a staged table holds of them (`f`, `f$`, `f#`), and the
texts that are compared (`=f`). Rows that share their row key count as the one that staging keeps; where fields that
are declared as unique are not, none of the rows that share them is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.joins import DOT, BoundJoin, is_joined
from oncoweave.compiler.sql import (
    Node,
    all_of,
    any_of,
    call,
    case,
    col,
    is_not_null,
    is_null,
    left_join,
    named,
    null,
    number,
    subquery,
    table,
)  # fmt: skip

JOINED = "j:"
"""What the alias of a joined table begins with; the name of the join follows."""


@dataclass(frozen=True)
class JoinedTable:
    """How a joined table is made: the SELECT, and of rows that share a key, which are taken out again.

    `selects_faults` gives file and line of those rows; `joins` are the joins that the table itself makes.
    """

    table: str
    name: str
    key: tuple[str, ...]
    is_row_key: bool
    select: exp.Select
    select_faults: exp.Select
    joins: tuple[BoundJoin, ...]


def joined_name(join: BoundJoin) -> str:
    """The temporary table that a join looks into."""
    return f"joined_{join.to}:{','.join(join.key)}"


def compared(field: str) -> str:
    """The column of a joined table that holds the text which a join compares."""
    return f"={field}"


def found_column(join: BoundJoin) -> str:
    """The column that says whether a row has found its partner; NULL where it has nothing to look it up by."""
    return f"_join:{join.name}"


def looking_up(texts: exp.Select, joins: Iterable[tuple[BoundJoin, Sequence[str]]]) -> exp.Select:
    """The rows of `texts` with the columns that each join brings, under the join's name; no row is lost or doubled."""
    select = exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier("t", quoted=True)))
    select = select.from_(subquery(texts, "t"))
    for join, columns in joins:
        alias = JOINED + join.name
        on = [exp.EQ(this=col(compared(b), alias), expression=keys.trimmed(a, "t")) for a, b in join.by]
        select = left_join(select, table(joined_name(join), alias), all_of(on))
        brought = [named(col(c, alias), join.name + DOT + c) for c in columns]
        select = select.select(*brought, named(_found(join, alias), found_column(join)), copy=False)
    return select


def _found(join: BoundJoin, alias: str) -> Node:
    nothing = any_of([is_null(keys.trimmed(a, "t")) for a, _ in join.by])
    return case([(nothing, null("BOOLEAN"))], is_not_null(col(compared(join.by[0][1]), alias)))


def joined_select(
    values: exp.Select, columns: Sequence[str], fields: Iterable[str], joins: Iterable[BoundJoin]
) -> exp.Select:
    """A joined table: these columns of staged values, the texts of the `fields` that are compared, and each row's place."""
    nodes: list[Node] = [col("_file"), col("_line"), *(col(c) for c in columns)]
    nodes += [named(keys.trimmed(f), compared(f)) for f in fields]
    nodes += [col(found_column(join)) for join in joins]
    return exp.select(*nodes).from_(subquery(values, "v"))


def faults_select(texts: exp.Select, join: BoundJoin, content: Sequence[str]) -> exp.Select:
    """File and line of the rows that share their key and are not found.

    All but the first by content where the key is the row's, as staging has it; all of them where it is another.
    """
    key: list[Node] = [keys.trimmed(f) for f in join.key]
    shared = exp.select(*(col(compared(f)) for f in join.key)).from_(table(joined_name(join)))
    shared = shared.group_by(*(col(compared(f)) for f in join.key))
    shared = shared.having(exp.GT(this=call("count", exp.Star()), expression=number(1)))
    order = [exp.Ordered(this=col(c), nulls_first=False) for c in (*content, "_file", "_line")]
    place = exp.Window(this=exp.RowNumber(), partition_by=[k.copy() for k in key], order=exp.Order(expressions=order))
    among = exp.In(this=exp.Tuple(expressions=[k.copy() for k in key]), query=exp.Subquery(this=shared))
    rows = exp.select(col("_file"), col("_line"), named(place, "n")).from_(subquery(texts, "t")).where(among)
    kept = 1 if join.is_row_key else 0
    losing = exp.select(col("_file"), col("_line")).from_(subquery(rows, "r"))
    return losing.where(exp.GT(this=col("n"), expression=number(kept)))


def own_fields(fields: Iterable[str], joins: Mapping[str, BoundJoin]) -> set[str]:
    """The fields of the table itself among some: those it is joined by for the ones that are read through a join."""
    found: set[str] = set()
    for field in fields:
        name, dot, _ = field.partition(DOT)
        found |= {a for a, _ in joins[name].by} if dot else {field}
    return found


def brought(fields: Iterable[str]) -> dict[str, list[str]]:
    """The fields that are read through each join, by its name."""
    found: dict[str, list[str]] = {}
    for field in sorted(f for f in fields if is_joined(f)):
        name, _, rest = field.partition(DOT)
        found.setdefault(name, []).append(rest)
    return found

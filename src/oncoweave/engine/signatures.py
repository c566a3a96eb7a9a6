"""What a catalogue function is: its argument kinds, its result, its template; and how a call is checked and built.

The catalogue itself is in `engine.functions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from sqlglot import exp

from oncoweave.engine.expressions import Expression, Kind, KindError, Value, cast, lift, widen

_HOLE = re.compile(r"\{(?:(\d+)|(\d+)\*([^{}]*)|\*([^{}]+))\}")
_COMPOUND = (exp.Binary, exp.Not, exp.Neg, exp.Between, exp.In)


class Slot(StrEnum):
    """Argument notations beside a plain kind."""

    SAME = "any kind, the same in every such place"
    QUANTITY = "integer or number, the same in every such place"
    ANY = "any kind"
    PATTERN = "a regular expression, written as a literal"
    WORD = "a text, written as a literal"
    WHOLE = "a whole number up to 9999, written as a literal"


_SLOT_WORDS = {
    Slot.SAME: "value", Slot.QUANTITY: "number", Slot.ANY: "value",
    Slot.PATTERN: "'pattern'", Slot.WORD: "'text'", Slot.WHOLE: "1",
}  # fmt: skip
_ALIKE = (Slot.SAME, Slot.QUANTITY)
Argument = Kind | Slot
PrecisionRule = Literal["day", "kept", "month", "year", "chosen", "aggregated"]
"""Precision of a date that comes out: fixed to the day; the first argument's; at best month or year; that of the
argument that was chosen; that of the row that was chosen."""


@dataclass(frozen=True)
class Function:
    """One function of the closed catalogue.

    `duckdb` is the template, in parentheses where it is an operator: {0}, {1} … are the arguments, {1* DESC} all from
    the second on with that ending, {* AND } all with that between them. `defaults` are for the last arguments; `variadic` repeats the last one.
    `internal` functions are the compiler's: a mapping cannot call them.
    """

    name: str
    arguments: tuple[Argument, ...]
    result: Argument
    duckdb: str
    doc: str
    examples: tuple[tuple[tuple[Value, ...], object], ...] = ()
    aggregate: bool = False
    variadic: bool = False
    defaults: tuple[Value, ...] = ()
    precision: PrecisionRule = "day"
    needs: Literal["year", "month", "day"] = "year"
    internal: bool = False

    def __call__(self, *args: Value) -> Expression:
        """The call as an expression; literals are lifted and kinds checked (KindError)."""
        given = self._bind([lift(a) for a in (*args, *self._missing(len(args)))])
        node: exp.Expression = exp.Anonymous(this=self.name, expressions=[a.node for a in given])
        kind = self._result(given)
        if kind is not Kind.DATE:
            return Expression(kind, self._where_known(node, given, kind))
        precision, time = _precision_of(self, given, node), _time_of(self, given, node)
        floored = floor_to(node, precision) if self.precision in ("month", "year", "kept") else node
        return Expression(kind, floored, precision, time)

    def render(self, nodes: Sequence[exp.Expression], sql: Callable[[exp.Expression], str]) -> str:
        """The DuckDB text of a call whose argument nodes are `nodes`."""
        texts = [f"({sql(n)})" if isinstance(n, _COMPOUND) else sql(n) for n in nodes]
        return _HOLE.sub(lambda hole: _fill(hole, texts), self.duckdb)

    @property
    def usage(self) -> str:
        """How a call is written, for messages and the reference page."""
        words = [a.value if isinstance(a, Kind) else _SLOT_WORDS[a] for a in self.arguments]
        return f"{self.name}({', '.join(words)}{', …' if self.variadic else ''})"

    def _missing(self, given: int) -> tuple[Value, ...]:
        missing = len(self.arguments) - given
        if missing > len(self.defaults) or (missing < 0 and not self.variadic):
            raise KindError(f"`{self.name}` is called as {self.usage}")
        return self.defaults[-missing:] if missing > 0 else ()

    def _bind(self, given: list[Expression]) -> list[Expression]:
        wanted = [*self.arguments, *[self.arguments[-1]] * (len(given) - len(self.arguments))]
        same = unify([g for g, w in zip(given, wanted, strict=True) if w in _ALIKE], self.name)
        if Slot.QUANTITY in wanted and same not in (Kind.INTEGER, Kind.NUMBER):
            raise KindError(f"`{self.name}` takes integers and numbers, not {same}")
        kinds = [same if w in _ALIKE else w for w in wanted]
        return [_fit(self, i, g, k) for i, (g, k) in enumerate(zip(given, kinds, strict=True))]

    def _result(self, given: list[Expression]) -> Kind:
        if isinstance(self.result, Kind):
            return self.result
        return next(g.kind for g, w in zip(given, self.arguments, strict=False) if w in _ALIKE)

    def _where_known(self, node: exp.Expression, given: list[Expression], kind: Kind) -> exp.Expression:
        precision = given[0].precision if given else None
        if precision is None or self.needs == "year":
            return node
        fine = ["day"] if self.needs == "day" else ["day", "month"]
        known = exp.In(this=precision.copy(), expressions=[exp.Literal.string(p) for p in fine])
        return exp.Case(ifs=[exp.If(this=known, true=node)], default=cast(exp.Null(), kind))


def _fill(hole: re.Match[str], texts: list[str]) -> str:
    index, start, ending, joined = hole.groups()
    if index:
        return texts[int(index)]
    if joined:
        return str(joined).join(texts)
    return ", ".join(t + ending for t in texts[int(start) :])


def unify(given: Sequence[Expression], where: str) -> Kind:
    """The one kind of several expressions: integers and numbers give number; anything else must agree."""
    kinds = list(dict.fromkeys(g.kind for g in given if not g.is_null))
    if set(kinds) == {Kind.INTEGER, Kind.NUMBER}:
        return Kind.NUMBER
    if len(kinds) > 1:
        raise KindError(f"`{where}` mixes {kinds[0]} and {kinds[1]}")
    return kinds[0] if kinds else next((g.kind for g in given), Kind.TEXT)


def floor_to(node: exp.Expression, precision: exp.Expression | None) -> exp.Expression:
    """The first day of the period of that precision which holds the date."""
    if precision is None or precision == exp.Literal.string("day"):
        return node
    return exp.Anonymous(this="floor_date", expressions=[node, precision.copy()])


def _fit(function: Function, index: int, given: Expression, wanted: Argument) -> Expression:
    place = f"argument {index + 1} of `{function.name}`"
    if wanted is Slot.ANY:
        return given
    if wanted is Slot.WHOLE:
        number = given.constant
        if given.kind is not Kind.INTEGER or not isinstance(number, int) or not 0 <= number <= 9999:
            raise KindError(f"{place} must be a whole number written out, such as 1")
        return given
    if isinstance(wanted, Slot):
        if given.kind is not Kind.TEXT or not isinstance(given.node, exp.Literal):
            raise KindError(f"{place} must be a text written out, such as 'x'")
        return given
    fitted = widen(given, wanted)
    if fitted.kind is not wanted:
        raise KindError(f"{place} must be {wanted}, not {given.kind}")
    return fitted


def _precision_of(function: Function, given: list[Expression], node: exp.Expression) -> exp.Expression | None:
    dates = [g for g in given if g.kind is Kind.DATE]
    if function.precision in ("month", "year"):
        return _coarsest(dates[0].precision, function.precision)
    if function.precision == "day" or all(d.precision is None for d in dates):
        return None
    agreed = len({d.precision for d in dates}) == 1 and isinstance(dates[0].precision, exp.Literal)
    if function.precision == "kept" or agreed:
        return dates[0].precision
    if function.precision == "aggregated":
        return _of_chosen_row(function, given, precision_node(given[0]))
    return _of_chosen_argument(function, given, dates, node, precision_node)


def _time_of(function: Function, given: list[Expression], node: exp.Expression) -> exp.Expression | None:
    """The time of the date that comes out: that of the date it was chosen from, or that days were added to; else none.

    A date that months or years are added to, or that is made of parts, has no time.
    """
    dates = [g for g in given if g.kind is Kind.DATE]
    if function.precision in ("day", "month", "year") or all(d.time is None for d in dates):
        return None
    if function.precision == "kept":
        return dates[0].time
    if function.precision == "aggregated":
        return _of_chosen_row(function, given, time_node(given[0]))
    if function.name in ("least", "greatest"):  # of several dates of that day, the earliest or the latest known time
        of_the_day = [
            exp.Case(ifs=[exp.If(this=exp.EQ(this=d.node.copy(), expression=node.copy()), true=time_node(d))])
            for d in dates
        ]
        return exp.Anonymous(this=function.name, expressions=of_the_day)
    return _of_chosen_argument(function, given, dates, node, time_node)


def _coarsest(precision: exp.Expression | None, limit: Literal["month", "year"]) -> exp.Expression:
    coarse = exp.Literal.string(limit)
    if precision is None or limit == "year":
        return coarse
    return exp.Anonymous(this="greatest", expressions=[precision.copy(), coarse])  # 'day' < 'month' < 'year'


def _of_chosen_argument(
    function: Function,
    given: list[Expression],
    dates: list[Expression],
    node: exp.Expression,
    told: Callable[[Expression], exp.Expression],
) -> exp.Expression:
    """CASE over the arguments: the first that is filled (coalesce), meets the condition (when), or equals the result."""
    if function.name == "when":
        return chosen([(given[0], dates[0])], dates[1], told)
    conditions: list[exp.Expression]
    if function.name == "coalesce":
        conditions = [exp.Not(this=exp.Is(this=d.node, expression=exp.Null())) for d in dates[:-1]]
    else:
        conditions = [exp.EQ(this=d.node, expression=node) for d in dates[:-1]]
    branches = [(Expression(Kind.BOOLEAN, c), d) for c, d in zip(conditions, dates, strict=False)]
    return chosen(branches, dates[-1], told)


def chosen(
    branches: Sequence[tuple[Expression, Expression]],
    default: Expression,
    told: Callable[[Expression], exp.Expression],
) -> exp.Expression:
    """What is told of the date of the first branch whose condition holds: its precision, or its time."""
    ifs = [exp.If(this=condition.node.copy(), true=told(d)) for condition, d in branches]
    return exp.Case(ifs=ifs, default=told(default))


def precision_node(date: Expression) -> exp.Expression:
    """The precision of a date as a node of its own; 'day' when it has none."""
    return exp.Literal.string("day") if date.precision is None else date.precision.copy()


def time_node(date: Expression) -> exp.Expression:
    """The time of a date as a node of its own; NULL when it has none."""
    return cast(exp.Null(), Kind.INTEGER) if date.time is None else date.time.copy()


def _of_chosen_row(function: Function, given: list[Expression], told: exp.Expression) -> exp.Expression:
    """What is told of the row that first, last, min, max or only chose.

    When two rows tie it is the finer precision and the earlier time; of `max` the later time.
    """
    date = given[0].node
    last = function.name in ("last", "max")
    order = [g.node for g in given[1:]] or [
        date,
        *([given[0].time] if function.name == "max" and given[0].time else []),
    ]
    name = "of_last_row" if last else "of_first_row"
    return exp.Anonymous(this=name, expressions=[told, *[o.copy() for o in (date, *order)]])

"""Reads the expressions of a mapping: a documented subset of SQL, checked and compiled to the function catalogue.

    fields, 12, 1.5, 'text', true, false, null       + - * /  ||  = <> != < <= > >=  and  or  not
    is [not] null, [not] in ('a', 'b'), [not] between 1 and 3, case when … then … else … end, (…)
    date('2001-01-31'), origin(), functions of the catalogue and transforms, with options as `name => 'literal'`

Nothing else exists here: an expression cannot name a file, a table, a setting or a function of the engine. SQLGlot
parses with a dialect that knows only these words; the tree is then converted through an allow-list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlglot import exp

from oncoweave.compiler.subset import HINTS, ExpressionError, offset_of, shown, tree_of
from oncoweave.engine import functions
from oncoweave.engine.dialect import pattern_fault
from oncoweave.engine.expressions import Expression, Kind, KindError, Value, literal, null, widen
from oncoweave.engine.functions import CATALOGUE
from oncoweave.engine.signatures import Function, Slot, chosen, precision_node, time_node, unify
from oncoweave.errors import nearest


@dataclass(frozen=True)
class Scope:
    """What an expression may name: the fields of its source table, the transforms, and the rule's grouping."""

    fields: Mapping[str, Expression]
    verbs: Mapping[str, Callable[..., Expression]] = field(default_factory=dict)
    grouped: bool = False
    by: frozenset[str] = frozenset()
    origin: date | None = None
    order: tuple[Expression, ...] = ()


def parse(text: str, scope: Scope) -> Expression:
    """Compile an expression; ExpressionError says what is wrong, where, and how to mend it."""
    return _Compiler(scope).convert(tree_of(text))


def fields_of(expression: Expression) -> frozenset[str]:
    """The names of the fields that a compiled expression reads; a staged field's value, precision and time count as the field."""
    return frozenset(c.name.rstrip("$#~") for c in expression.node.find_all(exp.Column))


def only_fields_of(expression: Expression) -> frozenset[str]:
    """The fields of a grouped expression that must be the same in all rows of a group."""
    only = (n for n in expression.node.find_all(exp.Anonymous) if n.this == functions.only.name)
    return frozenset(c.name.rstrip("$#~") for node in only for c in node.find_all(exp.Column))


def parse_template(text: str, scope: Scope) -> tuple[Expression, tuple[Expression, ...]]:
    """Compile a text with expressions in braces, such as "{morph}/{behav}"; also gives the expressions by themselves.

    The result is NULL if one of them is. `{{` and `}}` stand for braces.
    """
    pieces, parts = [], []
    for piece, offset, is_expression in _pieces(text):
        if not is_expression:
            pieces.append(literal(piece))
            continue
        part = _part(piece, offset, scope)
        pieces.append(part)
        parts.append(part)
    if not pieces:
        raise ExpressionError("the template is empty")
    return (pieces[0] if len(pieces) == 1 else functions.concat(*pieces)), tuple(parts)


def _part(piece: str, offset: int, scope: Scope) -> Expression:
    try:
        part = parse(piece, scope)
    except ExpressionError as error:
        raise ExpressionError(error.message, error.help, error.offset + offset) from None
    if part.kind is Kind.INTEGER:
        return functions.to_text(part)
    if part.kind is not Kind.TEXT:
        raise ExpressionError(f"a part of a code must be text, not {part.kind}", "use to_text(…)", offset)
    return part


_PIECE = re.compile(r"(?P<literal>(?:\{\{|\}\}|[^{}])+)|\{(?P<code>(?:'[^']*'|[^'{}])*)\}", re.DOTALL)


def _pieces(text: str) -> Iterator[tuple[str, int, bool]]:
    """Literal texts and expressions in turn, each with its offset."""
    end = 0
    for found in _PIECE.finditer(text):
        if found.start() != end:
            break
        end = found.end()
        if found["code"] is not None:
            yield found["code"], found.start("code"), True
        else:
            yield found["literal"].replace("{{", "{").replace("}}", "}"), found.start(), False
    if end < len(text):
        raise ExpressionError("a brace is not closed or not opened", "write {{ for a brace itself", end)


_OPERATORS: Mapping[type[exp.Expression], Function] = {
    exp.Add: functions.add, exp.Sub: functions.subtract, exp.Mul: functions.multiply, exp.Div: functions.divide,
    exp.EQ: functions.equal, exp.NEQ: functions.unequal, exp.LT: functions.less, exp.LTE: functions.at_most,
    exp.GT: functions.more, exp.GTE: functions.at_least, exp.And: functions.both, exp.Or: functions.either,
}  # fmt: skip
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div)
_BINARY_ARGS = {"this", "expression", "typed", "safe"}
NOT_JOINED = "join the table first"
"""What the mend begins with for a field of a table that is not joined."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class _Compiler:
    """Converts a tree, node by node; a node without a method here is refused."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._aggregate = ""

    def convert(self, node: exp.Expression) -> Expression:
        """The typed expression of a node; ExpressionError at the node's own place."""
        rule = _RULES.get(type(node))
        if rule is None or (isinstance(node, exp.Binary) and not set(node.args) <= _BINARY_ARGS):
            raise ExpressionError(f"{_title(node)} is not part of the mapping language", "", offset_of(node))
        try:
            return rule(self, node)
        except KindError as error:
            raise ExpressionError(str(error), "", offset_of(node)) from None

    def field(self, node: exp.Expression) -> Expression:
        """A field of the source table; in a grouped rule its one value in the group."""
        name = _written(node)
        if name not in self.scope.fields:
            hint = _no_such_field(name.lower(), self.scope.fields)
            raise ExpressionError(f"there is no field `{shown(name)}`", hint, offset_of(node))
        value = self.scope.fields[name]
        if not self.scope.grouped or self._aggregate or name in self.scope.by:
            return value
        return functions.only(value)

    def constant(self, node: exp.Expression) -> Expression:
        """A number, a text, true, false or null."""
        if isinstance(node, exp.Null):
            return Expression(Kind.TEXT, exp.Null())
        if isinstance(node, exp.Boolean):
            return literal(bool(node.this))
        if node.is_string:
            return literal(str(node.this))
        text = str(node.this)
        return literal(int(text)) if text.isdigit() else literal(float(text))

    def negative(self, node: exp.Expression) -> Expression:
        """A minus sign before a number or an expression."""
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            text = str(node.this.this)
            return literal(-int(text)) if text.isdigit() else literal(-float(text))
        return functions.negate(self.numeric(node.this))

    def numeric(self, node: exp.Expression) -> Expression:
        """The expression of a node that must be a number."""
        value = self.convert(node)
        if value.is_null:
            return null(Kind.INTEGER)
        if value.kind not in (Kind.INTEGER, Kind.NUMBER):
            mend = "use add_days, add_months, days_between …" if value.kind is Kind.DATE else _declare(node)
            raise ExpressionError(f"{_named(node)} is {value.kind}, not a number", mend, offset_of(node))
        return value

    def arithmetic(self, node: exp.Expression) -> Expression:
        """+ - * /"""
        return _OPERATORS[type(node)](self.numeric(node.this), self.numeric(node.expression))

    def comparison(self, node: exp.Expression) -> Expression:
        """= <> < <= > >="""
        left, right = self.alike(node.this, node.expression)
        return _OPERATORS[type(node)](left, right)

    def alike(self, *nodes: exp.Expression) -> list[Expression]:
        """The expressions of nodes that are compared with one another."""
        values = [self.convert(n) for n in nodes]
        for node, value in zip(nodes[1:], values[1:], strict=True):
            _comparable(nodes[0], values[0], node, value)
        return values

    def connective(self, node: exp.Expression) -> Expression:
        """and, or"""
        return _OPERATORS[type(node)](*[self.condition(n) for n in node.flatten() if isinstance(n, exp.Expression)])

    def condition(self, node: exp.Expression) -> Expression:
        """The expression of a node that must be true, false or null."""
        value = self.convert(node)
        if value.kind is not Kind.BOOLEAN and not value.is_null:
            raise ExpressionError(
                f"{_named(node)} is {value.kind}, not a condition", "compare it with something", offset_of(node)
            )
        return value

    def negation(self, node: exp.Expression) -> Expression:
        """not"""
        return functions.negation(self.condition(node.this))

    def joined(self, node: exp.Expression) -> Expression:
        """||"""
        return functions.concat(self.convert(node.this), self.convert(node.expression))

    def missing(self, node: exp.Expression) -> Expression:
        """is null; `is not null` arrives as its negation."""
        if not isinstance(node.expression, exp.Null):
            raise ExpressionError("`is` is followed by null or not null", "compare with = true", offset_of(node))
        return functions.is_null(self.convert(node.this))

    def range(self, node: exp.Expression) -> Expression:
        """between … and …"""
        if {k for k, v in node.args.items() if v} != {"this", "low", "high"}:
            raise ExpressionError("`between` takes a lower and an upper end", "", offset_of(node))
        return functions.between(*self.alike(node.this, node.args["low"], node.args["high"]))

    def membership(self, node: exp.Expression) -> Expression:
        """in (…), a list of literals"""
        if {k for k, v in node.args.items() if v} != {"this", "expressions"} or not all(
            map(_is_literal, node.expressions)
        ):
            raise ExpressionError(
                "`in` takes a list of literals in parentheses", "such as in ('1', '2')", offset_of(node)
            )
        return functions.is_in(*self.alike(node.this, *node.expressions))

    def choice(self, node: exp.Expression) -> Expression:
        """case when … then … else … end, with or without a value after `case`"""
        given = [(self._arm(node.this, i.this), self.convert(i.args["true"])) for i in node.args["ifs"]]
        default = self.convert(node.args["default"]) if node.args.get("default") else Expression(Kind.TEXT, exp.Null())
        kind = unify([*(v for _, v in given), default], "case")
        ifs = [exp.If(this=c.node, true=widen(v, kind).node) for c, v in given]
        dates = [*(v for _, v in given), default] if kind is Kind.DATE else []
        precision = chosen(given, default, precision_node) if any(d.precision is not None for d in dates) else None
        time = chosen(given, default, time_node) if any(d.time is not None for d in dates) else None
        return Expression(kind, exp.Case(ifs=ifs, default=widen(default, kind).node), precision, time)

    def _arm(self, subject: exp.Expression | None, test: exp.Expression) -> Expression:
        if subject is None:
            return self.condition(test)
        return functions.equal(*self.alike(subject, test))

    def call(self, node: exp.Expression) -> Expression:
        """A catalogue function, a transform, date('…') or origin()"""
        name = str(node.this)
        if name in ("date", "origin"):
            return self._date(node) if name == "date" else self._origin(node)
        function = CATALOGUE.get(name)
        if function is not None and not function.internal:
            return self._aggregated(function, node) if function.aggregate else self._computed(function, node)
        if name not in self.scope.verbs:
            hint = HINTS.get(name.lower()) or nearest(name.lower(), self._callable())
            raise ExpressionError(f"there is no function `{shown(name)}`", hint, offset_of(node))
        options = {o.name: _option(o) for o in node.expressions if isinstance(o, exp.Kwarg)}
        return self.scope.verbs[name](*self._arguments(node, named=True), **options)

    def _computed(self, function: Function, node: exp.Expression) -> Expression:
        arguments = self._arguments(node)
        for given, wanted in zip(arguments, function.arguments, strict=False):
            fault = pattern_fault(str(given.constant)) if wanted is Slot.PATTERN else ""
            if fault:
                raise ExpressionError(f"`{function.name}` is given a faulty regular expression", fault, offset_of(node))
        return function(*arguments)

    def _callable(self) -> set[str]:
        return {n for n, f in CATALOGUE.items() if not f.internal} | set(self.scope.verbs) | {"date", "origin"}

    def _arguments(self, node: exp.Expression, named: bool = False) -> list[Expression]:
        values = [e for e in node.expressions if not isinstance(e, exp.Kwarg)]
        if not named and len(values) < len(node.expressions):
            raise ExpressionError(f"`{node.name}` has no named options", "", offset_of(node))
        return [self.convert(v) for v in values]

    def _aggregated(self, function: Function, node: exp.Expression) -> Expression:
        if not self.scope.grouped or self._aggregate:
            why = f"stands inside `{self._aggregate}`" if self._aggregate else "needs `group:` in its rule"
            raise ExpressionError(f"`{function.name}` {why}", "", offset_of(node))
        self._aggregate = function.name
        values = self._arguments(node)
        self._aggregate = ""
        if function.name not in ("first", "last"):
            return function(*values)
        if len(values) != 1 or not self.scope.order:
            raise ExpressionError(
                f"`{function.name}` takes one value, and needs `order:` in its rule", "", offset_of(node)
            )
        return function(*values, *self.scope.order)

    def _date(self, node: exp.Expression) -> Expression:
        arguments = node.expressions
        text = str(arguments[0].this) if len(arguments) == 1 and isinstance(arguments[0], exp.Literal) else ""
        try:
            if not _DATE.fullmatch(text):
                raise ValueError
            return literal(date.fromisoformat(text))
        except ValueError:
            raise ExpressionError("date() takes a day, such as date('2001-01-31')", "", offset_of(node)) from None

    def _origin(self, node: exp.Expression) -> Expression:
        if self.scope.origin is None or node.expressions:
            raise ExpressionError("origin() is the `origin:` of source.yaml, which has none here", "", offset_of(node))
        return literal(self.scope.origin)


_RULES: Mapping[type[exp.Expression], Callable[[_Compiler, exp.Expression], Expression]] = {
    exp.Column: _Compiler.field, exp.Literal: _Compiler.constant, exp.Null: _Compiler.constant, exp.Boolean: _Compiler.constant,
    exp.Neg: _Compiler.negative, exp.Paren: lambda c, n: c.convert(n.this), exp.Not: _Compiler.negation,
    exp.DPipe: _Compiler.joined, exp.Is: _Compiler.missing, exp.Between: _Compiler.range, exp.In: _Compiler.membership,
    exp.Case: _Compiler.choice, exp.Anonymous: _Compiler.call, exp.And: _Compiler.connective, exp.Or: _Compiler.connective,
    **dict.fromkeys(_ARITHMETIC, _Compiler.arithmetic),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), _Compiler.comparison),
}  # fmt: skip


def _no_such_field(name: str, known: Mapping[str, Expression]) -> str:
    """The mend for a field that is not there: a field of the same table, of the joined one, or the join itself."""
    owner, dot, _ = name.rpartition(".")
    joined = {field for field in known if dot and field.startswith(f"{owner}.")}
    if dot and not joined:
        return f"{NOT_JOINED}: under `joins:`, `- {{from: …, to: {owner}, by: …}}`"
    return nearest(name, joined or {field for field in known if "." not in field} or known)


def _comparable(left: exp.Expression, a: Expression, right: exp.Expression, b: Expression) -> None:
    """ExpressionError unless two values have kinds that can be compared; the mend names the field or the literal."""
    for node, value in ((left, a), (right, b)):
        if isinstance(node, exp.Null):
            raise ExpressionError("nothing equals null", "write `is null` or `is not null`", offset_of(left))
        del value
    if a.is_null or b.is_null or a.kind is b.kind or {a.kind, b.kind} == {Kind.INTEGER, Kind.NUMBER}:
        return
    message = f"{_named(left)} is {a.kind}, and {_named(right)} is {b.kind}"
    raise ExpressionError(message, _mend(left, a, right, b), offset_of(left))


def _mend(left: exp.Expression, a: Expression, right: exp.Expression, b: Expression) -> str:
    if b.kind is Kind.TEXT and a.kind is not Kind.TEXT:
        left, a, right, b = right, b, left, a
    if a.kind is Kind.TEXT and b.kind in (Kind.INTEGER, Kind.NUMBER):
        if isinstance(left, exp.Literal):
            return f"write {left.this} without quotes"
        quoted = f", or compare with '{right.this}'" if isinstance(right, exp.Literal) else ""
        return _declare(left) + quoted
    if Kind.DATE in (a.kind, b.kind):
        return (
            "write a day as date('2001-01-31')"
            if isinstance(left, exp.Literal)
            else f"declare {_named(left)} as date in source.yaml"
        )
    return ""


def _declare(node: exp.Expression) -> str:
    if isinstance(node, exp.Column):
        return f"declare `{_written(node)}` as integer or number in source.yaml"
    return "use to_integer(…) or to_number(…)"


def _written(node: exp.Expression) -> str:
    """A field as the mapping writes it: `field`, or `table.field` of a joined table."""
    return ".".join(part.name for part in node.parts) if isinstance(node, exp.Column) else node.name


def _named(node: exp.Expression) -> str:
    if isinstance(node, exp.Column):
        return f"`{shown(_written(node))}`"
    if isinstance(node, exp.Anonymous):
        return f"`{shown(node.name)}`(…)"
    if isinstance(node, exp.Literal):
        return f"'{shown(node.name)}'" if node.is_string else f"`{shown(node.name)}`"
    return "this"


def _title(node: exp.Expression) -> str:
    return {exp.Star: "`*`", exp.Tuple: "a list", exp.Kwarg: "`=>` here"}.get(type(node), f"`{type(node).__name__}`")


def _is_literal(node: exp.Expression) -> bool:
    if isinstance(node, exp.Neg):
        node = node.this
    return isinstance(node, exp.Literal) or (isinstance(node, exp.Anonymous) and node.name == "date")


def _option(node: exp.Kwarg) -> Value:
    value = node.expression
    if isinstance(value, exp.Boolean):
        return bool(value.this)
    negative = isinstance(value, exp.Neg)
    if negative:
        value = value.this
    if not isinstance(value, exp.Literal) or (negative and value.is_string):
        raise ExpressionError(f"the option `{node.name}` takes a literal", "", offset_of(node))
    if value.is_string:
        return str(value.this)
    number = int(value.this) if str(value.this).isdigit() else float(value.this)
    return -number if negative else number

"""Units: the SELECT with one row for each row or group that a branch reads: its key, its slots, the codes to look up.

Columns: unit, person, file, line (and files, lines, rows of a group); passing, the verdict on a row before any grouping;
fault, what does not parse or differs; each slot (`start`, `start#` its precision, `start~` its time, `start@` its text); `code:<field>` and
`code@<field>`; `event:<key>`, the event id of a fact referred to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.bound import BoundRule, Branch, Looked, Reference, Slot
from oncoweave.compiler.conversion import CONVERTED
from oncoweave.compiler.sql import (
    Node,
    all_of,
    any_of,
    call,
    case,
    cast,
    coalesce,
    col,
    equals,
    is_not_null,
    is_not_true,
    is_null,
    named,
    negate,
    null,
    number,
    subquery,
    table,
    text,
)  # fmt: skip
from oncoweave.compiler.staging import NOT_MAPPED, is_typed, stage_name, unparsed
from oncoweave.engine import functions
from oncoweave.engine.expressions import Expression, Kind
from oncoweave.engine.functions import CATALOGUE
from oncoweave.engine.signatures import precision_node
from oncoweave.spec.mapping import Imputation
from oncoweave.spec.source import Source

NOT_A = {"integer": "not a whole number", "number": "not a number", "date": "not a date"}


UNCONVERTED = "value!"
"""The column of a value as it was before its unit was converted."""


def unit_of(rule: BoundRule) -> str:
    """The staged column that holds the key of what the rule makes one fact of."""
    return group_key(rule).column if rule.grouped else "_row"


def group_key(rule: BoundRule) -> keys.UnitKey:
    """The key of the groups of a rule."""
    return keys.UnitKey(rule.table, tuple(rule.spec.group), tuple(rule.spec.group), rule.partial)


def key_referred_to(reference: Reference) -> keys.UnitKey:
    """The key of the unit that a reference leads to."""
    return keys.UnitKey(reference.table, reference.fields or (), reference.by or (), reference.partial)


def unit_referred_to(rule: BoundRule, reference: Reference, source: Source) -> str:
    """The staged column of the rule's table that holds the unit key of the fact it refers to; `_row` is the row's own."""
    own_row = reference.table == rule.table and not rule.grouped and reference.by in (None, reference.fields)
    if own_row and not reference.partial and reference.fields == (source.tables[rule.table].row.fields or None):
        return "_row"
    return key_referred_to(reference).column


def passing(rule: BoundRule, source: Source) -> list[tuple[Node, Node]]:
    """Which rows a rule does not read further, before any grouping: condition and verdict, in order."""
    unusable = is_not_null(col("_state", "s"))
    if rule.fact == "person":  # which says itself why someone is no person
        unusable = all_of([unusable, exp.NEQ(this=col("_state", "s"), expression=text(NOT_MAPPED))])
    found: list[tuple[Node, Node]] = [(unusable, call("concat", text("quarantined: "), col("_state", "s")))]
    if rule.grouped:
        nothing = "excluded: empty" if rule.of_nobody else "quarantined: key missing"
        found.append((is_null(col(unit_of(rule), "s")), text(nothing)))
    if rule.where is None:
        return found
    because = str(rule.spec.because)
    found += _unparsed_fields(rule.where, rule, source, prefix="quarantined: ")
    where = rule.where.expression.node
    return [
        *found,
        (is_null(where.copy()), text(f"excluded: {because} (unknown)")),
        (negate(where.copy()), text(f"excluded: {because}")),
    ]


def passes(rule: BoundRule, source: Source) -> Node:
    """Whether a rule reads a row further: no verdict of `passing` applies. As one condition it is quick to see."""
    verdicts = [condition for condition, _ in passing(rule, source)]
    if rule.where is None:
        return all_of(is_not_true(condition) for condition in verdicts)
    *others, _unknown, _not = verdicts
    return all_of([*map(is_not_true, others), rule.where.expression.node.copy()])


def _unparsed_fields(slot: Slot, rule: BoundRule, source: Source, prefix: str = "") -> list[tuple[Node, Node]]:
    fields = source.tables[rule.table].fields
    typed = [f for f in sorted(slot.fields) if f in fields and is_typed(fields[f])]
    return [(unparsed(f), text(f"{prefix}{f}: {NOT_A[fields[f].type]}")) for f in typed]


@dataclass(frozen=True)
class UnitBuilder:
    """Builds the unit select of one branch of a rule."""

    source: Source
    rule: BoundRule
    branch: Branch
    imputation: Imputation

    def build(self) -> exp.Select:
        """The select; see the module for its columns."""
        columns = {
            "unit": col(unit_of(self.rule), "s"),
            "person": self._over_group(col("_person", "s")),
            "file": self._over_group(col("_file", "s")),
            "line": _first(self._in_group("_line")) if self.rule.grouped else col("_line", "s"),
            **self._group_columns(),
            "fault": self._fault(),
            **self._slot_columns(),
            **self._code_columns(),
            **self._reference_columns(),
            **self._own_number(),
        }
        stage = table(stage_name(self.rule.table), "s")
        if not self.rule.grouped:
            return exp.select(*(named(node, name) for name, node in columns.items())).from_(stage)
        aggregates, outer = _split_aggregates(columns)
        inner = exp.select(named(col(unit_of(self.rule), "s"), "unit"), *aggregates).from_(stage)
        inner = inner.where(is_null(case(passing(self.rule, self.source), null("VARCHAR"))))
        inner = inner.group_by(col(unit_of(self.rule), "s"))
        outer["unit"] = col("unit", "g")
        return exp.select(*(named(node, name) for name, node in outer.items())).from_(subquery(inner, "g"))

    def _group_columns(self) -> dict[str, Node]:
        if not self.rule.grouped:
            return {"passing": case(passing(self.rule, self.source), null("VARCHAR"))}
        files, lines = self._in_group("_file"), self._in_group("_line")
        return {"rows": call("count", exp.Star()), "files": files, "lines": lines}

    def _in_group(self, name: str) -> Node:
        """A column of all rows of the group, in the order of the delivery."""
        order = [exp.Ordered(this=col(n, "s")) for n in ("_file", "_line")]
        return exp.ArrayAgg(this=exp.Order(this=col(name, "s"), expressions=order))

    def _over_group(self, node: Node) -> Node:
        return call("min", node) if self.rule.grouped else node

    def _all_slots(self) -> list[Slot]:
        looked = [c.code for c in [self.branch.concept, *self.branch.choices.values()] if isinstance(c, Looked)]
        return [*self.branch.slots.values(), *looked]

    def _fault(self) -> Node:
        """The first field whose text does not parse, or that differs within the group."""
        faults = {str(r): (c, r) for s in self._all_slots() for c, r in _unparsed_fields(s, self.rule, self.source)}
        reason = case(list(faults.values()), null("VARCHAR"))
        if not self.rule.grouped:
            return reason
        only = sorted({f for s in self._all_slots() for f in s.only})
        differing = [(self._differs(f), text(f"{f}: differs within the group")) for f in only]
        people = col("_person", "s")
        apart = (
            exp.NEQ(this=call("min", people), expression=call("max", people.copy())),
            text("person: differs within the group"),
        )
        unlike = differing if self.rule.of_nobody else [apart, *differing]
        return coalesce(call("min", reason), case(unlike, null("VARCHAR")))

    def _differs(self, field: str) -> Node:
        value = call("trim", col(field, "s"))
        some = exp.LT(this=call("count", value.copy()), expression=call("count", exp.Star()))
        none = exp.GT(this=call("count", value.copy()), expression=number(0))
        unlike = exp.NEQ(this=call("min", value), expression=call("max", value.copy()))
        return any_of([unlike, all_of([some, none])])

    def _slot_columns(self) -> dict[str, Node]:
        """Each slot's value; dates imputed, with precision; the text of fields that a slot simply is."""
        found: dict[str, Node] = {}
        for name, slot in dated(self.branch).items():
            found[name] = self._imputed(name, slot.expression)
            found[f"{name}#"] = precision_node(slot.expression)
            found |= {f"{name}~": slot.expression.time} if slot.expression.time is not None else {}
            found |= {f"{name}@": self._over_group(col(slot.raw, "s"))} if slot.raw else {}
        found |= self._in_order()
        for name, slot in self.branch.slots.items():
            if name in ("start", "date", "end") or name.startswith("birth_"):
                continue
            found[name] = slot.expression.node
            if name == "value" and slot.expression.precision is not None:
                found["value#"] = slot.expression.precision
            found |= {f"{name}@": self._over_group(col(slot.raw, "s"))} if slot.raw else {}
        return found | self._converted()

    def _converted(self) -> dict[str, Node]:
        """Value and range in one unit, and the value as it was: `value!`."""
        conversion = self.branch.conversion
        if conversion is None:
            return {}
        unit = self.branch.choices["unit"]
        code = _code(unit) if isinstance(unit, Looked) else text(unit.code)
        found = {UNCONVERTED: self.branch.slots["value"].expression.node}
        for name in (n for n in CONVERTED if n in self.branch.slots):
            cases = [(equals(code.copy(), text(u)), made[name].node) for u, made in conversion.units.items()]
            found[name] = case(cases, cast(self.branch.slots[name].expression.node.copy(), "DOUBLE"))
        return found

    def _imputed(self, name: str, date: Expression) -> Node:
        """The day that stands for a partial date, by the mapping's imputation table; births stay at the first day."""
        if date.precision is None or self.rule.fact == "person":
            return date.node
        policy = self.imputation.death if self.rule.fact == "death" else getattr(self.imputation, name)
        return imputed(date, policy)

    def _in_order(self) -> dict[str, Node]:
        """Start and end of which one is partial: the days that stand for them keep their order where the periods allow it."""
        slots = dated(self.branch)
        if not {"start", "end"} <= set(slots):
            return {}
        start, end = slots["start"].expression, slots["end"].expression
        first, last = self._imputed("start", start), self._imputed("end", end)
        if end.precision is not None and self.imputation.end != "last":
            early = exp.LT(this=last.copy(), expression=start.node.copy())
            last = case([(early, call("least", imputed(end, "last"), start.node.copy()))], last)
        if start.precision is not None:
            late = exp.GT(this=first.copy(), expression=last.copy())
            first = case([(late, call("greatest", start.node.copy(), last.copy()))], first)
        return {"start": first, "end": last}

    def _code_columns(self) -> dict[str, Node]:
        return (
            {f"code:{name}": _code(choice) for name, choice in looked(self.branch).items()}
            | {
                f"code@{name}": self._over_group(col(choice.code.raw, "s"))
                for name, choice in looked(self.branch).items()
                if choice.code.raw
            }
            | self._part_columns()
        )

    def _part_columns(self) -> dict[str, Node]:
        concept = self.branch.concept
        if not isinstance(concept, Looked) or not concept.parts:
            return {}
        return {"parts": any_of([is_not_null(p.node.copy()) for p in concept.parts])}

    def _reference_columns(self) -> dict[str, Node]:
        """The event id of each fact that the rule refers to, whether or not that fact was mapped."""
        found = {}
        for key, reference in self.rule.references.items():
            if reference.by_date:
                continue
            unit = unit_referred_to(self.rule, reference, self.source)
            node = keys.xor(self._over_group(col(unit, "s")), keys.event_salt(reference.rule, None))
            found[f"event:{key}"] = node
        return found

    def _own_number(self) -> dict[str, Node]:
        """The pseudonym of a specimen's own number: the keyed hash of its field, as text."""
        reference = numbered(self.rule)
        if reference is None:
            return {}
        unit = self._over_group(col(unit_referred_to(self.rule, reference, self.source), "s"))
        return {"own_number": call("to_text", unit)}


def numbered(rule: BoundRule) -> Reference | None:
    """The keyed hash that stands for the own number of what a rule tells, where it has one."""
    name = getattr(rule.spec, "source_id", None)
    return Reference(rule.name, rule.table, (name,), (name,)) if name else None


def _code(choice: Looked) -> Node:
    """The text of a code that is looked up."""
    code = choice.code.expression
    return functions.trim(functions.to_text(code)).node if code.kind is Kind.INTEGER else code.node


def value_before(branch: Branch) -> str:
    """The column that holds the value as the source has it, before any conversion."""
    return UNCONVERTED if branch.conversion else "value"


def dated(branch: Branch) -> dict[str, Slot]:
    """The date slots under the names that events use: start and end."""
    slots = branch.slots
    start = slots.get("start") or slots.get("date")
    found = {"start": start} if start else {}
    found |= {"end": slots["end"]} if "end" in slots else {}
    if any(n.startswith("birth_") for n in slots):
        found["start"] = _birth(branch)
    return found


def _birth(branch: Branch) -> Slot:
    slots = branch.slots
    if "birth_date" in slots:
        return slots["birth_date"]
    parts = [slots[n].expression if n in slots else None for n in ("birth_year", "birth_month", "birth_day")]
    year, month, day = parts
    first = functions.make_date(*(functions.coalesce(p, 1) if p else 1 for p in parts))
    known_month = is_not_null(month.node.copy()) if month else exp.false()
    known_day = all_of([known_month, is_not_null(day.node.copy())]) if day else exp.false()
    precision = case([(known_day, text("day")), (known_month.copy(), text("month"))], text("year"))
    node = case([(is_not_null(year.node.copy()), first.node)], null("DATE")) if year else first.node
    fields = frozenset().union(*(s.fields for n, s in slots.items() if n.startswith("birth_")))
    return Slot("birth", Expression(Kind.DATE, node, precision), fields)


def looked(branch: Branch) -> dict[str, Looked]:
    """The concepts of a branch that are looked up, by field; the main one is `concept`."""
    choices = {"concept": branch.concept, **branch.choices}
    return {n: c for n, c in choices.items() if isinstance(c, Looked)}


def _split_aggregates(columns: Mapping[str, Node]) -> tuple[list[exp.Alias], dict[str, Node]]:
    """The aggregates of some columns, each under a name of its own, and the columns over those names.

    The group is computed once, and everything else over its result: DuckDB allows no aggregate inside TRY.
    """
    found: dict[str, exp.Alias] = {}

    def lifted(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.ArrayAgg) and not _is_aggregate(node):
            return node
        name = found.setdefault(str(node), named(node.copy(), f"a{len(found)}")).alias
        return col(name, "g")

    outer = {name: node.copy().transform(lifted) for name, node in columns.items()}
    return list(found.values()), outer


def _first(values: Node) -> Node:
    return call("list_extract", values, number(1))


def _is_aggregate(node: exp.Expression) -> bool:
    function = CATALOGUE.get(str(node.this)) if isinstance(node, exp.Anonymous) else None
    return function is not None and function.aggregate


def imputed(date: Expression, policy: str) -> Node:
    """The first, middle or last day of the period that a partial date is known to."""
    if date.precision is None or policy == "first":
        return date.node
    first = Expression(Kind.DATE, date.node)
    if policy == "middle":  # the 15th of a month, 1 July of a year
        in_month, in_year = functions.add_days(first, 14).node, _later(first, months=6, days=0)
    else:
        in_month, in_year = _later(first, months=1, days=-1), _later(first, months=12, days=-1)
    known = [
        (equals(date.precision.copy(), text("month")), in_month),
        (equals(date.precision.copy(), text("year")), in_year),
    ]
    return case(known, date.node.copy())


def _later(first: Expression, *, months: int, days: int) -> Node:
    """So many months after the first day of a period, then so many days."""
    moved = Expression(Kind.DATE, functions.add_months(first, months).node)
    return functions.add_days(moved, days).node if days else moved.node

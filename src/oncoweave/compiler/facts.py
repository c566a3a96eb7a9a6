"""Facts: the SELECTs of one branch of a rule, from staged rows to events.

Two levels. The *unit* select has one row for each row or group that the rule reads: its key, its slots, the codes to
look up. The *fact* select joins the lookups and the facts it refers to (always left joins: no row is ever lost),
and says of each what becomes of it: `verdict` is NULL for a fact, else "quarantined: …" or "excluded: …".
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.bound import BoundRule, Branch, Choice, Fixed, Looked, Slot
from oncoweave.compiler.event_values import EventValues
from oncoweave.compiler.sql import (
    Node, all_of, any_of, call, case, cast, coalesce, col, equals, is_not_null, is_null, left_join, named, negate, null, number,
    subquery, table, text,
)  # fmt: skip
from oncoweave.compiler.staging import is_typed, stage_name, unparsed
from oncoweave.engine import functions
from oncoweave.engine.expressions import Expression, Kind
from oncoweave.engine.signatures import precision_node
from oncoweave.events import COLUMNS
from oncoweave.omop.routing import ROUTED_FACTS, TABLE_OF_FACT, table_of
from oncoweave.spec.mapping import Imputation
from oncoweave.spec.source import Source

NOT_A = {"integer": "not a whole number", "number": "not a number", "date": "not a date"}


@dataclass(frozen=True)
class FactSelect:
    """The SELECTs of one branch. `targets` are the CDM tables it may fill; None stands for any."""

    column: str | None
    unit: exp.Select
    fact: exp.Select
    events: exp.Select
    ledger: exp.Select
    quarantine: exp.Select
    targets: frozenset[str] | None


def events_view(rule: str) -> str:
    """The view on the events of a rule that has been run."""
    return f"events_{rule}"


def unit_of(rule: BoundRule) -> str:
    """The staged column that holds the key of what the rule makes one fact of."""
    return keys.unit_column(rule.table, rule.spec.group) if rule.grouped else "_row"


def passing(rule: BoundRule, source: Source) -> list[tuple[Node, Node]]:
    """Which rows a rule does not read further, before any grouping: condition and verdict, in order."""
    found: list[tuple[Node, Node]] = [
        (is_not_null(col("_state", "s")), call("concat", text("quarantined: "), col("_state", "s")))
    ]
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


def _unparsed_fields(slot: Slot, rule: BoundRule, source: Source, prefix: str = "") -> list[tuple[Node, Node]]:
    fields = source.tables[rule.table].fields
    typed = [f for f in sorted(slot.fields) if f in fields and is_typed(fields[f])]
    return [(unparsed(f), text(f"{prefix}{f}: {NOT_A[fields[f].type]}")) for f in typed]


@dataclass(frozen=True)
class FactBuilder:
    """Builds the selects of one branch of a rule."""

    source: Source
    rule: BoundRule
    branch: Branch
    imputation: Imputation

    def build(self) -> FactSelect:
        """All selects of the branch."""
        unit = self._unit_select()
        fact = self._fact_select(unit)
        return FactSelect(
            self.branch.column,
            unit,
            fact,
            self._events(fact),
            self._ledger(fact),
            self._quarantine(fact),
            self._targets(),
        )

    # Unit: one row for each row or group

    def _unit_select(self) -> exp.Select:
        columns = {
            "unit": col(unit_of(self.rule), "s"),
            "person": self._over_group(col("_person", "s")),
            "file": self._over_group(col("_file", "s")),
            "line": self._over_group(col("_line", "s")),
            **self._group_columns(),
            "fault": self._fault(),
            **self._slot_columns(),
            **self._code_columns(),
            **self._reference_columns(),
        }
        select = exp.select(*(named(node, name) for name, node in columns.items())).from_(
            table(stage_name(self.rule.table), "s")
        )
        if not self.rule.grouped:
            return select
        rest = [is_null(case(passing(self.rule, self.source), null("VARCHAR")))]
        return select.where(all_of(rest)).group_by(col(unit_of(self.rule), "s"))

    def _group_columns(self) -> dict[str, Node]:
        if not self.rule.grouped:
            return {"passing": case(passing(self.rule, self.source), null("VARCHAR"))}
        lines = exp.ArrayAgg(this=exp.Order(this=col("_line", "s"), expressions=[exp.Ordered(this=col("_line", "s"))]))
        return {"rows": call("count", exp.Star()), "lines": lines}

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
        return coalesce(call("min", reason), case([apart, *differing], null("VARCHAR")))

    def _differs(self, field: str) -> Node:
        value = call("trim", col(field, "s"))
        some = exp.LT(this=call("count", value.copy()), expression=call("count", exp.Star()))
        none = exp.GT(this=call("count", value.copy()), expression=number(0))
        unlike = exp.NEQ(this=call("min", value), expression=call("max", value.copy()))
        return any_of([unlike, all_of([some, none])])

    def _slot_columns(self) -> dict[str, Node]:
        """Each slot's value; dates imputed, with precision; the text of fields that a slot simply is."""
        found: dict[str, Node] = {}
        for name, slot in self._dated().items():
            found[name] = self._imputed(name, slot.expression)
            found[f"{name}#"] = precision_node(slot.expression)
            found |= {f"{name}@": self._over_group(col(slot.raw, "s"))} if slot.raw else {}
        for name, slot in self.branch.slots.items():
            if slot.expression.kind is Kind.DATE and name != "value" or name.startswith("birth_"):
                continue
            found[name] = slot.expression.node
            found |= {f"{name}@": self._over_group(col(slot.raw, "s"))} if slot.raw else {}
        return found

    def _dated(self) -> dict[str, Slot]:
        """The date slots under the names that events use: start and end."""
        slots = self.branch.slots
        found = {"start": slots[n] for n in ("start", "date") if n in slots}
        found |= {"end": slots["end"]} if "end" in slots else {}
        if any(n.startswith("birth_") for n in slots):
            found["start"] = self._birth()
        return found

    def _birth(self) -> Slot:
        slots = self.branch.slots
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

    def _imputed(self, name: str, date: Expression) -> Node:
        """The day that stands for a partial date, by the mapping's imputation table; births stay at the first day."""
        if date.precision is None or self.rule.fact == "person":
            return date.node
        policy = self.imputation.death if self.rule.fact == "death" else getattr(self.imputation, name)
        return imputed(date, policy)

    def _code_columns(self) -> dict[str, Node]:
        return (
            {
                f"code:{name}": functions.trim(functions.to_text(choice.code.expression)).node
                if choice.code.expression.kind is Kind.INTEGER
                else choice.code.expression.node
                for name, choice in self._looked().items()
            }
            | {
                f"code@{name}": self._over_group(col(choice.code.raw, "s"))
                for name, choice in self._looked().items()
                if choice.code.raw
            }
            | self._part_columns()
        )

    def _part_columns(self) -> dict[str, Node]:
        concept = self.branch.concept
        if not isinstance(concept, Looked) or not concept.parts:
            return {}
        return {"parts": any_of([is_not_null(p.node.copy()) for p in concept.parts])}

    def _looked(self) -> dict[str, Looked]:
        choices: dict[str, Choice | None] = {"concept": self.branch.concept, **self.branch.choices}
        return {n: c for n, c in choices.items() if isinstance(c, Looked)}

    def _reference_columns(self) -> dict[str, Node]:
        """The event id of each fact that the rule refers to, whether or not that fact was mapped."""
        found = {}
        for key, reference in self.rule.references.items():
            own = reference.table == self.rule.table and not self.rule.grouped
            row = own and reference.fields == (self.source.tables[self.rule.table].row.fields or None)
            unit = "_row" if row else keys.unit_column(reference.table, reference.fields or ())
            node = keys.xor(self._over_group(col(unit, "s")), keys.event_salt(reference.rule, None))
            found[f"event:{key}"] = node
        return found

    # Fact: lookups, references and the verdict

    def _fact_select(self, unit: exp.Select) -> exp.Select:
        star = exp.Column(this=exp.Star(), table=exp.to_identifier("u", quoted=True))
        select = exp.select(star).from_(subquery(unit, "u"))
        for name, looked in self._looked().items():
            alias = f"k:{name}"
            on = [equals(col("code", alias), col(f"code:{name}", "u"))]
            on += [equals(col("ordinal", alias), number(0))] if name != "concept" else []
            select = left_join(select, table(looked.lookup, alias), all_of(on))
            select = select.select(*self._lookup_columns(name, alias), copy=False)
        for key, reference in self.rule.references.items():
            alias = f"r:{key}"
            parent = exp.select(col("event_id"), col("target")).from_(table(events_view(reference.rule), "e"))
            parent = parent.where(equals(col("ordinal", "e"), number(0)))
            select = left_join(
                select, subquery(parent, alias), equals(col("event_id", alias), col(f"event:{key}", "u"))
            )
            select = select.select(named(col("target", alias), f"target:{key}"), copy=False)
        return exp.select(exp.Star(), named(self._verdict(), "verdict")).from_(subquery(select, "f"))

    def _lookup_columns(self, name: str, alias: str) -> list[Node]:
        wanted = ["ignored", "any_concept_id"]
        if name == "concept":
            wanted = [
                "ignored", "ordinal", "concept_id", "any_concept_id", "source_concept_id", "target", "value_concept_id", "unit_concept_id",
                "operator_concept_id", "salt",
            ]  # fmt: skip
        return [named(col(w, alias), f"{w}:{name}") for w in wanted]

    def _verdict(self) -> Node:
        """What becomes of the unit, the first that applies; NULL: it is a fact."""
        held = [
            *self._emptiness(),
            (is_not_null(col("fault")), call("concat", text("quarantined: "), col("fault"))),
            *self._missing(),
            *self._implausible(),
            *self._lookups(),
            *self._unreferenced(),
        ]
        if not self.rule.grouped:
            held.insert(0, (is_not_null(col("passing")), col("passing")))
        return case(held, null("VARCHAR"))

    def _emptiness(self) -> list[tuple[Node, Node]]:
        """A cell, code or value that the source leaves empty tells nothing: excluded."""
        slots = self.branch.slots
        nodes = []
        if "cell" in slots:
            nodes.append(self._no_text("cell"))
        elif self.rule.fact in ("measurement", "observation") and "value" in slots and slots["value"].fields:
            nodes.append(self._no_text("value"))
        concept = self.branch.concept
        if isinstance(concept, Looked) and self.rule.fact != "person":
            none = negate(col("parts")) if concept.parts else is_null(col("code:concept"))
            nodes.append(all_of([none, is_null(col("fault"))]))
        return [(any_of(nodes), text("excluded: empty"))] if nodes else []

    def _no_text(self, name: str) -> Node:
        """Whether a slot has no value because its text is empty, not because it does not parse."""
        raw = self.branch.slots[name].raw
        return is_null(col(f"{name}@")) if raw else all_of([is_null(col(name)), is_null(col("fault"))])

    def _missing(self) -> list[tuple[Node, Node]]:
        found = []
        for name, slot in self._dated().items():
            required = name == "start" or self.rule.fact == "observation_period"
            if required:
                found.append((is_null(col(name)), text(f"quarantined: {slot.name}: missing")))
        concept = self.branch.concept
        if isinstance(concept, Looked) and concept.parts:
            found.append((is_null(col("code:concept")), text("quarantined: code: a part is missing")))
        return found

    def _implausible(self) -> list[tuple[Node, Node]]:
        found = []
        if self.branch.between and self.branch.slots.get("value"):
            low, high = self.branch.between
            outside = negate(exp.Between(this=col("value"), low=number(low), high=number(high)))
            what = self.branch.column or "value"
            found.append((outside, text(f"quarantined: {what}: out of range")))
        if {"start", "end"} <= set(self._dated()):
            before = exp.LT(this=col("end"), expression=col("start"))
            found.append((before, text("quarantined: end: before the start")))
        return found

    def _lookups(self) -> list[tuple[Node, Node]]:
        if "concept" not in self._looked() or self.rule.fact == "person":
            return []
        return [(col("ignored:concept"), text("excluded: ignored code"))]

    def _unreferenced(self) -> list[tuple[Node, Node]]:
        return [
            (is_null(col(f"target:{key}")), text(f"quarantined: {reference.rule} not mapped"))
            for key, reference in self.rule.references.items()
        ]

    # Outputs

    def _events(self, fact: exp.Select) -> exp.Select:
        values = EventValues(self.source, self.rule, self.branch).columns()
        nodes = [named(cast(values.get(c.name, exp.Null()), c.type), c.name) for c in COLUMNS]
        return exp.select(*nodes).from_(subquery(fact, "f")).where(is_null(col("verdict")))

    def _ledger(self, fact: exp.Select) -> exp.Select:
        """verdict, rows, events, unmapped."""
        rows: Node = col("rows") if self.rule.grouped else number(1)
        first: Node = exp.true()
        unmapped: Node = exp.false()
        concept = self.branch.concept
        if isinstance(concept, Looked):
            first = equals(coalesce(col("ordinal:concept"), number(0)), number(0))
            unmapped = equals(coalesce(col("concept_id:concept"), number(0)), number(0))
        mapped = is_null(col("verdict"))
        return (
            exp.select(
                named(text(self.branch.column or ""), "column"),
                col("verdict"),
                named(cast(call("sum", case([(first, rows)], number(0))), "BIGINT"), "rows"),
                named(call("count_if", mapped.copy()), "events"),
                named(call("count_if", all_of([mapped, unmapped])), "unmapped"),
            )
            .from_(subquery(fact, "f"))
            .group_by(col("verdict"))
        )

    def _quarantine(self, fact: exp.Select) -> exp.Select:
        """file, line, rule, column, reason of every row held back."""
        lines: Node = call("unnest", col("lines")) if self.rule.grouped else col("line")
        return (
            exp.select(
                named(col("file"), "file"),
                named(lines, "line"),
                named(text(self.rule.name), "rule"),
                named(text(self.branch.column) if self.branch.column else null("VARCHAR"), "column"),
                named(call("replace", col("verdict"), text("quarantined: "), text("")), "reason"),
            )
            .from_(subquery(fact, "f"))
            .where(call("starts_with", col("verdict"), text("quarantined: ")))
        )

    def _targets(self) -> frozenset[str] | None:
        concept = self.branch.concept
        if self.rule.fact not in ROUTED_FACTS:
            return frozenset({TABLE_OF_FACT[self.rule.fact]})
        return frozenset({table_of(concept.domain)}) if isinstance(concept, Fixed) else None


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

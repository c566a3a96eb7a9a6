"""Facts: the SELECTs of one branch of a rule, from its units to events.

The *fact* select joins the lookups and the facts it refers to (always left joins: no row is ever lost), and says of
each unit what becomes of it: `verdict` is NULL for a fact, else "quarantined: …" or "excluded: …".
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from oncoweave.compiler.bound import BoundRule, Branch, Fixed, Looked
from oncoweave.compiler.event_values import EventValues
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
    is_null,
    left_join,
    named,
    negate,
    null,
    number,
    subquery,
    table,
    text,
)  # fmt: skip
from oncoweave.compiler.units import UnitBuilder, dated, looked
from oncoweave.events import COLUMNS
from oncoweave.omop.routing import ROUTED_FACTS, TABLE_OF_FACT, table_of
from oncoweave.spec.mapping import Imputation
from oncoweave.spec.source import Source


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


@dataclass(frozen=True)
class FactBuilder:
    """Builds the selects of one branch of a rule."""

    source: Source
    rule: BoundRule
    branch: Branch
    imputation: Imputation

    def build(self) -> FactSelect:
        """All selects of the branch."""
        unit = UnitBuilder(self.source, self.rule, self.branch, self.imputation).build()
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

    # Fact: lookups, references and the verdict

    def _fact_select(self, unit: exp.Select) -> exp.Select:
        star = exp.Column(this=exp.Star(), table=exp.to_identifier("u", quoted=True))
        select = exp.select(star).from_(subquery(unit, "u"))
        for name, choice in looked(self.branch).items():
            alias = f"k:{name}"
            on = [equals(col("code", alias), col(f"code:{name}", "u"))]
            on += [equals(col("ordinal", alias), number(0))] if name != "concept" else []
            select = left_join(select, table(choice.lookup, alias), all_of(on))
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
        found: list[tuple[Node, Node]] = []
        for name, slot in dated(self.branch).items():
            required = name == "start" or self.rule.fact == "observation_period"
            if required:
                found.append((is_null(col(name)), text(f"quarantined: {slot.name}: missing")))
        concept = self.branch.concept
        if isinstance(concept, Looked) and concept.parts:
            found.append((is_null(col("code:concept")), text("quarantined: code: a part is missing")))
        return found

    def _implausible(self) -> list[tuple[Node, Node]]:
        found: list[tuple[Node, Node]] = []
        if self.branch.between and self.branch.slots.get("value"):
            low, high = self.branch.between
            outside = negate(exp.Between(this=col("value"), low=number(low), high=number(high)))
            what = self.branch.column or "value"
            found.append((outside, text(f"quarantined: {what}: out of range")))
        if {"start", "end"} <= set(dated(self.branch)):
            before = exp.LT(this=col("end"), expression=col("start"))
            found.append((before, text("quarantined: end: before the start")))
        return found

    def _lookups(self) -> list[tuple[Node, Node]]:
        if "concept" not in looked(self.branch) or self.rule.fact == "person":
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

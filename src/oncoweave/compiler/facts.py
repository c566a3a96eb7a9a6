"""Facts: the SELECTs of one branch of a rule, from its units to events.

The *fact* select joins the lookups and the facts it refers to (always left joins: no row is ever lost). Of each unit it is
said what becomes of it: `verdict` is NULL for a fact, else "quarantined: …" or "excluded: …".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.bound import SOURCED, BoundRule, Branch, Looked, Reference
from oncoweave.compiler.event_values import EventValues
from oncoweave.compiler.related_facts import same_fact, unnamed_fact
from oncoweave.compiler.sql import (
    Node,
    all_of,
    any_of,
    call,
    case,
    cast,
    col,
    equals,
    is_not_null,
    is_not_true,
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
from oncoweave.compiler.units import UnitBuilder, dated, looked, passes, value_before
from oncoweave.engine import functions
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.expressions import Expression, Kind
from oncoweave.events import COLUMNS, TYPES
from oncoweave.omop.routing import HEALTH_SYSTEM_FACTS, ROUTED_FACTS
from oncoweave.spec.mapping import Imputation
from oncoweave.spec.relationship import FactLink
from oncoweave.spec.source import Source


@dataclass(frozen=True)
class FactSelect:
    """The SELECTs of one branch.

    `events` gives the event columns that vary, `derived` the SQL of those that follow from them, `constants` the
    others; `held` the units that are no fact, with their verdict. `looked` says that the concept is looked up, so
    that a unit may make several events.
    """

    column: str | None
    unit: exp.Select
    events: exp.Select
    constants: Mapping[str, str | int | None]
    derived: Mapping[str, str]
    held: exp.Select
    looked: bool

    @cached_property
    def events_sql(self) -> str:
        """`events` as text, for the plan's hash and for the engine."""
        return to_duckdb(self.events)


def events_view(rule: str) -> str:
    """The view on the events of a rule that has been run."""
    return f"events_{rule}"


def days_table(rule: str) -> str:
    """The temporary table of a rule's visits by day: person_id, first day, and the visit from then on (or none)."""
    return f"days:{rule}"


def held_table(rule: str, column: str | None = None) -> str:
    """The temporary table of the units of a branch that are no fact: unit, file, line, verdict, and rows, files and lines of a group."""
    return f"held:{rule}:{column or ''}"


ACTIVITY = "activity"
"""Temporary table of the last day that any fact of a person starts on: person_id, last_day; made before deaths are mapped."""

DEAD = "dead"
"""Temporary table of the persons of whom a rule has told a death: person_id; made before deaths are mapped."""

AFTER_DEATH = 60
"""Days after which facts belie a death: the death is held back, the facts stay (OMOP CDM, death_date; Themis)."""

WHOLE = ("quantity", "days_supply", "refills", "number")
"""Slots that the CDM keeps as 32-bit whole numbers (a quantity only of procedures); none of them can be negative."""

WITHOUT_A_CODE = ("person", "note", *sorted(HEALTH_SYSTEM_FACTS))
"""What is a fact also where the source has no code for its concept."""

CENTURY = 36_525
"""More days of supply than anybody lives to take: a mistake, and an end that no calendar has."""

_CHOSEN = ("ignored", "any_concept_id")
_LOOKED = (
    "ignored", "ordinal", "concept_id", "any_concept_id", "source_concept_id", "target", "value_concept_id",
    "unit_concept_id", "operator_concept_id", "salt",
)  # fmt: skip


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
        values = EventValues(self.source, self.rule, self.branch).columns()
        constants = {c.name: _constant(values.get(c.name, exp.Null())) for c in COLUMNS}
        varying = {c.name: values[c.name] for c in COLUMNS if isinstance(constants[c.name], _Varies)}
        derived = self._derived(unit, varying)
        nodes = [named(cast(node, TYPES[name]), name) for name, node in varying.items() if name not in derived]
        return FactSelect(
            self.branch.column,
            unit,
            self._facts(unit, nodes),
            {n: v for n, v in constants.items() if not isinstance(v, _Varies)},
            derived,
            self._held_select(unit),
            isinstance(self.branch.concept, Looked),
        )

    def persons(self) -> exp.Select:
        """The persons that a person rule makes: what it refers to does not matter for that."""
        unit = UnitBuilder(self.source, self.rule, self.branch, self.imputation).build()
        select = self._judged(exp.select(_all_of("u")).from_(subquery(unit, "u")))
        return exp.select(col("person")).from_(subquery(select, "f")).where(is_null(col("verdict")))

    def _derived(self, unit: exp.Select, varying: Mapping[str, Node]) -> dict[str, str]:
        """The event columns that another one gives: the same text, or the same without the blanks around it."""
        meaning = {n.alias: n.this for n in unit.expressions}
        texts = {
            n: meaning.get(v.name, v) for n, v in varying.items() if TYPES[n] == "VARCHAR" and isinstance(v, exp.Column)
        }
        stored: dict[Node, str] = {}
        derived: dict[str, str] = {}
        for name, node in sorted(texts.items(), key=lambda item: isinstance(item[1], exp.Anonymous)):
            inner = node.expressions[0] if isinstance(node, exp.Anonymous) and node.this == "trimmed" else None
            if node in stored:
                derived[name] = stored[node]
            elif inner in stored:
                derived[name] = f"trim({stored[inner]})"
            else:
                stored[node] = name
        return derived

    # Fact: lookups, references and the verdict

    def _facts(self, unit: exp.Select, nodes: Sequence[exp.Alias]) -> exp.Select:
        """Some values of the units that are facts."""
        read = unit if self.rule.grouped else unit.where(passes(self.rule, self.source))
        return exp.select(*nodes).from_(subquery(self._fact_select(read), "f")).where(self._is_fact())

    def _fact_select(self, unit: exp.Select) -> exp.Select:
        """Every unit, once for each target of its code, with all that its events need."""
        select = exp.select(_all_of("u")).from_(subquery(unit, "u"))
        for name, choice in looked(self.branch).items():
            columns = (
                _LOOKED
                if name in ("concept", "otherwise")
                else (*_CHOSEN, *(["source_concept_id"] if name in SOURCED else []))
            )
            columns = (*columns, *(("told", "vocabulary") if choice.vocabularies else ()))
            fans_out = name == "concept" and self.rule.fact in ROUTED_FACTS
            select = self._looking_up(select, name, choice, columns, fans_out=fans_out)
        return self._linked(select)

    def _held_select(self, unit: exp.Select) -> exp.Select:
        """Every unit that is no fact, once."""
        read = [] if self.rule.grouped else [named(passes(self.rule, self.source), "read")]
        select = exp.select(_all_of("u")).from_(subquery(unit.select(*read), "u"))
        concept = self.branch.concept
        if isinstance(concept, Looked) and self._ignores:
            select = self._looking_up(select, "concept", concept, ("ignored",))
        names = ["unit", "file", "line", *(["rows", "files", "lines"] if self.rule.grouped else []), "verdict"]
        judged = self._judged(select)
        held = exp.select(*(col(name) for name in names)).from_(subquery(judged, "h"))
        return held.where(is_not_true(all_of([*(col(node.alias) for node in read), self._is_fact()])))

    def _judged(self, select: exp.Select) -> exp.Select:
        """The units with their verdict and what it rests on."""
        linked = self._linked(select, all_of_them=False)
        return exp.select(exp.Star(), named(self._verdict(), "verdict")).from_(subquery(linked, "f"))

    def _linked(self, select: exp.Select, *, all_of_them: bool = True) -> exp.Select:
        """The units with what they refer to; else only with that without which they are no facts."""
        if self.rule.fact == "death":
            select = left_join(select, table(ACTIVITY, "a"), equals(col("person_id", "a"), col("person", "u")))
            select = left_join(select, table(DEAD, "d"), equals(col("person_id", "d"), col("person", "u")))
            known = [named(col("last_day", "a"), "last_day"), named(col("person_id", "d"), "dead")]
            select = select.select(*known, copy=False)
        for key, reference in self.rule.references.items():
            if all_of_them or not self._optional(key):
                select = self._referring(select, key, reference)
        return select

    def _looking_up(
        self, select: exp.Select, name: str, choice: Looked, columns: Sequence[str], *, fans_out: bool = False
    ) -> exp.Select:
        """Joins a lookup; only the first target of a code, unless each makes an event of its own."""
        alias = f"k:{name}"
        on = [equals(col("code", alias), col(f"code:{name}", "u"))]
        on += [] if fans_out else [equals(col("ordinal", alias), number(0))]
        select = left_join(select, table(choice.lookup, alias), all_of(on))
        return select.select(*(named(col(c, alias), f"{c}:{name}") for c in columns), copy=False)

    def _referring(self, select: exp.Select, key: str, reference: Reference) -> exp.Select:
        """Joins the facts referred to: only those that are missing where both rules read the same rows, else all."""
        alias = f"r:{key}"
        if reference.by_date:
            return self._on_that_day(select, key, reference)
        if reference.same_row:
            held = table(held_table(reference.rule), alias)
            select = left_join(select, held, equals(col("unit", alias), col("unit", "u")))
            there = case([(is_null(col("unit", alias)), text(str(reference.target)))], null("VARCHAR"))
            return select.select(named(there, f"target:{key}"), copy=False)
        told = ["visit"] if reference.tells_visit else []
        told += ["location"] if key == "location" else ["provider"] if key == self.rule.provider_from else []
        wanted = [col(name) for name in ("event_id", "target", "person_id", *told)]
        parent = exp.select(*wanted).from_(table(events_view(reference.rule), "e"))
        parent = parent.where(equals(col("ordinal", "e"), number(0)))
        if self.rule.refers_to_itself(key):
            parent = self._own_facts(without=key)
        same = [equals(col("event_id", alias), col(f"event:{key}", "u"))]
        if self._optional(key) and key not in HEALTH_SYSTEM_FACTS:  # another person's visit is no visit of this fact
            same.append(equals(col("person_id", alias), col("person", "u")))
        if self.rule.refers_to_itself(key):  # nothing lies within itself
            own = keys.xor(col("unit", "u"), keys.event_salt(self.rule.name, None))
            same.append(exp.NEQ(this=col("event_id", alias), expression=own))
        select = left_join(select, subquery(parent, alias), all_of(same))
        person = [named(col("person_id", alias), f"person:{key}")] if self._may_be_anothers(reference) else []
        found = [named(col(name, alias), f"{name}:{key}") for name in told]
        return select.select(named(col("target", alias), f"target:{key}"), *person, *found, copy=False)

    def _own_facts(self, *, without: str) -> exp.Select:
        """The facts that this rule makes, whatever a reference of theirs leads to: the rule is not run yet."""
        references = {key: reference for key, reference in self.rule.references.items() if key != without}
        alike = replace(self, rule=replace(self.rule, references=references))
        unit = UnitBuilder(self.source, alike.rule, self.branch, self.imputation).build()
        values = EventValues(self.source, alike.rule, self.branch).columns()
        found = [named(values[name], name) for name in ("event_id", "target", "person_id")]
        return alike._facts(unit, found)

    def _on_that_day(self, select: exp.Select, key: str, reference: Reference) -> exp.Select:
        """Joins the visit of the person on the day of the fact, where the source knows the day: one at most."""
        alias = f"r:{key}"
        day = case([(equals(col("start#", "u"), text("day")), col("start", "u"))], null("DATE"))
        since = exp.GTE(this=exp.Paren(this=day), expression=col("first", alias))
        same = all_of([equals(col("person", "u"), col("person_id", alias)), since])
        days = exp.Join(this=table(days_table(reference.rule), alias), method="ASOF", side="LEFT", on=same)
        select.append("joins", days)
        there = case([(is_not_null(col("event_id", alias)), text(reference.rule))], null("VARCHAR"))
        found = {f"event:{key}": col("event_id", alias), f"visit:{key}": col("visit", alias), f"target:{key}": there}
        if key == self.rule.provider_from:
            visits = table(events_view(reference.rule), "p")
            select = left_join(select, visits, equals(col("event_id", "p"), col("event_id", alias)))
            found[f"provider:{key}"] = col("provider", "p")
        return select.select(*(named(node, name) for name, node in found.items()), copy=False)

    def _optional(self, key: str) -> bool:
        """Whether a fact is kept where what it refers to is not there; a visit's detail needs its visit."""
        return key in HEALTH_SYSTEM_FACTS or key in (
            "parent" if self.rule.fact == "visit_detail" else "visit",
            "visit_detail",
        )

    def _may_be_anothers(self, reference: Reference) -> bool:
        """Whether the fields that lead to another fact leave open whose it is."""
        theirs = keys.person_fields(self.source.tables[reference.table]) or ()
        if reference.same_row or reference.by_date or reference.by is None:
            return False
        if reference.by == reference.fields:
            return not set(theirs) <= set(reference.fields)
        held = dict(zip(reference.fields or (), reference.by, strict=True))
        own = keys.person_fields(self.source.tables[self.rule.table]) or ()
        return not {held.get(field) for field in theirs} <= set(own)

    def _verdict(self) -> Node:
        """What becomes of the unit, the first that applies; NULL: it is a fact."""
        held = self._verdicts()
        if not self.rule.grouped:
            held.insert(0, (is_not_null(col("passing")), col("passing")))
        return case(held, null("VARCHAR"))

    def _is_fact(self) -> Node:
        """Whether no verdict on the unit applies."""
        return all_of(is_not_true(condition) for condition, _ in self._verdicts())

    def _verdicts(self) -> list[tuple[Node, Node]]:
        """What may become of a unit that is read, in order: condition and verdict."""
        return [
            *self._emptiness(),
            *self._lookups(),
            (is_not_null(col("fault")), call("concat", text("quarantined: "), col("fault"))),
            *self._missing(),
            *self._implausible(),
            *self._unreferenced(),
        ]

    def _emptiness(self) -> list[tuple[Node, Node]]:
        """A cell, code or value that the source leaves empty tells nothing: excluded."""
        slots = self.branch.slots
        nodes = []
        if "cell" in slots:
            nodes.append(self._no_text("cell"))
        elif self.rule.fact in ("measurement", "observation") and "value" in slots and slots["value"].fields:
            nodes.append(self._no_text("value"))
        elif self.rule.fact == "note":
            nodes.append(self._no_text("text"))
        elif self.rule.fact == "location":
            told = [col(name) for name in slots] + [col("code:concept")] * isinstance(self.branch.concept, Looked)
            nodes.append(all_of(is_null(node) for node in (*told, col("fault"))))
        nodes += unnamed_fact(self.rule)
        concept = self.branch.concept
        if isinstance(concept, Looked) and self.rule.fact not in WITHOUT_A_CODE:
            none = negate(col("parts")) if concept.parts else is_null(col("code:concept"))
            nodes.append(all_of([none, is_null(col("fault"))]))
        return [(any_of(nodes), text("excluded: empty"))] if nodes else []

    def _no_text(self, name: str) -> Node:
        """Whether a slot has no value because its text is empty, not because it does not parse."""
        raw = self.branch.slots[name].raw
        value = value_before(self.branch) if name == "value" else name
        return is_null(col(f"{name}@")) if raw else all_of([is_null(col(value)), is_null(col("fault"))])

    def _missing(self) -> list[tuple[Node, Node]]:
        found: list[tuple[Node, Node]] = []
        for name, slot in dated(self.branch).items():
            required = name == "start" or self.rule.fact == "observation_period"
            if required:
                found.append((is_null(col(name)), text(f"quarantined: {slot.name}: missing")))
        concept = self.branch.concept
        if isinstance(concept, Looked) and concept.parts and self.rule.fact not in WITHOUT_A_CODE:
            found.append((is_null(col("code:concept")), text("quarantined: code: a part is missing")))
        return found

    def _implausible(self) -> list[tuple[Node, Node]]:
        found: list[tuple[Node, Node]] = []
        what = self.branch.column or "value"
        if self.branch.conversion:
            lost = all_of([is_not_null(col(value_before(self.branch))), is_null(col("value"))])
            found.append((lost, text(f"quarantined: {what}: cannot be converted")))
        if self.branch.between and self.branch.slots.get("value"):
            low, high = self.branch.between
            outside = negate(exp.Between(this=col("value"), low=number(low), high=number(high)))
            found.append((outside, text(f"quarantined: {what}: out of range")))
        for name, slot in dated(self.branch).items():
            if slot.raw is None:  # a date that was read lies in the calendar; one that was computed may not
                calendar = exp.Between(this=col(name), low=_day("1000-01-01"), high=_day("9999-12-31"))
                found.append((negate(calendar), text(f"quarantined: {slot.name}: out of range")))
        for name in (n for n in WHOLE if n in self.branch.slots):
            if name != "quantity" or "procedure_occurrence" in self.branch.targets:
                most = CENTURY if name == "days_supply" else 2**31 - 1
                whole = exp.Between(this=col(name), low=number(0), high=number(most))
                found.append((negate(whole), text(f"quarantined: {name}: out of range")))
        if {"start", "end"} <= set(dated(self.branch)):
            found.append((self._ends_before_it_starts(), text("quarantined: end: before the start")))
        if self.rule.fact == "death":
            last = functions.add_days(Expression(Kind.DATE, col("start")), AFTER_DEATH).node
            later = exp.GT(this=col("last_day"), expression=last)
            found.append((later, text(f"quarantined: facts of the person start more than {AFTER_DEATH} days after it")))
        return found

    def _ends_before_it_starts(self) -> Node:
        """Whether the end is before the start: by the day, and on the same day by the time where both are known."""
        before = exp.LT(this=col("end"), expression=col("start"))
        if any(slot.expression.time is None for slot in dated(self.branch).values()):
            return before
        earlier = exp.LT(this=col("end~"), expression=col("start~"))
        return any_of([before, all_of([equals(col("end"), col("start")), earlier])])

    def _lookups(self) -> list[tuple[Node, Node]]:
        return [(col("ignored:concept"), text("excluded: ignored code"))] if self._ignores else []

    @property
    def _ignores(self) -> bool:
        """Whether the concept's map leaves codes out; nobody ceases to be a person for it."""
        concept = self.branch.concept
        return isinstance(concept, Looked) and concept.ignores and self.rule.fact not in WITHOUT_A_CODE

    def _unreferenced(self) -> list[tuple[Node, Node]]:
        """A modifier or a part of an episode or visit is nothing without it; a fact without its visit is still a fact."""
        found: list[tuple[Node, Node]] = []
        for key, reference in self.rule.references.items():
            if self._optional(key):
                continue
            missing = (
                f"no visit of {reference.rule} on that day" if reference.by_date else f"{reference.rule} not mapped"
            )
            absent = is_null(col(f"target:{key}"))
            if key == "modifies" and isinstance(getattr(self.rule.spec, key), FactLink):
                absent = all_of([is_not_null(col(f"event:{key}")), absent])
            found.append((absent, text(f"quarantined: {missing}")))
            if self._may_be_anothers(reference):
                other = exp.NEQ(this=col(f"person:{key}"), expression=col("person"))
                found.append((other, text(f"quarantined: {reference.rule} is of another person")))
        found += (
            [(is_not_null(col("dead")), text("excluded: the person has a death already"))]
            if self.rule.fact == "death"
            else []
        )
        return [*found, *same_fact(self.rule)]


def _day(iso: str) -> Node:
    return cast(text(iso), "DATE")


def _all_of(alias: str) -> exp.Column:
    return exp.Column(this=exp.Star(), table=exp.to_identifier(alias, quoted=True))


class _Varies:
    """Marks an event column whose value differs from row to row."""


def _constant(node: Node) -> str | int | _Varies | None:
    """The constant that a node is, if it is one."""
    inner = node.this if isinstance(node, exp.Cast) else node
    if isinstance(inner, exp.Null):
        return None
    if isinstance(inner, exp.Literal):
        return str(inner.this) if inner.is_string else int(inner.this)
    return _Varies()

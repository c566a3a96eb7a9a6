"""Column lineage, read off the plan: the source fields that each field of a CDM table is made of.

It rests on the specification alone. Constants, such as a fixed concept, come from no field. Nothing of an expression
is told but the names of the fields that it reads, for the text of an expression may hold a patient's value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from oncoweave.compiler import Plan, keys
from oncoweave.compiler.bound import BoundRule, Branch, Reference
from oncoweave.compiler.event_values import EventValues
from oncoweave.compiler.joins import DOT, BoundJoin
from oncoweave.compiler.sql import Node
from oncoweave.compiler.units import dated, looked
from oncoweave.omop.fields import DATE_OF, FIELDS, PRECEDING, TIME_OF, TIME_TEXT
from oncoweave.omop.model import tables
from oncoweave.omop.routing import UNSEEN_FACTS
from oncoweave.record import Record

How = Literal["identity", "transformation", "key"]


class Origin(Record):
    """A source field that a field is made of: as it is, worked out from it, or as (part of) a keyed hash."""

    table: str
    field: str
    how: How


class FieldLineage(Record):
    """One field of a CDM table with its origins, in the order of their names."""

    field: str
    origins: tuple[Origin, ...]


class TableLineage(Record):
    """One CDM table: where its fields come from, and the source fields by which rules choose their rows.

    A derived table is made of the fields of another CDM table, `of`, instead of source fields.
    """

    table: str
    fields: tuple[FieldLineage, ...]
    chosen_by: tuple[Origin, ...] = ()
    of: str | None = None


class LineageRecord(Record):
    """lineage.json of a run: the column lineage of its tables."""

    source: str
    plan_sha256: str
    tables: tuple[TableLineage, ...]


_CONDITION = ("condition_occurrence_id", "condition_concept_id", "condition_start_date", "condition_end_date")
_DRUG = ("drug_exposure_id", "drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date")
_DOSE = (*_DRUG, "quantity", "days_supply")
DERIVED: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "condition_era": (
            "condition_occurrence",
            {
                "condition_era_id": _CONDITION,
                "person_id": ("person_id",),
                "condition_concept_id": ("condition_concept_id",),
                "condition_era_start_date": _CONDITION[1:],
                "condition_era_end_date": _CONDITION[1:],
                "condition_occurrence_count": _CONDITION[1:],
            },
        ),
        "drug_era": (
            "drug_exposure",
            {
                "drug_era_id": _DRUG,
                "person_id": ("person_id",),
                "drug_concept_id": ("drug_concept_id",),
                "drug_era_start_date": _DRUG[1:],
                "drug_era_end_date": _DRUG[1:],
                "drug_exposure_count": _DRUG[1:],
                "gap_days": _DRUG[1:],
            },
        ),
        "dose_era": (
            "drug_exposure",
            {
                "dose_era_id": _DOSE,
                "person_id": ("person_id",),
                "drug_concept_id": ("drug_concept_id",),
                "unit_concept_id": ("drug_concept_id",),
                "dose_value": _DOSE[1:],
                "dose_era_start_date": _DOSE[1:],
                "dose_era_end_date": _DOSE[1:],
            },
        ),
    }
)
"""The tables that are derived from another table: each field with the fields that decide it."""


def column_lineage(plan: Plan) -> LineageRecord:
    """The origins of every field of every CDM table that the plan fills from source fields."""
    joins = {(join.table, join.name): join for stage in plan.stages for join in stage.joins}
    joins |= {(join.table, join.name): join for joined in plan.joined for join in joined.joins}
    branches = [_OfBranch(plan, p.rule, b, joins) for p in plan.rules for b in p.rule.branches]
    found = [_table(name, [b for b in branches if name in b.branch.targets], event_columns(name)) for name in FIELDS]
    found.append(_table("episode_event", [b for b in branches if "episode" in b.rule.references], EPISODE_EVENT))
    found.append(_table(_RELATED, [b for b in branches if _RELATED in b.branch.targets], FACT_RELATIONSHIP))
    found.append(_periods(branches))
    filled = [table for table in found if table.fields]
    filled += [_derived(name, {t.table for t in filled}) for name in DERIVED]
    return LineageRecord(
        source=plan.source.source, plan_sha256=plan.sha256, tables=tuple(table for table in filled if table.fields)
    )


EPISODE_EVENT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "episode_id": frozenset({"episode"}),
        "event_id": frozenset({"event_id"}),
        "episode_event_field_concept_id": frozenset({"target"}),
    }
)
"""What the fields of EPISODE_EVENT read of the events that name an episode."""

_RELATED = "fact_relationship"
_FACTS = frozenset({"first", "second"})
_TARGETS = frozenset({"first_target", "second_target"})
FACT_RELATIONSHIP: Mapping[str, frozenset[str]] = MappingProxyType(
    {f"fact_id_{n}": _FACTS for n in (1, 2)} | {f"domain_concept_id_{n}": _TARGETS for n in (1, 2)}
)
"""What the fields of FACT_RELATIONSHIP read of the events that relate two facts: each of both, for there are two rows."""

_GIVEN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "observation_period_id": frozenset({"event_id"}),
        "person_id": frozenset({"person_id"}),
        "observation_period_start_date": frozenset({"start_date"}),
        "observation_period_end_date": frozenset({"end_date"}),
    }
)
_DAYS = frozenset({"start_date", "end_date"})
_FOUND = MappingProxyType({n: _DAYS if n.endswith("_date") else frozenset({"person_id"}) for n in _GIVEN})
"""What OBSERVATION_PERIOD reads of the events of its own rules, and of every event that tells of a contact."""


def _periods(branches: Sequence[_OfBranch]) -> TableLineage:
    """Observation periods: those that rules give, and those that follow from the days of what is recorded."""
    name = "observation_period"
    given = _table(name, [b for b in branches if b.rule.fact == name], _GIVEN)
    found = _table(name, [b for b in branches if b.rule.fact not in UNSEEN_FACTS], _FOUND)
    origins: dict[str, set[Origin]] = {}
    for filled in (*given.fields, *found.fields):
        origins.setdefault(filled.field, set()).update(filled.origins)
    fields = (FieldLineage(field=n, origins=_in_order(origins[n])) for n in _GIVEN if n in origins)
    return TableLineage(table=name, fields=tuple(fields), chosen_by=_in_order({*given.chosen_by, *found.chosen_by}))


def _table(name: str, branches: Iterable[_OfBranch], columns_of: Mapping[str, frozenset[str]]) -> TableLineage:
    origins: dict[str, set[Origin]] = {}
    chosen: set[Origin] = set()
    for branch in branches:
        chosen |= branch.chosen_by()
        events = branch.events
        for field, columns in columns_of.items():
            origins.setdefault(field, set()).update(*(events.get(column, frozenset()) for column in columns))
    filled = {f for f, found in origins.items() if found}
    fields = (
        FieldLineage(field=f.name, origins=_in_order(origins[f.name]))
        for f in tables()[name].fields
        if f.name in filled and DATE_OF.get(f.name, f.name) in filled
    )
    return TableLineage(table=name, fields=tuple(fields), chosen_by=_in_order(chosen))


def _derived(name: str, filled: set[str]) -> TableLineage:
    of, fields = DERIVED[name]
    made = [
        FieldLineage(field=field, origins=_in_order(Origin(table=of, field=o, how="transformation") for o in origins))
        for field, origins in fields.items()
        if of in filled
    ]
    return TableLineage(table=name, fields=tuple(made), of=of)


def _in_order(origins: Iterable[Origin]) -> tuple[Origin, ...]:
    return tuple(sorted(origins, key=lambda o: (o.table, o.field, o.how)))


@cache
def event_columns(table: str) -> Mapping[str, frozenset[str]]:
    """The event columns that each field of a CDM table reads."""
    found = {field: _columns(sql) for field, sql in FIELDS[table].items()}
    for field in (f.name for f in tables()[table].fields if f.name in DATE_OF):
        found.setdefault(field, found.get(DATE_OF[field], frozenset()) | _columns(TIME_OF[field]))
    for field, datetime in TIME_TEXT.items():
        if datetime in found:
            found[field] = _columns(TIME_OF[datetime])
    if table in PRECEDING:
        field, order = PRECEDING[table]
        found[field] = frozenset().union(*(found.get(name, frozenset()) for name in order))
    return MappingProxyType(found)


def _columns(sql: str) -> frozenset[str]:
    try:
        parsed = sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError as fault:  # a field of ours that cannot be read is our mistake
        raise AssertionError(sql) from fault
    return frozenset(column.name for column in parsed.find_all(exp.Column))


@dataclass(frozen=True)
class _OfBranch:
    """The origins of what one branch of a rule puts into events."""

    plan: Plan
    rule: BoundRule
    branch: Branch
    joins: Mapping[tuple[str, str], BoundJoin]

    @cached_property
    def events(self) -> Mapping[str, frozenset[Origin]]:
        """The origins of each event column that the branch fills."""
        values = EventValues(self.plan.readable, self.rule, self.branch).columns()
        return {name: frozenset(self._of_node(node)) for name, node in values.items()}

    def chosen_by(self) -> set[Origin]:
        """The fields of the rule's `where`."""
        return set(self._fields(self.rule.where.fields, "transformation")) if self.rule.where else set()

    def _of_node(self, node: Node) -> Iterator[Origin]:
        alone = isinstance(node, exp.Column)
        for column in node.find_all(exp.Column):
            yield from self._of_column(column.name, alone=alone)

    def _of_column(self, name: str, *, alone: bool) -> Iterator[Origin]:
        """The origins of a column of the fact select."""
        how: How = "identity" if alone and name.endswith("@") else "transformation"
        if name in ("unit", "person"):
            yield from self._fields(self._key(name), "key")
            return
        if name == "own_number":
            yield from self._fields([str(getattr(self.rule.spec, "source_id", ""))], "key")
            return
        what, _, key = name.rstrip("@#~!").partition(":")
        code, kept, of = name.partition("@")
        if code == "code" and kept:  # `code@concept`: the text of a code as the source has it
            what, key = code, of
        yield from self._named(what, key, how)

    def _named(self, what: str, key: str, how: How) -> Iterator[Origin]:
        codes, slots, days = looked(self.branch), self.branch.slots, dated(self.branch)
        if key in self.rule.references:
            yield from self._fields(self._referred(self.rule.references[key]), "key")
        elif key:
            yield from self._fields(codes[key].code.fields if key in codes else (), how)
        elif what in days:
            yield from self._fields(days[what].fields, how)
        elif what in slots:
            yield from self._fields(slots[what].fields, how)

    def _key(self, name: str) -> Iterable[str]:
        table = self.plan.readable.tables[self.rule.table]
        person = keys.person_fields(table)
        if name == "person":
            return (keys.row_fields(table) or self._content()) if person is None else person
        return self.rule.unit or keys.row_fields(table) or self._content()

    def _content(self) -> tuple[str, ...]:
        """The fields of a table whose rows are told apart by all that they hold."""
        return tuple(self.plan.source.tables[self.rule.table].fields)

    def _referred(self, reference: Reference) -> Iterable[str]:
        table = self.plan.readable.tables[self.rule.table]
        if reference.by_date:
            days = dated(self.branch)
            return {*(keys.person_fields(table) or ()), *(days["start"].fields if "start" in days else ())}
        return reference.by or reference.fields or keys.row_fields(table) or self._content()

    def _fields(self, fields: Iterable[str], how: How) -> Iterator[Origin]:
        """The fields with their tables: one that is read through a join belongs to the joined table."""
        for field in fields:
            table, rest = self.rule.table, field
            while DOT in rest:
                name, _, rest = rest.partition(DOT)
                table = self.joins[table, name].to
            yield Origin(table=table, field=rest, how=how)

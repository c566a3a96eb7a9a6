"""What the binding pass makes of a mapping: rules whose names, types and concepts are settled.

A *slot* is a typed expression of a rule. A *choice* is how a concept is found: fixed, or looked up by a code.
A *branch* is one column of a rule, or the rule itself when it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oncoweave.engine.expressions import Expression
from oncoweave.omop.routing import HEALTH_SYSTEM_FACTS
from oncoweave.spec.mapping import Rule

OF_A_PERSON: Mapping[str, str] = {"gender": "sex", "race": "race", "ethnicity": "ethnicity"}
"""The keys of a person that hold a concept, each with what a reader calls it; the key is also the concept's role."""

SOURCED = frozenset({"race", "ethnicity"})
"""The further concepts of which the CDM keeps the code's own concept too."""


VERBATIM: Mapping[str, str] = {
    "sig": "sig", "lot_number": "lot_number", "dose_unit": "dose_unit_source_value", "stop_reason": "stop_reason",
    "unique_device_id": "unique_device_id", "production_id": "production_id",
}  # fmt: skip
"""The keys of texts that go into a table as the source has them, and the event column of each."""


@dataclass(frozen=True)
class Slot:
    """A typed expression over one source table.

    `fields` are the source fields it reads, `only` those that must be the same in all rows of a group;
    `raw` is the field whose text it simply is; `released` says that its text tells of no free text and no
    identifier, so that it may leave the site.
    """

    name: str
    expression: Expression
    fields: frozenset[str]
    only: frozenset[str] = frozenset()
    raw: str | None = None
    released: bool = True


@dataclass(frozen=True)
class Fixed:
    """One concept for every row. `domain` decides the table."""

    concept_id: int
    domain: str
    code: str


@dataclass(frozen=True)
class Looked:
    """A concept found by a code, in the lookup of that name (a concept map, or codes of a vocabulary).

    `parts` are the parts of a code that is put together; the code is missing when all of them are empty.
    `fans_out` says that a code may have several targets, `ignores` that some are to be left out, `companions`
    which further concepts (value, unit, operator) a target may bring; `in_omop` that the code's own concept is known;
    `role` is what the concept is for, as `concepts.DOMAINS` names it. `vocabularies`: the code is a list of codings, of
    which the lookup chooses one; codes of other systems are looked up in the map `otherwise`.
    """

    lookup: str
    vocabulary: str
    code: Slot
    parts: tuple[Expression, ...] = ()
    fans_out: bool = True
    ignores: bool = False
    companions: frozenset[str] = frozenset({"value"})
    in_omop: bool = True
    role: str = "concept"
    vocabularies: tuple[str, ...] = ()
    otherwise: str | None = None


Choice = Fixed | Looked


@dataclass(frozen=True)
class Conversion:
    """Values of several units in the one of `to`: by the unit's source code, value and range as they are there."""

    to: Fixed
    units: Mapping[str, Mapping[str, Expression]]


@dataclass(frozen=True)
class Branch:
    """One column of a rule, or the rule itself: its concept, its slots, and the concepts of its other fields.

    `targets` are the CDM tables that its events may go to.
    """

    column: str | None
    header: str | None
    concept: Choice | None
    slots: Mapping[str, Slot]
    choices: Mapping[str, Choice]
    between: tuple[float, float] | None
    kind: str | None
    type_concept_id: int
    targets: frozenset[str]
    conversion: Conversion | None = None


@dataclass(frozen=True)
class Reference:
    """How a rule finds the fact of another rule: by that rule's unit key, computed from fields of this table.

    `fields` are those of the other rule's unit, `by` those of this table that hold the same texts.
    `same_row` says that both rules make one fact of the same row and the other's can only be in the CDM table
    `target`, so that nothing but its absence has to be looked up. `by_date`: a visit, by the person and the day instead.
    `tells_visit`: what is found is a part of a visit (a detail, an encounter that was rolled up), and tells which.
    `partial` allows that some of the fields are missing.
    """

    rule: str
    table: str
    fields: tuple[str, ...] | None
    by: tuple[str, ...] | None = None
    partial: bool = False
    same_row: bool = False
    target: str | None = None
    by_date: bool = False
    tells_visit: bool = False


@dataclass(frozen=True)
class VisitKinds:
    """The visit concepts of the kinds that the conventions tell apart, by id; any other visit is of none of them."""

    inpatient: tuple[int, ...]
    emergency: tuple[int, ...]
    outpatient: tuple[int, ...]


@dataclass(frozen=True)
class Related:
    """What one fact is to another and the other to it: relationship ids of the vocabulary, and their concepts."""

    relationship: str
    concept_id: int
    reverse: str
    reverse_concept_id: int


@dataclass(frozen=True)
class BoundRule:
    """A rule with everything settled. `unit` are the fields that identify what it makes a fact of; None is the row's key.

    `kinds` are there for a rule of visits that needs them; `by_date` says that others find its visits by their days.
    `provider_from` is the reference to the visit, or its detail, whose provider the facts have;
    `related` is there for a rule of relationships.
    """

    spec: Rule
    table: str
    unit: tuple[str, ...] | None
    where: Slot | None
    branches: tuple[Branch, ...]
    references: Mapping[str, Reference] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    kinds: VisitKinds | None = None
    by_date: bool = False
    provider_from: str | None = None
    related: Related | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def fact(self) -> str:
        return self.spec.fact

    def refers_to_itself(self, key: str) -> bool:
        """Whether a reference leads to another fact of this very rule: a detail of a visit that lies within another."""
        reference = self.references[key]
        return self.fact == "visit_detail" and reference.rule == self.name and reference.by != reference.fields

    @property
    def rolls_up(self) -> bool:
        """Whether its facts are encounters, of which visits are made."""
        return bool(getattr(self.spec, "roll_up", False))

    @property
    def grouped(self) -> bool:
        return bool(self.spec.group)

    @property
    def of_nobody(self) -> bool:
        """Whether its facts are of no person."""
        return self.fact in HEALTH_SYSTEM_FACTS

    @property
    def partial(self) -> bool:
        """Whether some of the fields that it groups by may be missing: a place without a zip code is a place."""
        return self.of_nobody and len(self.spec.group) > 1

    @property
    def fields(self) -> frozenset[str]:
        """Every source field that the rule reads."""
        slots = [s for b in self.branches for s in b.slots.values()]
        slots += [c.code for b in self.branches for c in _choices(b) if isinstance(c, Looked)]
        slots += [self.where] if self.where else []
        named = {*self.spec.group, *self.order}
        named |= {number} if (number := getattr(self.spec, "source_id", None)) else set()
        named |= {f for r in self.references.values() for f in r.by or ()}
        return frozenset(named).union(*(s.fields for s in slots)) if slots else frozenset(named)


def _choices(branch: Branch) -> list[Choice]:
    return [*branch.choices.values(), *([branch.concept] if branch.concept else [])]

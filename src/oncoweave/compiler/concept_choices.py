"""Concepts of a rule or column: how each is found, fixed or by a code, and whether it fits what it is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from oncoweave.compiler.bound import OF_A_PERSON, Choice, Looked, Slot
from oncoweave.compiler.concepts import ConceptBook
from oncoweave.compiler.expressions import Scope, fields_of, only_fields_of, parse_template
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.leaving import released, told
from oncoweave.compiler.lookups import map_lookup_name
from oncoweave.compiler.slots import SlotBinder
from oncoweave.compiler.subset import ExpressionError
from oncoweave.engine.expressions import Kind
from oncoweave.errors import Problem, nearest
from oncoweave.omop.routing import ROUTED_FACTS, TABLE_OF_FACT, table_of
from oncoweave.spec.document import Loc
from oncoweave.spec.mapping import Rule
from oncoweave.spec.rule import CodeRef, CodingRef, Concept, MapRef, PersonConcept
from oncoweave.spec.source import Table
from oncoweave.vocabulary.code_systems import CODE_SYSTEMS, CONCEPT_IDS

CHOICES: Mapping[str, str] = {
    "value_concept": "value", "unit": "unit", "operator": "operator", "status": "status", "qualifier": "qualifier",
    "route": "route", "object": "object", "cause": "cause", "modifier": "modifier", "anatomic_site": "anatomic_site",
    "disease_status": "disease_status", "encoding": "encoding", "language": "language",
    "admitted_from": "place", "discharged_to": "place",
}  # fmt: skip
"""The keys that hold a further concept, with the role that `concepts.DOMAINS` knows."""

OTHERWISE = "otherwise"
"""The choice that a fact's own concept falls back to."""

MAIN: Mapping[str, str] = {"location": "country", "care_site": "place_of_service", "provider": "specialty"}
"""The key that holds the concept of a fact of the health system; every other fact has `concept`."""

_COMPANIONS = {"MAPS_TO_VALUE": "value", "MAPS_TO_UNIT": "unit", "MAPS_TO_OPERATOR": "operator"}


@dataclass
class ConceptBinder:
    """Settles the concepts of one mapping, adding to the problems."""

    inputs: Inputs
    book: ConceptBook
    problems: list[Problem] = field(default_factory=list)

    def main(
        self, rule: Rule, model: object, column: str | None, table: Table, scope: Scope, loc: Loc
    ) -> Choice | None:
        """The concept that says what a fact is; a fixed one must be of a domain that the fact may have."""
        key = MAIN.get(rule.fact, "concept")
        role = rule.fact if rule.fact in ("episode", "visit", "visit_detail") else key
        choice = self.choice(getattr(model, key, None), role, column, table, scope, (*loc, key))
        if choice is None or isinstance(choice, Looked) or rule.fact not in ROUTED_FACTS:
            return choice
        if table_of(choice.domain) != TABLE_OF_FACT[rule.fact] and choice.domain != "Observation":
            right = next((f for f in ROUTED_FACTS if TABLE_OF_FACT[f] == table_of(choice.domain)), "observation")
            message = f"concept {choice.concept_id} is of the domain {choice.domain}, not a {rule.fact}"
            self._tell("concept", message, (*loc, "concept"), f"write `fact: {right}`, or choose another concept")
        return choice

    def of_a_person(
        self, key: str, written: PersonConcept | None, table: Table, scope: Scope, loc: Loc
    ) -> Choice | None:
        """A concept of a person; a fixed one needs a reason."""
        if written is None:
            return None
        if isinstance(written.concept, str) and not written.why:
            what = f"{'an' if key == 'ethnicity' else 'a'} {OF_A_PERSON[key]} that does not come from the data needs a reason"
            self._tell(key, what, loc, "add `why:`", at="key")
        return self.choice(written.concept, key, None, table, scope, (*loc, "concept"))

    def wider(self, written: object, rule: Rule, table: Table, scope: Scope, loc: Loc) -> Looked | None:
        """What `otherwise` looks up: the first target of a wider code."""
        if not isinstance(written, CodeRef) or written.otherwise is None:
            return None
        if rule.fact not in ROUTED_FACTS:
            self._tell(
                "concept", f"`otherwise` is not for a {rule.fact}", (*loc, "otherwise"), "leave it out", at="key"
            )
            return None
        wider = CodeRef(vocabulary=written.vocabulary, code=written.otherwise)
        return self._coded(wider, "concept", table, scope, loc, key="otherwise")

    def choice(
        self, written: Concept | None, role: str, column: str | None, table: Table, scope: Scope, loc: Loc
    ) -> Choice | None:
        """How a concept is found that is written for a role; None where there is none, or with a problem told."""
        if written is None:
            return None
        if isinstance(written, MapRef):
            return self._mapped(written, role, column, table, scope, loc)
        if isinstance(written, CodingRef):
            return self._of_codings(written, role, table, scope, loc)
        if isinstance(written, CodeRef):
            if written.otherwise is not None and loc[-1] != "concept":
                message = "`otherwise` is for a fact's own concept"
                self._tell("concept", message, (*loc, "otherwise"), "leave it out", at="key")
            return self._coded(written, role, table, scope, loc)
        fixed = self.book.fixed(written, role, partial(self._problem, loc))
        if isinstance(fixed, Problem):
            self.problems.append(fixed)
            return None
        return fixed

    def _mapped(
        self, ref: MapRef, role: str, column: str | None, table: Table, scope: Scope, loc: Loc
    ) -> Looked | None:
        if ref.value is None and column is None:
            self._tell(
                "concept", "a concept map needs a value to look up", loc, "add `value:`, the field that holds the code"
            )
            return None
        at: Loc = (*loc, "value") if ref.value else loc
        code = SlotBinder(self.inputs, self.problems).slot(
            "code", ref.value or column, scope, table, at, frozenset({Kind.TEXT, Kind.INTEGER})
        )
        if code is None:
            return None
        self.problems += self.book.map_problems(self.inputs.maps[ref.map], role)
        rows = self.inputs.maps[ref.map].rows
        targets = Counter(r.source_code for r in rows if r.status == "APPROVED" and r.mapping_type == "MAPS_TO")
        companions = {_COMPANIONS[r.mapping_type] for r in rows if r.mapping_type in _COMPANIONS}
        return Looked(
            map_lookup_name(ref.map), ref.map, code,
            fans_out=max(targets.values(), default=0) > 1, ignores=any(r.status == "IGNORED" for r in rows),
            companions=frozenset(companions), in_omop=False,
        )  # fmt: skip

    def _of_codings(self, ref: CodingRef, role: str, table: Table, scope: Scope, loc: Loc) -> Looked | None:
        unknown = [(n, name) for n, name in enumerate(ref.vocabularies) if name not in CODE_SYSTEMS]
        for number, name in unknown:
            message = f"FHIR has no address for the codes of `{name}`"
            self._tell("vocabulary", message, (*loc, "vocabularies", number), nearest(name, CODE_SYSTEMS))
        binder = SlotBinder(self.inputs, self.problems)
        code = binder.slot("code", ref.codings, scope, table, (*loc, "codings"), frozenset({Kind.TEXT}))
        if code is None or unknown:
            return None
        rows = self.inputs.maps[ref.map].rows if ref.map else ()
        if ref.map:
            self.problems += self.book.map_problems(self.inputs.maps[ref.map], role)
        name = "lookup:" + ":".join(str(step) for step in loc[1:])
        companions = frozenset({"value"} | {_COMPANIONS[r.mapping_type] for r in rows if r.mapping_type in _COMPANIONS})
        return Looked(
            name, "FHIR", code, ignores=any(r.status == "IGNORED" for r in rows), companions=companions,
            role=role, vocabularies=ref.vocabularies, otherwise=ref.map,
        )  # fmt: skip

    def _coded(
        self, ref: CodeRef, role: str, table: Table, scope: Scope, loc: Loc, *, key: str = "code"
    ) -> Looked | None:
        try:
            code, parts = parse_template(ref.code, scope)
        except ExpressionError as error:
            self.problems.append(
                self.inputs.document.problem(
                    "expression", error.message, (*loc, key), help=error.help, offset=error.offset
                )
            )
            return None
        if ref.vocabulary != CONCEPT_IDS and not self.book.bundle.has_vocabulary(ref.vocabulary):
            known = self.book.bundle.vocabularies()
            message = f"the vocabulary release {self.book.bundle.release} has no `{ref.vocabulary}`"
            self._tell("vocabulary", message, (*loc, "vocabulary"), nearest(ref.vocabulary, known))
            return None
        fields, only = fields_of(code), only_fields_of(code)
        slot = Slot("code", code, fields, only, None, released(told(code.node), table))
        name = "lookup:" + ":".join(str(step) for step in (*loc[1:], *([] if key == "code" else [key])))
        return Looked(name, ref.vocabulary, slot, tuple(parts), role=role)

    def type_of(self, rule: Rule, loc: Loc) -> int:
        """The type concept of a rule's records: its own, else (also where a map has none) the default's; 0 with a problem told."""
        written, at = (
            (rule.type, (*loc, "type"))
            if isinstance(rule.type, str)
            else (self.inputs.mapping.defaults.type, ("defaults", "type"))
        )
        fixed = self.book.fixed(written, "type", partial(self._problem, at))
        if isinstance(fixed, Problem):
            self.problems += [fixed] if fixed not in self.problems else []
            return 0
        return fixed.concept_id

    def _tell(self, code: str, message: str, loc: Loc, help: str = "", at: str = "value") -> None:  # noqa: A002
        self.problems.append(self._problem(loc, code, message, help=help, at=at))

    def _problem(self, loc: Loc, code: str, message: str, *, help: str = "", at: str = "value") -> Problem:  # noqa: A002
        return self.inputs.document.problem(code, message, loc, help=help, at=at)  # type: ignore[arg-type]

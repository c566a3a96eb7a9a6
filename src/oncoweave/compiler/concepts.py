"""Settles every concept that a mapping names: it exists, is standard, has the reviewed label and the right domain."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oncoweave.compiler.bound import Fixed
from oncoweave.errors import Problem, nearest
from oncoweave.spec.concept_map import ConceptMap, MapRow
from oncoweave.vocabulary.bundle import CUSTOM, Bundle, ConceptRow

_CONCEPT = re.compile(r"^OMOP:(?P<id>[0-9]+)(?: \|(?P<label>.+)\|)?$")
_NOT_A_FACT = frozenset(
    {
        "Type Concept",
        "Unit",
        "Gender",
        "Race",
        "Ethnicity",
        "Meas Value Operator",
        "Route",
        "Condition Status",
        "Metadata",
    }
)

DOMAINS: Mapping[str, frozenset[str]] = {
    "gender": frozenset({"Gender"}),
    "race": frozenset({"Race"}),
    "ethnicity": frozenset({"Ethnicity"}),
    "unit": frozenset({"Unit"}),
    "operator": frozenset({"Meas Value Operator"}),
    "type": frozenset({"Type Concept"}),
    "status": frozenset({"Condition Status"}),
    "route": frozenset({"Route"}),
    "anatomic_site": frozenset({"Spec Anatomic Site"}),
    "disease_status": frozenset({"Spec Disease Status"}),
    "episode": frozenset({"Episode"}),
    "visit": frozenset({"Visit"}),
    "visit_detail": frozenset({"Visit"}),
    "place": frozenset({"Visit"}),
    "place_of_service": frozenset({"Visit"}),
    "specialty": frozenset({"Provider"}),
    "country": frozenset({"Geography"}),
    "object": frozenset({"Condition", "Procedure", "Regimen", "Drug", "Observation", "Episode"}),
    "cause": frozenset({"Condition", "Observation"}),
}
"""The domains that a concept may have, by the field it is for; fields not named take any domain."""


def fits(role: str) -> tuple[frozenset[str], bool]:
    """The domains of a role, and whether a concept must be of one of them or (False) of none."""
    return (DOMAINS[role], True) if role in DOMAINS else (_NOT_A_FACT if role == "concept" else frozenset(), False)


Tell = Callable[..., Problem]
"""Makes a problem at the place of the text in question: tell(code, message, help=...)."""


@dataclass(frozen=True)
class ConceptBook:
    """The concepts of a mapping: its named ones, and the vocabulary bundle they are checked against."""

    named: Mapping[str, str]
    bundle: Bundle
    known: Mapping[int, ConceptRow]

    @classmethod
    def of(cls, named: Mapping[str, str], texts: list[str], maps: list[ConceptMap], bundle: Bundle) -> ConceptBook:
        """The book of all concepts that these texts and maps name, read from the bundle in one query."""
        ids = {int(m["id"]) for t in [*named.values(), *texts] if (m := _CONCEPT.match(t))}
        ids |= {r.concept_id for m in maps for r in m.rows if r.concept_id}
        return cls(named, bundle, bundle.concepts(ids))

    def fixed(self, text: str, role: str, tell: Tell) -> Fixed | Problem:
        """The concept that a text names, or the problem with it. `role` is the field it is for."""
        written = self.named.get(text, text)
        match = _CONCEPT.match(written)
        if match is None and text in self.named:
            return tell("concept", f"`{text}` is not written as a concept is", help=f"write {_HOW_TO_WRITE}")
        if match is None:
            close = nearest(text, self.named)
            mend = close if close.startswith("did") else f"name it under `concepts:`, or write {_HOW_TO_WRITE}"
            return tell("concept", f"there is no concept `{text}` under `concepts:`", help=mend)
        fault = self._fault(int(match["id"]), match["label"], role)
        if fault:
            return tell("concept", fault[0], help=fault[1])
        concept = self.known[int(match["id"])]
        return Fixed(concept.concept_id, concept.domain_id, concept.concept_code)

    def map_problems(self, concept_map: ConceptMap, role: str) -> list[Problem]:
        """The faults of a concept map's approved rows, each with its line in the file."""
        return [
            p
            for row in concept_map.rows
            if row.status == "APPROVED" and row.concept_id
            for p in self._row_problems(concept_map, row, role)
        ]

    def domains(self) -> dict[int, str]:
        """Domain of every known concept."""
        return {i: c.domain_id for i, c in self.known.items()}

    def _row_problems(self, concept_map: ConceptMap, row: MapRow, role: str) -> list[Problem]:
        roles = {"MAPS_TO": role, "MAPS_TO_UNIT": "unit", "MAPS_TO_OPERATOR": "operator"}
        fault = self._fault(row.concept_id, row.concept_name, roles.get(row.mapping_type, "value"))
        if not fault:
            return []
        return [concept_map.problem(row, "conceptId", "concept", *fault)]

    def _fault(self, concept_id: int, label: str | None, role: str) -> tuple[str, str] | None:
        concept = self.known.get(concept_id)
        if concept is None:
            return f"the vocabulary {self.bundle.release} has no concept {concept_id}", "look the id up again"
        right = f"OMOP:{concept_id} |{concept.concept_name}|"
        if not label:
            return f"concept {concept_id} has no label beside it", f"write `{right}` if that is what you mean"
        if label != concept.concept_name:
            return f"concept {concept_id} is not called `{label}`", f"it is `{right}`; check the id, then the label"
        if concept_id == 0:
            return "concept 0 is what comes of a code that has no concept yet; it cannot be chosen", _HOW_UNMAPPED
        if concept_id > CUSTOM:
            message = f"concept {concept_id} is one of your own, which stand in *_source_concept_id only"
            return message, "choose the standard concept it maps to"
        if concept.standard_concept != "S" or concept.invalid_reason:
            return f"concept {concept_id} is not a valid standard concept", "choose the standard concept it maps to"
        return self._domain_fault(concept, role)

    def _domain_fault(self, concept: ConceptRow, role: str) -> tuple[str, str] | None:
        allowed = DOMAINS.get(role)
        if allowed and concept.domain_id not in allowed:
            return (
                f"concept {concept.concept_id} is of the domain {concept.domain_id}",
                f"`{role}` takes concepts of the domain {' or '.join(sorted(allowed))}",
            )
        if role == "concept" and concept.domain_id in _NOT_A_FACT:
            return (
                f"concept {concept.concept_id} is of the domain {concept.domain_id}: no clinical fact",
                "choose another",
            )
        return None


_HOW_UNMAPPED = (
    "look the fact up in a concept map: {map: variables, value: \"'name'\"}, "
    "with a row `name` that is UNCHECKED and has conceptId 0"
)
_HOW_TO_WRITE = 'id and label: "OMOP:4162253 |Primary malignant neoplasm of breast|"'

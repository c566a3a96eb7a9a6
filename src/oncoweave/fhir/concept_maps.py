"""ConceptMap resources: the concept maps that a mapping uses, as FHIR has them. They come from the specification, not from data.

What nobody has reviewed keeps its code and loses its label, since a tool may have taken both from the data; frequencies, comments
and the names of reviewers stay out. The code itself may leave the site as `*_source_value` does: a map that is looked up by free
text or by an identifier is left out whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from oncoweave.compiler import compile_mapping
from oncoweave.compiler.bound import Branch, Looked
from oncoweave.compiler.lookups import map_lookup_name
from oncoweave.compiler.plan import Plan
from oncoweave.fhir.resource_text import Resource, compact, one_line, resource_id
from oncoweave.fhir.systems import COMBINED, LOCAL, OMOP, SYSTEMS
from oncoweave.files import faults, write_whole
from oncoweave.project import Project
from oncoweave.spec.concept_map import ConceptMap, MapRow
from oncoweave.spec.source import Source
from oncoweave.vocabulary.bundle import Bundle, ConceptRow

EQUIVALENCES = {
    "EQUAL": "equal",
    "EQUIVALENT": "equivalent",
    "WIDER": "wider",
    "NARROWER": "narrower",
    "INEXACT": "inexact",
}
"""Usagi's words for how the target's meaning stands to the code's, which are those of R4. Nobody having said is `relatedto`."""
COMMENTS = {
    "narrower": "The target is narrower in meaning than the source code.",
    "inexact": "The target overlaps with the source code, and each covers what the other does not.",
}
"""R4 asks for a comment on these (invariant cmd-1); that of the map's author is free text and stays at the site."""
IGNORED = "Left out on purpose: rows with this code make no record."
PRODUCTS = {"MAPS_TO_VALUE": "value", "MAPS_TO_UNIT": "unit", "MAPS_TO_OPERATOR": "operator"}
READABLE = 0o644
_CODE = re.compile(r"[^\s]+( [^\s]+)*")


@dataclass(frozen=True)
class _Page:
    """The concept map that is told, with the concepts that it names by id."""

    source: str
    concept_map: ConceptMap
    concepts: Mapping[int, ConceptRow]

    @property
    def system(self) -> str:
        """The system of its codes, as resources name it that hold them."""
        return f"{LOCAL}:{self.source}:{self.concept_map.name}"


def concept_maps(plan: Plan, maps: Mapping[str, ConceptMap], bundle: Bundle) -> list[Resource]:
    """A resource for each concept map that the plan looks codes up in, by name; not for one whose codes may not leave the site."""
    used = {name: maps[name] for name in sorted(maps) if name in _leaving(plan, maps)}
    ids = {row.concept_id for concept_map in used.values() for row in concept_map.rows if _counts(row)}
    concepts = bundle.concepts(ids)
    return [concept_map_resource(plan.source, concept_map, concepts) for concept_map in used.values()]


def concept_maps_of(project: Project, source: str) -> list[Resource]:
    """The resources of a source's concept maps, from its specification. Raises SpecError where that has faults."""
    plan, inputs = compile_mapping(project, source)
    return concept_maps(plan, inputs.maps, inputs.bundle)


def write_concept_maps(resources: Sequence[Resource], folder: Path) -> list[Path]:
    """Write each resource to ConceptMap-<id>.json in a folder, which is made; the files. Nothing of a person is in them."""
    with faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"ConceptMap-{resource['id']}.json" for resource in resources]
    for path, resource in zip(paths, resources, strict=True):
        write_whole(path, (json.dumps(resource, indent=2, ensure_ascii=False) + "\n").encode(), READABLE)
    return paths


def concept_map_resource(source: Source, concept_map: ConceptMap, concepts: Mapping[int, ConceptRow]) -> Resource:
    """The ConceptMap of one concept map of a source. Its `version` is a hash of all else in it, so that a change shows."""
    page = _Page(source.source, concept_map, concepts)
    name = f"{source.source}_{concept_map.name}"
    told: Resource = {
        "resourceType": "ConceptMap",
        "id": resource_id(source.source, concept_map.name),
        "url": f"{page.system}:conceptmap",
        "name": name[0].upper() + name[1:],
        "title": f"{source.source}: {concept_map.name}",
        "status": "active",
        "publisher": source.holder,
        "group": _groups(page),
    }
    told = {key: value for key, value in told.items() if value}
    version = hashlib.sha256(compact(told).encode()).hexdigest()[:16]
    return {"resourceType": "ConceptMap", "id": told["id"], "url": told["url"], "version": version, **told}


def _leaving(plan: Plan, maps: Iterable[str]) -> set[str]:
    """The maps that a rule looks codes up in, and never by what may not leave the site."""
    looked = [choice for rule in plan.rules for branch in rule.rule.branches for choice in _lookups(branch)]
    released: dict[str, bool] = {}
    for choice in looked:
        released[choice.lookup] = released.get(choice.lookup, True) and choice.code.released
    return {name for name in maps if released.get(map_lookup_name(name), False)}


def _lookups(branch: Branch) -> list[Looked]:
    return [choice for choice in (branch.concept, *branch.choices.values()) if isinstance(choice, Looked)]


def _counts(row: MapRow) -> bool:
    return row.status == "APPROVED" and row.concept_id != 0


def _groups(page: _Page) -> list[Resource]:
    """The codes by the system of their targets; those without a target last, in a group without one."""
    by_system: dict[str, list[Resource]] = {}
    rows = sorted(page.concept_map.rows, key=lambda row: (row.source_code, row.line))
    for code, found in groupby(rows, key=lambda row: row.source_code):
        of_code = list(found)
        targets: dict[str, list[Resource]] = {}
        for system, target in _targets(page, of_code):
            targets.setdefault(system, []).append(target)
        for system, listed in targets.items():
            by_system.setdefault(system, []).append({**_source(code, of_code), "target": listed})
    ordered = sorted(by_system, key=lambda system: (not system, system))
    return [
        {"source": page.system, **({"target": system} if system else {}), "element": by_system[system]}
        for system in ordered
    ]


def _source(code: str, rows: Sequence[MapRow]) -> Resource:
    """The code, and the label that a person has reviewed; what FHIR does not take as a code stands as the label alone."""
    label = next((one_line(row.source_name) for row in rows if row.status in ("APPROVED", "IGNORED")), "")
    if not _CODE.fullmatch(code):
        return {"display": one_line(code)}
    return {"code": code, **({"display": label} if label else {})}


def _targets(page: _Page, rows: Sequence[MapRow]) -> list[tuple[str, Resource]]:
    """The targets of one code with their systems, as the engine takes them: approved MAPS_TO rows, each with what follows it."""
    if any(row.status == "IGNORED" for row in rows):
        return [("", {"equivalence": "unmatched", "comment": IGNORED})]
    approved = [row for row in rows if _counts(row) and row.concept_id in page.concepts]
    first = next((row for row in approved if row.mapping_type == "MAPS_TO"), None)
    approved.sort(key=lambda row: row is not first)
    found: list[tuple[str, Resource]] = []
    for row in approved:
        if row.mapping_type == "MAPS_TO" or not found:
            found.append(_target(page.concepts[row.concept_id], row))
        else:
            found[-1][1].setdefault("product", []).append(_product(page, row))
    return found or [("", {"equivalence": "unmatched"})]


def _target(concept: ConceptRow, row: MapRow) -> tuple[str, Resource]:
    system, code = _coding(concept)
    equivalence = EQUIVALENCES.get(row.equivalence, "relatedto")
    comment = {"comment": COMMENTS[equivalence]} if equivalence in COMMENTS else {}
    return system, {"code": code, "display": concept.concept_name, "equivalence": equivalence, **comment}


def _product(page: _Page, row: MapRow) -> dict[str, Any]:
    """What else a code says besides its target: a value, a unit, an operator."""
    concept = page.concepts[row.concept_id]
    system, code = _coding(concept)
    what = f"{page.system}:{PRODUCTS[row.mapping_type]}"
    return {"property": what, "system": system, "value": code, "display": concept.concept_name}


def _coding(concept: ConceptRow) -> tuple[str, str]:
    """The system and code of a concept: its vocabulary's where that has one, else OMOP's own."""
    if concept.concept_code and concept.vocabulary_id in SYSTEMS and concept.concept_class_id not in COMBINED:
        return SYSTEMS[concept.vocabulary_id], concept.concept_code
    return OMOP, str(concept.concept_id)

"""Provenance: what made the resources of a run, and of what. One resource a run, or one for each so many patients of a large one.

A reference of R4 names one resource, not a type or a file, so that `target` names the patients: FHIR reads a Provenance of a patient
as one of the patient's compartment, and it is found there. Naming every resource would double what is published.
Concept maps, delivery, mapping and vocabulary are `entity`: what the run used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from oncoweave.engine.parquet import literal
from oncoweave.fhir.resource_text import Resource, compact, one_line
from oncoweave.records import DeliveryRecord

MOST = 10_000
"""Patients that one Provenance names."""
_TARGETS, _ID = "\x00targets", "\x00id"
"""Stand for what differs between the Provenances of a run; no text of a specification holds such a sign."""


@dataclass(frozen=True)
class Origin:
    """What a run rests on: `software` as the run's identity names it, the deliveries in their order, the first one first;
    the hash of the mapping, the release of the vocabulary, and the ids of the ConceptMaps that are written beside."""

    run_id: str
    software: str
    holder: str
    day: date
    deliveries: tuple[DeliveryRecord, ...]
    mapping_sha256: str
    vocabulary: str
    concept_maps: tuple[str, ...] = ()


def provenance(of: Origin, id_: str, targets: Sequence[Resource]) -> Resource:
    """The Provenance of these targets (references).

    `recorded` is the delivery's day, as every date of a release: no clock is in it, so that the same delivery gives the same bytes.
    """
    return {
        "resourceType": "Provenance",
        "id": id_,
        "contained": [_software(of.software)],
        "target": list(targets),
        "recorded": instant(of.day),
        "activity": _coded("v3-DataOperation", "CREATE", "create"),
        "agent": [
            {
                "type": _coded("provenance-participant-type", "assembler", "Assembler"),
                "who": {"reference": "#software"},
                **({"onBehalfOf": {"display": one_line(of.holder)}} if of.holder else {}),
            }
        ],
        "entity": [{"role": "source", "what": what} for what in _used(of)],
    }


def select_provenance(of: Origin, patients: str) -> str:
    """SQL of the lines of the run's Provenance, of a SELECT of the patients' `id`; no line without a patient."""
    head, rest = compact(provenance(of, _ID, [{"reference": _TARGETS}])).split(json.dumps(_ID)[1:-1])
    middle, tail = rest.split(compact({"reference": _TARGETS}))
    number = "CASE WHEN part = 0 THEN '' ELSE printf('-%03d', part) END"
    target = """string_agg('{"reference":"Patient/' || id || '"}', ',' ORDER BY id)"""
    parts = f"SELECT id, (row_number() OVER (ORDER BY id) - 1) // {MOST} AS part FROM ({patients})"
    return (
        f"SELECT concat({literal(head + provenance_id(of.run_id))}, {number}, {literal(middle)}, {target}, {literal(tail)}) AS line "
        f"FROM ({parts}) GROUP BY part ORDER BY part"
    )


def provenance_id(run_id: str) -> str:
    """The id of a run's Provenance."""
    return f"run-{run_id}"


def instant(day: date) -> str:
    """The first moment of a day in UTC, where FHIR asks for a moment and only a day is known."""
    return f"{day.isoformat()}T00:00:00Z"


def _software(text: str) -> Resource:
    """`oncoweave 1.0, duckdb 1.5` as a Device with its versions."""
    versions = [part.strip().partition(" ")[::2] for part in text.split(",")]
    return {
        "resourceType": "Device",
        "id": "software",
        "deviceName": [{"name": "Oncoweave", "type": "model-name"}],
        "version": [{"type": {"text": name}, "value": version} for name, version in versions if version],
    }


def _used(of: Origin) -> list[Resource]:
    """References to what a run used: by hash or name where it is no resource."""
    return [
        *(_named("delivery-sha256", one.sha256, f"delivery of {one.date}") for one in of.deliveries),
        _named("mapping-sha256", of.mapping_sha256, "mapping"),
        _named("vocabulary-release", of.vocabulary, f"OMOP vocabulary {of.vocabulary}"),
        *({"reference": f"ConceptMap/{id_}"} for id_ in of.concept_maps),
    ]


def _named(what: str, value: str, display: str) -> Resource:
    return {"identifier": {"system": f"urn:oncoweave:{what}", "value": value}, "display": display}


def _coded(system: str, code: str, display: str) -> Resource:
    url = f"http://terminology.hl7.org/CodeSystem/{system}"
    return {"coding": [{"system": url, "code": code, "display": display}]}

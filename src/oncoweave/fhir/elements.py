"""Elements that several resources have: who, in which encounter, which code, when."""

from __future__ import annotations

from oncoweave.engine.parquet import literal
from oncoweave.fhir.systems import SYSTEMS, local_system
from oncoweave.fhir.template import Elements, Leaf, Tree, When, codeable, reference, text, token

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
SUBJECT = reference("Patient", "person_id", always=True)
ENCOUNTER = reference("Encounter", "coalesce(visit_detail, visit)")
EPISODE_URL = "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare"
EPISODE: Tree = [{"url": EPISODE_URL, "valueReference": reference("EpisodeOfCare", "episode")}]
"""The extension of FHIR's own that says of which episode something is, where a resource has no element for it."""

OWN = When(
    "source_concept_id <> 0", Leaf("CASE WHEN source_concept_id <> concept_id THEN coding@source_concept_id END")
)
"""The coding of the source's code in its own vocabulary, where that is another."""
LOCAL = When(
    f"source_vocabulary NOT IN ({', '.join(map(literal, SYSTEMS))})",
    Leaf(
        f"""CASE WHEN coalesce(source_concept_id, 0) = 0 AND concept_id <> 0 THEN '{{"system":' || CAST(to_json({local_system("source_name")}) AS VARCHAR) """
        """|| ',"code":' || CAST(to_json(nullif(trim(regexp_replace(source_code, '\\s+', ' ', 'g')), '')) AS VARCHAR) || '}' END"""
    ),
)
"""The source's code in its concept map, where that leads to a concept."""
TEXT = text("CASE WHEN concept_id = 0 OR source_value IS DISTINCT FROM source_code THEN source_value END")
"""What the source writes, where that is not its code anyway."""
CODE = codeable("concept_id", OWN, LOCAL, text_=TEXT)
"""What an event is."""


def resource(type_: str, **elements: Tree) -> Elements:
    """A resource whose id is that of its event."""
    return {"resourceType": type_, "id": token("event_id", always=True), **elements}


def further(type_: str, what: str, **elements: Tree) -> Elements:
    """A further resource of an event: its id tells what it is."""
    return {"resourceType": type_, "id": token(f"event_id || '-{what}'", always=True), **elements}


def fixed(system: str, code: str, display: str = "") -> Elements:
    """A CodeableConcept of one code."""
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


def said(prefix: str) -> Elements:
    """A CodeableConcept of one of an event's further concepts, with what the source says of it where that is not its code."""
    concept, source = f"{prefix}_concept_id", f"{prefix}_source_value"
    return codeable(concept, text_=text(f"CASE WHEN {source} IS DISTINCT FROM code@{concept} THEN {source} END"))

"""The resources that every profile set has, as templates, and which events become which."""

from __future__ import annotations

from oncoweave.engine.parquet import literal
from oncoweave.fhir.profile_sets import Route
from oncoweave.fhir.systems import SYSTEMS, local_system
from oncoweave.fhir.template import (
    ABSENT,
    Elements,
    Leaf,
    Required,
    Tree,
    codeable,
    lookup,
    moment,
    reference,
    text,
    token,
)

SUBJECT = reference("Patient", "person_id", always=True)
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def resource(type_: str, **elements: Tree) -> Elements:
    """A resource whose id is that of its event."""
    return {"resourceType": type_, "id": token("event_id", always=True), **elements}


def status(system: str, code: str) -> Elements:
    """A CodeableConcept of a code of FHIR's own."""
    return {"coding": [{"system": f"{TERMINOLOGY}/{system}", "code": code}]}


OWN = Leaf(
    "CASE WHEN source_concept_id <> 0 THEN CASE WHEN source_concept_id <> concept_id THEN coding@source_concept_id END "
    f"WHEN concept_id <> 0 AND source_vocabulary NOT IN ({', '.join(map(literal, SYSTEMS))}) THEN "
    f"""concat('{{"system":', to_json({local_system("source_name")}), ',"code":' || to_json(nullif(trim(source_code), '')) || '}}') END"""
)
"""The coding that the source has itself: of its vocabulary, or of its concept map where that leads to a concept."""
TEXT = text("CASE WHEN concept_id = 0 OR source_value IS DISTINCT FROM source_code THEN source_value END")
"""What the source writes, where that is not its code anyway."""

CODE = codeable("concept_id", own=OWN, text_=TEXT)
ENCOUNTER = reference("Encounter", "coalesce(visit_detail, visit)")

BIRTH = token(
    "left(CAST(start_date AS VARCHAR), CASE start_precision WHEN 'year' THEN 4 WHEN 'month' THEN 7 ELSE 10 END)"
)
PATIENT: Elements = {
    "resourceType": "Patient",
    "id": token("person_id", always=True),
    "gender": Required(lookup("gender", "concept_id"), "unknown"),
    "birthDate": BIRTH,
    "deceasedDateTime": Leaf("death#date"),
}

CONDITION = resource(
    "Condition",
    verificationStatus=status("condition-ver-status", "confirmed"),
    code=Required(CODE, ABSENT),
    subject=SUBJECT,
    encounter=ENCOUNTER,
    onsetDateTime=moment("start"),
    abatementDateTime=moment("end"),
    stage=[{"assessment": Leaf("stages#observations")}],
)

ROUTES: tuple[Route, ...] = (
    Route("person", "Patient", PATIENT),
    Route("condition_occurrence", "Condition", CONDITION),
)

"""Templates of MedicationAdministration, MedicationStatement and Immunization."""

from __future__ import annotations

from oncoweave.fhir.elements import CODE, ENCOUNTER, SUBJECT, resource, said
from oncoweave.fhir.template import ABSENT, Elements, Leaf, Required, When, moment, moments, text, token

_CONTEXT: Elements = {
    "reference": token("coalesce('Encounter/' || coalesce(visit_detail, visit), 'EpisodeOfCare/' || episode)")
}
"""The encounter of a drug, else the episode that it belongs to."""
_ENDED = "end_date IS NOT NULL AND end_date <> start_date"
_AMOUNT: Elements = {
    "value": Leaf("printf('%.15g', CAST(quantity AS DOUBLE))", always=True),
    "unit": text("dose_unit_source_value"),
}

ADMINISTRATION = resource(
    "MedicationAdministration",
    status="completed",
    statusReason=[{"text": text("stop_reason")}],
    medicationCodeableConcept=Required(CODE, ABSENT),
    subject=SUBJECT,
    context=_CONTEXT,
    **moments("effective", end=_ENDED),
    dosage=When("isfinite(quantity)", {"text": text("sig"), "route": said("route"), "dose": _AMOUNT}),
)
"""A drug that was given. FHIR wants a dose wherever it is told how a drug was given, so that without one the route is not told."""

STATEMENT = resource(
    "MedicationStatement",
    status=token("CASE WHEN end_date IS NOT NULL THEN 'completed' ELSE 'unknown' END", always=True),
    statusReason=[{"text": text("stop_reason")}],
    medicationCodeableConcept=Required(CODE, ABSENT),
    subject=SUBJECT,
    context=_CONTEXT,
    **moments("effective", end=_ENDED),
    dosage=[{"text": text("sig"), "route": said("route")}],
)
"""A drug that was prescribed or sent by mail: whether it was taken is unknown unless an end is told."""

IMMUNIZATION = resource(
    "Immunization",
    status="completed",
    vaccineCode=Required(CODE, ABSENT),
    patient=SUBJECT,
    encounter=ENCOUNTER,
    occurrenceDateTime=moment("start"),
    lotNumber=text("lot_number"),
    route=said("route"),
    doseQuantity=When("isfinite(quantity)", _AMOUNT),
)
"""A vaccine that was given."""

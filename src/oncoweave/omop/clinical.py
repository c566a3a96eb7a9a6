"""The clinical tables of the CDM: which field holds their concept, and which their day."""

from __future__ import annotations

from types import MappingProxyType

FIRST_DAY = MappingProxyType(
    {
        "condition_occurrence": "condition_start_date",
        "drug_exposure": "drug_exposure_start_date",
        "procedure_occurrence": "procedure_date",
        "device_exposure": "device_exposure_start_date",
        "visit_occurrence": "visit_start_date",
        "visit_detail": "visit_detail_start_date",
        "measurement": "measurement_date",
        "observation": "observation_date",
        "note": "note_date",
        "specimen": "specimen_date",
        "episode": "episode_start_date",
    }
)
"""The tables of what happens to a person, with the field of the day on which it does, or begins."""
_CONCEPT = {
    "visit_occurrence": "visit_concept_id",
    "condition_occurrence": "condition_concept_id",
    "procedure_occurrence": "procedure_concept_id",
    "drug_exposure": "drug_concept_id",
    "measurement": "measurement_concept_id",
    "observation": "observation_concept_id",
    "device_exposure": "device_concept_id",
    "specimen": "specimen_concept_id",
    "episode": "episode_concept_id",
}
CLINICAL = MappingProxyType({table: (concept, FIRST_DAY[table]) for table, concept in _CONCEPT.items()})
"""The clinical tables, with the field of their concept and of their day."""
SEXES = MappingProxyType({8507: "male", 8532: "female", 0: "no matching concept"})
"""What the concepts of gender say; 0 is no concept."""

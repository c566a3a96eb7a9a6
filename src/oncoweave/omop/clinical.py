"""The clinical tables of the CDM: which field holds their concept, and which their day."""

from __future__ import annotations

from types import MappingProxyType

CLINICAL = MappingProxyType(
    {
        "visit_occurrence": ("visit_concept_id", "visit_start_date"),
        "condition_occurrence": ("condition_concept_id", "condition_start_date"),
        "procedure_occurrence": ("procedure_concept_id", "procedure_date"),
        "drug_exposure": ("drug_concept_id", "drug_exposure_start_date"),
        "measurement": ("measurement_concept_id", "measurement_date"),
        "observation": ("observation_concept_id", "observation_date"),
        "device_exposure": ("device_concept_id", "device_exposure_start_date"),
        "specimen": ("specimen_concept_id", "specimen_date"),
        "episode": ("episode_concept_id", "episode_start_date"),
    }
)
"""The clinical tables, with the field of their concept and of their day."""
SEXES = MappingProxyType({8507: "male", 8532: "female", 0: "no matching concept"})
"""What the concepts of gender say; 0 is no concept."""

"""What FHIR R4 allows where its own codes are required: the validator does not look at codes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_MEDICATION = ("in-progress", "not-done", "on-hold", "completed", "entered-in-error", "stopped", "unknown")
CODES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Patient": ("$.gender", ("male", "female", "other", "unknown")),
        "Encounter": ("$.status", ("planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled",
                                   "entered-in-error", "unknown")),
        "Observation": ("$.status", ("registered", "preliminary", "final", "amended", "corrected", "cancelled",
                                     "entered-in-error", "unknown")),
        "Procedure": ("$.status", ("preparation", "in-progress", "not-done", "on-hold", "stopped", "completed",
                                   "entered-in-error", "unknown")),
        "MedicationAdministration": ("$.status", _MEDICATION),
        "MedicationStatement": ("$.status", ("active", "completed", "entered-in-error", "intended", "stopped", "on-hold",
                                             "unknown", "not-taken")),
        "Immunization": ("$.status", ("completed", "entered-in-error", "not-done")),
        "Device": ("$.status", ("active", "inactive", "entered-in-error", "unknown")),
        "DeviceUseStatement": ("$.status", ("active", "completed", "entered-in-error", "intended", "stopped", "on-hold")),
        "Specimen": ("$.status", ("available", "unavailable", "unsatisfactory", "entered-in-error")),
        "EpisodeOfCare": ("$.status", ("planned", "waitlist", "active", "onhold", "finished", "cancelled", "entered-in-error")),
        "Consent": ("$.status", ("draft", "proposed", "active", "rejected", "inactive", "entered-in-error")),
        "ConceptMap": ("$.status", ("draft", "active", "retired", "unknown")),
    }
)  # fmt: skip
"""By type: the element that must hold one of these codes, where it is there (R4 4.0.1, required bindings)."""

"""The system URIs of code systems, by the vocabulary that OMOP calls them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OMOP = "http://fhir.ohdsi.org/CodeSystem/concepts"
"""The concepts of OMOP themselves, by their id: for vocabularies without a system of their own."""
UCUM = "http://unitsofmeasure.org"

SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        "SNOMED": "http://snomed.info/sct",
        "LOINC": "http://loinc.org",
        "ICDO3": "http://terminology.hl7.org/CodeSystem/icd-o-3",
        "ICD10": "http://hl7.org/fhir/sid/icd-10",
        "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
        "ICD9CM": "http://hl7.org/fhir/sid/icd-9-cm",
        "ATC": "http://www.whocc.no/atc",
        "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
        "UCUM": UCUM,
        "CVX": "http://hl7.org/fhir/sid/cvx",
    }
)
"""Vocabularies with a system of their own."""

COMBINED = ("ICDO Condition",)
"""Concept classes whose codes are OMOP's own combinations of codes (`8500/3-C50.9`), which the system itself does not have."""


LOCAL = "urn:oncoweave"
"""The start of the system of the codes of a source's own, before the source's name and that of the concept map."""


def local_system(source: str) -> str:
    """SQL of the system of the codes of the concept map that an event was found by; `source` is SQL of the source's name."""
    return f"concat('{LOCAL}:', {source}, ':', replace(source_vocabulary, ' ', '-'))"

"""The system URIs of code systems, by the vocabulary that OMOP calls them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from oncoweave.vocabulary.code_systems import CODE_SYSTEMS, CONCEPT_IDS

OMOP = CODE_SYSTEMS[CONCEPT_IDS][0]
"""The concepts of OMOP themselves, by their id: for vocabularies without a system of their own."""
UCUM = CODE_SYSTEMS["UCUM"][0]

_WRITTEN = ("SNOMED", "LOINC", "ICDO3", "ICD10", "ICD10CM", "ICD9CM", "ATC", "RxNorm", "UCUM", "CVX")
SYSTEMS: Mapping[str, str] = MappingProxyType({vocabulary: CODE_SYSTEMS[vocabulary][0] for vocabulary in _WRITTEN})
"""Vocabularies with a system of their own."""

COMBINED = ("ICDO Condition",)
"""Concept classes whose codes are OMOP's own combinations of codes (`8500/3-C50.9`), which the system itself does not have."""

LOCAL = "urn:oncoweave"
"""The start of the system of the codes of a source's own, before the source's name and that of the concept map."""


def local_system(source: str) -> str:
    """SQL of the system of the codes of the concept map that an event was found by; `source` is SQL of the source's name."""
    return f"concat('{LOCAL}:', {source}, ':', replace(source_vocabulary, ' ', '-'))"

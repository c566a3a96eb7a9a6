"""The addresses by which FHIR names the code systems that OMOP has as vocabularies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CONCEPT_IDS = "OMOP"
"""Stands for OMOP's own concept ids where a vocabulary is named."""

CODE_SYSTEMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "SNOMED": ("http://snomed.info/sct",),
        "LOINC": ("http://loinc.org",),
        "RxNorm": ("http://www.nlm.nih.gov/research/umls/rxnorm",),
        "ATC": ("http://www.whocc.no/atc",),
        "UCUM": ("http://unitsofmeasure.org",),
        "CVX": ("http://hl7.org/fhir/sid/cvx",),
        "NDC": ("http://hl7.org/fhir/sid/ndc",),
        "ICD10": ("http://hl7.org/fhir/sid/icd-10",),
        "ICD10CM": ("http://hl7.org/fhir/sid/icd-10-cm",),
        "ICD10GM": ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "http://fhir.de/CodeSystem/dimdi/icd-10-gm"),
        "ICD10PCS": ("http://www.cms.gov/Medicare/Coding/ICD10", "http://hl7.org/fhir/sid/icd-10-pcs"),
        "ICD9CM": ("http://hl7.org/fhir/sid/icd-9-cm",),
        "ICD9Proc": ("http://hl7.org/fhir/sid/icd-9-cm/procedure",),
        "ICDO3": ("http://terminology.hl7.org/CodeSystem/icd-o-3", "http://hl7.org/fhir/sid/icd-o-3"),
        "CPT4": ("http://www.ama-assn.org/go/cpt",),
        "HCPCS": ("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "urn:oid:2.16.840.1.113883.6.285"),
        "OPS": ("http://fhir.de/CodeSystem/bfarm/ops", "http://fhir.de/CodeSystem/dimdi/ops"),
        CONCEPT_IDS: ("http://fhir.ohdsi.org/CodeSystem/concepts", "https://fhir-terminology.ohdsi.org"),
    }
)
"""The addresses by vocabulary, the usual one first. Source: HL7 Terminology (THO) and the national base specifications."""

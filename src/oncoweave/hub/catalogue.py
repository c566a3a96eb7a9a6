"""catalogue.json of a hub: one data set a source, as DCAT-AP and HealthDCAT-AP name things (JSON-LD).

It holds what a release tells by itself. What only the data holder knows (contact, health data access body, legal basis) is
not made up: a national catalogue asks for it, and the entry says so by leaving it out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from oncoweave.hub.facts import Facts

CONTEXT = MappingProxyType(
    {
        "dcat": "http://www.w3.org/ns/dcat#",
        "dcatap": "http://data.europa.eu/r5r/",
        "dct": "http://purl.org/dc/terms/",
        "foaf": "http://xmlns.com/foaf/0.1/",
        "healthdcatap": "http://healthdataportal.eu/ns/health#",
        "prov": "http://www.w3.org/ns/prov#",
        "spdx": "http://spdx.org/rdf/terms#",
        "oncoweave": "https://oncoweave.example/ns#",
    }
)
NON_PUBLIC = "http://publications.europa.eu/resource/authority/access-right/NON_PUBLIC"
EHDS = "http://data.europa.eu/eli/reg/2025/327/oj"
HEALTH = "http://publications.europa.eu/resource/authority/data-theme/HEAL"
NDJSON = "application/fhir+ndjson"
"""As HL7's Bulk Data names it; it is not registered with IANA."""
PARQUET = "https://www.iana.org/assignments/media-types/application/vnd.apache.parquet"


def catalogue(current: Iterable[Facts], releases: Mapping[str, list[str]]) -> bytes:
    """The catalogue of the current release of each source, with the ids of all its releases; the same input, the same bytes."""
    tree = {
        "@context": dict(CONTEXT),
        "@type": "dcat:Catalog",
        "dct:title": "Releases that this hub has taken in",
        "dcat:dataset": [_dataset(facts, releases[facts.source]) for facts in current],
    }
    return (json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode()


def _dataset(facts: Facts, releases: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "@type": "dcat:Dataset",
        "dct:identifier": facts.source,
        "dct:title": facts.title,
        "dct:description": facts.description or facts.title,
        "dct:publisher": {"@type": "foaf:Agent", "foaf:name": facts.holder},
        "dct:accessRights": NON_PUBLIC,
        "dcatap:applicableLegislation": EHDS,
        "dcat:theme": HEALTH,
        "dcat:keyword": ["cancer", "OMOP CDM", "registry data"],
        "dct:conformsTo": [f"OMOP CDM {facts.cdm_version}", "HL7 FHIR R4"]
        if facts.fhir
        else f"OMOP CDM {facts.cdm_version}",
        "dcat:version": facts.release_id,
        "dcat:hasVersion": releases,
        "dct:issued": facts.delivery_date.isoformat(),
        "healthdcatap:hasStructuredData": True,
        "healthdcatap:numberOfUniqueIndividuals": facts.persons,
        "healthdcatap:numberOfRecords": _sum(facts),
        "healthdcatap:hasCodingSystem": f"OMOP standardised vocabularies {facts.vocabulary}",
        "oncoweave:rowsPerTable": facts.rows,
        "oncoweave:smallestCountTold": facts.smallest,
        "prov:wasGeneratedBy": {"@type": "prov:Activity", "prov:used": facts.software, "dct:identifier": facts.run_id},
        "dcat:distribution": _distributions(facts),
    }
    if facts.years and not facts.synthetic_origin:
        told["dct:temporal"] = {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": str(facts.years[0]),
            "dcat:endDate": str(facts.years[1]),
        }
    if facts.synthetic_origin:
        told["oncoweave:syntheticOrigin"] = facts.synthetic_origin.isoformat()
    return told


def _distributions(facts: Facts) -> Any:
    """The files of a release: the tables, and where there are some, the FHIR resources beside them."""
    folder = f"releases/{facts.source}/{facts.release_id}"
    omop = _distribution("OMOP CDM tables as Parquet", PARQUET, folder, facts.sha256)
    if facts.fhir is None:
        return omop
    fhir = _distribution("HL7 FHIR R4 resources as NDJSON", NDJSON, f"{folder}/fhir", facts.sha256)
    told = {"oncoweave:profiles": facts.fhir.profiles, "oncoweave:resourcesPerType": facts.fhir.resources}
    return [omop, {**fhir, "dct:conformsTo": "HL7 FHIR R4", **told}]


def _distribution(title: str, kind: str, folder: str, sha256: str) -> dict[str, Any]:
    return {
        "@type": "dcat:Distribution",
        "dct:title": title,
        "dcat:mediaType": kind,
        "oncoweave:folder": folder,
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": "spdx:checksumAlgorithm_sha256",
            "spdx:checksumValue": sha256,
            "oncoweave:of": "manifest.json",
        },
    }


def _sum(facts: Facts) -> int | None:
    """All rows, where none of them is left out; else it would tell what was."""
    return None if None in facts.rows.values() else sum(rows or 0 for rows in facts.rows.values())

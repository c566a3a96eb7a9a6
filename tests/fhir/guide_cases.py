"""The cases of HL7's FHIR to OMOP guide as one delivery, mapped once for all tests that ask."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml  # type: ignore[import-untyped]

from oncoweave.lint import lint
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord, MapRecord
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.load import load
from tests.fhir import guide_vocabulary

ROOT = Path(__file__).resolve().parents[2]
CASES: dict[str, dict[str, Any]] = {
    case["case"]: case for case in yaml.safe_load((Path(__file__).parent / "guide_cases.yaml").read_text("utf-8"))
}
MINIMAL: dict[str, dict[str, int]] = {
    "Encounter": {}, "Condition": {}, "Observation": {}, "Procedure": {}, "Medication": {}, "MedicationRequest": {},
    "MedicationAdministration": {"drug_exposure": 1}, "MedicationStatement": {}, "Immunization": {"drug_exposure": 1},
    "AllergyIntolerance": {}, "Device": {}, "DeviceUseStatement": {}, "Specimen": {},
}  # fmt: skip
"""What a resource with nothing but what R4 requires becomes: mostly nothing, for want of a code or a day."""
_CODE = {"text": "something"}
_REQUIRED: dict[str, dict[str, Any]] = {
    "Encounter": {"status": "finished", "class": {"code": "AMB"}},
    "Observation": {"status": "final", "code": _CODE},
    "Procedure": {"status": "completed"},
    "MedicationRequest": {"status": "active", "intent": "instance-order", "medicationCodeableConcept": _CODE},
    "MedicationAdministration": {
        "status": "completed", "effectiveDateTime": "2020-03-04",
        "medicationCodeableConcept": {"coding": [{"code": "x"}]},
    },
    "MedicationStatement": {"status": "active", "medicationCodeableConcept": _CODE},
    "Immunization": {"status": "completed", "occurrenceDateTime": "2020-03-04", "vaccineCode": {"coding": [{"code": "x"}]}},
    "DeviceUseStatement": {"status": "active", "device": {"reference": "Device/nothing"}},
}  # fmt: skip
IDENTIFIER = {"identifier": [{"system": "http://hospital.example/mrn", "value": "MRN-4711"}]}


@dataclass(frozen=True)
class Guided:
    """The run of all cases, with its records and its delivery."""

    run: RunFolder
    extracted: ExtractRecord
    mapped: MapRecord
    delivery: Path

    @cached_property
    def persons(self) -> dict[str, int]:
        """The person_id of each case: from the restricted map of ids."""
        (path,) = self.run.path.parents[2].glob("restricted/**/*.parquet")
        found = duckdb.sql(f"SELECT key, person_id FROM '{path}'").fetchall()
        return {str(key).rpartition("/")[2].replace("-", "_"): int(person) for key, person in found}


def mapped(root: Path, download: Path, more: dict[str, Any]) -> Guided:
    """All cases in one delivery, each resource with `more`, mapped."""
    for part in ("mappings/sources/fhir_r4", "mappings/concepts"):
        shutil.copytree(ROOT / part, root / part)
    delivery = root / "delivery"
    delivery.mkdir()
    minimal = [{"case": f"minimal_{t}", "given": [{"resourceType": t, **_REQUIRED.get(t, {})}]} for t in MINIMAL]
    found = [{**one, **more} for case in (*CASES.values(), *minimal) for one in resources(case)]
    (delivery / "all.ndjson").write_text("".join(json.dumps(one) + "\n" for one in found), encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        project = Project(root, root / "runs", root / "releases", root / "restricted")
        load(project, download, guide_vocabulary.RELEASE)
        assert lint(project, "fhir_r4") == []
        run = extract(project, "fhir_r4", delivery)
        record = map_stage(run, project)
    text = (run.path / "extract.json").read_text(encoding="utf-8")
    return Guided(run, ExtractRecord.model_validate_json(text), record, delivery)


def resources(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of a case with ids, of its own patient."""
    key = case["case"].replace("_", "-")
    patient = {"resourceType": "Patient", "id": key, "birthDate": "1960-01-02", **case.get("patient", {})}
    given = [{**one, "id": f"{key}-{n}", **subject(one, key)} for n, one in enumerate(case["given"], 1)]
    text = json.dumps(given, default=str)
    for number, one in enumerate(given, 1):
        text = text.replace(f'"#{number}"', f'"{one["resourceType"]}/{one["id"]}"')
    return [patient, *json.loads(text)]


def subject(resource: dict[str, Any], key: str) -> dict[str, Any]:
    """The reference of a resource to its patient, under the name that its type has for it."""
    if resource["resourceType"] in ("Device", "Medication"):
        return {}
    name = "patient" if resource["resourceType"] in ("Immunization", "AllergyIntolerance") else "subject"
    return {name: {"reference": f"Patient/{key}"}}

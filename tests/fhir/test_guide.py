"""The mapping fhir_r4 against HL7's FHIR to OMOP guide: small cases, each a person of one delivery, with all their rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from oncoweave.lint import lint
from oncoweave.project import Project, RunFolder
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.load import load
from tests.fhir import guide_vocabulary

ROOT = Path(__file__).resolve().parents[2]
CASES: dict[str, dict[str, Any]] = {
    case["case"]: case for case in yaml.safe_load((Path(__file__).parent / "guide_cases.yaml").read_text("utf-8"))
}
TABLES = (
    "visit_occurrence", "condition_occurrence", "drug_exposure", "procedure_occurrence", "device_exposure", "measurement",
    "observation", "specimen", "death", "note",
)  # fmt: skip


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """All cases in one delivery, mapped."""
    root = tmp_path_factory.mktemp("guide")
    for part in ("mappings/sources/fhir_r4", "mappings/concepts"):
        shutil.copytree(ROOT / part, root / part)
    delivery = root / "delivery"
    delivery.mkdir()
    lines = [json.dumps(resource) for case in CASES.values() for resource in resources(case)]
    (delivery / "all.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        project = Project(root, root / "runs", root / "releases", root / "restricted")
        load(project, guide_vocabulary.write(tmp_path_factory.mktemp("athena") / "download"), guide_vocabulary.RELEASE)
        assert lint(project, "fhir_r4") == []
        run = extract(project, "fhir_r4", delivery)
        map_stage(run, project)
        return run


def resources(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of a case with ids, of its own patient."""
    key = case["case"].replace("_", "-")
    patient = {"resourceType": "Patient", "id": key, "birthDate": "1960-01-02", **case.get("patient", {})}
    given = [
        {**one, "id": f"{key}-{n}", **({} if one["resourceType"] == "Medication" else subject(one, key))}
        for n, one in enumerate(case["given"], 1)
    ]
    text = json.dumps(given, default=str)
    for number, one in enumerate(given, 1):
        text = text.replace(f'"#{number}"', f'"{one["resourceType"]}/{one["id"]}"')
    return [patient, *json.loads(text)]


def subject(resource: dict[str, Any], key: str) -> dict[str, Any]:
    """The reference of a resource to its patient, under the name that its type has for it."""
    if resource["resourceType"] == "Device":
        return {}
    name = "patient" if resource["resourceType"] in ("Immunization", "AllergyIntolerance") else "subject"
    return {name: {"reference": f"Patient/{key}"}}


@pytest.fixture(scope="module")
def persons(guided: RunFolder) -> dict[str, int]:
    """The person_id of each case: from the restricted map of ids."""
    (path,) = guided.path.parents[2].glob("restricted/**/*.parquet")
    found = duckdb.sql(f"SELECT key, person_id FROM '{path}'").fetchall()
    return {str(key).rpartition("/")[2].replace("-", "_"): int(person) for key, person in found}


@pytest.mark.parametrize("case", CASES)
def test_case_of_the_guide(case: str, guided: RunFolder, persons: dict[str, int]) -> None:
    expected = CASES[case]["expect"]
    for table in (*TABLES, *(["person"] if "person" in expected else [])):
        wanted = expected.get(table, [])
        columns = list(wanted[0]) if wanted else ["person_id"]
        sql = f"SELECT {', '.join(columns)} FROM '{guided.tables / table}.parquet' WHERE person_id = {persons[case]}"
        found = [dict(zip(columns, row, strict=True)) for row in duckdb.sql(sql).fetchall()]
        assert sorted(map(_text, found)) == sorted(map(_text, wanted)), table


def _text(row: dict[str, Any]) -> str:
    return str({name: _plain(value) for name, value in row.items()})


def _plain(value: Any) -> Any:
    return (
        value
        if value is None or isinstance(value, str)
        else str(float(value))
        if isinstance(value, (int, float))
        else str(value)
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{codings: code, vocabularies: [OMOP, SNOMED, CPT4,", "{codings: code, vocabularies: [OMOP, SNOWMED, CPT4,", "no address for the codes of `SNOWMED`"),
        ("{codings: code, vocabularies: [OMOP, SNOMED, CPT4,", "{codings: kode, vocabularies: [OMOP, SNOMED, CPT4,", "kode"),
        ("HCPCS, ICD10PCS, OPS, ICD9Proc, LOINC], map: local_procedure}", "HCPCS], map: local_procedures}", "no concept map `local_procedures`"),
        ("{rule: conditions, by: {members.focus: condition}}", "{rule: conditions, by: {members.fokus: condition}}", "members.fokus"),
        ("{rule: conditions, by: {condition: condition}}", "{rule: conditions, by: {condition: patient}}", "identified by `condition`"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(
    old: str, new: str, says: str, guided: RunFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = guided.path.parents[2]
    monkeypatch.setenv("ONCOWEAVE_KEY", "5e" * 32)
    for part in ("mappings", "vocabularies"):
        if (root / part).is_dir():
            shutil.copytree(root / part, tmp_path / part)
    path = tmp_path / "mappings" / "sources" / "fhir_r4" / "mapping.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    found = [p for p in lint(Project.at(tmp_path), "fhir_r4") if p.severity == "error" and says in p.message]
    assert [p.line for p in found] == [text[: text.index(old)].count("\n") + 1]

"""A source of FHIR, from NDJSON to OMOP: views make its tables, and the ordinary mapping applies."""

from __future__ import annotations

import json
import re
import shutil

import duckdb
import pytest

from oncoweave.errors import DataError, Problem, SpecError
from oncoweave.files import read_record
from oncoweave.lint import lint
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord
from oncoweave.report.recap import notes_of
from oncoweave.run import run as run_source
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage

SOURCE = """
version: 1
source: ward
title: Made-up patients in FHIR
holder: Nobody
kind: hospital
delivery: {by: folder, date: 2024-05-01, path: ../../../deliveries}
tables:
  patients:
    format: fhir
    files: "*.ndjson"
    view: patients
    row: {fields: [patient]}
    fields:
      patient: {type: identifier}
      gender: {type: code}
      birth_date: {type: date, formats: ["%Y-%m-%d", "%Y-%m", "%Y"]}
  conditions:
    format: fhir
    files: "*.ndjson"
    view: conditions
    modifier_extensions: ["http://example.org/harmless"]
    row: {fields: [condition]}
    person: [patient]
    fields:
      condition: {type: identifier}
      patient: {type: identifier}
      code: {type: code}
      onset: {type: date, formats: ["ISO 8601", "%Y-%m", "%Y"]}
"""
PATIENTS = """
resource: Patient
select:
  - column:
      - {name: patient, path: getResourceKey()}
      - {name: gender, path: gender}
      - {name: birth_date, path: birthDate}
"""
CONDITIONS = """{"resourceType": "ViewDefinition", "resource": "Condition", "status": "active",
 "constant": [{"name": "refuted", "valueCode": "refuted"}],
 "where": [{"path": "verificationStatus.coding.where(code = %refuted).exists().not()"}],
 "select": [{"column": [
   {"name": "condition", "path": "getResourceKey()"},
   {"name": "patient", "path": "subject.getReferenceKey(Patient)"},
   {"name": "onset", "path": "onset.ofType(dateTime)"},
   {"name": "code", "path": "code.coding.first().code"}]}]}
"""
MAPPING = """
version: 1
source: ward
vocabulary: tiny-1
concepts:
  breast_cancer: "OMOP:4162253 |Primary malignant neoplasm of breast|"
rules:
  - fact: person
    name: patients
    from: patients
    gender: {concept: {map: sex, value: "case when gender = 'female' then 'F' when gender = 'male' then 'M' end"}}
    birth: {date: birth_date}
  - fact: condition
    name: conditions
    from: conditions
    where: code = 'C50'
    because: not breast
    concept: breast_cancer
    start: onset
    kind: diagnosis
"""


def patient(number: int, **more: object) -> str:
    return json.dumps(
        {"resourceType": "Patient", "id": f"p{number}", "gender": "female", "birthDate": "1950-03", **more}
    )


def condition(number: int, of: int, **more: object) -> str:
    code = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C50"}]}
    subject = {"reference": f"Patient/p{of}"}
    return json.dumps(
        {"resourceType": "Condition", "id": f"c{number}", "subject": subject, "code": code,
         "onsetDateTime": "2015-02-03T10:00:00+01:00", **more}
    )  # fmt: skip


@pytest.fixture
def ward(tiny_project: Project) -> Project:
    """The tiny project with a second source, of FHIR; its deliveries are empty."""
    root = tiny_project.root
    source = root / "mappings" / "sources" / "ward"
    (source / "views").mkdir(parents=True)
    shutil.copytree(root / "mappings" / "sources" / "tiny" / "concepts", source / "concepts")
    (source / "source.yaml").write_text(SOURCE, encoding="utf-8")
    (source / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    (source / "views" / "patients.yaml").write_text(PATIENTS, encoding="utf-8")
    (source / "views" / "conditions.json").write_text(CONDITIONS, encoding="utf-8")
    for old in (root / "deliveries").iterdir():
        shutil.rmtree(old)
    return Project.at(root)


def deliver(project: Project, *lines: str) -> None:
    (project.root / "deliveries" / "all.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows(run: RunFolder, table: str) -> list[tuple[object, ...]]:
    return duckdb.sql(f"SELECT * FROM '{run.tables / table}.parquet'").fetchall()


def extracted(project: Project) -> ExtractRecord:
    return read_record(extract(project, "ward").path / "extract.json", ExtractRecord)


def quarantined(run: RunFolder) -> list[tuple[object, ...]]:
    """Line and reason of what extract quarantined."""
    return duckdb.sql(f"SELECT line, reason FROM '{run.quarantine / 'extract.parquet'}' ORDER BY ALL").fetchall()


def test_resources_become_rows_of_omop(ward: Project) -> None:
    assert [p for p in lint(ward, "ward") if p.severity == "error"] == []
    deliver(ward, patient(1), patient(2), condition(1, 1), condition(2, 2, onsetDateTime="2015"))
    run = extract(ward, "ward")
    mapped = map_stage(run, ward)
    assert mapped.persons == 2
    assert len(rows(run, "condition_occurrence")) == 2


def test_a_condition_leaves_out_what_is_refuted(ward: Project) -> None:
    refuted = {"coding": [{"code": "refuted"}]}
    deliver(ward, patient(1), condition(1, 1), condition(2, 1, verificationStatus=refuted))
    run = extract(ward, "ward")
    map_stage(run, ward)
    assert len(rows(run, "condition_occurrence")) == 1


def test_what_cannot_be_read_is_quarantined_by_file_and_line(ward: Project) -> None:
    unknown = {"modifierExtension": [{"url": "http://example.org/negated", "valueBoolean": True}]}
    harmless = {"modifierExtension": [{"url": "http://example.org/harmless", "valueBoolean": True}]}
    two = {"gender": "female", "birthDate": "1950", "id": "p9"}
    several = {"code": {"coding": [{"code": "C50"}]}, "onsetDateTime": "2015", "_onsetDateTime": {"id": "a"}}
    deliver(
        ward, patient(1), condition(1, 1, **unknown), condition(2, 1, **harmless), '{"resourceType": "Cond', patient(2, **two),
        condition(3, 1, **several), condition(4, 1, implicitRules="http://example.org/rules"), condition(5, 1, recorder=None),
        '{"resourceType": "Patiant", "id": "p3"}', condition(6, 1)[:-20]
    )  # fmt: skip
    run = extract(ward, "ward")
    modifier = "a modifier extension that source.yaml does not name"
    assert quarantined(run) == [
        (2, modifier),
        (4, "not whole JSON"),
        (6, "the column `onset` finds several values, and is not `collection: true`"),
        (7, modifier),
        (8, "a member that is null or empty"),
        (9, "no resource: its resourceType is none of FHIR R4"),
        (10, "not whole JSON"),
    ]
    map_stage(run, ward)
    assert len(rows(run, "condition_occurrence")) == 1


def test_a_line_that_is_no_resource_is_counted_once_and_no_table_stops(ward: Project) -> None:
    deliver(ward, patient(1), '{"resourceType": "Cond')
    record = extracted(ward)
    assert [(t.table, t.records, t.rows, t.quarantined) for t in record.tables] == [
        ("patients", 2, 1, 1),
        ("conditions", 0, 0, 0),
    ]


def test_every_resource_is_in_a_table_or_counted_with_its_reason(ward: Project) -> None:
    refuted = {"coding": [{"code": "refuted"}]}
    claim = json.dumps({"resourceType": "Claim", "id": "a"})
    deliver(
        ward, patient(1), condition(1, 1), condition(2, 1, verificationStatus=refuted), claim, claim, "{", condition(3, 1, id="")
    )  # fmt: skip
    counted = {one.type: one for one in extracted(ward).resources}
    assert {kind: (one.resources, one.left_out, one.tables) for kind, one in counted.items()} == {
        "": (1, 1, ()),
        "Claim": (2, 2, ()),
        "Condition": (3, 2, ("conditions",)),
        "Patient": (1, 0, ("patients",)),
    }
    assert counted[""].reasons == (("quarantined", "not whole JSON", 1),)
    assert counted["Claim"].reasons == (("excluded", "no view reads resources of this type", 2),)
    assert counted["Condition"].reasons == (
        ("excluded", "a condition (`where`) of the view leaves it out", 1),
        ("quarantined", "a member that is null or empty", 1),
    )


def test_a_file_without_a_single_resource_stops_by_rule(ward: Project) -> None:
    deliver(ward, "{", "[]")
    with pytest.raises(
        DataError, match="none of its records is a resource that can be read; the first, line 1: not whole"
    ):
        extract(ward, "ward")


def test_a_bundle_whose_entry_is_no_list_stops_by_rule(ward: Project) -> None:
    source = ward.root / "mappings" / "sources" / "ward" / "source.yaml"
    source.write_text(SOURCE.replace("*.ndjson", "*.json"), encoding="utf-8")
    (ward.root / "deliveries" / "b.json").write_text('{"resourceType": "Bundle", "type": "batch", "entry": {}}')
    with pytest.raises(
        DataError, match=r"b\.json is no JSON of FHIR that can be read: a Bundle whose `entry` is no list"
    ):
        extract(ward, "ward")


def test_several_files_are_one_table_with_the_line_of_each(ward: Project) -> None:
    for number in (1, 2):
        lines = ["", patient(number), condition(number, number), "{"]
        (ward.root / "deliveries" / f"part{number}.ndjson").write_text("\r\n".join(lines), encoding="utf-8")
    run = extract(ward, "ward")
    found = duckdb.sql(f"SELECT condition, _file, _line FROM '{run.snapshot / 'conditions.parquet'}'").fetchall()
    assert found == [("Condition/c1", "part1.ndjson", 3), ("Condition/c2", "part2.ndjson", 3)]
    conditions = read_record(run.path / "extract.json", ExtractRecord).tables[1]
    assert [(file.name, file.rows) for file in conditions.files] == [("part1.ndjson", 1), ("part2.ndjson", 1)]
    assert quarantined(run) == [(4, "not whole JSON")] * 2


def test_a_reference_to_a_patient_who_is_not_there_is_quarantined(ward: Project) -> None:
    deliver(ward, patient(1), condition(1, 1), condition(2, 7), condition(3, 1, subject={"reference": "Group/p1"}))
    run = extract(ward, "ward")
    ledger = {entry.rule: entry for entry in map_stage(run, ward).ledger}
    assert (ledger["conditions"].mapped, ledger["conditions"].quarantined) == (1, 2)
    held = duckdb.sql(
        f"SELECT file, line, rule, reason FROM '{run.quarantine / 'map.parquet'}' ORDER BY line"
    ).fetchall()
    assert held == [
        ("all.ndjson", 3, "conditions", "person not mapped"),
        ("all.ndjson", 4, "conditions", "key missing"),
    ]


@pytest.mark.parametrize(
    "other", [{}, {"gender": "male", "onsetDateTime": "2016"}], ids=["the same", "another version"]
)
def test_of_resources_of_one_id_the_second_is_quarantined(ward: Project, other: dict[str, object]) -> None:
    deliver(ward, patient(1), patient(1, **other), condition(1, 1), condition(1, 1, **other))
    run = extract(ward, "ward")
    ledger = {entry.rule: entry for entry in map_stage(run, ward).ledger}
    assert [(entry.mapped, entry.reasons) for entry in ledger.values()] == [
        (1, (("quarantined", "duplicate key", 1),)),
        (1, (("quarantined", "duplicate key", 1),)),
    ]
    held = duckdb.sql(f"SELECT file, rule, reason FROM '{run.quarantine / 'map.parquet'}' ORDER BY ALL").fetchall()
    assert held == [("all.ndjson", "conditions", "duplicate key"), ("all.ndjson", "patients", "duplicate key")]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("path: gender", "path: gender.where(", 6, "is no FHIRPath"),
        ("path: gender", "path: gender.wher(true)", 6, "calls `wher()`"),
        ("path: gender", "path: gender female", 6, "is no FHIRPath"),
        ("resource: Patient", "resource: patient", 2, "resource"),
        ("resource: Patient", "resource: Patiant", 2, "`Patiant` is no resource of FHIR R4"),
        ("resource: Patient", "resource: Bundle", 2, "a Bundle is read as its entries"),
        ("{name: gender,", "{name: patient,", None, "is there twice"),
        ("column:", "columns:", 4, "columns"),
    ],
)
def test_a_view_that_is_wrong_is_told_with_its_line(
    ward: Project, old: str, new: str, line: int | None, says: str
) -> None:
    path = ward.root / "mappings" / "sources" / "ward" / "views" / "patients.yaml"
    path.write_text(PATIENTS.replace(old, new), encoding="utf-8")
    problems = _problems(ward)
    fitting = [p for p in problems if says in p.message]
    assert fitting, problems
    assert fitting[0].file.endswith("views/patients.yaml")
    assert line is None or fitting[0].line == line


def test_a_view_that_is_not_there_is_told(ward: Project) -> None:
    folder = ward.root / "mappings" / "sources" / "ward"
    (folder / "views" / "patients.yaml").rename(folder / "views" / "patient.yaml")
    (problem,) = _problems(ward)
    assert (problem.line, problem.help) == (12, "did you mean `patient`?")


def test_a_changed_view_makes_another_run(ward: Project) -> None:
    deliver(ward, patient(1), condition(1, 1))
    first = extract(ward, "ward")
    path = ward.root / "mappings" / "sources" / "ward" / "views" / "patients.yaml"
    path.write_text(PATIENTS.replace("path: birthDate", "path: birthDate.first()"), encoding="utf-8")
    assert extract(ward, "ward").run_id != first.run_id


def _problems(project: Project) -> list[Problem]:
    try:
        return [problem for problem in lint(project, "ward") if problem.severity == "error"]
    except SpecError as error:
        return list(error.problems)


def test_the_recap_and_the_page_tell_what_is_in_no_table(ward: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = [json.dumps({"resourceType": "Claim", "id": str(number)}) for number in range(3)]
    other = condition(2, 1, code={"coding": [{"code": "I10"}]})
    deliver(ward, patient(1), condition(1, 1), other, *claims, "{")
    done = run_source(ward, "ward")
    told = "of 7 resources of FHIR 4 are in no table: Claim 3, no resource 1; extract.json and the page of the run count them"
    assert any(note.startswith(told) for note in notes_of(done))
    page = (ward.runs / "ward" / done.run_id / "run.html").read_text(encoding="utf-8")
    section = re.sub(r"<[^>]+>|\s+", " ", page.partition("What became of the resources of FHIR")[2])
    for text in (
        "Claim – 3 0 3 3 excluded: no view reads resources of this type",
        "no resource – 1 0 1 1 quarantined: not whole JSON",
        "Condition conditions 2 2 0 conditions: 1 excluded: not breast",
    ):
        assert text in re.sub(" +", " ", section)


def test_a_delta_of_fhir_changes_and_removes_resources_by_their_key(ward: Project) -> None:
    removed = '"*.ndjson"\n    view: conditions\n    removed: {files: "gone*.json"}'
    source = SOURCE.replace('"*.ndjson"\n    view: conditions', removed).replace("*.ndjson", "all*.ndjson")
    source = source.replace("by: folder,", "by: folder, mode: delta,")
    path = ward.root / "mappings" / "sources" / "ward" / "source.yaml"
    path.write_text(source, encoding="utf-8")
    deliver(ward, patient(1), condition(1, 1), condition(2, 1))
    first = extract(ward, "ward")
    path.write_text(source.replace("2024-05-01", "2024-06-01"), encoding="utf-8")
    deliver(ward, patient(2), condition(1, 2))
    gone = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": json.loads(condition(2, 1))}]}
    (ward.root / "deliveries" / "gone.json").write_text(json.dumps(gone), encoding="utf-8")
    run = extract(ward, "ward", base=first.run_id)
    found = duckdb.sql(f"SELECT condition, patient FROM '{run.snapshot / 'conditions.parquet'}'").fetchall()
    assert found == [("Condition/c1", "Patient/p2")]
    counted = read_record(run.path / "extract.json", ExtractRecord).resources
    assert [(one.type, one.resources) for one in counted] == [("Condition", 1), ("Patient", 1)]

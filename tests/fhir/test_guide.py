"""The mapping fhir_r4 against HL7's FHIR to OMOP guide: small cases, each a person of one delivery, with all their rows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.fhir.systems import OMOP, SYSTEMS
from oncoweave.lint import lint
from oncoweave.project import Project
from oncoweave.vocabulary.code_systems import CODE_SYSTEMS, CONCEPT_IDS
from tests.fhir.guide_cases import CASES, MINIMAL, Guided

TABLES = (
    "visit_occurrence", "visit_detail", "condition_occurrence", "drug_exposure", "procedure_occurrence", "device_exposure", "measurement",
    "observation", "specimen", "death", "note",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_case_of_the_guide(case: str, guided: Guided) -> None:
    expected = CASES[case]["expect"]
    for table in (*TABLES, *(["person"] if "person" in expected else [])):
        wanted = expected.get(table, [])
        columns = list(wanted[0]) if wanted else ["person_id"]
        sql = f"SELECT {', '.join(columns)} FROM '{guided.run.tables / table}.parquet' WHERE person_id = {guided.persons[case]}"
        found = [dict(zip(columns, row, strict=True)) for row in duckdb.sql(sql).fetchall()]
        assert sorted(map(_text, found)) == sorted(map(_text, wanted)), table


@pytest.mark.parametrize("type_", MINIMAL)
def test_a_resource_of_required_elements_alone_is_mapped_or_left_out(type_: str, guided: Guided) -> None:
    for table in TABLES:
        sql = f"SELECT count(*) FROM '{guided.run.tables / table}.parquet' WHERE person_id = {guided.persons['minimal_' + type_]}"
        assert duckdb.sql(sql).fetchone() == (MINIMAL[type_].get(table, 0),), table


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
    old: str, new: str, says: str, guided: Guided, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = guided.run.path.parents[2]
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


def test_what_happened_in_a_part_of_a_stay_belongs_to_part_and_stay(guided: Guided) -> None:
    case = "encounter_within_a_stay_is_a_visit_detail"
    sql = f"""SELECT p.visit_occurrence_id = d.visit_occurrence_id, p.visit_detail_id = d.visit_detail_id
        FROM '{guided.run.tables}/procedure_occurrence.parquet' AS p JOIN '{guided.run.tables}/visit_detail.parquet' AS d
        USING (person_id) WHERE person_id = {guided.persons[case]}"""
    assert duckdb.sql(sql).fetchall() == [(True, True)]


def test_the_addresses_that_are_written_are_those_that_are_read() -> None:
    assert {name: CODE_SYSTEMS[name][0] for name in SYSTEMS} == dict(SYSTEMS)
    assert CODE_SYSTEMS[CONCEPT_IDS][0] == OMOP

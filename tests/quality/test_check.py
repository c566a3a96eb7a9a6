"""The check stage: its record, the keys it keeps, and that nothing it writes or prints holds a value."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from oncoweave.errors import UsageError
from oncoweave.files import read_record, write_json
from oncoweave.quality.judge import judge, verdict
from oncoweave.records import AppliedWaiver, CheckRecord, ExpectationResult, ExtractRecord, FileRecord, MapRecord
from oncoweave.stages.check import check
from tests.quality.small_cdm import DELIVERY, VOCABULARY, Cdm, failing

MARKER = "XMARKERX"
SOURCE = """version: 1
source: registry
title: A registry
holder: Nobody; every row is invented
kind: registry
delivery: {by: folder, date: 2020-06-30, path: delivery}
tables:
  patients: {format: csv, files: patients.csv, row: {content: true}}
"""
MAPPING = f"""
version: 1
source: registry
vocabulary: {VOCABULARY}
rules:
  - {{fact: person, name: patients, from: patients, birth: {{year: "1950"}}}}
"""
WAIVER = AppliedWaiver(reason="r", owner="o", expires=date(2099, 1, 1), at_most="1 row", file="waivers.yaml")


def mapped(cdm: Cdm) -> None:
    """Make the run one that has been extracted and mapped."""
    cdm.write()
    folder = cdm.project.root / "mappings" / "sources" / cdm.run.source
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.yaml").write_text(SOURCE, encoding="utf-8")
    (folder / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    shutil.copytree(cdm.concepts.parent, cdm.project.root / "mappings" / "vocabulary" / VOCABULARY)
    extracted = ExtractRecord(source=cdm.run.source, run_id=cdm.run.run_id, delivery_date=DELIVERY, tables=())
    write_json(cdm.run.path / "extract.json", extracted)
    record = MapRecord(
        vocabulary=VOCABULARY,
        unconfirmed_concepts=(),
        synthetic_origin=None,
        plan_sha256="0" * 64,
        ledger=(),
        unmapped=(),
        imputed={},
        truncated={},
        corrections=0,
        persons=2,
        events={},
        tables=tuple(
            FileRecord(name=path.name, bytes=0, sha256="0" * 64, rows=2) for path in sorted(cdm.run.tables.iterdir())
        ),
    )
    write_json(cdm.run.path / "map.json", record)


def result(severity: str, *, success: bool, error: str | None = None) -> ExpectationResult:
    return ExpectationResult.model_validate(
        {
            "suite": "person", "table": "person", "expectation": "expect_columns_of_the_model", "column": None,
            "severity": severity, "category": "conformance", "why": "because", "success": success, "error": error,
        }
    )  # fmt: skip


def test_a_failing_fatal_check_or_an_open_convention_decides_the_verdict() -> None:
    good, fatal = result("fatal", success=True), result("fatal", success=False)
    convention, told = result("convention", success=False), result("characterization", success=False)
    could_not_run = result("convention", success=False, error="BinderException")
    assert verdict([good, told]) == "pass"
    assert {verdict(found) for found in ([], [good, fatal], [good, convention], [good, could_not_run])} == {"fail"}
    waived = convention.model_copy(update={"waiver": WAIVER})
    assert verdict([good, waived]) == "pass"
    assert verdict([good, waived, convention]) == "fail"
    assert verdict([fatal.model_copy(update={"waiver": WAIVER})]) == "fail", "nothing lets a fatal failure pass"


@pytest.mark.parametrize(
    ("evaluated", "unexpected", "mostly", "success"),
    [
        (100, 0, None, True), (100, 1, None, False), (100, 5, 0.95, True), (100, 6, 0.95, False), (1000, 3, 0.997, True),
        (10, 10, 0.0, True), (1_000_000_007, 1, 1.0, False), (0, 0, None, True),
    ],
)  # fmt: skip
def test_success_is_judged_from_the_counts(
    evaluated: int, unexpected: int, mostly: float | None, success: bool
) -> None:
    counted = {"evaluated": evaluated, "unexpected": unexpected, "mostly": mostly}
    facts = [result("convention", success=before).model_copy(update=counted) for before in (True, False)]
    assert [judged.success for judged in judge(facts).results] == [success, success]


def test_a_run_that_is_not_mapped_is_refused(cdm: Cdm) -> None:
    with pytest.raises(UsageError, match=r"map\.json"):
        check(cdm.run, cdm.project)


def test_the_record_and_one_file_a_suite_are_written(cdm: Cdm) -> None:
    mapped(cdm)
    record = check(cdm.run, cdm.project)
    assert record.verdict == "pass"
    assert read_record(cdm.run.path / "check.json", CheckRecord) == record
    suites = {result.suite for result in record.results}
    evidence = {"coverage.json", "distributions.json", "queries.json", "about.json"}
    assert {path.name for path in cdm.run.results.iterdir()} == {f"{suite}.json" for suite in suites} | evidence
    written = json.loads((cdm.run.results / "oncology.json").read_text())["results"]
    assert len(written) == sum(result.suite == "oncology" for result in record.results) > 20


def test_checking_again_gives_the_same_bytes(cdm: Cdm) -> None:
    cdm.plant("UPDATE measurement SET measurement_event_id = 4711")
    mapped(cdm)
    assert check(cdm.run, cdm.project).verdict == "fail"
    before = _files(cdm.run.path)
    check(cdm.run, cdm.project)
    assert _files(cdm.run.path) == before


def test_the_keys_of_failing_rows_are_kept_at_the_site(cdm: Cdm) -> None:
    cdm.plant("UPDATE measurement SET measurement_event_id = 4711 WHERE measurement_id < 53")
    cdm.plant("INSERT INTO condition_occurrence SELECT * FROM condition_occurrence WHERE person_id = 2")
    cdm.check()
    folder = cdm.run.quarantine / "failing"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert (modes, stat.S_IMODE(folder.stat().st_mode)) == ({0o600}, 0o700)
    assert keys(cdm, "measurement.measurement_event_id.events_to_exist") == [("measurement", 51), ("measurement", 52)]
    assert keys(cdm, "condition_occurrence.condition_occurrence_id.be_unique") == [("condition_occurrence", 22)]
    assert not (folder / "measurement.person_id.reference.parquet").exists(), "a check that is met keeps no file"


def keys(cdm: Cdm, check: str) -> list[tuple[object, ...]]:
    """All that is kept of the rows that fail a check."""
    return duckdb.sql(f"SELECT * FROM '{cdm.run.quarantine / 'failing' / check}.parquet'").fetchall()


def test_a_table_that_was_not_written_is_judged_as_empty(cdm: Cdm) -> None:
    cdm.plant("DROP TABLE drug_exposure; DELETE FROM episode_event")
    results = cdm.check("drug_exposure")
    assert all(r.success for r in results)
    assert {r.evaluated for r in results if r.expectation != "expect_columns_of_the_model"} == {0}
    assert all(r.success and r.evaluated == 0 for r in cdm.check("episode_event", "expect_events_to_exist"))


def test_an_expectation_that_cannot_be_run_has_failed(cdm: Cdm) -> None:
    cdm.plant("ALTER TABLE person RENAME COLUMN gender_concept_id TO sex")
    (broken,) = [r for r in cdm.check("person", "expect_concepts_to_exist") if r.column == "gender_concept_id"]
    assert (broken.success, broken.error, broken.evaluated) == (False, "BinderException", None)


def test_no_value_of_the_data_is_written_or_printed(cdm: Cdm, tmp_path: Path) -> None:
    """Texts in every text field, and texts where dates and numbers belong, so that casts fail with them."""
    fields = (
        "SELECT table_name, column_name FROM duckdb_columns() WHERE data_type = 'VARCHAR' AND NOT internal "
        "AND table_name <> 'cdm_source'"  # it says what source.yaml says of the source, and dqd.json says it too
    )
    for table, column in cdm.connection.execute(fields).fetchall():
        cdm.plant(f"UPDATE {table} SET {column} = '{MARKER}' || repeat('x', 300)")
    for table, column in (
        ("person", "year_of_birth"),
        ("measurement", "value_as_number"),
        ("measurement", "range_low"),
        ("condition_occurrence", "condition_start_date"),
        ("observation", "observation_concept_id"),
        ("death", "death_date"),
        ("drug_exposure", "quantity"),
    ):
        cdm.plant(f"ALTER TABLE {table} ALTER {column} TYPE VARCHAR; UPDATE {table} SET {column} = '{MARKER}'")
    mapped(cdm)
    told = _check_in_a_process(cdm, tmp_path)

    record = read_record(cdm.run.path / "check.json", CheckRecord)
    assert record.verdict == "fail"
    assert {r.error for r in record.results if r.error} == {"BinderException", "ConversionException"}
    kept = duckdb.sql(f"SELECT * FROM '{cdm.run.quarantine / 'failing' / '*.parquet'}'").fetchall()
    assert kept
    assert MARKER not in f"{told} {kept}"
    for name, content in _files(tmp_path).items():
        if "tables" not in Path(name).parts:
            assert MARKER.encode() not in content, name


def _check_in_a_process(cdm: Cdm, tmp_path: Path) -> str:
    """Everything that a process prints which checks the run, with logging as loud as it gets."""
    code = (
        "import logging, sys; from pathlib import Path\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "from oncoweave.project import Project, RunFolder; from oncoweave.stages.check import check\n"
        "check(RunFolder(Path(sys.argv[1])), Project(*map(Path, sys.argv[2:])))\n"
    )
    project = cdm.project
    folders = [cdm.run.path, project.root, project.runs, project.releases, project.restricted]
    places = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code, *map(str, folders)],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_failing_defect_is_named_with_its_counts(cdm: Cdm) -> None:
    cdm.plant("UPDATE condition_occurrence SET condition_concept_id = 123456 WHERE person_id = 1")
    (result,) = [
        r for r in cdm.check("condition_occurrence", "expect_concepts_to_exist") if r.column == "condition_concept_id"
    ]
    assert (result.evaluated, result.unexpected, result.success) == (2, 1, False)
    assert ("condition_occurrence", "expect_concepts_to_exist", "condition_concept_id", "fatal") in failing([result])

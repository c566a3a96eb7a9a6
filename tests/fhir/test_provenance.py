"""A run's Provenance says what made its resources and of what; it names no clock, and nobody who worked with it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import duckdb
import pytest

from oncoweave.fhir import provenance as module
from oncoweave.fhir.provenance import Origin, select_provenance
from oncoweave.files import read_record
from oncoweave.project import RunFolder
from oncoweave.quality.fhir.strict import faults_of
from oncoweave.records import DeliveryRecord, ExtractRecord
from oncoweave.release_records import ReleaseManifest
from oncoweave.run_identity import read_identity
from tests.fhir_releases import Published, lines, resources

ORIGIN = Origin(
    run_id="0123456789abcdef0123",
    software="oncoweave 1.0, duckdb 1.5.6",
    holder="O'Neill's \"registry\"\n of {cancer}",
    day=date(2024, 1, 31),
    deliveries=(DeliveryRecord(date=date(2024, 1, 31), sha256="ab" * 32, run_id="0123456789abcdef0123"),),
    mapping_sha256="cd" * 32,
    vocabulary="v5.0 27-AUG-25",
    concept_maps=("one.sex",),
)


def written(origin: Origin, patients: int) -> list[str]:
    sql = select_provenance(origin, f"SELECT CAST(range * 7 AS BIGINT) AS id FROM range({patients})")
    return [line for (line,) in duckdb.sql(sql).fetchall()]


def test_it_is_fhir_and_says_what_the_run_used() -> None:
    (line,) = written(ORIGIN, 3)
    assert faults_of(line.encode()) == ()
    found = json.loads(line)
    assert found["id"] == "run-0123456789abcdef0123"
    assert found["target"] == [{"reference": f"Patient/{i}"} for i in (0, 7, 14)]
    assert found["recorded"] == "2024-01-31T00:00:00Z"
    (agent,) = found["agent"]
    assert agent["who"] == {"reference": f"#{found['contained'][0]['id']}"}
    assert agent["onBehalfOf"] == {"display": "O'Neill's \"registry\" of {cancer}"}
    assert [one["value"] for one in found["contained"][0]["version"]] == ["1.0", "1.5.6"]
    assert [one["what"].get("reference") or one["what"]["identifier"]["value"] for one in found["entity"]] == [
        "ab" * 32, "cd" * 32, "v5.0 27-AUG-25", "ConceptMap/one.sex"
    ]  # fmt: skip


def test_many_patients_are_told_in_parts_that_together_name_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    found = [json.loads(line) for line in written(ORIGIN, 10)]
    assert [one["id"].removeprefix("run-0123456789abcdef0123") for one in found] == ["", "-001", "-002"]
    assert [len(one["target"]) for one in found] == [4, 4, 2]
    targets = [target["reference"] for one in found for target in one["target"]]
    assert targets == [f"Patient/{7 * i}" for i in range(10)]


def test_without_a_patient_there_is_none() -> None:
    assert written(replace(ORIGIN, concept_maps=()), 0) == []


def test_a_run_has_one_of_its_patients_with_what_its_records_say(fhir_releases: Published) -> None:
    for release in (fhir_releases.first, fhir_releases.second):
        (found,) = lines(release / "fhir" / "Provenance.000.ndjson")
        there = resources(release)
        assert {one["reference"] for one in found["target"]} == {name for name in there if name.startswith("Patient/")}
        manifest = read_record(release / "manifest.json", ReleaseManifest)
        run = RunFolder(fhir_releases.project.runs / "tiny" / manifest.run_id)
        rests_on = read_identity(run)
        named = {
            one["what"]["identifier"]["system"].rpartition(":")[2]: one["what"]["identifier"]["value"]
            for one in found["entity"]
            if "identifier" in one["what"]
        }
        assert named == {
            "delivery-sha256": read_record(run.path / "extract.json", ExtractRecord).chain[-1].sha256,
            "mapping-sha256": rests_on.mapping_sha256,
            "vocabulary-release": rests_on.vocabulary,
        }
        used = {one["what"]["reference"] for one in found["entity"] if "reference" in one["what"]}
        assert used == {name for name in there if name.startswith("ConceptMap/")}
        assert found["recorded"].startswith(manifest.delivery_date.isoformat())


def test_it_names_no_path(fhir_releases: Published) -> None:
    text = (fhir_releases.first / "fhir" / "Provenance.000.ndjson").read_text()
    assert str(fhir_releases.project.root) not in text

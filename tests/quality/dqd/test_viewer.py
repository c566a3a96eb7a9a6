"""dqd.json keeps the contract of OHDSI's viewer, on what the checks of a small CDM really find."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.dqd.summary import dqd_counts, findings, for_the_manifest
from oncoweave.quality.dqd.viewer import overview, read_metadata, source_metadata, viewer_json
from oncoweave.quality.overrides import Override, overridden
from oncoweave.records import DqdCounts, ExpectationResult
from oncoweave.spec.thresholds import Threshold
from tests.quality.dqd.test_results import of
from tests.quality.small_cdm import Cdm, small_cdm

DAY = date(2020, 6, 30)
TYPES: dict[str, type | tuple[type, ...]] = {
    "numViolatedRows": int, "pctViolatedRows": (int, float), "numDenominatorRows": int, "executionTime": str,
    "queryText": str, "checkName": str, "checkLevel": str, "checkDescription": str, "cdmTableName": str,
    "cdmFieldName": str, "conceptId": str, "unitConceptId": str, "category": str, "subcategory": str, "context": str,
    "error": str, "checkId": str, "failed": int, "passed": int, "isError": int, "notApplicable": int,
    "notApplicableReason": str, "thresholdValue": (int, float), "notesValue": str,
}  # fmt: skip
ALWAYS = {
    "executionTime", "queryText", "checkName", "checkLevel", "checkDescription", "cdmTableName", "category", "context",
    "checkId", "failed", "passed", "isError", "notApplicable",
}  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, concepts: Path) -> Iterator[Cdm]:
    """The small CDM with defects, and with a value that must not get anywhere."""
    with small_cdm(tmp_path_factory.mktemp("planted"), concepts) as cdm:
        yield cdm


@pytest.fixture(scope="module")
def results(planted: Cdm) -> list[ExpectationResult]:
    cdm = planted
    cdm.plant("UPDATE person SET year_of_birth = NULL WHERE person_id = 2")
    cdm.plant("UPDATE person SET gender_concept_id = 8507")
    cdm.plant("UPDATE condition_occurrence SET condition_concept_id = 441805, condition_source_value = 'SECRET-4711'")
    cdm.plant("ALTER TABLE death ALTER death_date TYPE VARCHAR")
    cdm.plant("UPDATE death SET death_date = 'SECRET-4711'")
    return of(cdm)


def written(results: list[ExpectationResult], metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    return dict(json.loads(viewer_json(results, metadata or {"cdmSourceName": "a"}, DAY)))


def test_every_value_has_the_type_and_name_that_the_viewer_reads(results: list[ExpectationResult]) -> None:
    whole = written(results)
    assert set(whole) == {
        "startTimestamp", "endTimestamp", "executionTime", "executionTimeSeconds", "CheckResults", "Metadata",
        "Overview",
    }  # fmt: skip
    for name in ("startTimestamp", "endTimestamp", "executionTime", "executionTimeSeconds"):
        assert len(whole[name]) == 1
    for one in whole["CheckResults"]:
        assert set(one) <= set(TYPES)
        assert set(one) >= ALWAYS
        assert [name for name, value in one.items() if value is None or not isinstance(value, TYPES[name])] == []
        assert one["checkLevel"] in ("TABLE", "FIELD", "CONCEPT")
        assert one["category"] in ("Conformance", "Completeness", "Plausibility")
        assert one["context"] in ("Verification", "Validation")
        assert [one[name] for name in ("failed", "passed", "isError", "notApplicable")].count(1) == 1
        assert ("notApplicableReason" in one) == (one["notApplicable"] == 1)
        assert ("error" in one) == (one["isError"] == 1)


def test_shares_are_of_one_thresholds_in_percent_and_names_in_capitals(results: list[ExpectationResult]) -> None:
    found = {one["checkId"]: one for one in written(results)["CheckResults"]}
    assert set(found) == {check.id for check in catalogue()}
    year = found["field_isrequired_person_year_of_birth"]
    assert (year["numViolatedRows"], year["numDenominatorRows"], year["pctViolatedRows"]) == (1, 2, 0.5)
    assert (year["failed"], year["cdmTableName"], year["cdmFieldName"]) == (1, "PERSON", "YEAR_OF_BIRTH")
    assert found["field_plausiblevaluelow_person_year_of_birth"]["thresholdValue"] == 1
    assert found["table_measurepersoncompleteness_visit_occurrence"]["thresholdValue"] == 95
    assert "thresholdValue" not in found["table_cdmtable_person"]
    assert max(one["pctViolatedRows"] for one in found.values() if "pctViolatedRows" in one) <= 1
    gender = found["concept_plausiblegender_condition_occurrence_condition_concept_id_441805"]
    assert (gender["conceptId"], gender["thresholdValue"], gender["failed"]) == ("441805", 5, 1)
    several = "concept_plausiblegenderusedescendants_condition_occurrence_condition_concept_id_4090861,4025213"
    assert found[several]["conceptId"] == "4090861,4025213"
    units = found["concept_plausibleunitconceptids_measurement_measurement_concept_id_3018010"]
    assert units["notesValue"].startswith("Approved UNIT_CONCEPT_IDs")


def test_the_overview_adds_up(results: list[ExpectationResult]) -> None:
    whole = written(results)
    found, stated = whole["CheckResults"], {name: value for name, (value,) in whole["Overview"].items()}
    failed = sum(one["failed"] for one in found)
    errors = sum(one["isError"] for one in found)
    assert failed > 2 and errors > 0
    assert stated["countTotal"] == len(found) == 2535
    assert stated["countOverallFailed"] == stated["countThresholdFailed"] == failed
    assert stated["countErrorFailed"] == errors
    assert stated["countPassed"] == 2535 - failed
    assert stated["percentPassed"] == round(100 * (2535 - failed) / 2535, 2)
    assert stated["percentFailed"] == round(100 * failed / 2535, 2)
    by_category = Counter(one["category"] for one in found)
    for count, holds in (("Total", None), ("Failed", "failed"), ("Passed", "passed")):
        for category in by_category:
            here = [one for one in found if one["category"] == category and (holds is None or one[holds])]
            assert stated[f"count{count}{category}"] == len(here)


def test_no_value_of_a_row_is_in_it(results: list[ExpectationResult]) -> None:
    assert b"SECRET" not in viewer_json(results, {}, DAY)


def test_the_same_results_give_the_same_bytes_whatever_the_hour(results: list[ExpectationResult]) -> None:
    assert viewer_json(results, {"cdmSourceName": "a"}, DAY) == viewer_json(list(results), {"cdmSourceName": "a"}, DAY)
    assert written(results)["startTimestamp"] == ["2020-06-30 00:00:00"]


def test_the_metadata_are_those_of_cdm_source_and_are_kept_when_judged_again(
    planted: Cdm, results: list[ExpectationResult], tmp_path: Path
) -> None:
    with closing(duckdb.connect()) as connection:
        connection.execute(f"CREATE VIEW cdm_source AS FROM '{planted.run.tables / 'cdm_source.parquet'}'")
        metadata = source_metadata(connection)
    (row,) = written(results, metadata)["Metadata"]
    assert row["cdmSourceName"] == "A registry"
    assert (row["cdmReleaseDate"], row["cdmVersion"], row["vocabularyVersion"]) == ("2020-06-30", "5.4", "starter-1")
    assert "sourceDescription" not in row
    assert row["dqdVersion"].startswith("Oncoweave ")
    path = tmp_path / "dqd.json"
    path.write_bytes(viewer_json(results, metadata, DAY))
    assert read_metadata(path) == metadata


def test_a_threshold_of_the_site_is_the_one_that_is_shown(results: list[ExpectationResult]) -> None:
    check = "field_plausibleafterbirth_condition_occurrence_condition_start_date"
    entry = Threshold(check=check, threshold="2.5", reason="r", owner="o", expires=DAY)
    for today, expected in ((DAY, 2.5), (date(2020, 7, 1), 1)):
        again = overridden(results, [Override(entry, "f")], today)
        found = {one["checkId"]: one for one in written(again)["CheckResults"]}
        assert found[check]["thresholdValue"] == expected


def test_the_manifest_counts_all_and_lists_what_failed(results: list[ExpectationResult]) -> None:
    counts = dqd_counts(results)
    assert counts.total == counts.passed + counts.failed + counts.not_applicable + counts.errors == 2535
    listed = for_the_manifest([*results, results[0].model_copy(update={"origin": "suite"})])
    assert sum(1 for one in listed if one.origin == "dqd") == counts.failed + counts.errors
    assert [one.origin for one in listed if one.success] == ["suite"]
    assert list(findings(viewer_json(results, {}, DAY), counts)) == []


def drop_a_failure(whole: dict[str, Any]) -> None:
    next(one for one in whole["CheckResults"] if one["failed"])["failed"] = 0


def pass_a_failure(whole: dict[str, Any]) -> None:
    one = next(one for one in whole["CheckResults"] if one["failed"])
    one["failed"], one["passed"] = 0, 1
    whole["Overview"] = {name: [value] for name, value in overview(whole["CheckResults"]).items()}


def better_the_overview(whole: dict[str, Any]) -> None:
    whole["Overview"]["countPassed"] = [2535]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (drop_a_failure, "is not the result file"),
        (pass_a_failure, "not those of the manifest"),
        (better_the_overview, "not the sum of its results"),
        (lambda whole: whole.pop("Metadata"), "is not the result file"),
        (lambda whole: whole["CheckResults"].append("text"), "is not the result file"),
        (lambda whole: whole.update(CheckResults=None), "is not the result file"),
    ],
    ids=["no state", "passed", "overview", "no metadata", "text", "nothing"],
)
def test_a_file_that_says_something_else_is_found(
    results: list[ExpectationResult], change: Callable[[dict[str, Any]], object], finding: str
) -> None:
    whole = written(results)
    change(whole)
    told = list(findings(json.dumps(whole).encode(), dqd_counts(results)))
    assert any(finding in one for one in told), told


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"CheckResults": []}', b"\xff", b"[" * 100_000])
def test_what_is_no_result_file_is_told_and_never_raised(content: bytes) -> None:
    assert list(findings(content, DqdCounts(total=1)))

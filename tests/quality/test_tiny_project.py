"""What map really writes meets the standard suites."""

from __future__ import annotations

from oncoweave.project import Project
from oncoweave.quality.failing import failing_rows
from oncoweave.stages.check import check
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from tests.quality.small_cdm import failing


def test_a_mapped_delivery_meets_every_fatal_expectation_and_convention(tiny_project: Project) -> None:
    run = extract(tiny_project, "tiny")
    assert map_stage(run, tiny_project).persons > 0
    record = check(run, tiny_project)
    open_ones = [result for result in record.results if result.waiver is None]
    assert {f for f in failing(open_ones) if f[3] != "characterization"} == set()
    assert {result.expectation for result in record.results if result.waiver} == {
        "standardConceptRecordCompleteness",
        "sourceConceptRecordCompleteness",
        "sourceValueCompleteness",
    }
    assert record.verdict == "pass"
    judged = {result.table for result in record.results if result.evaluated}
    assert {"person", "condition_occurrence", "measurement", "drug_exposure", "episode_event", "cdm_source"} <= judged


def test_the_rows_that_fail_a_check_of_the_dashboard_are_kept_by_their_keys(tiny_project: Project) -> None:
    run = extract(tiny_project, "tiny")
    map_stage(run, tiny_project)
    failed = {
        r.check: r for r in check(run, tiny_project).results if r.origin == "dqd" and r.unexpected and not r.success
    }
    kept = {id_: failing_rows(run, id_, most=100, places=True) for id_ in failed}
    assert [id_ for id_, found in kept.items() if not found] == []
    unmapped = "field_standardconceptrecordcompleteness_observation_observation_concept_id"
    rows, number = kept[unmapped] or ([], 0)
    assert number == failed[unmapped].unexpected == len(rows)
    assert {(row.table, row.file) for row in rows} == {("observation", "patients.csv")}

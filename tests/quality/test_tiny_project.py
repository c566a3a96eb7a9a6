"""What map really writes meets the standard suites."""

from __future__ import annotations

from oncoweave.project import Project
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

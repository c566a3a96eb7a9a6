"""Suites that judge a source table as it was delivered: found by file and line, told without a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoweave.errors import SpecError
from oncoweave.project import Project, RunFolder
from oncoweave.quality.compilation import checks, lint_suites
from oncoweave.quality.failing import failing_rows
from oncoweave.quality.snapshot_suites import allowed, is_snapshot
from oncoweave.records import ExpectationResult
from oncoweave.spec.load import load_source
from oncoweave.stages.check import check_tables
from oncoweave.stages.extract import extract
from tests.quality.small_cdm import DELIVERY

MARKER = "XMARKERX"


def suite(project: Project, *entries: str, snapshot: str = "tumours", more: str = "") -> None:
    """A suite of the tiny source; each entry is an expectation with its parameters."""
    told = "severity: convention, category: plausibility, why: w"
    path = project.root / "expectations" / "sources" / "tiny" / "delivered.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"  - {{{entry}, {told}}}\n" for entry in entries)
    path.write_text(f"version: 1\nsuite: delivered\nsnapshot: {snapshot}\n{more}expectations:\n{lines}")


def judge(project: Project, concepts: Path) -> tuple[RunFolder, dict[str, ExpectationResult]]:
    """The results of the checks of the snapshot of the tiny delivery."""
    run = extract(project, "tiny")
    run.tables.mkdir()
    planned = [check for check in checks(project, "tiny") if is_snapshot(check.table)]
    results = check_tables(run, planned, concepts, DELIVERY, load_source(project, "tiny")[0])
    return run, {result.check.removeprefix("delivered."): result for result in results}


def test_each_kind_of_expectation_judges_the_fields_as_delivered(tiny_project: Project, concepts: Path) -> None:
    suite(
        tiny_project,
        "expect: expect_column_values_to_not_be_null, parameters: {column: t}",
        "expect: expect_column_values_to_not_be_null, parameters: {column: nodes}",
        "expect: expect_column_values_to_be_unique, parameters: {column: patient}",
        "expect: expect_compound_columns_to_be_unique, parameters: {column_list: [patient, tumour]}",
        "expect: expect_column_values_to_be_in_set, parameters: {column: t, value_set: [T1, T2, T3, T4]}",
        "expect: expect_column_values_to_be_between, parameters: {column: size_mm, min_value: 10, max_value: 70.5}",
        "expect: expect_column_values_to_be_between, id: days, parameters: {column: surgery_date, min_value: 2015-02-01}",
        "expect: expect_column_values_to_match_regex, parameters: {column: patient, regex: '^P[0-9]{3}$'}",
        "expect: expect_column_value_lengths_to_be_between, parameters: {column: size_mm, max_value: 2}",
        "expect: expect_columns_in_order, parameters: {first: chemo_start, last: chemo_end}",
        "expect: expect_columns_in_order, id: late, parameters: {first: chemo_end, last: chemo_start}",
        "expect: expect_column_values_to_not_be_null, id: of_t1, parameters: {column: nodes}, where: t = 'T1'",
    )
    run, found = judge(tiny_project, concepts)
    counts = {name: (r.evaluated, r.unexpected) for name, r in found.items()}
    assert counts == {
        "t.not_be_null": (7, 0), "nodes.not_be_null": (7, 2), "patient.be_unique": (7, 2), "compound_columns_to_be_unique": (7, 0),
        "t.be_in_set": (7, 1), "size_mm.be_between": (6, 2), "days": (4, 1), "patient.match_regex": (7, 0),
        "size_mm.value_lengths_to_be_between": (6, 2), "columns_in_order": (2, 0), "late": (2, 2), "of_t1": (2, 0),
    }  # fmt: skip
    assert {r.table for r in found.values()} == {"snapshot_tumours"}
    assert not [r for r in found.values() if r.error]
    kept = failing_rows(run, "delivered.size_mm.be_between", 10, places=True)
    assert kept is not None
    assert [(row.source_table, row.file, row.line) for row in kept[0]] == [
        ("snapshot_tumours", "tumours.csv", 7), ("snapshot_tumours", "tumours.csv", 8),
    ]  # fmt: skip


def test_no_value_of_the_delivery_is_in_a_result(tiny_project: Project, concepts: Path) -> None:
    path = tiny_project.root / "deliveries" / "2024-01-31" / "tumours.csv"
    path.write_text(path.read_text().replace("second primary", MARKER).replace("TX", MARKER).replace("31,5", MARKER))
    suite(
        tiny_project,
        "expect: expect_column_values_to_be_in_set, parameters: {column: t, value_set: [T1]}",
        "expect: expect_column_values_to_be_null, parameters: {column: remark}",
        "expect: expect_column_values_to_be_between, parameters: {column: size_mm, min_value: 100}",
        "expect: expect_column_values_to_match_regex, parameters: {column: remark, regex: '^$'}",
    )
    run, found = judge(tiny_project, concepts)
    assert all(not result.success for result in found.values())
    assert MARKER not in "".join(result.model_dump_json() for result in found.values())
    assert not [path for path in (run.quarantine / "failing").iterdir() if MARKER.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("snapshot", "entry", "line", "message"),
    [
        ("tumors", "expect: expect_column_values_to_not_be_null, parameters: {column: t}", 3, "`tumors` is not a table of source.yaml"),
        ("tumours", "expect: expect_column_values_to_not_be_null, parameters: {column: tt}", 5, "there is no field `tt`"),
        ("tumours", "expect: expect_concepts_to_exist, parameters: {column: t}", 5, "judges a table of the release, not a snapshot"),
        ("tumours", "expect: expect_column_values_to_be_between, parameters: {column: size_mm, min_value: big}", 5, "`big` is not a value of DOUBLE"),
        ("tumours", "expect: expect_column_most_common_value_to_be_in_set, parameters: {column: t, value_set: [T1]}", 5, "not a snapshot"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(
    tiny_project: Project, snapshot: str, entry: str, line: int, message: str
) -> None:
    suite(tiny_project, entry, snapshot=snapshot)
    problems = [p for p in lint_suites(tiny_project, "tiny") if message in p.message]
    assert [(p.file, p.line) for p in problems] == [("expectations/sources/tiny/delivered.yaml", line)]
    with pytest.raises(SpecError):
        checks(tiny_project, "tiny")


def test_a_suite_is_of_a_table_or_of_a_snapshot(tiny_project: Project) -> None:
    suite(tiny_project, "expect: expect_column_values_to_not_be_null, parameters: {column: t}", more="table: person\n")
    (problem,) = lint_suites(tiny_project, "tiny")
    assert "give either `table` or `snapshot`" in problem.message


def test_no_expectation_that_tells_a_value_or_needs_another_table_judges_a_snapshot() -> None:
    can = allowed()
    assert {"expect_column_values_to_be_in_set", "expect_columns_in_order", "expect_table_row_count_to_be_between"} <= {
        *can
    }
    assert not {"expect_column_most_common_value_to_be_in_set", "expect_column_values_to_reference"} & {*can}

"""Checks of a run as a whole: a planted defect of each kind is found, and a delivery without one passes."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from oncoweave.files import write_json
from oncoweave.project import Project, RunFolder
from oncoweave.quality.history import FILE, FOLDER, keep
from oncoweave.records import CheckRecord
from tests.conftest import HERE, KEY
from tests.quality.registry_deliveries import (
    FIRST,
    SECOND,
    SOURCE,
    Change,
    Row,
    checked,
    delivered,
    failing,
    judged,
    mapped,
)

Rows = list[Row]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose first delivery was checked."""
    root = tmp_path_factory.mktemp("run_checks") / "project"
    shutil.copytree(HERE / "projects" / SOURCE, root)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONCOWEAVE_KEY", KEY)
        project = Project.at(root)
        checked(mapped(project, delivered(root / "deliveries" / "first"), FIRST), project)
    return root


@pytest.fixture
def project(first: Path, tmp_path: Path, key: str) -> Project:
    """The same, a test's own."""
    shutil.copytree(first, tmp_path / "project")
    return Project.at(tmp_path / "project")


def second(project: Project, change: Change | None = None) -> tuple[RunFolder, set[str]]:
    """The second delivery, changed, and the checks that it fails."""
    run = mapped(project, delivered(project.root / "deliveries" / "second", change), SECOND)
    return run, failing(judged(run, project))


ALWAYS = {
    "source.columns_undeclared.patients",  # `centre` is not declared
    "mapping.rows_excluded.course", "mapping.rows_excluded.chemotherapy", "mapping.rows_excluded.deaths",
}  # fmt: skip
"""What the registry fails without a defect; characterizations, all of them."""


def test_a_first_delivery_is_compared_with_nothing_and_a_second_one_like_it_passes(project: Project) -> None:
    (only,) = (project.runs / SOURCE).glob("*/check.json")
    results = CheckRecord.model_validate_json(only.read_text()).results
    compared = [r for r in results if r.origin == "trend" or r.expectation in ("records_dropped", "codes_shifted")]
    assert {r.not_applicable for r in compared} <= {
        "there is no earlier delivery to compare with",
        "there is nothing to judge",
    }
    assert failing(list(results)) == ALWAYS
    run, failed = second(project)
    assert failed == ALWAYS
    assert {r.severity for r in judged(run, project) if not r.success} == {"characterization"}
    applicable = {r.expectation for r in judged(run, project) if not r.not_applicable}
    assert {
        "records_dropped",
        "columns_gone",
        "cells_emptied",
        "codes_shifted",
        "numbers_shifted",
        "rows_dropped",
    } <= applicable


def drop(every: int) -> Change:
    def change(patients: Rows, tumours: Rows) -> None:
        for table in (patients, tumours):
            table[:] = [row for n, row in enumerate(table) if n % every]

    return change


def twice(patients: Rows, tumours: Rows) -> None:
    tumours.extend([dict(row) for row in tumours])


def without_centre(patients: Rows, tumours: Rows) -> None:
    for row in patients:
        del row["centre"]


def with_another_column(patients: Rows, tumours: Rows) -> None:
    for row in tumours:
        row["comment"] = "x"


def in_another_order(patients: Rows, tumours: Rows) -> None:
    for row in tumours:
        row["t"] = row.pop("t")


def of(table: str, field: str, text: str, every: int, start: int = 0) -> Change:
    """Every so many-th row has this text in the field."""

    def change(patients: Rows, tumours: Rows) -> None:
        for row in (patients if table == "patients" else tumours)[start::every]:
            row[field] = text

    return change


def exchanged(patients: Rows, tumours: Rows) -> None:
    for row in patients:
        row["sex"] = {"M": "F", "F": "M"}[row["sex"]]


def in_centimetres(patients: Rows, tumours: Rows) -> None:
    for row in tumours:
        row["size_mm"] = f"{float(row['size_mm'].replace(',', '.')) / 10:.2f}".replace(".", ",")


def cut_off(patients: Rows, tumours: Rows) -> None:
    for row in tumours[::20]:
        row["remark"] = "one;too;many"


def of_the_month(patients: Rows, tumours: Rows) -> None:
    for row in tumours[:120]:
        row["diagnosed"] = row["diagnosed"][3:]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (drop(16), {"source.records_dropped.patients", "trend.rows_dropped.person"}),
        (drop(7), {"source.records_dropped_sharply.tumours", "trend.rows_dropped_sharply.measurement"}),
        (twice, {"source.records_jumped.tumours", "source.keys_repeated.tumours"}),
        (without_centre, {"source.columns_gone.patients"}),
        (with_another_column, {"source.columns_new.tumours", "source.columns_undeclared.tumours"}),
        (in_another_order, {"source.columns_moved.tumours"}),
        (of("patients", "menopause", "", 5), {"source.cells_emptied.patients.menopause"}),
        (of("patients", "menopause", "peri", 50), {"source.codes_new.patients.menopause", "mapping.codes_unlisted.menopause"}),
        (of("patients", "sex", "F", 1), {"source.codes_gone.patients.sex"}),
        (exchanged, {"source.codes_shifted.patients.sex"}),
        (in_centimetres, {"source.numbers_shifted.tumours.size_mm"}),
        (cut_off, {"source.records_unreadable.tumours"}),
        (of("tumours", "size_mm", "999", 10), {"mapping.rows_held_back.findings.size_mm"}),
        (of("tumours", "size_mm", "999", 1), {"mapping.rule_made_nothing.findings.size_mm", "mapping.most_rows_held_back.findings.size_mm"}),
        (of("tumours", "chemo_start", "", 1), {"mapping.rule_excluded_all.course", "trend.rows_dropped_sharply.drug_exposure"}),
        (of("tumours", "t", "TX", 5), {"mapping.events_unmapped.findings.t", "mapping.codes_unmapped.t_category",
                                      "trend.unmapped_jumped.measurement", "trend.rule_unmapped_jumped.findings.t"}),
        (of("tumours", "nodes", "95", 20), {"mapping.values_implausible.lymph_nodes"}),
        (of("patients", "birth_date", "unknown", 10), {"mapping.persons_lost", "mapping.rows_held_back.patients"}),
        (of_the_month, {"mapping.dates_imputed.condition_occurrence.start"}),
        (of("tumours", "t", "T" * 60, 20), {"mapping.texts_truncated.measurement.measurement_source_value"}),
    ],
)  # fmt: skip
def test_a_planted_defect_is_found(project: Project, change: Change, found: set[str]) -> None:
    _, failed = second(project, change)
    assert found <= failed


def test_a_small_defect_is_counted_and_let_pass(project: Project) -> None:
    run, failed = second(project, of("patients", "menopause", "", 60, 1))
    assert failed == ALWAYS
    result = next(r for r in judged(run, project) if r.check == "source.cells_emptied.patients.menopause")
    assert (result.evaluated, result.unexpected, result.mostly) == (200, 4, 0.95)


def test_the_same_files_on_a_later_day_are_a_stale_source(project: Project) -> None:
    shutil.copytree(project.root / "deliveries" / "first", project.root / "deliveries" / "again")
    run = mapped(project, project.root / "deliveries" / "again", SECOND)
    assert failing(judged(run, project)) == {*ALWAYS, "source.delivery_repeated"}


def test_a_delivery_that_is_overdue_is_told_by_the_days_that_the_deliveries_bear(project: Project) -> None:
    spec = project.source_folder(SOURCE) / "source.yaml"
    spec.write_text(spec.read_text().replace("kind: registry", "kind: registry\nexpect_every: 35d"))
    run, failed = second(project)
    assert failed == {*ALWAYS, "source.delivery_late"}
    late = next(r for r in judged(run, project) if r.expectation == "delivery_late")
    assert (late.evaluated, late.unexpected) == (60, 25)


def test_without_the_run_of_the_last_delivery_the_history_still_tells_of_the_tables(project: Project) -> None:
    (before,) = (project.runs / SOURCE).glob("*/check.json")
    shutil.rmtree(before.parent)
    run, failed = second(project, drop(7))
    results = {r.check: r for r in judged(run, project)}
    assert "trend.rows_dropped_sharply.person" in failed
    assert results["source.records_dropped.patients"].not_applicable == "the run of the last delivery has been removed"


def test_a_snapshot_that_is_damaged_or_gone_stops_no_check(project: Project) -> None:
    (before,) = (project.runs / SOURCE).glob("*/snapshot")
    (before / "patients.parquet").write_bytes(b"PAR1")
    (before / "tumours.parquet").unlink()
    run, failed = second(project)
    assert failed == ALWAYS
    results = {r.check: r.not_applicable for r in judged(run, project)}
    assert results["source.codes_shifted.patients.sex"] == "the snapshot of the last delivery cannot be read"
    assert results["source.codes_shifted.tumours.t"] == "the snapshot of the last delivery has been removed"
    shutil.rmtree(run.snapshot)
    results = {r.check: r.not_applicable for r in judged(run, project)}
    assert (
        results["source.keys_repeated.patients"] == results["mapping.persons_lost"] == "the snapshot has been removed"
    )


def test_a_delivery_is_compared_with_an_earlier_one_only_and_with_a_published_one_first(project: Project) -> None:
    run, _ = second(project, drop(7))
    checked(run, project)
    same_day = mapped(project, delivered(project.root / "deliveries" / "corrected", None), SECOND)
    assert failing(judged(same_day, project)) == ALWAYS, (
        "compared with the delivery of January, not with that of the same day"
    )
    third = mapped(project, delivered(project.root / "deliveries" / "third", None), SECOND.replace(month=5))
    assert "source.records_jumped.patients" not in failing(judged(third, project))
    results = {r.check: r for r in judged(third, project)}
    assert results["source.records_dropped.patients"].evaluated == 171, "the last checked one"
    (first,) = [r for r in (project.runs / SOURCE).glob("*/check.json") if r.parent.name != run.run_id]
    (project.releases / SOURCE / f"2024-01-31-{first.parent.name[:12]}").mkdir(parents=True)
    results = {r.check: r for r in judged(third, project)}
    assert results["source.records_dropped.patients"].evaluated == 200, "the published one"


def test_no_value_of_the_data_is_in_a_result_or_in_the_history(project: Project) -> None:
    marker = "XMARKERX"

    def planted(patients: Rows, tumours: Rows) -> None:
        for n in range(0, 60, 2):
            patients[n]["menopause"] = f"{marker}{n}"
            tumours[n]["t"] = f"{marker}{n}"
            tumours[n]["remark"] = marker
            tumours[n]["size_mm"] = "87654321"
        for row in tumours:
            row[f"{marker} column"] = marker

    run, failed = second(project, planted)
    results = judged(run, project)
    assert "source.codes_new.patients.menopause" in failed
    written = "".join(r.model_dump_json() for r in results)
    write_json(run.path / "check.json", CheckRecord(verdict="pass", results=tuple(results)))
    keep(run, project)
    history = str(duckdb.execute(f"SELECT * FROM '{project.runs / SOURCE / FOLDER / FILE}'").fetchall())
    for told in (written, history, str((project.runs / SOURCE / FOLDER / FILE).read_bytes())):
        assert marker not in told.upper()
        assert "87654321" not in told


def test_the_ids_of_the_checks_are_unique_and_stay_from_run_to_run(project: Project) -> None:
    run, _ = second(project)
    results = judged(run, project)
    assert len({r.check for r in results}) == len(results)
    (only,) = (project.runs / SOURCE).glob("*/check.json")
    before = {r.check for r in CheckRecord.model_validate_json(only.read_text()).results}
    assert {r.check for r in results} == before

"""The history of a source: one row a run and check, whole after anything, and the same whoever writes first."""

from __future__ import annotations

import logging
import shutil
import stat
from pathlib import Path

import pytest

from oncoweave import run as stages
from oncoweave.files import read_record, write_json
from oncoweave.project import Project, RunFolder
from oncoweave.quality.history import FILE, FOLDER, keep, series
from oncoweave.records import CheckRecord, MapRecord
from tests.conftest import HERE, KEY


@pytest.fixture(scope="module")
def whole_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project with one run that has been checked."""
    root = tmp_path_factory.mktemp("history") / "project"
    shutil.copytree(HERE / "projects" / "tiny", root)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONCOWEAVE_KEY", KEY)
        run = stages.extract(Project.at(root), "tiny")
        stages.map(run, Project.at(root))
        stages.check(run, Project.at(root))
    return root


@pytest.fixture
def checked(whole_project: Path, tiny_project: Project) -> RunFolder:
    """The run in a project of this test's own: all of it has moved."""
    shutil.copytree(whole_project / "runs", tiny_project.runs)
    return RunFolder(next((tiny_project.runs / "tiny").glob("*/check.json")).parent)


def again(run: RunFolder, run_id: str) -> RunFolder:
    """The same run under another id."""
    other = RunFolder(run.path.with_name(run_id))
    shutil.copytree(run.path, other.path)
    return other


def test_a_checked_run_is_in_the_history_with_its_checks_tables_and_rules(
    checked: RunFolder, tiny_project: Project
) -> None:
    history = series(tiny_project, "tiny")
    results = read_record(checked.path / "check.json", CheckRecord).results
    mapped = read_record(checked.path / "map.json", MapRecord)
    (only,) = history.runs
    assert (only.run_id, only.evaluated, only.success) == (checked.run_id, len(results), True)
    assert {name: rows[0].evaluated for name, rows in history.of("check").items()} == {
        r.check: r.evaluated for r in results
    }
    assert {f"{name}.parquet": rows[0].evaluated for name, rows in history.of("table").items()} == {
        file.name: file.rows for file in mapped.tables
    }
    assert history.of("fact")["all"][0].unexpected == sum(entry.unmapped for entry in mapped.ledger)
    assert history.at(checked.run_id, "source_table")["patients"].evaluated == 6


def test_the_file_is_private_and_the_same_whoever_is_written_first(checked: RunFolder, tiny_project: Project) -> None:
    path = tiny_project.runs / "tiny" / FOLDER / FILE
    other = again(checked, "0" * 20)
    keep(other, tiny_project)
    first = path.read_bytes()
    path.unlink()
    keep(checked, tiny_project)
    assert path.read_bytes() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not keep(other, tiny_project)
    assert path.read_bytes() == first


def test_a_run_that_is_judged_anew_is_in_it_once_as_it_was_judged_last(
    checked: RunFolder, tiny_project: Project
) -> None:
    record = read_record(checked.path / "check.json", CheckRecord)
    first, *rest = record.results
    judged = record.model_copy(update={"results": (first.model_copy(update={"success": False}), *rest)})
    write_json(checked.path / "check.json", judged)
    assert keep(checked, tiny_project)
    rows = series(tiny_project, "tiny").of("check")[first.check]
    assert [row.success for row in rows] == [False]


def test_a_run_that_is_removed_stays_in_the_history(checked: RunFolder, tiny_project: Project) -> None:
    other = again(checked, "0" * 20)
    keep(other, tiny_project)
    shutil.rmtree(checked.path)
    keep(again(other, "1" * 20), tiny_project)
    assert {row.run_id for row in series(tiny_project, "tiny").runs} == {checked.run_id, "0" * 20, "1" * 20}


@pytest.mark.parametrize("damage", [b"", b"PAR1 is not Parquet", "truncate", "other columns"])
def test_a_damaged_file_is_told_and_made_anew_of_the_runs_that_are_there(
    checked: RunFolder, tiny_project: Project, damage: bytes | str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tiny_project.runs / "tiny" / FOLDER / FILE
    whole = path.read_bytes()
    if damage == "other columns":
        shutil.copyfile(checked.quarantine / "extract.parquet", path)
    else:
        path.write_bytes(damage if isinstance(damage, bytes) else whole[: len(whole) // 2])
    assert [row.run_id for row in series(tiny_project, "tiny").runs] == [checked.run_id]
    with caplog.at_level(logging.WARNING):
        assert keep(checked, tiny_project)
    assert "the history of `tiny` could not be read; it was made anew of the 1 runs that are there" in caplog.text
    assert path.read_bytes() == whole


def test_a_source_without_runs_has_an_empty_history(tiny_project: Project) -> None:
    assert series(tiny_project, "tiny").runs == ()
    assert series(tiny_project, "tiny").of("check") == {}

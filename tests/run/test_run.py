"""`run` chains the stages, does nothing twice, and gives the same bytes whatever the machine does."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from oncoweave import run as stages
from oncoweave.errors import DataError, EnvironmentFault, UsageError
from oncoweave.files import lock, read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord, RunManifest
from oncoweave.release.verify import verify
from oncoweave.release_records import ReleaseManifest

KEY = "00112233445566778899aabbccddeeff" * 2
MAIN = "from oncoweave.cli.main import main; main()"


def parquet_of(release: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(release.glob("omop/*.parquet"))}


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(".lock"))
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


@pytest.fixture(scope="module")
def finished(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, stages.RunSummary]:
    """The tiny project, run once for all tests."""
    root = tmp_path_factory.mktemp("finished") / "tiny"
    shutil.copytree(checkout / "tests" / "projects" / "tiny", root)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONCOWEAVE_KEY", KEY)
        return Project.at(root), stages.run(Project.at(root), "tiny")


@pytest.fixture
def summary(finished: tuple[Project, stages.RunSummary], tiny_project: Project) -> stages.RunSummary:
    """The summary of a run that has been done in `tiny_project`."""
    template, done = finished
    for folder in ("runs", "releases", "restricted"):
        shutil.copytree(template.root / folder, tiny_project.root / folder, symlinks=True)
    assert done.release is not None
    return replace(done, release=tiny_project.releases / "tiny" / done.release.name)


def test_summary_adds_up_and_names_the_release(summary: stages.RunSummary, tiny_project: Project) -> None:
    assert summary.read == summary.mapped + summary.quarantined + summary.excluded
    assert (summary.records, summary.persons, summary.verdict, summary.repeated) == (13, 6, "pass", False)
    assert summary.release is not None and verify(summary.release) == []
    assert summary.release.parent == tiny_project.releases / "tiny"


def test_manifest_of_the_run_holds_every_stage(summary: stages.RunSummary, tiny_project: Project) -> None:
    run = RunFolder(tiny_project.runs / "tiny" / summary.run_id)
    manifest = read_record(run.path / "manifest.json", RunManifest)
    assert manifest.map is not None and manifest.check is not None
    assert (manifest.map.persons, manifest.check.verdict, manifest.vocabulary) == (6, "pass", "tiny-1")


def test_second_run_says_so_and_touches_nothing(summary: stages.RunSummary, tiny_project: Project) -> None:
    before = tree(tiny_project.releases)
    again = stages.run(tiny_project, "tiny")
    assert again.repeated and again.release == summary.release
    assert tree(tiny_project.releases) == before


def test_stages_in_processes_of_their_own_make_the_same_release(
    summary: stages.RunSummary, tiny_project: Project
) -> None:
    assert summary.release is not None
    places = {name: str(tiny_project.root / "other" / name.lower()) for name in ("RUNS", "RELEASES", "RESTRICTED")}
    environment = os.environ | {f"ONCOWEAVE_{name}": place for name, place in places.items()}
    for verb in ("extract", "map", "check", "publish"):
        command = [sys.executable, "-c", MAIN, verb, "tiny", "--project", str(tiny_project.root)]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    (other,) = Path(places["RELEASES"]).glob("tiny/2*")
    assert other.name == summary.release.name
    assert {p.name: p.read_bytes() for p in other.rglob("*.*")} == {
        p.name: p.read_bytes() for p in summary.release.rglob("*.*")
    }


@pytest.mark.parametrize("threads", ["1", "2"])
def test_threads_and_memory_do_not_change_a_byte(
    threads: str, summary: stages.RunSummary, tiny_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCOWEAVE_THREADS", threads)
    monkeypatch.setenv("ONCOWEAVE_MEMORY", "512MB")
    other = Project(tiny_project.root, tmp_path / "runs", tmp_path / "releases", tmp_path / "restricted")
    again = stages.run(other, "tiny")
    assert summary.release is not None and again.release is not None
    assert tree_bytes(again.release) == tree_bytes(summary.release)


def tree_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("seed", [1, 2])
def test_order_of_the_rows_does_not_change_a_table(
    seed: int, summary: stages.RunSummary, tiny_project: Project
) -> None:
    for file in (tiny_project.root / "deliveries").rglob("*.csv"):
        head, *rows = file.read_text(encoding="utf-8").splitlines()
        random.Random(seed).shuffle(rows)
        file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    again = stages.run(tiny_project, "tiny")
    assert summary.release is not None and again.release is not None
    assert again.run_id != summary.run_id
    assert parquet_of(again.release) == parquet_of(summary.release)


def test_another_key_changes_every_person(
    summary: stages.RunSummary, tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCOWEAVE_KEY", "ab" * 32)
    again = stages.run(tiny_project, "tiny")
    assert summary.release is not None and again.release is not None
    assert parquet_of(again.release)["person.parquet"] != parquet_of(summary.release)["person.parquet"]
    manifests = [
        ReleaseManifest.model_validate_json((r / "manifest.json").read_text()) for r in (summary.release, again.release)
    ]
    assert manifests[0].key_id != manifests[1].key_id


def test_a_mapping_edited_between_extract_and_map_is_refused(tiny_project: Project) -> None:
    run = stages.extract(tiny_project, "tiny")
    with (tiny_project.root / "mappings/sources/tiny/mapping.yaml").open("a") as file:
        file.write("# edited\n")
    with pytest.raises(UsageError, match=r"mapping\.yaml"):
        stages.map(run, tiny_project)


def test_a_table_that_changed_after_map_is_mapped_again(summary: stages.RunSummary, tiny_project: Project) -> None:
    run = RunFolder(tiny_project.runs / "tiny" / summary.run_id)
    before = tree_bytes(run.tables)
    (run.tables / "person.parquet").write_bytes(b"damaged")
    with pytest.raises(EnvironmentFault, match=r"person\.parquet is not what map wrote"):
        stages.publish(run, tiny_project)
    stages.map(run, tiny_project)
    assert tree_bytes(run.tables) == before and not (run.path / "check.json").exists()


def test_a_run_that_failed_its_check_is_never_published(summary: stages.RunSummary, tiny_project: Project) -> None:
    path = tiny_project.runs / "tiny" / summary.run_id / "check.json"
    record = read_record(path, CheckRecord)
    fatal = next(i for i, r in enumerate(record.results) if r.severity == "fatal" and r.evaluated and r.unexpected == 0)
    failed = record.results[fatal].model_copy(update={"unexpected": 1, "success": False})
    results = (*record.results[:fatal], failed, *record.results[fatal + 1 :])
    path.write_text(record.model_copy(update={"results": results, "verdict": "fail"}).model_dump_json())
    with pytest.raises(DataError, match="did not pass"):
        stages.run(tiny_project, "tiny")


def test_progress_is_told_each_stage_once(tiny_project: Project) -> None:
    told: list[str] = []
    stages.run(tiny_project, "tiny", progress=told.append)
    assert told == ["extract", "map", "check", "publish"]
    told.clear()
    stages.run(tiny_project, "tiny", progress=told.append)
    assert told == ["extract"]


def test_a_source_that_is_being_run_is_not_run_twice(tiny_project: Project) -> None:
    with (
        lock(tiny_project.runs / "tiny" / ".run.lock", "run tiny"),
        pytest.raises(EnvironmentFault, match="`run tiny`"),
    ):
        stages.run(tiny_project, "tiny")
    assert not tiny_project.releases.exists()


def test_an_unknown_source_makes_no_folder(tiny_project: Project) -> None:
    with pytest.raises(UsageError, match="no source `tinny`"):
        stages.run(tiny_project, "tinny")
    assert not tiny_project.runs.exists() and not tiny_project.releases.exists()


def test_nothing_of_a_release_tells_time_or_place(summary: stages.RunSummary, tiny_project: Project) -> None:
    assert summary.release is not None
    manifest = (summary.release / "manifest.json").read_text()
    assert str(tiny_project.root) not in manifest
    assert set(json.loads(manifest)) == set(ReleaseManifest.model_fields)


def test_run_folder_is_private_and_holds_no_temporary_file(summary: stages.RunSummary, tiny_project: Project) -> None:
    paths = [tiny_project.runs, *tiny_project.runs.rglob("*")]
    assert [str(p) for p in paths if p.stat().st_mode & 0o077] == []
    kept = [p for p in paths if p.name != ".history" and not p.name.endswith(".lock")]
    assert [str(p) for p in kept if p.name.startswith((".", "tmp"))] == []

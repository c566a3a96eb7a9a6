"""publish makes one immutable release of a run that passed, and nothing of any other."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError, UsageError
from oncoweave.files import lock
from oncoweave.project import Project, RunFolder
from oncoweave.release.status import status
from oncoweave.release.verify import verify
from oncoweave.release_records import ReleaseManifest
from oncoweave.stages.publish import publish
from tests.release.conftest import LEDGER, MakeRun


def tree(folder: Path) -> dict[str, bytes | str]:
    """Every file of a folder with its content, every link with its target."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_release_holds_tables_page_manifest_and_checksums(run: RunFolder, project: Project) -> None:
    release = publish(run, project)
    assert release == project.releases / "one" / "2024-01-31-0123456789ab"
    assert sorted(tree(project.releases)) == [
        "one/2024-01-31-0123456789ab/SHA256SUMS",
        "one/2024-01-31-0123456789ab/manifest.json",
        "one/2024-01-31-0123456789ab/omop/death.parquet",
        "one/2024-01-31-0123456789ab/omop/person.parquet",
        "one/2024-01-31-0123456789ab/qa/report.html",
        "one/2024-01-31-0123456789ab/release.html",
        "one/current",
    ]
    assert verify(release) == []
    assert (project.releases / "one" / "current").resolve() == release


def test_manifest_tells_what_a_hub_needs(run: RunFolder, project: Project) -> None:
    manifest = ReleaseManifest.model_validate_json((publish(run, project) / "manifest.json").read_text())
    assert (manifest.persons, manifest.verdict, manifest.cdm_version, manifest.key_id) == (3, "pass", "5.4", "k")
    assert [(file.name, file.rows) for file in manifest.tables] == [
        ("omop/person.parquet", 3),
        ("omop/death.parquet", 3),
    ]
    assert manifest.ledger == (LEDGER,) and manifest.unconfirmed_concepts == (1,)


def test_release_can_be_read_by_a_group_and_written_by_nobody(run: RunFolder, project: Project) -> None:
    before = os.umask(0o077)
    release = publish(run, project)
    os.umask(before)
    assert {p.stat().st_mode & 0o777 for p in release.rglob("*") if p.is_file()} == {0o440}
    assert {p.stat().st_mode & 0o777 for p in (release, release / "omop", release.parent, project.releases)} == {0o750}


def test_group_of_the_folder_of_releases_is_handed_down(run: RunFolder, project: Project) -> None:
    project.releases.mkdir()
    project.releases.chmod(0o2750)
    release = publish(run, project)
    assert {p.stat().st_mode & 0o7777 for p in (release, release / "omop", release.parent)} == {0o2750}


def test_publishing_again_changes_nothing(run: RunFolder, project: Project) -> None:
    release = publish(run, project)
    before = tree(project.releases), release.stat().st_mtime_ns
    assert publish(run, project) == release
    assert (tree(project.releases), release.stat().st_mtime_ns) == before


def test_current_points_to_what_was_published_last_and_older_releases_stay(make_run: MakeRun, project: Project) -> None:
    first, second = make_run("1" * 20), make_run("2" * 20, persons=5)
    old = publish(first, project)
    before = tree(old)
    new = publish(second, project)
    assert (project.releases / "one" / "current").resolve() == new
    assert tree(old) == before
    publish(first, project)
    assert (project.releases / "one" / "current").resolve() == old


def no_verdict(run: RunFolder) -> None:
    (run.path / "check.json").unlink()


def failed(run: RunFolder) -> None:
    text = (run.path / "check.json").read_text()
    (run.path / "check.json").write_text(text.replace("pass", "fail"))


def not_mapped(run: RunFolder) -> None:
    (run.path / "map.json").unlink()


def edited_table(run: RunFolder) -> None:
    with (run.tables / "person.parquet").open("r+b") as file:
        file.seek(10)
        file.write(b"!")


def lost_table(run: RunFolder) -> None:
    (run.tables / "death.parquet").unlink()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (no_verdict, DataError, "has not been checked"),
        (failed, DataError, "did not pass"),
        (not_mapped, UsageError, "map.json"),
        (edited_table, EnvironmentFault, "person.parquet is not what map wrote"),
        (lost_table, EnvironmentFault, "death.parquet is not what map wrote"),
    ],
)
def test_a_gate_stops_publication_and_nothing_is_written(
    fault: object, error: type[OncoweaveError], words: str, run: RunFolder, project: Project
) -> None:
    assert callable(fault)
    fault(run)
    with pytest.raises(error, match=words):
        publish(run, project)
    assert not project.releases.exists()


def test_a_release_without_persons_is_refused(make_run: MakeRun, project: Project) -> None:
    with pytest.raises(DataError, match="no person"):
        publish(make_run(persons=0), project)


def test_a_ledger_that_does_not_balance_is_refused(make_run: MakeRun, project: Project) -> None:
    lost = LEDGER.model_copy(update={"read": 5})
    with pytest.raises(DataError, match="the ledger of `patients` does not balance"):
        publish(make_run(ledger=(lost,)), project)


def test_a_damaged_release_of_that_name_is_left_and_told(run: RunFolder, project: Project) -> None:
    release = publish(run, project)
    (release / "omop" / "death.parquet").unlink()
    before = tree(project.releases)
    with pytest.raises(EnvironmentFault, match=r"omop/death\.parquet: missing"):
        publish(run, project)
    assert tree(project.releases) == before


def test_another_release_of_that_name_is_left_and_told(make_run: MakeRun, project: Project) -> None:
    publish(make_run("0123456789ab" + "0" * 8), project)
    before = tree(project.releases)
    with pytest.raises(EnvironmentFault, match="not what run"):
        publish(make_run("0123456789ab" + "1" * 8), project)
    assert tree(project.releases) == before


def test_what_a_killed_publication_left_is_swept(run: RunFolder, project: Project) -> None:
    place = project.releases / "one"
    (place / ".tmp-somerun" / "omop").mkdir(parents=True)
    (place / ".tmp-somerun" / "omop" / "person.parquet").write_text("half")
    (place / ".tmp-current").symlink_to("nowhere")
    publish(run, project)
    assert sorted(p.name for p in place.iterdir()) == ["2024-01-31-0123456789ab", "current"]


def test_two_publications_of_a_source_do_not_meet(run: RunFolder, project: Project) -> None:
    held = lock(run.path.parent / ".release.lock", "publish one", "another")
    with held, pytest.raises(EnvironmentFault, match=r"`publish one` \(run another\)"):
        publish(run, project)
    assert not project.releases.exists()


def test_a_reader_always_sees_one_whole_release(make_run: MakeRun, project: Project) -> None:
    runs = [make_run(digit * 20, persons=int(digit)) for digit in "123"]
    publish(runs[0], project)
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            release = (project.releases / "one" / "current").resolve(strict=True)
            manifest = ReleaseManifest.model_validate_json((release / "manifest.json").read_text())
            assert all((release / file.name).stat().st_size == file.bytes for file in manifest.tables)
            seen.append(manifest.persons)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        for run in runs:
            publish(run, project)
    done.set()
    reader.join()
    assert set(seen) <= {1, 2, 3} and len(seen) > 30


def test_status_lists_runs_and_releases(make_run: MakeRun, project: Project) -> None:
    publish(make_run("1" * 20), project)
    make_run("2" * 20)
    (one,) = status(project)
    assert [(r.run_id[0], r.done, r.release) for r in one.runs] == [
        ("1", ("extract", "map", "check"), "2024-01-31-111111111111"),
        ("2", ("extract", "map", "check"), None),
    ]
    assert one.releases == ("2024-01-31-111111111111",) and one.current == "2024-01-31-111111111111"

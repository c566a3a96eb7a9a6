"""The run id follows from everything that can change a byte of the release, and from nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oncoweave.errors import UsageError
from oncoweave.project import Project
from oncoweave.records import FileRecord
from oncoweave.run_identity import identity, open_run, read_identity, refuse_changed, run_id

DELIVERY = (
    FileRecord(name="patients.csv", bytes=1, sha256="a" * 64),
    FileRecord(name="tumours.csv", bytes=1, sha256="b" * 64),
)


def append(name: str, text: str = "\n") -> Callable[[Path], object]:
    def change(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + text)

    return change


@pytest.mark.parametrize(
    "change",
    [
        append("mappings/sources/tiny/source.yaml", "origin: {date: 2000-01-01, why: it is not known}\n"),
        append("mappings/sources/tiny/mapping.yaml"),
        append("mappings/sources/tiny/concepts/sex.csv"),
        append("mappings/sources/tiny/corrections.yaml"),
        append("mappings/concepts/new.csv"),
        append("mappings/vocabulary/tiny-1/CONCEPT.csv"),
        append("transforms/site.py"),
        append("expectations/person.yaml"),
        append("expectations/sources/tiny.yaml"),
        lambda root: os.environ.update(ONCOWEAVE_KEY="ff" * 32),
    ],
    ids=[
        "source",
        "mapping",
        "map",
        "corrections",
        "shared map",
        "vocabulary",
        "transform",
        "suite",
        "own suite",
        "key",
    ],
)
def test_whatever_a_run_rests_on_changes_its_id(change: Callable[[Path], object], tiny_project: Project) -> None:
    before = run_id(tiny_project, "tiny", DELIVERY)
    change(tiny_project.root)
    assert run_id(tiny_project, "tiny", DELIVERY) != before


@pytest.mark.parametrize("folder", ["expectations", "mappings/sources/tiny"])
@pytest.mark.parametrize("name", ["waivers.yaml", "thresholds.yaml"])
def test_files_by_which_results_are_judged_do_not_change_the_id(folder: str, name: str, tiny_project: Project) -> None:
    before = identity(tiny_project, "tiny")
    append(f"{folder}/{name}", "version: 1\n")(tiny_project.root)
    assert identity(tiny_project, "tiny") == before


def test_delivered_files_change_the_id_by_name_and_content_not_by_order(tiny_project: Project) -> None:
    before = run_id(tiny_project, "tiny", DELIVERY)
    patients, tumours = DELIVERY
    assert run_id(tiny_project, "tiny", (tumours, patients)) == before
    assert run_id(tiny_project, "tiny", (patients,)) != before
    for part in ({"sha256": "c" * 64}, {"name": "persons.csv"}):
        assert run_id(tiny_project, "tiny", (patients.model_copy(update=part), tumours)) != before


def test_place_file_times_threads_and_unread_files_do_not_change_the_id(
    tiny_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run_id(tiny_project, "tiny", DELIVERY)
    moved = tmp_path / "elsewhere" / "site"
    shutil.copytree(tiny_project.root, moved, copy_function=shutil.copyfile)
    (moved / "mappings/sources/tiny/notes.md").write_text("nothing reads this")
    os.utime(moved / "mappings/sources/tiny/mapping.yaml", (0, 0))
    monkeypatch.setenv("ONCOWEAVE_THREADS", "1")
    monkeypatch.setenv("ONCOWEAVE_MEMORY", "512MB")
    assert run_id(Project.at(moved), "tiny", DELIVERY) == before


PROCEDURE = """
schedule: {cron: "0 3 * * 1"}
owner: Registry
retries: 1
approval: {by: [jane]}
# a remark
"""


def test_when_a_source_is_run_and_who_approves_does_not_change_the_id(tiny_project: Project) -> None:
    """A steward who moves the hour, or adds an approver, gets no second release of the same data."""
    run = open_run(tiny_project, "tiny", DELIVERY)
    append("mappings/sources/tiny/source.yaml", PROCEDURE)(tiny_project.root)
    assert run_id(tiny_project, "tiny", DELIVERY) == run.run_id
    refuse_changed(run, tiny_project)


def test_id_is_short_hex_and_the_folder_private(tiny_project: Project) -> None:
    run = open_run(tiny_project, "tiny", DELIVERY)
    assert len(run.run_id) == 20 and int(run.run_id, 16) >= 0
    assert run.path == tiny_project.runs / "tiny" / run.run_id
    assert {p.stat().st_mode & 0o777 for p in (run.path, run.path.parent, tiny_project.runs)} == {0o700}
    assert read_identity(run) == identity(tiny_project, "tiny")


def test_identity_holds_no_secret(tiny_project: Project, key: str) -> None:
    text = (open_run(tiny_project, "tiny", DELIVERY).path / "identity.json").read_text()
    assert key not in text and bytes.fromhex(key).hex() not in text
    assert identity(tiny_project, "tiny").domain == "tiny"


def test_without_a_key_there_is_no_run(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONCOWEAVE_KEY")
    with pytest.raises(UsageError, match="no pseudonymisation key"):
        open_run(tiny_project, "tiny", DELIVERY)
    assert not tiny_project.runs.exists()


def test_a_mapping_edited_after_extract_is_named(tiny_project: Project) -> None:
    run = open_run(tiny_project, "tiny", DELIVERY)
    refuse_changed(run, tiny_project)
    append("mappings/sources/tiny/mapping.yaml", "# later\n")(tiny_project.root)
    with pytest.raises(UsageError, match=r"changed since: mapping\.yaml"):
        refuse_changed(run, tiny_project)

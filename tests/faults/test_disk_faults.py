"""A disk that is full, closed or not there is told before work starts; what was published stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from oncoweave.errors import DataError, EnvironmentFault
from oncoweave.project import Project, RunFolder
from oncoweave.release.package import preflight
from oncoweave.stages.publish import publish
from tests.faults.conftest import strays, tree
from tests.faults.nursery import Nursery, Request
from tests.release.conftest import MakeRun, make_run, project

__all__ = ["make_run", "project"]

Mount = Callable[[Path, str], None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts a memory disk with the given options; the test is skipped where that is not allowed."""
    with ExitStack() as mounted:
        yield lambda folder, options: mounted.enter_context(_mounted(folder, options))


@contextmanager
def _mounted(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a memory disk is not allowed here")
    yield
    subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def read_only(folder: Path, mount: Mount) -> Iterator[None]:
    """A folder that this user cannot write: root can write any, so it gets a read-only disk."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        mount(folder, "ro")
        yield
        return
    folder.chmod(0o500)
    yield
    folder.chmod(0o700)


def test_a_release_that_does_not_fit_is_refused_before_it_is_written(
    project: Project, make_run: MakeRun, mount: Mount
) -> None:
    run = make_run()
    mount(project.releases, "size=3m")
    with pytest.raises(
        EnvironmentFault, match=r"no space left on the disk: 17 MiB are needed, [23] MiB are free"
    ) as caught:
        publish(run, project)
    assert str(project.releases) in caught.value.message
    assert tree(project.releases) == {} and strays(project) == []


def test_a_disk_that_fills_up_while_a_release_is_written_leaves_the_old_one(
    project: Project, make_run: MakeRun, nursery: Nursery
) -> None:
    make_run("2" * 20, persons=200_000)
    publish(make_run("1" * 20), project)
    before = tree(project.releases)
    arguments = ["publish", "one", "--run", "2" * 20, "--project", str(project.root)]
    outcome = nursery.run(Request(arguments, str(project.root), limit=200_000))
    assert outcome.code == 5 and "person.parquet: the file is too large" in outcome.stderr
    assert tree(project.releases) == before and strays(project) == []


def test_a_closed_folder_of_releases_is_told(project: Project, make_run: MakeRun, mount: Mount) -> None:
    run = make_run()
    with read_only(project.releases, mount), pytest.raises(EnvironmentFault, match=r"read-only|permission denied"):
        publish(run, project)


def test_a_full_disk_for_runs_is_told(tmp_path: Path, mount: Mount, make_run: MakeRun, project: Project) -> None:
    mount(project.runs, "size=64k")
    with pytest.raises(EnvironmentFault, match=r"no space|could not be"):
        make_run(persons=2_000_000)
    assert [p.name for p in project.runs.rglob(".*") if not p.name.endswith(".lock")] == []


@pytest.mark.parametrize("place", ["file", "file/below", "x" * 300, "x/" * 3000])
def test_a_folder_of_releases_that_cannot_be_is_told(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(EnvironmentFault):
        preflight(tmp_path / place / "one")


def test_preflight_leaves_an_empty_folder(tmp_path: Path) -> None:
    preflight(tmp_path / "releases" / "one")
    assert list((tmp_path / "releases" / "one").iterdir()) == []


def test_a_run_folder_that_is_not_there_is_told(project: Project) -> None:
    with pytest.raises(DataError, match="has not been checked"):
        publish(RunFolder(project.runs / "one" / "gone"), project)

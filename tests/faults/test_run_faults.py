"""`run`, killed or failing anywhere: the old release stays, the next run makes the same one, nothing is left over.

A project with one release gets a new delivery; the run of that delivery is disturbed, then run again.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from oncoweave.project import Project
from oncoweave.release.verify import verify
from tests.faults.conftest import broken_releases, strays, tree
from tests.faults.nursery import Nursery, Outcome, Request

TINY = Path(__file__).resolve().parents[1] / "projects" / "tiny"
KEY = "00112233445566778899aabbccddeeff" * 2
EVERY = os.environ.get("ONCOWEAVE_FAULTS") == "every"
"""`make faults`: a kill at every call, which takes half an hour; CI takes every third."""


@dataclass(frozen=True)
class Scene:
    """The scene of a trial: the project with its old release, and what an undisturbed run makes of it."""

    template: Path
    old: dict[str, bytes | str]
    expected: dict[str, bytes | str]
    calls: int
    seconds: float


def request_of(root: Path) -> Request:
    environment = {"ONCOWEAVE_KEY": KEY, "ONCOWEAVE_THREADS": "1"}
    return Request(["run", "tiny", "--project", str(root)], str(root), environment=environment)


def copied(template: Path, target: Path) -> Path:
    return shutil.copytree(template, target, symlinks=True)


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """Where the trials lie: in memory where there is such a disk, since each brings hundreds of files to the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="oncoweave-trials-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def scene(nursery: Nursery, room: Path) -> Scene:
    folder = room / "scene"
    folder.mkdir()
    template = copied(TINY, folder / "template")
    check_little(template)
    first = nursery.run(request_of(template))
    assert first.code == 0, first.stderr
    old = {name: content for name, content in tree(template / "releases").items() if not name.endswith("current")}
    deliver_again(template)
    undisturbed = copied(template, folder / "undisturbed")
    second = nursery.run(replace(request_of(undisturbed), at=-1))
    assert second.code == 0, second.stderr
    return Scene(template, old, tree(undisturbed / "releases"), second.calls, second.seconds)


def check_little(root: Path) -> None:
    """One expectation a suite: the trials are about files, and there are hundreds."""
    for standard in (TINY.parents[2] / "expectations").glob("*.yaml"):
        lines = standard.read_text(encoding="utf-8").splitlines()
        table = next((line for line in lines if line.startswith("table:")), None)
        if table is None:  # trends, which are of no table
            continue
        one = "{expect: expect_columns_of_the_model, severity: fatal, category: conformance, why: one is enough here}"
        suite = root / "expectations" / standard.name
        suite.parent.mkdir(exist_ok=True)
        suite.write_text(f"version: 1\nsuite: {standard.stem}\n{table}\nexpectations:\n  - {one}\n", encoding="utf-8")


def deliver_again(root: Path) -> None:
    (patients,) = (root / "deliveries").rglob("patients.csv")
    with patients.open("a", encoding="utf-8") as file:
        file.write("P007;F;01.01.1950;post;01.02.2016;01.12.2023;A\n")


@pytest.fixture
def trial(scene: Scene, nursery: Nursery, room: Path) -> Callable[..., Outcome]:
    """Disturbs a run, sees what a reader sees, runs again, and compares with the undisturbed one."""

    def disturb(**fault: object) -> Outcome:
        shutil.rmtree(room / "trial", ignore_errors=True)
        root = copied(scene.template, room / "trial")
        outcome = nursery.run(replace(request_of(root), **fault))  # type: ignore[arg-type]
        project = Project.at(root)
        assert scene.old.items() <= tree(project.releases).items(), (fault, "the old release was touched")
        assert broken_releases(project) == [], (fault, "a half release can be seen")
        assert "Traceback" not in outcome.stderr, (fault, outcome.stderr)
        if outcome.code >= 0:
            assert strays(project) == [], (fault, outcome)
        again = nursery.run(request_of(root))
        assert again.code == 0, (fault, again)
        assert tree(project.releases) == scene.expected, (fault, "another release than the undisturbed one")
        assert strays(project) == [], (fault, "left over")
        return outcome

    return disturb


def some(calls: int, share: int) -> list[int]:
    """Every `share`-th call, and always the first and the last."""
    return sorted({1, calls, *range(1, calls + 1, share)})


@pytest.mark.parametrize("fault", ["kill", "ENOSPC"])
def test_a_fault_at_some_calls(fault: str, scene: Scene, trial: Callable[..., Outcome]) -> None:
    for at in some(scene.calls, max(1, scene.calls // 4)):
        outcome = trial(at=at, fault=fault)
        assert outcome.code == (-signal.SIGKILL if fault == "kill" else 5), (at, outcome)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "share"), [("kill", 1 if EVERY else 3), ("ENOSPC", 4 if EVERY else 16), ("EIO", 16)])
def test_a_fault_at_calls_all_along_the_run(
    fault: str, share: int, scene: Scene, trial: Callable[..., Outcome]
) -> None:
    for at in some(scene.calls, share):
        outcome = trial(at=at, fault=fault)
        assert outcome.code == (-signal.SIGKILL if fault == "kill" else 5), (at, outcome)


@pytest.mark.slow
def test_fifty_kills_at_random_moments(scene: Scene, trial: Callable[..., Outcome]) -> None:
    moments = random.Random(20240131)
    for _ in range(50):
        trial(after=moments.uniform(0, scene.seconds), signal=signal.SIGKILL)


@pytest.mark.slow
def test_two_runs_of_a_source_at_once(scene: Scene, room: Path) -> None:
    root = copied(scene.template, room / "twice")
    command = [sys.executable, "-c", "from oncoweave.cli.main import main; main()", *request_of(root).arguments]
    environment = os.environ | request_of(root).environment
    pair = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in "ab"]
    told = {process.communicate()[1]: process.returncode for process in pair}
    assert sorted(told.values()) == [0, 5], told
    (refused,) = (text.decode() for text, code in told.items() if code == 5)
    assert "`run tiny` cannot start: `run tiny`, process" in refused
    assert (tree(root / "releases"), strays(Project.at(root))) == (scene.expected, [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_a_run_within_ten_seconds(
    number: signal.Signals, code: int, scene: Scene, trial: Callable[..., Outcome]
) -> None:
    for share in (0.2, 0.5, 0.8):
        outcome = trial(after=share * scene.seconds, signal=number)
        assert outcome.code in (code, 0) and outcome.seconds < share * scene.seconds + 10, (share, outcome)


@pytest.mark.parametrize("limit", [1_000, 2_000, 4_000])
def test_a_disk_that_takes_only_small_files_stops_the_run(limit: int, trial: Callable[..., Outcome]) -> None:
    outcome = trial(limit=limit)
    assert outcome.code == 5, outcome


def test_an_undisturbed_run_makes_a_whole_release(scene: Scene) -> None:
    current = [name for name in scene.expected if name.endswith("current")]
    assert len(current) == 1 and len(scene.expected) > 2 * len(scene.old) - 2
    assert verify(next((scene.template / "releases" / "tiny").glob("2*"))) == []

"""`extract` of a delta, killed or failing anywhere: base and release stay, and the next call makes the same run."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from oncoweave.project import Project
from tests.faults.conftest import strays, tree
from tests.faults.nursery import Nursery, Request
from tests.faults.test_run_faults import KEY, TINY, check_little, copied, some

DELTA = (
    "patient;sex;birth_date;menopause;registered;last_contact;vital\nP007;F;01.01.1950;post;01.02.2016;01.12.2023;A\n"
)
GONE = "patient;tumour\nP001;1\n"


@dataclass(frozen=True)
class Scene:
    """The project with a release and a delta to come, what an undisturbed extract makes of it, and its calls."""

    template: Path
    before: dict[str, bytes | str]
    expected: dict[str, bytes | str]
    calls: int


def request_of(root: Path, verb: str = "extract") -> Request:
    environment = {"ONCOWEAVE_KEY": KEY, "ONCOWEAVE_THREADS": "1"}
    return Request([verb, "tiny", "--project", str(root)], str(root), environment=environment)


def content(root: Path) -> dict[str, bytes | str]:
    return {name: what for name, what in tree(root).items() if not name.endswith(".lock")}


@pytest.fixture(scope="module")
def scene(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    template = copied(TINY, folder / "template")
    check_little(template)
    assert nursery.run(request_of(template, "run")).code == 0
    before = content(template / "runs") | content(template / "releases")
    deliver_delta(template)
    undisturbed = copied(template, folder / "undisturbed")
    done = nursery.run(replace(request_of(undisturbed), at=-1))
    assert done.code == 0, done.stderr
    return Scene(template, before, content(undisturbed / "runs"), done.calls)


def deliver_delta(root: Path) -> None:
    folder = root / "deliveries" / "2024-02-29"
    folder.mkdir()
    (folder / "patients.csv").write_text(DELTA, encoding="utf-8")
    (folder / "gone.csv").write_text(GONE, encoding="utf-8")
    path = root / "mappings" / "sources" / "tiny" / "source.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "date: 2024-01-31, path: ../../../deliveries/2024-01-31}",
        "date: 2024-02-29, path: ../../../deliveries/2024-02-29, mode: delta}",
    )
    text = text.replace("    files: tumours.csv\n", "    files: tumours.csv\n    removed: {files: gone.csv}\n")
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("fault", ["kill", "ENOSPC"])
def test_a_fault_at_some_calls(fault: str, scene: Scene, nursery: Nursery, tmp_path: Path) -> None:
    for at in some(scene.calls, max(1, scene.calls // 5)):
        root = copied(scene.template, tmp_path / "trial")
        outcome = nursery.run(replace(request_of(root), at=at, fault=fault))
        assert outcome.code == (-signal.SIGKILL if fault == "kill" else 5), (at, outcome)
        assert "Traceback" not in outcome.stderr, (at, outcome.stderr)
        there = content(root / "runs") | content(root / "releases")
        assert scene.before.items() <= there.items(), (at, "the base or the release was touched")
        again = nursery.run(request_of(root))
        assert again.code == 0, (at, again)
        assert content(root / "runs") == scene.expected, (at, "another run than the undisturbed one")
        assert strays(Project.at(root)) == [], (at, "left over")
        shutil.rmtree(root)


def test_the_delta_of_the_trials_does_something(scene: Scene) -> None:
    added = scene.expected.keys() - scene.before.keys()
    snapshots = {
        Path(name).name: what for name, what in scene.expected.items() if name in added and "/snapshot/" in name
    }
    base = {Path(name).name: what for name, what in scene.before.items() if "/snapshot/" in name}
    assert snapshots.keys() == base.keys() and all(snapshots[name] != what for name, what in base.items())

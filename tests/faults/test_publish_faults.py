"""publish, stopped or failing at each of its system calls: one whole release is seen at any moment, old or new."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from oncoweave.project import Project, RunFolder
from oncoweave.stages.publish import publish
from tests.faults.conftest import broken_releases, strays, tree
from tests.faults.nursery import Nursery, Request
from tests.release.conftest import MakeRun, make_run, project

__all__ = ["make_run", "project"]

OLD, NEW = "1" * 20, "2" * 20


@pytest.fixture
def template(project: Project, make_run: MakeRun) -> Project:
    """A project with one release, and a second run that waits for publication."""
    publish(make_run(OLD), project)
    make_run(NEW, persons=5)
    return project


@pytest.fixture
def expected(template: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes | str]:
    """The published tree after an undisturbed publication."""
    copy = copied(template, tmp_path_factory.mktemp("expected"))
    publish(RunFolder(copy.runs / "one" / NEW), copy)
    return tree(copy.releases)


def copied(template: Project, target: Path) -> Project:
    shutil.copytree(template.root, target / "site", symlinks=True)
    return Project.at(target / "site")


def request_of(project: Project) -> Request:
    return Request(["publish", "one", "--run", NEW, "--project", str(project.root)], str(project.root))


@pytest.mark.parametrize("fault", ["kill", "ENOSPC", "EIO", "EACCES"])
def test_publish_survives_a_fault_at_every_call(
    fault: str,
    template: Project,
    expected: dict[str, bytes | str],
    nursery: Nursery,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    old = tree(template.releases / "one" / f"2024-01-31-{OLD[:12]}")
    for at in count(1):
        site = copied(template, tmp_path_factory.mktemp("trial"))
        outcome = nursery.run(replace(request_of(site), at=at, fault=fault))
        assert tree(site.releases / "one" / f"2024-01-31-{OLD[:12]}") == old
        assert broken_releases(site) == []
        if outcome.calls < at:
            assert (outcome.code, at > 20) == (0, True)
            break
        assert outcome.code == (-9 if fault == "kill" else 5), (at, outcome)
        assert "Traceback" not in outcome.stderr
        again = nursery.run(request_of(site))
        assert (again.code, tree(site.releases), strays(site)) == (0, expected, []), (at, again)
        shutil.rmtree(site.root)

"""`vocab load`, killed or failing at its system calls: the release in use stays whole, the next load makes the same one."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from oncoweave.project import Project
from oncoweave.vocabulary.bundle import open_release
from oncoweave.vocabulary.load import load
from tests.faults.conftest import tree
from tests.faults.nursery import Nursery, Request
from tests.vocabulary.downloads import RELEASE, folder_of, texts, zip_of

STEP = 1 if os.environ.get("ONCOWEAVE_FAULTS") == "every" else 4
"""`make faults`: a fault at every call."""


def shelf(project: Project) -> dict[str, bytes | str]:
    return {name: content for name, content in tree(project.vocabularies).items() if name != ".load.lock"}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "ENOSPC"])
def test_load_survives_a_fault_at_any_call(
    fault: str, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("template")
    template = Project.at(place / "site")
    load(template, folder_of(place / "download", texts()))
    old = shelf(template)
    archive = zip_of(place / "second.zip", texts())
    for at in count(1, STEP):
        site = copied(template, tmp_path_factory.mktemp("trial"))
        request = Request(
            ["vocab", "load", str(archive), "--release", "second", "--project", str(site.root)], str(site.root)
        )
        outcome = nursery.run(replace(request, at=at, fault=fault))
        assert {name: content for name, content in shelf(site).items() if name.startswith(RELEASE)} == old
        assert open_release(site, RELEASE).release == RELEASE
        if outcome.calls < at:
            assert (outcome.code, at > 20) == (0, True)
            break
        assert outcome.code == (-9 if fault == "kill" else 5), (at, outcome)
        again = nursery.run(request)
        assert (again.code, {path.name for path in site.vocabularies.iterdir()}) == (
            0,
            {".load.lock", RELEASE, "second"},
        ), (at, again)
        shutil.rmtree(site.root)


def copied(template: Project, target: Path) -> Project:
    shutil.copytree(template.root, target / "site")
    return Project.at(target / "site")

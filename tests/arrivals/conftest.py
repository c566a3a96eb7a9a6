"""A project of one source whose deliveries arrive in dated folders."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oncoweave.project import Project

Send = Callable[..., Path]


@pytest.fixture
def place(tiny_project: Project) -> Path:
    """The folder where the deliveries of `tiny` arrive: empty."""
    folder = tiny_project.root / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def project(tiny_project: Project, place: Path) -> Project:
    """The tiny project, run on the arrival of inbox/%Y-%m-%d with the marker _READY."""
    declare(tiny_project, "{folder: ../../../inbox/%Y-%m-%d, marker: _READY}")
    return tiny_project


@pytest.fixture
def send(tiny_project: Project, place: Path) -> Send:
    """Puts a copy of the tiny delivery into inbox/<day>, with its marker unless it is told not to."""

    def put(day: str, *, marker: bool = True) -> Path:
        folder = place / day
        shutil.copytree(tiny_project.root / "deliveries" / "2024-01-31", folder)
        if marker:
            (folder / "_READY").touch()
        return folder

    return put


def declare(project: Project, arrival: str, mode: str = "full") -> None:
    """Writes `schedule: on arrival` and `arrival:` into the source.yaml of `tiny`."""
    path = project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    text = path.read_text(encoding="utf-8").split("\nschedule:")[0]
    text = re.sub("by: folder,( mode: [a-z]+,)?", f"by: folder, mode: {mode},", text)
    path.write_text(f"{text.rstrip()}\nschedule: on arrival\narrival: {arrival}\n", encoding="utf-8")

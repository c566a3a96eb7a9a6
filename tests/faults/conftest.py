"""The nursery of the fault tests, and what must hold of a project's folders after a fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oncoweave.project import Project
from oncoweave.release.verify import verify
from tests.faults.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


def tree(folder: Path) -> dict[str, bytes | str]:
    """Every file of a folder with its content, every link with its target."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def strays(project: Project) -> list[str]:
    """Temporary files and folders: everything hidden but the locks and the history, in runs and releases."""
    paths = [path for place in (project.runs, project.releases) for path in place.rglob(".*")]
    return [str(path) for path in paths if path.name != ".history" and not path.name.endswith(".lock")]


def broken_releases(project: Project) -> list[Path]:
    """The releases that a reader can see and that are not whole; `current` counts as one."""
    seen = [path for path in project.releases.glob("*/*") if not path.name.startswith(".tmp-")]
    return [path for path in seen if verify(path)]

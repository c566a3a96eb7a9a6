"""A stranger who calls `oncoweave`, and a project of the stranger's own for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oncoweave.project import Project
from tests.bars.stranger import Call, Said, Stranger

HERE = Path(__file__).resolve().parent
PROJECTS = HERE.parent / "projects"
KEY = "a5" * 32
ONE = "{expect: expect_columns_of_the_model, severity: fatal, category: conformance, why: enough here}"

Oncoweave = Callable[..., Said]


@pytest.fixture(scope="session")
def stranger() -> Iterator[Stranger]:
    stranger = Stranger()
    yield stranger
    stranger.close()


@pytest.fixture(scope="session")
def oncoweave(stranger: Stranger) -> Oncoweave:
    """`oncoweave("run", "tiny", at=project, ONCOWEAVE_THREADS="1")`: what it says; keywords are its environment."""

    def call(
        *arguments: str | Path,
        at: Project | None = None,
        umask: int = 0o022,
        moment: str = "",
        folder: Path = Path("/"),
        **environment: str,
    ) -> Said:
        given = [*map(str, arguments), *(["--project", str(at.root)] if at else [])]
        return stranger.call(Call(given, {"ONCOWEAVE_KEY": KEY} | environment, str(folder), umask, moment))

    return call


@pytest.fixture
def tiny(tmp_path: Path) -> Project:
    """The tiny project, whose releases are checked by one expectation a table: these tests are not about checks."""
    return small_checks(copied("tiny", tmp_path / "project"))


def copied(name: str, target: Path) -> Project:
    """A copy of one of tests/projects."""
    return Project.at(shutil.copytree(PROJECTS / name, target))


def small_checks(project: Project) -> Project:
    """The project with one expectation a table."""
    for standard in (HERE.parents[1] / "expectations").glob("*.yaml"):
        lines = standard.read_text(encoding="utf-8").splitlines()
        table = next((line for line in lines if line.startswith("table:")), None)
        if table is None:  # trends, which are of no table
            continue
        suite = project.root / "expectations" / standard.name
        suite.parent.mkdir(exist_ok=True)
        suite.write_text(f"version: 1\nsuite: {standard.stem}\n{table}\nexpectations:\n  - {ONE}\n", encoding="utf-8")
    return project


def untouched(project: Project) -> bool:
    """Whether no run has made anything in the project."""
    left = [path for place in (project.runs, project.releases) for path in place.rglob("*")]
    return not [path for path in left if path.is_file() and not path.name.endswith(".lock")]

"""What every test may ask for: the shared reference data, a tiny real project, and a pseudonym key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oncoweave.project import Project
from tests.fhir_releases import Published, publish_twice

HERE = Path(__file__).resolve().parent
KEY = "00112233445566778899aabbccddeeff" * 2


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return HERE.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The reference data that lie beside the checkout; a test that needs them is skipped without."""
    folder = HERE.parents[1] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside the checkout: reference vocabularies and CDM tables are not compared")
    return folder


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the person who runs it."""
    for name in ("PROJECT", "RUNS", "RELEASES", "RESTRICTED", "VOCABULARIES", "KEY", "KEY_FILE", "MEMORY", "THREADS"):
        monkeypatch.delenv(f"ONCOWEAVE_{name}", raising=False)
    for name in ("HUB", "HUB_CONNECTION", "HUB_SIGNED", "HUB_SMALLEST"):
        monkeypatch.delenv(f"ONCOWEAVE_{name}", raising=False)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """A pseudonym key in the environment (hex)."""
    monkeypatch.setenv("ONCOWEAVE_KEY", KEY)
    return KEY


@pytest.fixture
def tiny_project(tmp_path: Path, key: str) -> Project:
    """A copy of tests/projects/tiny: a project of one source, `tiny`, two tables and six patients, with its key set."""
    root = tmp_path / "tiny_project"
    shutil.copytree(HERE / "projects" / "tiny", root)
    return Project.at(root)


@pytest.fixture(scope="session")
def fhir_releases(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """The tiny project with FHIR, published twice; the second time without a patient. Tests copy what they change."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONCOWEAVE_KEY", KEY)
        return publish_twice(tmp_path_factory.mktemp("fhir") / "project")

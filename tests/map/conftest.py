"""The workshop as a fixture, with its vocabulary built once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oncoweave.project import Project
from tests.map.workshop import RELEASE, Workshop, build_vocabulary


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workshop's vocabulary."""
    return build_vocabulary(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture
def workshop(tmp_path: Path, key: str, vocabulary: Path) -> Workshop:
    """A project of its own, with a pseudonym key."""
    root = tmp_path / "site"
    shutil.copytree(vocabulary, root / "mappings" / "vocabulary" / RELEASE)
    return Workshop(Project.at(root))

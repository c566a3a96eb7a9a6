"""The small CDM as a fixture, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.quality.small_cdm import VOCABULARY, Cdm, small_cdm, vocabulary


@pytest.fixture(scope="session")
def concepts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CONCEPT table of the vocabulary release that the small CDM uses."""
    return vocabulary(tmp_path_factory.mktemp("vocabulary") / VOCABULARY)


@pytest.fixture
def cdm(tmp_path: Path, concepts: Path) -> Iterator[Cdm]:
    """Two patients, no defect; the project is empty, so that the standard suites hold."""
    with small_cdm(tmp_path, concepts) as made:
        yield made

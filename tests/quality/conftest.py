"""The small CDM as a fixture, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from oncoweave.omop.model import tables
from oncoweave.project import Project, RunFolder
from tests.quality.small_cdm import ROWS, VOCABULARY, Cdm, vocabulary


@pytest.fixture(scope="session")
def concepts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CONCEPT table of the vocabulary release that the small CDM uses."""
    return vocabulary(tmp_path_factory.mktemp("vocabulary") / VOCABULARY)


@pytest.fixture
def cdm(tmp_path: Path, concepts: Path) -> Iterator[Cdm]:
    """Two patients, no defect; the project is empty, so that the standard suites hold."""
    connection = duckdb.connect()
    for table in tables().values():
        fields = ", ".join(f'"{field.name}" {field.type}' for field in table.fields)
        connection.execute(f'CREATE TABLE "{table.name}" ({fields})')
    connection.execute(ROWS)
    project = Project(tmp_path / "site", tmp_path / "runs", tmp_path / "releases", tmp_path / "restricted")
    run = RunFolder(tmp_path / "runs" / "registry" / "r1")
    run.path.mkdir(parents=True)
    yield Cdm(connection, run, project, concepts)
    connection.close()

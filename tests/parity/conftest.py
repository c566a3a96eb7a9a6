"""Runs the source synthea on the 27 patients of dbt-synthea, beside the CDM that dbt-synthea made of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from oncoweave.project import Project
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.load import load

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "synthea" / "dbt-synthea-27"
SOURCE = "synthea"


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the schemas `ours` and `peer`; skips where the reference is not there."""
    if not DATA.is_dir():
        pytest.skip(f"there is no {DATA.name} in ../shared/data/synthea")
    with compared(tmp_path_factory.mktemp("synthea")) as connection:
        yield connection


@contextmanager
def compared(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Both CDMs: their tables, and `persons` (person_id, and the patient's id as `key`); `folder` is for our project."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        project = synthea_project(folder)
        run = extract(project, SOURCE, DATA / "raw")
        map_stage(run, project)
    with duckdb.connect() as connection:
        _open(connection, "ours", run.tables)
        _open(connection, "peer", DATA / "reference-cdm")
        person_map = str(project.restricted / SOURCE / "person_map.parquet")
        connection.execute("CREATE TABLE ours.persons AS FROM read_parquet(?)", [person_map])
        connection.execute("CREATE TABLE peer.persons AS SELECT person_id, person_source_value AS key FROM peer.person")
        yield connection


def synthea_project(folder: Path) -> Project:
    """A project with the source alone, and the vocabulary of the 27 patients loaded under the name that it asks for."""
    for part in (f"mappings/sources/{SOURCE}", "mappings/concepts"):
        shutil.copytree(ROOT / part, folder / part)
    mapping = (folder / "mappings" / "sources" / SOURCE / "mapping.yaml").read_text(encoding="utf-8")
    (release,) = re.findall(r"^vocabulary: (.+)$", mapping, re.MULTILINE)
    project = Project(folder, folder / "runs", folder / "releases", folder / "restricted")
    load(project, DATA / "vocab", release)
    return project


def _open(connection: duckdb.DuckDBPyConnection, schema: str, folder: Path) -> None:
    connection.execute(f"CREATE SCHEMA {schema}")
    for path in sorted(folder.glob("*.parquet")):
        connection.execute(f'CREATE TABLE {schema}."{path.stem}" AS FROM read_parquet(?)', [str(path)])

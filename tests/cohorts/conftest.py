"""Cohorts that the product does not know, mapped by YAML and concept maps only, each run once for all tests of a file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.files import read_record
from oncoweave.project import Project
from oncoweave.records import MapRecord
from oncoweave.run import RunSummary, run

PROJECT = Path(__file__).with_name("project")
KEY = "c0" * 32


@dataclass(frozen=True)
class Cohort:
    """A source that was run: its summary, its ledger, its quarantine, and its release as tables of a database."""

    summary: RunSummary
    mapped: MapRecord
    quarantine: Path
    tables: duckdb.DuckDBPyConnection

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What a query gives, sorted: a release has no order that matters."""
        return sorted(self.tables.execute(query, parameters).fetchall(), key=repr)


RunCohort = Callable[..., Cohort]


@pytest.fixture(scope="module")
def run_cohort(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunCohort]:
    """Runs a source of the project, from raw file to release, with the delivery in a folder."""
    root = tmp_path_factory.mktemp("cohorts") / "project"
    shutil.copytree(PROJECT, root)
    project = Project(root, root / "runs", root / "releases", root / "restricted")
    opened: list[Cohort] = []

    def one(source: str, delivery: Path | None = None) -> Cohort:
        summary = run(project, source, delivery)
        home = project.runs / source / summary.run_id
        tables = duckdb.connect()
        for path in sorted((project.releases / source / "current" / "omop").glob("*.parquet")):
            tables.execute(f'CREATE TABLE "{path.stem}" AS FROM read_parquet(?)', [str(path)])
        opened.append(Cohort(summary, read_record(home / "map.json", MapRecord), home / "quarantine", tables))
        return opened[-1]

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONCOWEAVE_KEY", KEY)
        yield one
    for cohort in opened:
        cohort.tables.close()

"""A run with a loaded release gives what a run with the same concepts put in place by hand gives, and records its name."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import duckdb
import pytest

from oncoweave.compiler import read_inputs
from oncoweave.errors import EnvironmentFault, SpecError
from oncoweave.project import Project
from oncoweave.run import run
from oncoweave.run_identity import identity
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.athena import TABLES
from oncoweave.vocabulary.load import load
from tests.vocabulary.downloads import folder_of

BUNDLE = "CONCEPT.parquet"


def download_of(written: Path, target: Path, release: str) -> Path:
    """A release that people wrote as CSV, as a download of Athena."""
    files = {f"{table.name}.csv": "\t".join(table.columns) + "\n" for table in TABLES if table.required}
    for path in written.glob("*.csv"):
        columns = next(table.columns for table in TABLES if table.name == path.stem)
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            values = {"valid_start_date": "19700101", "valid_end_date": "20991231", **row}
            files[path.name] += (
                "\t".join(values.get(column, "") for column in columns).replace("tiny-1", release) + "\n"
            )
    files["DOMAIN.csv"] += "Any\tAny\t1\n"
    files["CONCEPT_CLASS.csv"] += "Any\tAny\t1\n"
    files["RELATIONSHIP.csv"] += "Maps to\tMaps to\t0\t0\tMapped from\t1\n"
    files["CONCEPT_ANCESTOR.csv"] += "0\t0\t0\t0\n"
    return folder_of(target, files)


def pin(project: Project, release: str) -> None:
    """Let the mapping name another release."""
    path = project.source_folder("tiny") / "mapping.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("vocabulary: tiny-1", f"vocabulary: {release}"), encoding="utf-8")


@pytest.fixture
def download(tiny_project: Project, tmp_path: Path) -> Path:
    return download_of(tiny_project.root / "mappings" / "vocabulary" / "tiny-1", tmp_path / "download", "tiny-1")


def test_loaded_release_gives_the_same_tables(tiny_project: Project, download: Path, tmp_path: Path) -> None:
    other = Project.at(shutil.copytree(tiny_project.root, tmp_path / "other"))
    load(other, download)
    shutil.rmtree(other.root / "mappings" / "vocabulary")
    by_hand, loaded = run(tiny_project, "tiny"), run(other, "tiny")
    assert by_hand.run_id != loaded.run_id
    tables = {
        path.name: path.read_bytes() for path in (tiny_project.runs / "tiny" / by_hand.run_id / "tables").iterdir()
    }
    assert len(tables) > 10
    again = {p.name: p.read_bytes() for p in (other.runs / "tiny" / loaded.run_id / "tables").iterdir()}
    ancestors = {"drug_era.parquet"}  # made of CONCEPT_ANCESTOR, which only the loaded release has
    assert tables.keys() == again.keys()
    assert {name for name, content in tables.items() if again[name] != content} <= ancestors


def test_cdm_source_has_what_the_release_calls_itself(tiny_project: Project, download: Path) -> None:
    load(tiny_project, download, "a selection")
    pin(tiny_project, "a selection")
    mapped = map_stage(extract(tiny_project, "tiny"), tiny_project)
    assert mapped.vocabulary == "a selection"
    (path,) = tiny_project.runs.glob("tiny/*/tables/cdm_source.parquet")
    assert duckdb.execute("SELECT vocabulary_version FROM read_parquet(?)", [str(path)]).fetchall() == [("tiny-1",)]


def test_loaded_release_wins_and_its_hashes_are_those_of_the_load(tiny_project: Project, download: Path) -> None:
    before = identity(tiny_project, "tiny").files
    record = load(tiny_project, download).record
    after = identity(tiny_project, "tiny").files
    assert f"vocabulary/{BUNDLE}" not in before
    assert after[f"vocabulary/{BUNDLE}"] == next(file.sha256 for file in record.files if file.name == BUNDLE)


def test_bundle_that_changed_stops_the_run_before_it_starts(tiny_project: Project, download: Path) -> None:
    place = load(tiny_project, download).folder
    (place / BUNDLE).write_bytes(b"")
    with pytest.raises(EnvironmentFault, match=r"CONCEPT.parquet is not the file that was loaded"):
        identity(tiny_project, "tiny")


def test_mapping_that_names_another_release_is_told_both(tiny_project: Project, download: Path) -> None:
    load(tiny_project, download, "tiny-2")
    path = tiny_project.source_folder("tiny") / "mapping.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("vocabulary: tiny-1", "vocabulary: tiny-3"), encoding="utf-8"
    )
    with pytest.raises(SpecError) as raised:
        read_inputs(tiny_project, "tiny")
    (problem,) = raised.value.problems
    assert (problem.line, "tiny-3" in problem.message, "tiny-2" in problem.help or "tiny-1" in problem.help) == (
        4,
        True,
        True,
    )

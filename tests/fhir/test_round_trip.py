"""OMOP to FHIR to OMOP: the rows of the demo sources and of Synthea come back through fhir_r4, pair by pair."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from docs.fhir_omop import facts
from oncoweave.errors import SourceUnreachable
from oncoweave.events import select_events
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import EventIndex
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.load import load
from tests.fhir.guide_vocabulary import CONCEPTS

ROOT = Path(__file__).resolve().parents[2]
ROUND_TRIP = facts().round_trip
FIELD = {"meas_event_field_concept_id", "obs_event_field_concept_id"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Trip:
    """The tables of a source, and those that came back, row by row under the id of the resource between them."""

    tables: tuple[str, ...]
    there: dict[str, dict[str, Row]]
    back: dict[str, dict[str, Row]]
    statuses: dict[str, str]


ALIKE = ("person", "death", "condition_occurrence", "procedure_occurrence", "drug_exposure")
"""The tables that come back of mCODE's profiles too."""
TRIPS = [*((source, "base") for source in ROUND_TRIP.sources), ("colon", "mcode")]


@pytest.fixture(scope="module", params=TRIPS, ids=" in ".join)
def trip(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trip:
    """The source, mapped, written, read and mapped again."""
    (source, profiles), root = request.param, tmp_path_factory.mktemp(request.param[0])
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        first = mapped(project_of(root / "there", source, shared_data, profiles), source, shared_data)
        reader = project_of(root / "back", "fhir_r4", shared_data, profiles, like=source)
        second = extract(reader, "fhir_r4", first.fhir)
        map_stage(second, reader)
    lines = {path.name: path.read_text(encoding="utf-8").splitlines() for path in first.fhir.glob("*.ndjson")}
    resources = {(name, n): json.loads(line) for name, found in lines.items() for n, line in enumerate(found, 1)}
    ids = {event: resources[place]["id"] for event, place in places(second).items()}
    persons = {
        person: str(key).rpartition("/")[2]
        for key, person in duckdb.sql(
            f"SELECT key, person_id FROM '{root}/back/restricted/fhir_r4/person_map.parquet'"
        ).fetchall()
    }
    return Trip(
        tuple(ROUND_TRIP.columns) if profiles == "base" else ALIKE,
        {table: rows(first, table, {}, {}) for table in ROUND_TRIP.columns},
        {table: rows(second, table, ids, persons) for table in ROUND_TRIP.columns},
        {one["id"]: one.get("status", "") for one in resources.values()},
    )


def project_of(root: Path, source: str, shared_data: Path, profiles: str, like: str = "") -> Project:
    """A project with the source alone and its vocabulary; of fhir_r4 that of the source it is to be like."""
    for part in (f"mappings/sources/{source}", "mappings/concepts", "mappings/vocabulary"):
        shutil.copytree(ROOT / part, root / part)
    release = vocabulary_of(ROOT / "mappings" / "sources" / (like or source) / "mapping.yaml")
    mapping = root / "mappings" / "sources" / source / "mapping.yaml"
    text = re.sub(r"(?m)^vocabulary: .+$", f"vocabulary: {release}", mapping.read_text(encoding="utf-8"))
    mapping.write_text(re.sub(r"(?m)^fhir: .+$", f"fhir: {profiles}", text), encoding="utf-8")
    project = Project(root, root / "runs", root / "releases", root / "restricted")
    if release.startswith("starter"):
        add_concepts(root / "mappings" / "vocabulary" / "starter" / "CONCEPT.csv")
    else:
        load(project, shared_data / "synthea" / "dbt-synthea-27" / "vocab", release)
    return project


def vocabulary_of(mapping: Path) -> str:
    """The vocabulary release that a mapping names."""
    (found,) = re.findall(r"(?m)^vocabulary: (.+)$", mapping.read_text(encoding="utf-8"))
    return str(found)


def add_concepts(path: Path) -> None:
    """The concepts of visits and of types of records that the starter vocabulary has no use for and fhir_r4 names."""
    with path.open(encoding="utf-8") as file:
        known = {row["concept_id"] for row in csv.DictReader(file)}
    with path.open("a", encoding="utf-8", newline="") as file:
        for line in CONCEPTS.strip().splitlines():
            concept, name, domain, vocabulary, standard, code = line.split("|")
            if concept not in known and vocabulary in ("Type Concept", "Visit"):
                csv.writer(file, lineterminator="\n").writerow(
                    [concept, name, domain, vocabulary, "", standard, code, "", "confirmed"]
                )


def mapped(project: Project, source: str, shared_data: Path) -> RunFolder:
    """The source's own run, with FHIR."""
    delivery = shared_data / "synthea" / "dbt-synthea-27" / "raw" if source == "synthea" else None
    try:
        run = extract(project, source, delivery) if delivery else extract(project, source)
    except SourceUnreachable as error:
        pytest.skip(f"the demo's wheels cannot be had: {error.message}")
    map_stage(run, project)
    return run


def places(run: RunFolder) -> dict[int, tuple[str, int]]:
    """File and line that each event of a run comes from."""
    found: dict[int, tuple[str, int]] = {}
    for file in read_record(run.events / "events.json", EventIndex).files:
        sql = f"SELECT event_id, source_file, source_line FROM ({select_events(run.events, file, ['event_id', 'source_file', 'source_line'])})"
        found |= {event: (name, line) for event, name, line in duckdb.sql(sql).fetchall()}
    return found


def rows(run: RunFolder, table: str, ids: dict[int, str], persons: dict[int, str]) -> dict[str, Row]:
    """The rows of a table in the columns that come back, by the id of their resource; ids of rows as ids of resources."""
    key = "person_id" if table in ("person", "death") else f"{table}_id"
    columns = ROUND_TRIP.columns[table]
    names = [key, "person_id", *columns]
    sql = f"SELECT {', '.join(dict.fromkeys(names))} FROM '{run.tables}/{table}.parquet'"
    found: dict[str, Row] = {}
    for values in duckdb.sql(sql).fetchall():
        row = dict(zip(dict.fromkeys(names), values, strict=True))
        row = {n: named(n, v, ids, persons) for n, v in row.items()}
        assert row[key] not in found, (table, "two rows of one resource")
        found[row[key]] = row
    return found


def named(column: str, value: Any, ids: dict[int, str], persons: dict[int, str]) -> Any:
    """A value, or the id of the resource that the row it names comes from."""
    if not column.endswith("_id") or column.endswith("concept_id") or column == "unique_device_id" or value is None:
        return value
    return (persons if column == "person_id" else ids).get(value, str(value))


def differs(trip: Trip, table: str, key: str) -> str:
    """The name of the difference that explains why a row came back in no table, or in another one, or only there; else nothing."""
    there = {t: found[key] for t, found in trip.there.items() if t not in ("person", "death") and key in found}
    back = {t: found[key] for t, found in trip.back.items() if t not in ("person", "death") and key in found}
    if not there and not key.isdigit():
        return "told_twice"
    if list(there) == ["drug_exposure"] and not back and trip.statuses.get(key) == "unknown":
        return "status_unknown"
    if {*there, *back} == {"observation", "measurement"} and len(there) == len(back) == 1:
        shared = ("person_id", "value_as_number", "unit_concept_id", "visit_occurrence_id")
        before, after = next(iter(there.values())), next(iter(back.values()))
        alike = all(before[name] == after[name] for name in shared)
        none = not any(row.get(f"{t}_concept_id") for t, row in (*there.items(), *back.items()))
        return "finding_without_concept" if alike and none else ""
    return ""


def test_every_row_comes_back_but_for_the_differences_that_are_listed(trip: Trip) -> None:
    unexplained = {
        (table, key)
        for table in trip.tables
        for key in trip.there[table].keys() ^ trip.back[table].keys()
        if not differs(trip, table, key)
    }
    assert unexplained == set()


def test_rows_that_come_back_are_equal_in_the_columns_that_are_listed(trip: Trip) -> None:
    pairs = 0
    for table in trip.tables:
        columns = ROUND_TRIP.columns[table]
        for key in trip.there[table].keys() & trip.back[table].keys():
            there, back = trip.there[table][key], trip.back[table][key]
            assert {c: back[c] for c in (*columns, "person_id")} == {c: there[c] for c in (*columns, "person_id")}, (
                table,
                key,
            )
            pairs += 1
    assert pairs > 1000


def test_the_differences_are_those_that_are_documented() -> None:
    assert set(ROUND_TRIP.differences) == {
        "told_twice",
        "status_unknown",
        "finding_without_concept",
        "words_of_a_value",
    }
    assert not any(column.endswith("value_as_string") for columns in ROUND_TRIP.columns.values() for column in columns)

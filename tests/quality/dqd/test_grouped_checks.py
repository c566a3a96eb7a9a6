"""The grouped queries count what the query of each check alone counts: on small, demo and Synthea's tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest

from oncoweave.engine.connection import connect
from oncoweave.errors import SourceUnreachable
from oncoweave.files import read_record
from oncoweave.omop.model import tables
from oncoweave.project import Project, RunFolder
from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.dqd.counts import Counts
from oncoweave.quality.dqd.queries import keys_query, query
from oncoweave.quality.dqd.relations import prepare_vocabulary
from oncoweave.quality.dqd.run import run_dqd
from oncoweave.quality.relations import prepare
from oncoweave.records import MapRecord
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.bundle import open_release
from tests.parity.conftest import DATA, SOURCE, synthea_project
from tests.quality.small_cdm import DELIVERY, Cdm

DEMO = "gbsg"
DEFECTS = """
INSERT INTO person (person_id, year_of_birth, gender_concept_id) VALUES (1, 2030, 8507), (NULL, NULL, 1);
UPDATE measurement SET measurement_date = '1900-01-01', unit_concept_id = 0 WHERE measurement_id = 51;
INSERT INTO measurement (measurement_id, person_id, visit_occurrence_id, measurement_date, measurement_concept_id,
    unit_concept_id) VALUES (51, 2, 81, '2010-01-01', 3006315, 8588), (57, 7, 82, NULL, 3006315, 0), (NULL, 7, 82, NULL, 5, NULL);
INSERT INTO condition_occurrence (condition_occurrence_id, person_id, condition_concept_id, condition_source_value)
    VALUES (21, 1, 26662, NULL), (23, 2, 26662, 'C61'), (24, NULL, 0, 'C50'), (25, 9, NULL, 'C50');
INSERT INTO death (person_id, death_date) VALUES (1, '1999-01-01'), (NULL, NULL), (3, NULL);
INSERT INTO observation_period (observation_period_id, person_id, observation_period_start_date,
    observation_period_end_date) VALUES (14, 2, '2002-07-01', '2003-01-01'), (15, NULL, NULL, NULL), (16, 1, NULL, NULL)
"""


@dataclass(frozen=True)
class Place:
    """The tables that are checked, the vocabulary of them, and the day of their delivery."""

    tables: Path
    vocabulary: Path
    delivery: date

    def open(self, work: Path, threads: int | None = None) -> duckdb.DuckDBPyConnection:
        connection = connect(work=work, allow=[self.tables, self.vocabulary], threads=threads)
        prepare(connection, self.tables, self.vocabulary / "CONCEPT.parquet", self.delivery)
        prepare_vocabulary(connection, self.vocabulary)
        return connection


@pytest.fixture(scope="module", params=[DEMO, SOURCE])
def run(request: pytest.FixtureRequest, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run of a demo source, and one of Synthea's 27 patients."""
    place = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        if request.param == DEMO:
            project = Project(checkout, place / "runs", place / "releases", place / "restricted")
            return mapped(project, DEMO, None)
        if not DATA.is_dir():
            pytest.skip(f"there is no {DATA.name} in ../shared/data/synthea")
        return mapped(synthea_project(place), SOURCE, DATA / "raw")


def mapped(project: Project, source: str, delivery: Path | None) -> Place:
    try:
        run: RunFolder = extract(project, source, delivery)
    except SourceUnreachable as error:
        pytest.skip(f"the demo's wheels cannot be had: {error.message}")
    map_stage(run, project)
    release = read_record(run.path / "map.json", MapRecord).vocabulary
    return Place(run.tables, open_release(project, release).folder, date(2020, 6, 30))


@pytest.fixture
def planted(cdm: Cdm) -> Place:
    """The small CDM with defects of many kinds, among them keys that are there twice or not at all."""
    cdm.plant(DEFECTS)
    cdm.write()
    return Place(cdm.run.tables, cdm.concepts.parent, DELIVERY)


def test_of_small_tables_with_defects_every_check_counts_what_its_query_counts(planted: Place, tmp_path: Path) -> None:
    with closing(planted.open(tmp_path)) as connection:
        assert list(differences(connection, catalogued(connection))) == []


def test_of_a_run_every_check_counts_what_its_query_counts(run: Place, tmp_path: Path) -> None:
    with closing(run.open(tmp_path)) as connection:
        found = catalogued(connection)
        assert list(differences(connection, found)) == []
    assert sum(bool(counts.violated) for counts in found.values()) > 50
    assert {counts.error for counts in found.values()} == {""}


def test_keys_are_found_of_what_fails_and_of_nothing_else(planted: Place, tmp_path: Path) -> None:
    with closing(planted.open(tmp_path)) as connection:
        found = catalogued(connection)
        for check in (check for n, check in enumerate(catalogue()) if found[check.id].violated or n % 10 == 0):
            sql = keys_query(check)
            if sql is not None and not found[check.id].absent:
                keys = connection.execute(sql).fetchall()
                of_values = check.name == "sourceValueCompleteness"  # several rows have the same value
                assert of_values or len(keys) <= (found[check.id].violated or 0), check.id
                assert keys or not found[check.id].violated or check.id not in WITH_KEYS


WITH_KEYS = (
    "field_plausiblevaluelow_measurement_measurement_date",
    "field_isforeignkey_measurement_visit_occurrence_id",
    "field_isstandardvalidconcept_person_gender_concept_id",
    "field_plausiblebeforedeath_condition_occurrence_condition_start_date",
)


def test_counts_depend_on_neither_threads_nor_the_order_of_rows(run: Place, tmp_path: Path) -> None:
    turned = Place(tmp_path / "turned", run.vocabulary, run.delivery)
    turned.tables.mkdir()
    with duckdb.connect() as connection:
        for name in tables():
            source, target = run.tables / f"{name}.parquet", turned.tables / f"{name}.parquet"
            if source.exists():
                connection.execute(f"COPY (FROM '{source}' ORDER BY random()) TO '{target}' (ROW_GROUP_SIZE 2048)")
    with closing(run.open(tmp_path, threads=1)) as one, closing(turned.open(tmp_path, threads=3)) as other:
        assert catalogued(one) == catalogued(other)


def test_the_connection_is_left_as_it_was(planted: Place, tmp_path: Path) -> None:
    with closing(planted.open(tmp_path)) as connection:
        before = relations(connection)
        catalogued(connection)
        assert relations(connection) == before


def catalogued(connection: duckdb.DuckDBPyConnection) -> dict[str, Counts]:
    found = run_dqd(connection, catalogue())
    assert sorted(found) == sorted(check.id for check in catalogue())
    return found


def differences(connection: duckdb.DuckDBPyConnection, found: dict[str, Counts]) -> Iterator[str]:
    for check in catalogue():
        counts = found[check.id]
        if not counts.absent:
            alone = connection.execute(query(check)).fetchone()
            if (counts.violated, counts.denominator) != alone:
                yield f"{check.id}: {counts}, alone {alone}"


def relations(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    return connection.execute("SELECT table_name FROM information_schema.tables ORDER BY ALL").fetchall()

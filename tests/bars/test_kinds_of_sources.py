"""Sources that the demo does not have, run to a release: Parquet, Excel, corrections, and episodes with a parent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from oncoweave.project import Project
from tests.bars.conftest import Oncoweave, copied

PATIENTS = [
    ("007", "F", date(1950, 3, 1), datetime(2015, 1, 10, tzinfo=UTC), 14.5),
    ("7", "F", date(1961, 7, 21), datetime(2015, 2, 3, tzinfo=UTC), 31.0),
    ("ä'8", "M", date(1949, 11, 30), datetime(2016, 5, 5, tzinfo=UTC), None),
]
HEADERS = ("Patient No", "sex", "born", "seen", "size")


@pytest.fixture
def ward(tmp_path: Path) -> Project:
    """The ward: three sources, each checked by the whole standard suites."""
    return copied("ward", tmp_path / "ward")


def released(project: Project, source: str, sql: str) -> list[tuple[Any, ...]]:
    """What a query over the tables of the current release gives."""
    with duckdb.connect() as connection:
        for path in (project.releases / source / "current" / "omop").glob("*.parquet"):
            connection.execute(f"CREATE VIEW \"{path.stem}\" AS FROM read_parquet('{path}')")
        return connection.execute(sql).fetchall()


def deliver_parquet(project: Project) -> None:
    folder = project.root / "deliveries" / "lake"
    folder.mkdir()
    types = "no VARCHAR, sex VARCHAR, born DATE, seen TIMESTAMP, size DOUBLE"
    with duckdb.connect() as connection:
        for number, rows in enumerate((PATIENTS[:2], PATIENTS[2:])):
            connection.execute(f"CREATE OR REPLACE TABLE patients ({types})")
            connection.executemany("INSERT INTO patients VALUES (?, ?, ?, ?, ?)", [list(row) for row in rows])
            select = 'SELECT no AS "Patient No", sex, born, seen, size FROM patients'
            connection.execute(f"COPY ({select}) TO '{folder}/patients-{number}.parquet' (FORMAT parquet)")


def deliver_workbook(project: Project) -> None:
    folder = project.root / "deliveries" / "sheet"
    folder.mkdir()
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("Patients")
    sheet.append(["Delivery of the ward"])
    sheet.append([])
    sheet.append(list(HEADERS))
    for row in PATIENTS:
        sheet.append([cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell for cell in row])
    book.save(folder / "ward.xlsx")
    book.close()


FACTS = """SELECT gender_concept_id, year_of_birth, month_of_birth, condition_start_date::VARCHAR, value_as_number, unit_concept_id
    FROM person JOIN condition_occurrence USING (person_id) LEFT JOIN measurement USING (person_id) ORDER BY 2"""


@pytest.mark.parametrize(("source", "deliver"), [("lake", deliver_parquet), ("sheet", deliver_workbook)])
def test_a_binary_delivery_is_read(source: str, deliver: Any, ward: Project, oncoweave: Oncoweave) -> None:
    deliver(ward)
    ran = oncoweave("run", source, at=ward)
    assert ran.code == 0, ran.err
    assert released(ward, source, FACTS) == [
        (8507, 1949, 11, "2016-05-05", None, None),
        (8532, 1950, 3, "2015-01-10", 14.5, 8588),
        (8532, 1961, 7, "2015-02-03", 31.0, 8588),
    ]


def test_a_sheet_that_is_not_there_stops_the_run(ward: Project, oncoweave: Oncoweave) -> None:
    deliver_workbook(ward)
    source = ward.source_folder("sheet") / "source.yaml"
    source.write_text(source.read_text().replace("sheet: Patients", "sheet: Patient"))
    ran = oncoweave("run", "sheet", at=ward)
    assert ran.code == 3
    assert "ward.xlsx has no sheet `Patient`" in ran.err and "did you mean `Patients`?" in ran.err


@pytest.mark.parametrize(
    ("source", "name", "deliver"),
    [("lake", "patients-0.parquet", deliver_parquet), ("sheet", "ward.xlsx", deliver_workbook)],
)
def test_a_binary_file_that_is_cut_off_stops_the_run(
    source: str, name: str, deliver: Any, ward: Project, oncoweave: Oncoweave
) -> None:
    deliver(ward)
    file = ward.root / "deliveries" / source / name
    file.write_bytes(file.read_bytes()[:-100])
    ran = oncoweave("run", source, at=ward)
    assert ran.code == 3 and f"{name} is not a whole" in ran.err, ran.all


def test_courses_of_treatment_belong_to_the_disease(ward: Project, oncoweave: Oncoweave) -> None:
    ran = oncoweave("run", "courses", at=ward)
    assert ran.code == 0, ran.err
    courses = """SELECT c.episode_number, c.episode_start_date::VARCHAR, c.episode_end_date::VARCHAR, c.episode_object_concept_id, d.episode_concept_id
        FROM episode AS c JOIN episode AS d ON d.episode_id = c.episode_parent_id AND d.person_id = c.person_id ORDER BY 2"""
    assert released(ward, "courses", courses) == [
        (1, "2015-02-01", "2015-06-01", 4273629, 32528),
        (1, "2015-03-01", "2015-07-01", 4273629, 32528),
        (2, "2017-03-01", "2017-08-15", 4273629, 32528),
    ]
    events = """SELECT episode_concept_id, episode_event_field_concept_id, count(*), count(drug_exposure_id), count(condition_occurrence_id)
        FROM episode_event JOIN episode USING (episode_id) LEFT JOIN drug_exposure ON event_id = drug_exposure_id
        LEFT JOIN condition_occurrence ON event_id = condition_occurrence_id GROUP BY ALL ORDER BY 1"""
    assert released(ward, "courses", events) == [(32528, 1147127, 3, 0, 3), (32531, 1147094, 4, 4, 0)]


def test_a_correction_mends_its_row_and_no_other(ward: Project, oncoweave: Oncoweave) -> None:
    assert oncoweave("run", "courses", at=ward).code == 0
    dates = "SELECT condition_start_date::VARCHAR FROM condition_occurrence ORDER BY 1"
    assert [day for (day,) in released(ward, "courses", dates)] == ["2015-01-10", "2015-02-03", "2016-05-05"]


def test_a_correction_that_no_longer_matches_stops_the_run(ward: Project, oncoweave: Oncoweave) -> None:
    patients = ward.root / "deliveries" / "courses" / "patients.csv"
    patients.write_text(patients.read_text().replace("2051-02-03", "2015-02-03"))
    ran = oncoweave("run", "courses", at=ward)
    assert ran.code == 3
    assert "correction 1 of `patients` matches 0 rows instead of 1" in ran.err and "corrections.yaml" in ran.err
    assert not list(ward.releases.rglob("*.parquet"))

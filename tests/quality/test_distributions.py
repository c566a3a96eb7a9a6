"""What is told of the tables: groups that add up, small ones left out, and the same bytes whatever the order of the rows."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pytest

from oncoweave.errors import OncoweaveError
from oncoweave.omop.model import tables
from oncoweave.quality.distributions import Distributions, distributions

PERSONS = [(n, 8532 if n % 3 else 8507, 1950 + n % 40, 1 + n % 2) for n in range(60)]
"""person_id, gender_concept_id, year_of_birth, care_site_id"""
CONDITIONS = [(n, f"{2010 + n % 7}-03-01") for n in range(58)]
"""person_id, condition_start_date; two persons have none, and 2016 has fewer than others"""


def write(folder: Path, table: str, rows: list[dict[str, object]]) -> None:
    fields = tables()[table].fields
    columns = ", ".join(f'"{field.name}" {field.type}' for field in fields)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t ({columns})")
        for row in rows:
            connection.execute(
                f"INSERT INTO t VALUES ({', '.join('?' for _ in fields)})", [row.get(f.name) for f in fields]
            )
        connection.execute(f"COPY t TO '{folder / table}.parquet' (FORMAT parquet)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "tables"
    found.mkdir()
    fill(found, PERSONS, CONDITIONS)
    return found


def fill(folder: Path, persons: list[tuple[int, int, int, int]], conditions: list[tuple[int, str]]) -> None:
    people: list[dict[str, object]] = [
        {"person_id": p, "gender_concept_id": g, "year_of_birth": y, "care_site_id": s} for p, g, y, s in persons
    ]
    write(folder, "person", people)
    write(folder, "condition_occurrence", [{"person_id": p, "condition_start_date": day} for p, day in conditions])
    write(folder, "care_site", [{"care_site_id": 1, "care_site_name": "North"}, {"care_site_id": 2}])


def by(found: Distributions, what: str) -> dict[str, int | None]:
    return {g.name: g.persons for d in found.persons_by if d.by == what for g in d.groups}


def test_groups_are_those_of_all_persons(folder: Path, tmp_path: Path) -> None:
    found = distributions(folder, tmp_path, smallest=2)
    assert (found.persons, found.since) == (60, "diagnosis")
    assert by(found, "sex") == {"female": 40, "male": 20}
    assert by(found, "care_site") == {"North": 30, "care site 2": 30}
    years = by(found, "year")
    assert years == {**{str(year): 9 if year < 2012 else 8 for year in range(2010, 2017)}, "unknown": 2}
    assert sum(count or 0 for count in by(found, "age").values()) == 60
    assert by(found, "age")["unknown"] == 2


def test_small_groups_are_left_out_and_nothing_tells_them(folder: Path, tmp_path: Path) -> None:
    found = distributions(folder, tmp_path, smallest=5)
    years = by(found, "year")
    assert years["unknown"] is None
    assert [year for year, count in years.items() if count is None] == ["2012", "unknown"]
    written = found.model_dump_json()
    assert '"unknown","persons":2' not in written


def test_years_without_a_record_are_told_as_zero(folder: Path, tmp_path: Path) -> None:
    fill(folder, PERSONS, [(n, "2010-01-01" if n < 30 else "2013-01-01") for n in range(60)])
    found = distributions(folder, tmp_path, smallest=5)
    assert by(found, "year") == {"2010": 30, "2011": 0, "2012": 0, "2013": 30}
    (records,) = found.records_by_year
    assert (records.table, records.first, records.records) == ("condition_occurrence", 2010, (30, 0, 0, 30))


def test_records_of_few_persons_are_left_out_however_many_they_are(folder: Path, tmp_path: Path) -> None:
    rows = [(n, "2010-01-01") for n in range(40)] + [(1, "2011-01-01")] * 50 + [(n, "2012-01-01") for n in range(60)]
    fill(folder, PERSONS, rows)
    (records,) = distributions(folder, tmp_path, smallest=5).records_by_year
    assert records.records == (None, None, 60)


def test_the_order_of_the_rows_does_not_matter(folder: Path, tmp_path: Path) -> None:
    first = distributions(folder, tmp_path, smallest=5)
    persons, conditions = list(PERSONS), list(CONDITIONS)
    random.Random(1).shuffle(persons)
    random.Random(2).shuffle(conditions)
    fill(folder, persons, conditions)
    assert distributions(folder, tmp_path, smallest=5) == first


def test_ages_before_birth_are_a_group_of_their_own(folder: Path, tmp_path: Path) -> None:
    fill(folder, [(n, 8532, 2020, 1) for n in range(10)], [(n, "2010-01-01") for n in range(10)])
    assert by(distributions(folder, tmp_path, smallest=5), "age")["before birth"] == 10


def test_without_a_diagnosis_the_first_record_counts(folder: Path, tmp_path: Path) -> None:
    fill(folder, PERSONS, [])
    write(folder, "measurement", [{"person_id": n, "measurement_date": "2015-05-05"} for n in range(60)])
    found = distributions(folder, tmp_path, smallest=5)
    assert (found.since, by(found, "year")) == ("record", {"2015": 60})


def test_a_table_of_another_form_is_told_without_its_values(folder: Path, tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 'secret' AS person_id) TO '{folder}/person.parquet' (FORMAT parquet)")
    with pytest.raises(OncoweaveError) as caught:
        distributions(folder, tmp_path, smallest=5)
    assert "secret" not in str(caught.value)

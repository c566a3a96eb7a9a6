"""A made-up Greek registry: several tumours a patient, partial dates, decimal commas, prefixes; and its mistakes, told.

Every expected row was written down from the CSV files by hand.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from tests.cohorts.conftest import Cohort, RunCohort

DUCTAL_AND_LOBULAR = 44500508
SURGERY, CHEMOTHERAPY, HORMONE_THERAPY = 4301351, 4273629, 4061650


@pytest.fixture(scope="module")
def island(run_cohort: RunCohort) -> Cohort:
    return run_cohort("island")


def test_births_are_as_precise_as_the_registry_knows_them(island: Cohort) -> None:
    made = island.rows(
        "SELECT gender_source_value, gender_concept_id, year_of_birth, month_of_birth, day_of_birth FROM person"
    )
    assert set(made) == {
        ("Θ", 8532, 1951, 5, 18),
        ("Θ", 8532, 1948, 5, None),
        ("Θ", 8532, 1939, None, None),
        ("Α", 8507, 1960, 1, 2),
        ("Θ", 8532, 1964, 2, 29),
        ("Θ", 8532, 1971, 12, 11),
        ("Θ", 8532, 1955, 7, 7),
        (None, 0, 1944, 10, 23),
        ("Θ", 8532, 1958, 9, None),
    }
    assert len(made) == 9


def test_a_partial_death_is_on_the_last_day_it_can_be(island: Cohort) -> None:
    made = island.rows("SELECT year_of_birth, death_date FROM death JOIN person USING (person_id)")
    assert made == [
        (1939, date(2012, 8, 31)),
        (1944, date(2010, 9, 15)),
        (1951, date(2019, 11, 3)),
        (1971, date(2015, 12, 31)),
    ]


def test_each_tumour_is_a_diagnosis_with_its_icdo_code(island: Cohort) -> None:
    made = island.rows(
        """SELECT year_of_birth, condition_start_date, condition_concept_id, condition_source_value
        FROM condition_occurrence JOIN person USING (person_id)"""
    )
    assert made == [
        (1939, date(1998, 7, 1), 0, "8520/3-C50.9"),
        (1944, date(2010, 2, 15), 0, "8000/3-C50.9"),
        (1948, date(1998, 5, 15), 0, "8500/3-C50.4"),
        (1951, date(2011, 3, 14), 0, "8500/3-C50.9"),
        (1951, date(2016, 9, 1), DUCTAL_AND_LOBULAR, "8522/3-C50.9"),
        (1955, date(2020, 12, 31), 0, "8480/3-C50.8"),
        (1955, date(2020, 7, 15), DUCTAL_AND_LOBULAR, "8522/3-C50.9"),
        (1960, date(2020, 1, 20), 0, "8500/3-C50.0"),
        (1964, date(2012, 2, 29), DUCTAL_AND_LOBULAR, "8522/3-C50.9"),
        (1971, date(2009, 6, 15), 0, "8500/3-C50.9"),
    ]


def test_each_finding_qualifies_its_own_tumour(island: Cohort) -> None:
    made = island.rows(
        """SELECT condition_start_date, measurement_source_value, measurement_concept_id, value_as_number,
            value_source_value
        FROM measurement JOIN condition_occurrence ON condition_occurrence_id = measurement_event_id
        WHERE meas_event_field_concept_id = 1147127 AND condition_start_date IN ('2011-03-14', '2016-09-01')"""
    )
    assert set(made) == {
        (date(2011, 3, 14), "pT2", 1635562, None, "pT2"),
        (date(2011, 3, 14), "pN1a", 1633735, None, "pN1a"),
        (date(2011, 3, 14), "cM0", 1635624, None, "cM0"),
        (date(2011, 3, 14), "2", 1634752, None, "2"),
        (date(2011, 3, 14), "ΜΕΓΕΘΟΣ_CM", 3046581, 25.0, "2,5"),
        (date(2011, 3, 14), "ki67", 0, 18.5, "18,5"),
        (date(2016, 9, 1), "cT1c", 1633529, None, "cT1c"),
        (date(2016, 9, 1), "cN0", 1633440, None, "cN0"),
        (date(2016, 9, 1), "cM0", 1635624, None, "cM0"),
        (date(2016, 9, 1), "1", 1634371, None, "1"),
        (date(2016, 9, 1), "ΜΕΓΕΘΟΣ_CM", 3046581, 11.0, "1,1"),
        (date(2016, 9, 1), "ki67", 0, 7.0, "7,0"),
    }


def test_a_category_that_the_map_lacks_is_unmapped_not_lost(island: Cohort) -> None:
    made = island.rows("SELECT measurement_source_value FROM measurement WHERE measurement_concept_id = 0")
    assert [row for row in made if row != ("ki67",)] == [("pTis",)]


def test_treatments_last_as_long_as_the_registry_says(island: Cohort) -> None:
    made = island.rows("SELECT procedure_concept_id, procedure_date, procedure_end_date FROM procedure_occurrence")
    assert set(made) == {
        (0, date(2009, 9, 1), date(2009, 10, 12)),
        (HORMONE_THERAPY, date(1999, 7, 1), None),
        (HORMONE_THERAPY, date(2011, 11, 15), date(2016, 12, 31)),
        (CHEMOTHERAPY, date(2011, 5, 15), date(2011, 10, 31)),
        (CHEMOTHERAPY, date(2020, 2, 3), date(2020, 7, 28)),
        (CHEMOTHERAPY, date(2020, 8, 15), None),
        (SURGERY, date(1998, 6, 15), None),
        (SURGERY, date(2011, 4, 1), None),
        (SURGERY, date(2012, 3, 15), None),
        (SURGERY, date(2016, 9, 20), None),
        (SURGERY, date(2021, 1, 15), None),
    }
    assert len(made) == 12


def test_follow_up_reaches_from_the_first_event_to_the_last_contact(island: Cohort) -> None:
    made = island.rows(
        """SELECT year_of_birth, observation_period_start_date, observation_period_end_date
        FROM observation_period JOIN person USING (person_id)"""
    )
    assert (1951, date(2011, 3, 14), date(2019, 11, 3)) in made
    assert (1948, date(1998, 5, 15), date(2023, 6, 30)) in made
    assert len(made) == 9


def test_every_mistake_is_in_the_quarantine_with_its_line(island: Cohort) -> None:
    path = str(island.quarantine / "map.parquet")
    rows = duckdb.execute(
        """SELECT DISTINCT file, line, reason FROM read_parquet(?)
        WHERE rule IN ('patients', 'diagnoses', 'systemic_therapy', 'findings')""",
        [path],
    ).fetchall()
    found = {(str(file), line, reason) for file, line, reason in rows}
    assert found == {
        ("patients.csv", 8, "birth_date: missing"),
        ("patients.csv", 11, "born: not a date"),
        ("tumours.csv", 8, "size: out of range"),
        ("tumours.csv", 9, "person not mapped"),
        ("tumours.csv", 13, "person not mapped"),
        ("tumours.csv", 14, "diagnosed: not a date"),
        ("tumours.csv", 15, "diagnosed: not a date"),
        ("tumours.csv", 16, "duplicate key"),
    }


def test_every_row_is_accounted_for(island: Cohort) -> None:
    ledger = island.mapped.ledger
    assert [line for line in ledger if line.read != line.mapped + line.quarantined + line.excluded] == []
    assert {line.table: line.read for line in ledger} == {"patients": 11, "tumours": 15, "treatments": 12}


def test_free_text_and_identifiers_stay_at_the_site(island: Cohort) -> None:
    names = [name for (name,) in island.rows("SELECT table_name FROM information_schema.tables")]
    texts = " ".join(repr(island.rows(f'FROM "{name}"')) for name in names)
    for secret in ("μαστός", "Αθήνα", "Άργος", "T101", "P01"):
        assert secret not in texts

"""A made-up registry whose readings name a tumour and no patient: what they read through the join, in one unit."""

from __future__ import annotations

from datetime import date

import pytest

from tests.cohorts.conftest import Cohort, RunCohort


@pytest.fixture(scope="module")
def district(run_cohort: RunCohort) -> Cohort:
    return run_cohort("district")


def test_a_reading_is_of_the_patient_and_the_tumour_that_it_names(district: Cohort) -> None:
    made = district.rows(
        """SELECT year_of_birth, condition_start_date, measurement_date
        FROM measurement AS m JOIN condition_occurrence AS c ON measurement_event_id = condition_occurrence_id
        JOIN person AS p ON p.person_id = m.person_id AND p.person_id = c.person_id"""
    )
    assert made == [
        (1950, date(2001, 6, 5), date(2001, 6, 20)),
        (1950, date(2005, 7, 15), date(2005, 7, 15)),
        (1961, date(2010, 8, 9), date(2010, 9, 1)),
    ]


def test_readings_are_in_millimetres_where_their_unit_is_known(district: Cohort) -> None:
    made = district.rows(
        "SELECT value_as_number, unit_concept_id, value_source_value, unit_source_value FROM measurement"
    )
    assert made == [(1.0, 0, "1", "inch"), (18.0, 8588, "18", "mm"), (18.5, 8588, "1.85", "cm")]
    assert any("1 values of `sizes` have a unit that `convert:` does not name" in n for n in district.summary.warnings)


def test_a_reading_of_no_registered_tumour_is_held_back_and_told(district: Cohort) -> None:
    (entry,) = (e for e in district.mapped.ledger if e.rule == "sizes")
    assert entry.reasons == (("quarantined", "no row of tumours tells its person", 1),)
    assert any("1 of 4 rows of `readings` name a row of `tumours`" in note for note in district.summary.warnings)

"""Three published cohorts tell in OMOP what their files tell, to the day; worked out from the CSV apart from Oncoweave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cohorts.conftest import Cohort, RunCohort

FILES = {"rotterdam": "rotterdam.csv", "oropharynx": "oropharynx_rtog.csv", "lung": "ncctg_lung.csv"}
DAY = {
    "rotterdam": "make_date(year::INT, 7, 1)",
    "oropharynx": """make_date(1900 + right("EntryDate", 2)::INT, 1, 1) + (left("EntryDate", -2)::INT - 1)""",
    "lung": "DATE '1987-01-01'",
}
"""The day that follow-up counts from, in SQL over the CSV."""

FOLLOWED = {"rotterdam": ("dtime", "death"), "oropharynx": ('"Time"', '"Status"'), "lung": ("time", "status")}
"""The fields of days of follow-up and of the death."""

BORN = {
    "rotterdam": "8532, year::INT - age::INT",
    "oropharynx": """CASE "Sex" WHEN '1' THEN 8507 ELSE 8532 END, year(day)::INT - "Age"::INT""",
    "lung": "CASE sex WHEN '1' THEN 8507 ELSE 8532 END, 1987 - age::INT",
}
"""Sex and year of birth, in SQL over the CSV."""


@pytest.fixture(scope="module")
def cohorts(shared_data: Path, run_cohort: RunCohort) -> Mapping[str, Cohort]:
    """The three cohorts, each with its CSV as the table `csv`, and `day`."""
    folder = shared_data / "cohorts"
    if not folder.is_dir():
        pytest.skip("no ../shared/data/cohorts beside the checkout: the published cohorts are not mapped")
    found = {source: run_cohort(source, folder) for source in FILES}
    for source, cohort in found.items():
        read = f"SELECT *, {DAY[source]} AS day FROM read_csv(?, all_varchar = true)"
        cohort.tables.execute(f"CREATE TABLE csv AS {read}", [str(folder / FILES[source])])
    return found


@pytest.mark.parametrize("source", FILES)
def test_every_patient_has_their_sex_and_year_of_birth(cohorts: Mapping[str, Cohort], source: str) -> None:
    cohort = cohorts[source]
    made = cohort.rows("SELECT gender_concept_id, year_of_birth FROM person")
    assert made == cohort.rows(f"SELECT {BORN[source]} FROM csv")


@pytest.mark.parametrize("source", FILES)
def test_every_death_is_on_its_day_after_the_diagnosis(cohorts: Mapping[str, Cohort], source: str) -> None:
    cohort, (days, death) = cohorts[source], FOLLOWED[source]
    made = cohort.rows("SELECT condition_start_date, death_date FROM death JOIN condition_occurrence USING (person_id)")
    assert made == cohort.rows(f"SELECT day, day + {days}::INT FROM csv WHERE {death} = '1'")


@pytest.mark.parametrize("source", FILES)
def test_everyone_is_observed_from_entry_to_the_last_day(cohorts: Mapping[str, Cohort], source: str) -> None:
    cohort, (days, _) = cohorts[source], FOLLOWED[source]
    made = cohort.rows("SELECT observation_period_start_date, observation_period_end_date FROM observation_period")
    assert made == cohort.rows(f"SELECT day, day + {days}::INT FROM csv")


@pytest.mark.parametrize(
    ("source", "persons", "deaths"), [("rotterdam", 2982, 1272), ("oropharynx", 195, 142), ("lung", 228, 165)]
)
def test_the_counts_are_those_of_the_publications(
    cohorts: Mapping[str, Cohort], source: str, persons: int, deaths: int
) -> None:
    summary = cohorts[source].summary
    assert (summary.persons, summary.events["death"], summary.quarantined) == (persons, deaths, 0)


@pytest.mark.parametrize("source", FILES)
def test_every_row_is_accounted_for(cohorts: Mapping[str, Cohort], source: str) -> None:
    ledger = cohorts[source].mapped.ledger
    assert [line for line in ledger if line.read != line.mapped + line.quarantined + line.excluded] == []


def test_rotterdam_recurrences_are_on_their_day(cohorts: Mapping[str, Cohort]) -> None:
    rotterdam = cohorts["rotterdam"]
    made = rotterdam.rows("SELECT episode_start_date FROM episode WHERE episode_concept_id = 32949")
    assert made == rotterdam.rows("SELECT day + rtime::INT FROM csv WHERE recur = '1'")
    assert len(made) == 1518


def test_rotterdam_size_classes_keep_their_bound_or_nothing(cohorts: Mapping[str, Cohort]) -> None:
    made = cohorts["rotterdam"].rows(
        """SELECT value_source_value, value_as_number, operator_concept_id, unit_concept_id, count(*) FROM measurement
        WHERE measurement_concept_id = 3046581 GROUP BY ALL"""
    )
    assert set(made) == {
        ("<=20", 20.0, 4171754, 8588, 1387),
        (">50", 50.0, 4172704, 8588, 304),
        ("20-50", None, None, None, 1291),
    }


def test_rotterdam_treatments_are_courses_without_a_drug(cohorts: Mapping[str, Cohort]) -> None:
    rotterdam = cohorts["rotterdam"]
    made = rotterdam.rows(
        """SELECT procedure_concept_id, episode_object_concept_id, count(*) FROM episode_event
        JOIN procedure_occurrence ON procedure_occurrence_id = event_id JOIN episode USING (episode_id) GROUP BY ALL"""
    )
    assert set(made) == {(4061650, 4061650, 339), (4273629, 4273629, 580)}
    assert rotterdam.summary.events["drug_exposure"] == 0


def test_rotterdam_findings_qualify_the_diagnosis(cohorts: Mapping[str, Cohort]) -> None:
    rotterdam = cohorts["rotterdam"]
    made = rotterdam.rows(
        """SELECT measurement_source_value, count(*), sum(value_as_number) FROM measurement AS m
        JOIN condition_occurrence AS c ON condition_occurrence_id = measurement_event_id AND c.person_id = m.person_id
        WHERE measurement_concept_id = 0 AND meas_event_field_concept_id = 1147127 GROUP BY ALL"""
    )
    expected = rotterdam.rows(
        """SELECT name, 2982, sum(value::DOUBLE) FROM (UNPIVOT csv ON nodes, pgr, er INTO NAME name VALUE value)
        GROUP BY ALL"""
    )
    assert made == expected


def test_oropharynx_categories_and_grades_are_counted_as_the_file_counts_them(cohorts: Mapping[str, Cohort]) -> None:
    oropharynx = cohorts["oropharynx"]
    made = oropharynx.rows(
        "SELECT measurement_source_value, count(*) FROM measurement WHERE measurement_concept_id <> 0 GROUP BY ALL"
    )
    expected = oropharynx.rows(
        """SELECT code, count(*) FROM (SELECT unnest(['T' || "T", 'N' || "N", nullif("Grade", '9')]) AS code FROM csv)
        WHERE code IS NOT NULL GROUP BY ALL"""
    )
    assert made == expected


def test_lung_blanks_are_no_measurements_and_pounds_are_kilograms(cohorts: Mapping[str, Cohort]) -> None:
    lung = cohorts["lung"]
    made = lung.rows(
        """SELECT measurement_source_value, count(*), count(value_as_number), round(sum(value_as_number), 6)
        FROM measurement GROUP BY ALL"""
    )
    expected = lung.rows(
        """SELECT name, count(value), count(value), round(sum(value), 6) FROM (
            SELECT unnest(['ecog', 'karnofsky_physician', 'karnofsky_patient', 'meal', 'weight_loss']) AS name,
                unnest(["ph.ecog", "ph.karno", "pat.karno", "meal.cal", "wt.loss"]::DOUBLE[]) *
                unnest([1, 1, 1, 1, 0.45359237]::DOUBLE[]) AS value FROM csv)
        WHERE value IS NOT NULL GROUP BY ALL"""
    )
    assert made == expected


def test_lung_pounds_stay_in_the_source_value(cohorts: Mapping[str, Cohort]) -> None:
    lung = cohorts["lung"]
    made = lung.rows("SELECT value_source_value FROM measurement WHERE measurement_source_value = 'weight_loss'")
    assert made == lung.rows("""SELECT "wt.loss" FROM csv WHERE "wt.loss" IS NOT NULL""")

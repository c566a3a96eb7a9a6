"""What a source knows of a date, the day that stands for it, and the time in which a person was observed."""

from __future__ import annotations

import pytest

from tests.map.workshop import Mapped, Workshop

PATIENTS = "id,born\n1,12.03.1951\n2,1948"
CANCER = "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, end: left}\n"
DEATH = "- {fact: death, name: deaths, from: patients, where: died is not null, because: alive, date: died}\n"


def days(made: Mapped, table: str, *columns: str) -> list[tuple[str, ...]]:
    """Dates as text, sorted."""
    return sorted(tuple(str(row[c]) for c in columns) for row in made.rows(table))


def test_a_partial_start_lies_in_the_middle_and_a_partial_end_on_the_last_day(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER,
        patients=PATIENTS,
        tumours="id,tumour,seen,left\n1,1,02.01.2015,03.01.2015\n1,2,02.2016,02.2016\n1,3,2017,2017",
    )
    assert days(made, "condition_occurrence", "condition_start_date", "condition_end_date") == [
        ("2015-01-02", "2015-01-03"),
        ("2016-02-15", "2016-02-29"),
        ("2017-07-01", "2017-12-31"),
    ]
    assert made.record.imputed == {
        "condition_occurrence.start": {"month": 1, "year": 1},
        "condition_occurrence.end": {"month": 1, "year": 1},
    }
    events = {e["start_raw"]: (e["start_precision"], e["end_precision"]) for e in made.events("cancer")}
    assert events["02.2016"] == ("month", "month") and events["2017"] == ("year", "year")


def test_the_mapping_says_which_day_stands_for_a_partial_date(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER + DEATH,
        mapping="imputation: {start: first, end: middle, death: middle}",
        patients="id,born,died\n1,1950,03.2020\n2,1950,",
        tumours="id,tumour,seen,left\n1,1,02.2016,2016",
    )
    assert days(made, "condition_occurrence", "condition_start_date", "condition_end_date") == [
        ("2016-02-01", "2016-07-01")
    ]
    assert days(made, "death", "death_date") == [("2020-03-15",)]


def test_a_partial_death_is_on_the_last_day(workshop: Workshop) -> None:
    made = workshop.map(DEATH, patients="id,born,died\n1,1950,02.2020\n2,1950,2021\n3,1950,05.05.2021\n4,1950,")
    assert days(made, "death", "death_date") == [("2020-02-29",), ("2021-05-05",), ("2021-12-31",)]
    assert made.reasons("deaths") == {"excluded: alive": 1}


def test_what_is_not_known_of_a_birth_stays_empty(workshop: Workshop) -> None:
    made = workshop.map("", patients="id,born\n1,12.03.1951\n2,04.1948\n3,1960")
    found = made.rows("person", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime")
    assert sorted((*row[:3], str(row[3])) for row in found) == [
        (1948, 4, None, "None"), (1951, 3, 12, "1951-03-12 00:00:00"), (1960, None, None, "None"),
    ]  # fmt: skip


def test_a_birth_of_parts_is_as_precise_as_its_parts(workshop: Workshop) -> None:
    made = workshop.map(
        "",
        persons="- {fact: person, name: persons, from: patients, birth: {year: age, month: months, day: nodes}}\n",
        patients="id,age,months,nodes\n1,1950,3,4\n2,1950,3,\n3,1950,,\n4,1950,,7\n5,,3,4",
    )
    found = made.rows("person", "year_of_birth", "month_of_birth", "day_of_birth")
    assert sorted(found, key=str) == [(1950, 3, 4), (1950, 3, None), (1950, None, None), (1950, None, None)]
    assert made.reasons("persons") == {"quarantined: birth: missing": 1}


def test_a_date_a_number_of_months_later_is_known_to_the_month(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: 'add_months(seen, months)'}",
        patients=PATIENTS,
        tumours="id,tumour,seen,months\n1,1,20.01.2015,2\n1,2,2015,2",
    )
    assert days(made, "condition_occurrence", "condition_start_date") == [("2015-03-15",), ("2015-07-01",)]
    assert sorted(e["start_precision"] for e in made.events("cancer")) == ["month", "year"]


def test_a_synthetic_origin_is_marked_in_cdm_source_and_in_the_record(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: 'add_days(origin(), months)'}",
        source="origin: {date: 1985-01-01, why: the era of the trial}",
        patients=PATIENTS,
        tumours="id,tumour,months\n1,1,31",
    )
    assert days(made, "condition_occurrence", "condition_start_date") == [("1985-02-01",)]
    description = made.row("cdm_source")["source_description"]
    assert "synthetic origin, 1985-01-01: the era of the trial" in description
    assert made.record.synthetic_origin is not None and made.record.synthetic_origin[1] == "the era of the trial"


def test_an_uncertain_end_in_the_period_of_its_start_is_not_before_it(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER,
        patients=PATIENTS,
        tumours="id,tumour,seen,left\n1,1,2015,05.03.2015\n1,2,03.2015,01.03.2015\n1,3,04.2015,01.03.2015",
    )
    assert made.reasons("cancer") == {"quarantined: end: before the start": 1}
    for start, end in days(made, "condition_occurrence", "condition_start_date", "condition_end_date"):
        assert start <= end


PERIODS = "- {fact: observation_period, name: spans, from: tumours, start: seen, end: left}\n"
SPANS = [
    ("they overlap", ["01.01.2015,31.03.2015", "01.02.2015,30.06.2015"], [("2015-01-01", "2015-06-30")]),
    ("they touch", ["01.01.2015,31.01.2015", "01.02.2015,28.02.2015"], [("2015-01-01", "2015-02-28")]),
    ("one holds the other", ["01.01.2015,31.12.2015", "01.02.2015,28.02.2015", "31.12.2015,02.01.2016"],
     [("2015-01-01", "2016-01-02")]),
    ("a day lies between", ["01.01.2015,31.01.2015", "02.02.2015,28.02.2015"],
     [("2015-01-01", "2015-01-31"), ("2015-02-02", "2015-02-28")]),
]  # fmt: skip


@pytest.mark.parametrize(("spans", "expected"), [s[1:] for s in SPANS], ids=[s[0] for s in SPANS])
def test_spans_are_merged_where(workshop: Workshop, spans: list[str], expected: list[tuple[str, str]]) -> None:
    rows = "\n".join(f"1,{n},{span}" for n, span in enumerate(spans))
    made = workshop.map(PERIODS, patients=PATIENTS, tumours=f"id,tumour,seen,left\n{rows}")
    found = days(made, "observation_period", "observation_period_start_date", "observation_period_end_date")
    assert found == expected
    assert made.counts("spans") == (len(spans), len(spans), 0, 0)


def test_a_span_needs_both_ends(workshop: Workshop) -> None:
    made = workshop.map(
        PERIODS, patients=PATIENTS, tumours="id,tumour,seen,left\n1,1,01.01.2015,\n1,2,,01.01.2015\n1,3,01.01.2015,x"
    )
    assert made.reasons("spans") == {
        "quarantined: end: missing": 1,
        "quarantined: start: missing": 1,
        "quarantined: left: not a date": 1,
    }


def test_without_a_span_a_person_is_observed_from_first_to_last_event_and_without_event_not_at_all(
    workshop: Workshop,
) -> None:
    made = workshop.map(
        CANCER + PERIODS.replace("tumours", "treatments") + DEATH,
        patients="id,born,died\n1,1950,\n2,1950,01.06.2020\n3,1950,",
        tumours="id,tumour,seen,left\n1,1,01.01.2015,02.01.2016\n1,2,01.01.2014,\n2,1,01.01.2020,",
        treatments="treatment,id,seen,left\nt,2,01.01.2019,31.12.2019",
    )
    found = days(made, "observation_period", "observation_period_start_date", "observation_period_end_date")
    assert found == [("2014-01-01", "2016-01-02"), ("2019-01-01", "2019-12-31")]
    assert len(made.rows("person")) == 3


def test_datetimes_are_midnight_and_empty_for_deaths(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER + DEATH, patients="id,born,died\n1,1950,01.06.2020", tumours="id,tumour,seen,left\n1,1,01.01.2015,"
    )
    assert str(made.row("condition_occurrence")["condition_start_datetime"]) == "2015-01-01 00:00:00"
    assert made.row("condition_occurrence")["condition_end_datetime"] is None
    assert made.row("death")["death_datetime"] is None


def test_a_date_as_value_says_no_more_than_the_source_knows(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: observation, name: dates, from: tumours, concept: family_history, date: left, value: seen}",
        patients=PATIENTS,
        tumours="id,tumour,seen,left\n1,1,02.01.2015,2020\n1,2,02.2016,2020\n1,3,2017,2020",
    )
    assert sorted(made.rows("observation", "value_as_string")) == ["2015-01-02", "2016-02", "2017"]

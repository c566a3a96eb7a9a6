"""What a source knows of the time of day: read as it is written, carried to every datetime field, and never made up."""

from __future__ import annotations

import pytest

from tests.map.workshop import Workshop

PATIENTS = "id,born\n1,12.03.1951"
CANCER = "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, end: left}\n"


def moments(*formats: str) -> dict[str, str]:
    """`seen`, `left`, `born` and `died` in these formats."""
    listed = ", ".join(f'"{pattern}"' for pattern in formats)
    return dict.fromkeys(("seen", "left", "born", "died"), f"{{type: date, formats: [{listed}]}}")


ISO = moments("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d", "%d.%m.%Y", "%Y")


def test_a_time_is_kept_and_midnight_stands_for_one_that_is_not_known(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER,
        fields=ISO,
        patients=PATIENTS,
        tumours="id,tumour,seen,left\n1,1,2015-01-02T09:05:07Z,2015-01-03\n1,2,2016-01-02,2016-01-02T23:59:59Z\n"
        "1,3,2017-01-02T08:00:00Z,2017-01-02\n1,4,2018,",
    )
    rows = made.rows("condition_occurrence", "condition_start_datetime", "condition_end_datetime")
    assert sorted((str(a), str(b)) for a, b in rows) == [
        ("2015-01-02 09:05:07", "2015-01-03 00:00:00"),
        ("2016-01-02 00:00:00", "2016-01-02 23:59:59"),
        ("2017-01-02 08:00:00", "2017-01-02 08:00:00"),  # midnight would come before the start
        ("2018-07-01 00:00:00", "None"),
    ]
    events = {str(e["start_date"]): (str(e["start_time"]), str(e["end_time"])) for e in made.events("cancer")}
    assert events["2015-01-02"] == ("09:05:07", "None") and events["2018-07-01"] == ("None", "None")


def test_impossible_times_are_held_back_and_ends_compare_by_the_time(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER,
        fields=ISO,
        patients=PATIENTS,
        tumours="id,tumour,seen,left\n1,1,2015-01-02T24:00:00Z,\n1,2,2015-01-02T09:60:00Z,\n1,3,2016-12-31T23:59:60Z,\n"
        "1,4,2015-01-02T09:00:00Z,2015-01-02T08:59:59Z\n1,5,2015-01-02T09:00:00Z,2015-01-02T09:00:00Z",
    )
    assert made.reasons("cancer") == {"quarantined: seen: not a date": 3, "quarantined: end: before the start": 1}
    assert made.counts("cancer") == (5, 1, 4, 0)


def test_births_have_a_time_only_on_a_known_day_and_deaths_only_where_it_is_known(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: death, name: deaths, from: patients, where: died is not null, because: alive, date: died}\n",
        fields=ISO,
        patients="id,born,died\n1,1951-03-12T04:30:00Z,2020-01-02T03:04:05Z\n2,1951,2020-01-03\n3,12.03.1951,",
    )
    births = made.rows("person", "day_of_birth", "birth_datetime")
    assert sorted((str(d), str(t)) for d, t in births) == [
        ("12", "1951-03-12 00:00:00"), ("12", "1951-03-12 04:30:00"), ("None", "None"),
    ]  # fmt: skip
    deaths = made.rows("death", "death_date", "death_datetime")
    assert sorted((str(d), str(t)) for d, t in deaths) == [
        ("2020-01-02", "2020-01-02 03:04:05"), ("2020-01-03", "None"),
    ]  # fmt: skip


COMPUTED = [
    ("add_days(seen, 1)", "2015-01-03 09:05:07"),
    ("add_months(seen, 1)", "2015-02-15 00:00:00"),  # known to the month, so that no time is
    ("coalesce(left, seen)", "2015-01-02 09:05:07"),
    ("case when left is null then seen else left end", "2015-01-02 09:05:07"),
    ("least(seen, date('2015-01-02'))", "2015-01-02 09:05:07"),
    ("greatest(seen, date('2015-01-03'))", "2015-01-03 00:00:00"),
    ("make_date(year(seen), 1, 2)", "2015-01-02 00:00:00"),
]


@pytest.mark.parametrize(("expression", "expected"), COMPUTED, ids=[c[0] for c in COMPUTED])
def test_a_computed_date_keeps_the_time_of_the_date_that_it_rests_on(
    workshop: Workshop, expression: str, expected: str
) -> None:
    rule = f'- {{fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: "{expression}"}}\n'
    made = workshop.map(rule, fields=ISO, patients=PATIENTS, tumours="id,tumour,seen,left\n1,1,2015-01-02T09:05:07Z,")
    assert str(made.row("condition_occurrence")["condition_start_datetime"]) == expected


GROUPED = [
    ("min(seen)", "2015-01-02 07:00:00"),
    ("max(seen)", "2015-01-04 11:00:00"),
    ("first(seen)", "2015-01-04 10:00:00"),
    ("last(seen)", "2015-01-02 07:00:00"),
]


@pytest.mark.parametrize(("expression", "expected"), GROUPED)
def test_a_group_keeps_the_time_of_the_row_that_was_chosen(workshop: Workshop, expression: str, expected: str) -> None:
    rule = f"""- {{fact: condition, name: cancer, from: tumours, group: [id], order: [line_no], concept: breast_cancer,
        start: {expression}}}"""
    made = workshop.map(
        rule,
        fields=ISO,
        patients=PATIENTS,
        tumours="id,tumour,line_no,seen\n1,1,4,2015-01-02T07:00:00Z\n1,2,3,2015-01-02T09:00:00Z\n1,3,2,2015-01-04T11:00:00Z\n"
        "1,4,1,2015-01-04T10:00:00Z\n1,5,5,",
    )
    assert str(made.row("condition_occurrence")["condition_start_datetime"]) == expected


def test_a_time_with_an_offset_is_brought_to_utc_with_its_date(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER,
        fields=moments("%Y-%m-%dT%H:%M:%S%z", "%d.%m.%Y"),
        patients=PATIENTS,
        tumours="id,tumour,seen,left\n1,1,2015-01-02T00:30:00+01:00,2015-01-01T23:31:00Z",
    )
    row = made.row("condition_occurrence")
    assert str(row["condition_start_date"]) == "2015-01-01"
    assert str(row["condition_start_datetime"]) == "2015-01-01 23:30:00"
    assert str(row["condition_end_datetime"]) == "2015-01-01 23:31:00"


def test_times_with_and_without_an_offset_do_not_go_together(workshop: Workshop) -> None:
    fields = moments("%d.%m.%Y") | {
        "seen": '{type: date, formats: ["%Y-%m-%dT%H:%M%z"]}', "left": '{type: date, formats: ["%Y-%m-%d %H:%M"]}',
    }  # fmt: skip
    place, message, help_ = workshop.problem(CANCER, fields=fields, patients=PATIENTS, tumours="id,tumour,seen,left")
    assert place.startswith('"%Y-%m-%d %H:%M"')
    assert "has no offset, while other times are brought to UTC" in message and "one clock" in help_


@pytest.mark.parametrize("pattern", ["%H:%M", "%Y %H:%M", "%d.%m.%Y %M:%H", "%d.%m.%YT", "%d.%m.%Y %H:%M%p"])
def test_a_time_that_is_none_is_told_at_its_place(workshop: Workshop, pattern: str) -> None:
    fields = moments("%d.%m.%Y") | {"seen": f'{{type: date, formats: ["{pattern}"]}}'}
    found = workshop.problems(CANCER, fields=fields, patients=PATIENTS, tumours="id,tumour,seen,left")
    assert [p.code for p in found] == ["date-pattern"] and found[0].file.endswith("source.yaml")


def test_files_with_and_without_times_are_written_to_one_table(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER
        + "- {fact: condition, name: later, from: tumours, concept: lung_cancer, start: 'add_months(seen, 0)'}\n",
        fields=ISO,
        patients=PATIENTS,
        tumours="id,tumour,seen,left\n1,1,2015-01-02T09:05:07Z,",
    )
    found = {str(t) for t in made.rows("condition_occurrence", "condition_start_datetime")}
    assert found == {"2015-01-02 09:05:07", "2015-01-15 00:00:00"}

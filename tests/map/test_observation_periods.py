"""observation_period by the registry rule and by the EHR rule, by cases worked out by hand; the delivery is of 31 January 2024."""

from __future__ import annotations

import pytest

from tests.map.workshop import Mapped, Workshop

RULES = """
- {fact: condition, name: cancers, from: tumours, where: code = 'c', because: another fact, concept: breast_cancer, start: seen, end: left}
- {fact: observation, name: histories, from: tumours, where: code = 'h', because: another fact, concept: family_history, date: seen}
- {fact: death, name: deaths, from: patients, where: died is not null, because: alive, date: died}
"""
GIVEN = "- {fact: observation_period, name: spans, from: tumours, where: code = 's', because: another fact, start: seen, end: left}\n"
EHR = "observation_periods: {rule: ehr}"

Periods = list[tuple[str, str]]


def mapped(workshop: Workshop, options: str, *rows: str, patient: str = "01.01.1950,", rules: str = RULES) -> Mapped:
    """Map one patient with rows of code, first day and last day."""
    lines = "\n".join(f"1,{number},{row}" for number, row in enumerate(rows))
    patients = f"id,born,died\n1,{patient}"
    return workshop.map(rules, patients=patients, tumours=f"id,tumour,code,seen,left\n{lines}", mapping=options)


def periods(made: Mapped) -> Periods:
    """First and last day of each period, in order."""
    found = made.rows("observation_period", "observation_period_start_date", "observation_period_end_date")
    return sorted((str(start), str(end)) for start, end in found)


@pytest.mark.parametrize(
    ("rows", "patient", "expected"),
    [
        (["c,01.01.2010,"], "1950,", [("2010-01-01", "2010-03-02")]),  # 60 days after the last event
        (["c,01.01.2010,10.01.2010"], "1950,", [("2010-01-01", "2010-03-11")]),  # which ends
        (["c,01.01.2024,"], "1950,", [("2024-01-01", "2024-01-31")]),  # not beyond the delivery
        (["c,01.01.2010,", "c,02.07.2011,"], "1950,", [("2010-01-01", "2011-08-31")]),  # 547 days: one period
        (["c,01.01.2010,", "c,03.07.2011,"], "1950,", [("2010-01-01", "2010-03-02"), ("2011-07-03", "2011-09-01")]),  # 548
        (["c,01.01.2010,31.12.2013", "c,01.02.2010,", "c,01.01.2015,"], "1950,", [("2010-01-01", "2015-03-02")]),  # one within
        (["c,01.01.2010,"], "1950,10.01.2010", [("2010-01-01", "2010-03-02")]),  # the last event is the nearer
        (["c,01.01.2010,", "c,20.02.2010,"], "1950,01.01.2010", [("2010-01-01", "2010-03-02")]),  # death is
        (["c,01.01.1950,"], "01.02.1950,", [("1950-02-01", "1950-03-02")]),  # not before birth
    ],
)  # fmt: skip
def test_ehr_rule(workshop: Workshop, rows: list[str], patient: str, expected: Periods) -> None:
    made = mapped(workshop, EHR, *rows, patient=patient)
    assert periods(made) == expected
    assert made.record.derived[0].remarks == ()


@pytest.mark.parametrize(
    ("options", "rows", "patient", "expected"),
    [
        ("rule: ehr, system_start: 2010-02-01", ["c,01.01.2010,", "c,01.03.2010,"], "1950,", ("2010-02-01", "2010-04-30")),
        ("rule: ehr, system_start: 2015-01-01", ["c,01.01.2010,"], "1950,", ("2010-01-01", "2010-01-01")),
        ("rule: ehr", ["c,01.02.2024,"], "1950,", ("2024-01-31", "2024-01-31")),
        ("rule: ehr", ["c,01.01.1949,"], "01.01.1950,", ("1950-01-01", "1950-01-01")),
        ("rule: ehr", ["x,,"], "1950,05.05.2005", ("2005-05-05", "2005-05-05")),  # nothing but the death is known
        ("rule: registry", ["c,01.01.2010,", "h,01.01.2000,"], "1950,", ("2000-01-01", "2010-01-01")),
        ("rule: registry, without: [histories]", ["c,01.01.2010,", "h,01.01.2000,"], "1950,", ("2010-01-01", "2010-01-01")),
        ("rule: registry, without: [histories]", ["h,01.01.2000,"], "1950,", ("2000-01-01", "2000-01-01")),
        ("rule: ehr, without: [histories]", ["c,01.01.2010,", "h,01.01.2009,"], "1950,", ("2010-01-01", "2010-03-02")),
        ("rule: registry", ["c,01.01.2010,"], "1950,05.05.2015", ("2010-01-01", "2015-05-05")),  # to the death
    ],
)  # fmt: skip
def test_bounds_and_rules_left_out(
    workshop: Workshop, options: str, rows: list[str], patient: str, expected: tuple[str, str]
) -> None:
    made = mapped(workshop, f"observation_periods: {{{options}}}", *rows, patient=patient)
    assert periods(made) == [expected]


def test_one_day_beside_the_rule_is_counted_and_a_person_without_events_too(workshop: Workshop) -> None:
    made = workshop.map(
        RULES,
        patients="id,born,died\n1,1950,\n2,1950,\n3,1950,",
        tumours="id,tumour,code,seen,left\n1,1,h,01.01.2000,\n2,1,c,01.01.2010,",
        mapping="observation_periods: {rule: ehr, without: [histories]}",
    )
    told = made.record.derived[0]
    assert (told.table, told.rows, told.read, told.used, told.left_out) == (
        "observation_period", 2, 3, 2, (("no dated event", 1),),
    )  # fmt: skip
    assert [number for _, number in told.remarks] == [1]


def test_periods_of_the_mapping_win_and_are_merged(workshop: Workshop) -> None:
    rows = ["s,01.01.2010,31.12.2010", "s,01.01.2011,31.03.2011", "s,01.01.2013,02.01.2013", "c,01.01.2000,"]
    made = mapped(workshop, EHR, *rows, rules=RULES + GIVEN)
    assert periods(made) == [("2010-01-01", "2011-03-31"), ("2013-01-01", "2013-01-02")]


def test_type_of_the_periods_can_be_chosen(workshop: Workshop) -> None:
    made = mapped(workshop, "observation_periods: {rule: ehr, type: ehr}", "c,01.01.2010,", "c,01.01.2020,")
    assert made.rows("observation_period", "period_type_concept_id") == [32817, 32817]
    assert len(set(made.rows("observation_period", "observation_period_id"))) == 2


@pytest.mark.parametrize(
    ("options", "place", "message", "mend"),
    [
        ("without: [historys]", "historys]", "there is no rule `historys`", "`histories`"),
        ("without: [persons]", "persons]", "makes no events", "take it out"),
        ("without: [cancers, histories, deaths]", "without", "every rule is left out", "leave out only"),
        ("system_start: 2010-01-01", "system_start", "belongs to the rule `ehr`", "rule: ehr"),
        ("type: breast_cancer", "breast_cancer", "of the domain Condition", "Type Concept"),
    ],
)
def test_wrong_options_are_told_with_their_place(
    workshop: Workshop, options: str, place: str, message: str, mend: str
) -> None:
    told = workshop.problem(
        RULES,
        patients="id,born,died\n1,1950,",
        tumours="id,tumour,code,seen,left\n1,1,c,2010,",
        mapping=f"observation_periods: {{{options}}}",
    )
    assert told[0].startswith(place)
    assert message in told[1]
    assert mend in told[2]

"""Worked examples of a mapping: run by lint, and a wrong expectation is told with its line and what is made instead."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import Any

import pytest

from oncoweave.errors import Problem
from oncoweave.lint import lint
from tests.map.workshop import SOURCE, Workshop

TABLES: dict[str, Any] = {"patients": "id,born\n1,1950", "tumours": "id,tumour,seen,size\n1,1,2015,5"}
RULES = """
- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}
- {fact: measurement, name: sizes, from: tumours, modifies: cancer, date: seen, columns: {size: {concept: size}}}
"""
GIVEN = """
patients: [{id: 1, born: "1950"}]
tumours: [{id: 1, tumour: 1, seen: 02.01.2015, size: "5,5"}, {id: 1, tumour: 2, seen: 03.2015, size: "7"}]
"""


def linted(workshop: Workshop, expect: str, given: str = GIVEN) -> list[Problem]:
    """What lint says of one example."""
    example = f"- name: two tumours\n  given:\n{indent(dedent(given).strip(), '    ')}\n  expect:\n{indent(dedent(expect).strip(), '    ')}"
    workshop.write(RULES, mapping=f"examples:\n{indent(example, '  ')}", **TABLES)
    return [p for p in lint(workshop.project, SOURCE) if p.code == "example"]


def place_of(workshop: Workshop, problem: Problem) -> str:
    """The text at the problem's place."""
    lines = (workshop.project.root / problem.file).read_text(encoding="utf-8").splitlines()
    return lines[problem.line - 1][problem.column - 1 :]


RIGHT = """
person: [{year_of_birth: 1950, month_of_birth: null}]
condition_occurrence: [{condition_start_date: 2015-03-15}, {condition_start_date: 2015-01-02}]
measurement: [{value_as_number: 7}, {value_as_number: 5.5, measurement_concept_id: 201}]
death: []
"""


def test_an_example_that_holds_says_nothing(workshop: Workshop) -> None:
    assert linted(workshop, RIGHT) == []


def test_an_example_needs_neither_key_nor_delivery(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONCOWEAVE_KEY")
    assert linted(workshop, RIGHT) == []


def test_a_wrong_expectation_is_told_with_its_place_and_what_is_made_instead(workshop: Workshop) -> None:
    (found,) = linted(workshop, RIGHT.replace("value_as_number: 7}", "value_as_number: 8}"))
    assert place_of(workshop, found).startswith("{value_as_number: 8}")
    assert found.message == "`two tumours`: this row of measurement is not made"
    assert found.help == "it makes {value_as_number: 7}"


def test_every_wrong_expectation_is_told(workshop: Workshop) -> None:
    found = linted(workshop, RIGHT.replace("value_as_number: 7}", "value_as_number: 8}").replace("1950, m", "1951, m"))
    assert [p.message.rsplit("of ")[1].split()[0] for p in found] == ["person", "measurement"]


def test_a_row_that_is_not_expected_is_told(workshop: Workshop) -> None:
    found = linted(
        workshop,
        """
        measurement: [{value_as_number: 7}]
        condition_occurrence: []
        """,
    )
    assert [p.message for p in found] == [
        "`two tumours`: 2 rows of measurement are made, not 1",
        "`two tumours`: 2 rows of condition_occurrence are made, not 0",
    ]


def test_a_row_that_is_expected_twice_must_be_made_twice(workshop: Workshop) -> None:
    (found,) = linted(workshop, "measurement: [{value_as_number: 7}, {value_as_number: 7}]")
    assert "this row of measurement is not made" in found.message
    assert found.help == "it makes {value_as_number: 5.5}"


@pytest.mark.parametrize(
    ("given", "expect", "place", "mend"),
    [
        (GIVEN.replace("tumours:", "tumors:"), RIGHT, "tumors", "did you mean `tumours`?"),
        (GIVEN.replace("seen: 03", "sen: 03"), RIGHT, "sen:", "did you mean `seen`?"),
        (GIVEN, RIGHT.replace("death:", "deaths:"), "deaths", "did you mean `death`?"),
        (GIVEN, RIGHT.replace("year_of_birth", "year_of_brith"), "year_of_brith", "did you mean `year_of_birth`?"),
    ],
)
def test_an_unknown_name_is_told_at_its_place(
    workshop: Workshop, given: str, expect: str, place: str, mend: str
) -> None:
    (found,) = linted(workshop, expect, given)
    assert place_of(workshop, found).startswith(place) and found.help == mend


def test_fields_left_out_are_empty(workshop: Workshop) -> None:
    given = 'patients: [{id: 1, born: "1950"}]\ntumours: [{id: 1, tumour: 1, seen: 02.01.2015}]'
    assert linted(workshop, "measurement: []\ncondition_occurrence: [{condition_end_date: null}]", given) == []


def test_what_lint_makes_of_an_example_is_gone_afterwards(workshop: Workshop) -> None:
    linted(workshop, RIGHT)
    before = sorted(workshop.project.root.rglob("*"))
    lint(workshop.project, SOURCE)
    assert sorted(workshop.project.root.rglob("*")) == before

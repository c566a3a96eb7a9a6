"""Spellings: texts as another system writes them, called in expressions like a function."""

from __future__ import annotations

import pytest

from tests.map.workshop import Workshop

PATIENTS = "id,born,state,no\n1,1950,Massachusetts,1\n2,1960,New York,2\n3,1970,MA,3\n4,1980,,4"
PERSONS = "- {fact: person, name: persons, from: patients, birth: {date: born}, location: homes}\n"
HOMES = "- {fact: location, name: homes, from: patients, state: us_state(state)}"
STATES = "spellings:\n  us_state: {Massachusetts: MA, New York: NY, 'O''Hara': \"it's\"}\n"


def test_a_text_is_written_as_listed_and_otherwise_stays(workshop: Workshop) -> None:
    made = workshop.map(HOMES, persons=PERSONS, patients=PATIENTS, mapping=STATES + "ignored: {no: x}")
    assert sorted(made.rows("location", "state")) == ["MA", "NY"]
    assert made.record.truncated == {}
    homes = dict(made.rows("location", "location_id", "state"))
    assert sorted(homes.get(i, "") for i in made.rows("person", "location_id")) == ["", "MA", "MA", "NY"]


def test_a_further_file_may_hold_spellings(workshop: Workshop) -> None:
    workshop.write(HOMES, persons=PERSONS, patients=PATIENTS, mapping="ignored: {no: x}")
    (workshop.folder / "mapping").mkdir()
    (workshop.folder / "mapping" / "states.yaml").write_text(STATES, encoding="utf-8")
    assert sorted(workshop.run().rows("location", "state")) == ["MA", "NY"]


@pytest.mark.parametrize(
    ("spellings", "call", "place", "message"),
    [
        ("us_state: {MA: Massachusetts}", "us_stat(state)", "us_stat(", "there is no function `us_stat`"),
        ("us_state: {MA: Massachusetts}", "us_state(state, 'x')", "us_state(", "called as us_state(text)"),
        ("us_state: {MA: Massachusetts}", "us_state(no)", "us_state(", "takes a text, not integer"),
        ("upper: {MA: Massachusetts}", "upper(state)", "upper: ", "there is a function `upper` already"),
        ("squeeze: {MA: Massachusetts}", "squeeze(state)", "squeeze: ", "there is a function `squeeze` already"),
        ("us_state: {' MA': Massachusetts}", "us_state(state)", "' MA'", "without the blanks around it"),
        ("us_state: {}", "us_state(state)", "{}", "us_state"),
    ],
)
def test_a_fault_is_told_at_its_place(workshop: Workshop, spellings: str, call: str, place: str, message: str) -> None:
    found = workshop.problems(
        HOMES.replace("us_state(state)", f'"{call}"'),
        persons=PERSONS,
        patients=PATIENTS,
        fields={"no": "{type: integer}"},
        mapping=f"spellings:\n  {spellings}\nignored: {{no: x, state: x}}",
    )
    (told,) = [p for p in found if p.severity == "error"]
    line = (workshop.project.root / told.file).read_text(encoding="utf-8").splitlines()[told.line - 1]
    assert line[told.column - 1 :].lstrip('"').startswith(place), (told, line)
    assert message in told.message

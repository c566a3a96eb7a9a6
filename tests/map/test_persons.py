"""Race and ethnicity of a person: looked up or fixed with a reason, never guessed, and nobody is dropped for them."""

from __future__ import annotations

import pytest

from tests.map.workshop import Mapped, Workshop

CODES = """
- fact: person
  name: persons
  from: patients
  birth: {date: born}
  gender: {concept: {map: sexes, value: sex}}
  race: {concept: {vocabulary: Race, code: "{race}"}}
  ethnicity: {concept: {map: ethnicities, value: origin}}
"""
PATIENTS = "id,born,sex,race,origin\n1,1950,F,5,h\n2,1951,F,9,n\n3,1952,,,\n4,1953,F,xx,u\n5,1954,F,2,left out"


def made(workshop: Workshop, persons: str = CODES, **written: object) -> Mapped:
    workshop.concept_map("sexes", ("F", 8532))
    workshop.concept_map(
        "ethnicities", ("h", 38003563), ("n", 38003564), ("u", 38003563, "UNCHECKED"), ("left out", 0, "IGNORED")
    )
    return workshop.map("", persons=persons, **({"patients": PATIENTS} | written))


def test_race_and_ethnicity_are_looked_up_with_the_code_s_own_concept_and_text(workshop: Workshop) -> None:
    mapped = made(workshop)
    columns = [
        f"{of}_{what}" for of in ("race", "ethnicity") for what in ("concept_id", "source_concept_id", "source_value")
    ]
    found = {born: rest for born, *rest in mapped.rows("person", "year_of_birth", *columns)}
    assert found == {
        1950: [8527, 8527, "5", 38003563, 0, "h"],
        1951: [0, 8522, "9", 38003564, 0, "n"],
        1952: [0, None, None, 0, None, None],
        1953: [0, 0, "xx", 0, 0, "u"],
        1954: [8515, 8515, "2", 0, 0, "left out"],
    }
    assert mapped.counts("persons") == (5, 5, 0, 0)


def test_codes_of_a_race_without_target_are_counted_as_unmapped(workshop: Workshop) -> None:
    unmapped = {(u.concept_map, u.codes, u.events) for u in made(workshop).record.unmapped}
    assert unmapped == {("sexes", 0, 1), ("Race", 2, 2), ("ethnicities", 1, 1)}


def test_the_sex_looked_up_in_a_vocabulary_keeps_the_code_s_own_concept(workshop: Workshop) -> None:
    persons = '- {fact: person, name: persons, from: patients, birth: {date: born}, gender: {concept: {vocabulary: Gender, code: "{sex}"}}}'
    mapped = made(workshop, persons, patients="id,born,sex\n1,1950,8532\n2,1951,U\n3,1952,zz\n4,1953,")
    columns = ("gender_concept_id", "gender_source_concept_id", "gender_source_value")
    assert sorted(mapped.rows("person", *columns), key=str) == [
        (0, 0, "zz"), (0, 0, None), (0, 8551, "U"), (8532, 8532, "8532")
    ]  # fmt: skip


def test_a_fixed_race_says_why_and_has_no_source_value(workshop: Workshop) -> None:
    persons = """
- fact: person
  name: persons
  from: patients
  birth: {date: born}
  race: {concept: white, why: the statute of the registry says so}
"""
    mapped = made(workshop, persons, patients="id,born\n1,1950")
    row = mapped.row("person")
    assert (row["race_concept_id"], row["race_source_value"], row["race_source_concept_id"]) == (8527, None, None)
    assert (row["ethnicity_concept_id"], row["ethnicity_source_value"]) == (0, None)


@pytest.mark.parametrize(
    ("key", "message", "mend"),
    [
        ("race: {concept: white}", "a race that does not come from the data needs a reason", "add `why:`"),
        ("ethnicity: {concept: hispanic_or_latino}", "an ethnicity that does not come from the data needs a reason", "add `why:`"),
        ("race: {concept: male, why: x}", "concept 8507 is of the domain Gender", "`race` takes concepts of the domain Race"),
        ("ethnicity: {concept: white, why: x}", "concept 8527 is of the domain Race", "`ethnicity` takes concepts of the domain Ethnicity"),
        ("gender: {concept: white, why: x}", "concept 8527 is of the domain Race", "`gender` takes concepts of the domain Gender"),
    ],
)  # fmt: skip
def test_a_wrong_concept_of_a_person_is_told(workshop: Workshop, key: str, message: str, mend: str) -> None:
    persons = f"- fact: person\n  name: persons\n  from: patients\n  birth: {{date: born}}\n  {key}\n"
    _, told, help_ = workshop.problem("", persons=persons, patients="id,born\n1,1950")
    assert (told, help_) == (message, mend)


def test_the_plan_says_how_race_and_ethnicity_are_found(workshop: Workshop) -> None:
    from oncoweave.compiler import compile_draft, read_inputs

    made(workshop)
    plan = compile_draft(read_inputs(workshop.project, "clinic")).plan
    assert "race: Race {race}" in str(plan) and "ethnicity: concept map ethnicities of origin" in str(plan)


def test_the_race_of_a_group_is_one_or_told(workshop: Workshop) -> None:
    workshop.concept_map("sexes", ("F", 8532))
    persons = """
- fact: person
  name: persons
  from: tumours
  group: [id]
  birth: {date: min(seen)}
  race: {concept: {vocabulary: Race, code: "{race}"}}
"""
    mapped = workshop.map(
        "", persons=persons, tumours="id,tumour,seen,race\n1,1,1950,5\n1,2,1950,5\n2,1,1951,5\n2,2,1951,2"
    )
    assert mapped.rows("person", "race_concept_id", "race_source_value") == [(8527, "5")]
    assert mapped.reasons("persons") == {"quarantined: race: differs within the group": 2}


def test_persons_and_facts_are_chosen_by_the_number_that_a_text_holds(workshop: Workshop) -> None:
    persons = """
- {fact: person, name: persons, from: patients, birth: {date: born}, where: to_number(sex) > 0, because: no number}
"""
    rules = """
- {fact: measurement, name: sizes, from: tumours, where: to_number(code) > 1, because: too small, date: seen, concept: size, value: to_number(code)}
- {fact: measurement, name: others, from: tumours, where: to_number(code) is null, because: a number, date: seen, concept: size, value: code}
"""
    made = workshop.map(
        rules,
        persons=persons,
        patients="id,born,sex\n1,1950,7\n2,1950,F",
        tumours="id,tumour,seen,code\n1,1,2015,2.5\n1,2,2015, 3e0 \n1,3,2015,1_0\n1,4,2015,0\n1,5,2015,\n2,6,2015,9",
    )
    assert len(made.rows("person", "person_id")) == 1
    assert sorted(filter(None, made.rows("measurement", "value_as_number"))) == [2.5, 3.0]
    assert made.reasons("sizes") == {
        "excluded: too small": 1, "excluded: too small (unknown)": 2, "quarantined: person not mapped": 1
    }  # fmt: skip
    assert made.reasons("others") == {
        "excluded: a number": 3,
        "excluded: empty": 1,
        "quarantined: person not mapped": 1,
    }

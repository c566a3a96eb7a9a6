"""No free text and no identifier reaches a table, a message or a log; codes and numbers stay verbatim."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoweave.errors import OncoweaveError
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from tests.map.workshop import Mapped, Workshop

TEXT, NAME = "CANARYTEXT", "CANARYNAME"
PATIENTS = f"id,born,sex\n{NAME}1,12.03.1951,F\n{NAME}2,1948,M"
TUMOURS = f"""
    id,tumour,seen,note,code,size
    {NAME}1,{NAME}a,01.01.2015,{TEXT} one, c 1,5
    {NAME}2,{NAME}b,01.01.2015,{TEXT} two,c2,"6,50"
"""


def released(made: Mapped) -> bytes:
    """Everything in the tables, as text."""
    return "".join(str(made.rows(path.stem)) for path in made.run.tables.glob("*.parquet")).encode() + b"".join(
        made.table_bytes().values()
    )


def tables_of(workshop: Workshop, rules: str, **more: str) -> bytes:
    return released(workshop.map(rules, patients=PATIENTS, tumours=TUMOURS, **more))


LEAKS = [
    ("a value", "value: note"),
    ("an identifier as value", "value: tumour"),
    ("a joined value", "value: code || note"),
    ("a chosen value", "value: \"case when note is null then 'x' else note end\""),
    ("a transformed value", "value: 'upper(substring(note, 1, 30))'"),
]


@pytest.mark.parametrize("slot", [leak[1] for leak in LEAKS], ids=[leak[0] for leak in LEAKS])
@pytest.mark.parametrize("fact", ["measurement", "observation"])
def test_free_text_and_identifiers_stay_at_home_as(workshop: Workshop, slot: str, fact: str) -> None:
    concept = "size" if fact == "measurement" else "family_history"
    rules = f"- {{fact: {fact}, name: facts, from: tumours, date: seen, concept: {concept}, {slot}}}"
    made = workshop.map(rules, patients=PATIENTS, tumours=TUMOURS)
    assert made.counts("facts") == (2, 2, 0, 0)
    found = released(made)
    assert TEXT.encode() not in found and NAME.encode() not in found


CODES = [
    "{map: codes, value: note}",
    "{map: codes, value: tumour}",
    "{map: codes, value: upper(note)}",
    '{vocabulary: ICD10, code: "{note}"}',
    '{vocabulary: ICD10, code: "{code}{tumour}"}',
]


@pytest.mark.parametrize("concept", CODES)
@pytest.mark.parametrize(
    "slot", ["concept: {}", "concept: size, value: size, unit: {}", "concept: size, value_concept: {}"]
)
def test_a_code_that_is_free_text_selects_a_concept_and_stays_at_home(
    workshop: Workshop, concept: str, slot: str
) -> None:
    workshop.concept_map("codes", (f"{TEXT} one", 8588 if "unit" in slot else 203))
    rules = f"- {{fact: measurement, name: facts, from: tumours, date: seen, {slot.replace('{}', concept)}}}"
    found = tables_of(workshop, rules)
    assert TEXT.encode() not in found and NAME.encode() not in found


def test_grouped_free_text_stays_at_home(workshop: Workshop) -> None:
    found = tables_of(
        workshop,
        "- {fact: observation, name: facts, from: tumours, group: [id], order: [tumour], date: min(seen), "
        "concept: family_history, value: first(note)}",
    )
    assert TEXT.encode() not in found


@pytest.mark.parametrize("text", ["note", "tumour", "code || note", "upper(note)"])
def test_a_source_value_of_free_text_or_an_identifier_is_refused(workshop: Workshop, text: str) -> None:
    place, message, mend = workshop.problem(
        f"- {{fact: condition, name: facts, from: tumours, start: seen, concept: breast_cancer, source_value: {text}}}",
        patients=PATIENTS,
        tumours=TUMOURS,
    )
    assert place.startswith(text)
    assert "may not leave the site" in message
    assert "code" in mend


def test_an_identifier_may_order_a_group_or_stand_in_a_condition(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - fact: measurement
          name: facts
          from: tumours
          group: [id]
          order: [tumour]
          date: min(seen)
          concept: size
          value: first(case when tumour <> 'x' and note <> 'y' then size end)
        """,
        patients=PATIENTS,
        tumours=TUMOURS,
    )
    assert sorted(made.rows("measurement", "value_as_number", "value_source_value")) == [(5.0, "5.0"), (6.5, "6.5")]


@pytest.mark.parametrize("number", ["to_number(tumour)", "size + to_integer(id)", "months"])
def test_a_number_made_of_an_identifier_is_refused(workshop: Workshop, number: str) -> None:
    place, message, _ = workshop.problem(
        f"- {{fact: measurement, name: facts, from: tumours, date: seen, concept: size, value: {number}}}",
        keys={"tumours": "row: {fields: [tumour]}\nperson: [id, months]"},
        patients=PATIENTS,
        tumours="id,tumour,months,seen,size",
    )
    assert place.startswith(number)
    assert "may not leave the site" in message


def test_the_persons_key_stays_at_home_whatever_its_type(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: observation, name: facts, from: tumours, date: seen, concept: family_history, value: id}",
        fields={"id": "{type: code}"},
        patients=PATIENTS,
        tumours=TUMOURS,
    )
    assert NAME.encode() not in released(made)


def test_codes_and_numbers_are_verbatim_in_source_values(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("c 1", 203))
    made = workshop.map(
        """
        - fact: measurement
          name: facts
          from: tumours
          date: seen
          columns: {size: {concept: size}, code: {concept: {map: codes}}}
        """,
        patients=PATIENTS,
        tumours=TUMOURS,
    )
    found = made.rows("measurement", "measurement_source_value", "value_source_value")
    assert sorted(found) == [(" c 1", " c 1"), ("c2", "c2"), ("size", "5"), ("size", "6,50")]


def test_the_person_has_no_source_value(workshop: Workshop) -> None:
    made = workshop.map("", patients=PATIENTS)
    assert made.rows("person", "person_source_value") == [None, None]
    assert NAME.encode() not in released(made)


def test_a_sex_read_from_an_identifier_has_no_source_value(workshop: Workshop) -> None:
    workshop.concept_map("sex", ("1", 8532), ("2", 8507))
    made = workshop.map(
        """
        - {fact: person, name: persons, from: patients, birth: {date: born},
           gender: {concept: {map: sex, value: "substring(id, 11, 1)"}}}
        """,
        persons="",
        patients=PATIENTS,
    )
    assert sorted(made.rows("person", "gender_concept_id")) == [8507, 8532]
    assert made.rows("person", "gender_source_value") == [None, None]


def test_no_value_is_in_the_record_the_quarantine_or_the_ledger(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("a", 203))
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, where: code = 'zzz', because: other, concept: breast_cancer, start: seen}
        - {fact: measurement, name: sizes, from: tumours, date: seen, concept: {map: codes, value: note}, value: size}
        """,
        patients=PATIENTS + f"\n{NAME}1,{TEXT},F",
        tumours=TUMOURS.rstrip() + f"\n    {NAME}3,{TEXT},{TEXT},{TEXT},{TEXT},{TEXT}\n",
    )
    kept_at_home = {made.run.path / "snapshot", made.run.path / "events"}
    for path in made.run.path.rglob("*"):
        if path.is_file() and not kept_at_home & set(path.parents):
            content = path.read_bytes()
            assert TEXT.encode() not in content and NAME.encode() not in content, path


def test_an_error_of_the_engine_shows_no_value(workshop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    workshop.write(
        "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}",
        corrections="- {table: tumours, where: code = 'nobody', set: {code: x}, because: test}",
        patients=PATIENTS,
        tumours=TUMOURS,
    )
    run = extract(workshop.project, "clinic")
    with pytest.raises(OncoweaveError) as caught:
        map_stage(run, workshop.project)
    shown = str(caught.value) + repr(caught.value) + "".join(capfd.readouterr())
    assert TEXT not in shown and NAME not in shown


def test_tables_are_private_until_they_are_published(workshop: Workshop) -> None:
    made = workshop.map("", patients=PATIENTS)
    folders = [made.run.path, made.run.tables, made.run.events, made.run.quarantine]
    assert {oct(folder.stat().st_mode & 0o777) for folder in folders} == {"0o700"}
    files = list(Path(made.run.path).rglob("*.parquet"))
    assert {oct(p.stat().st_mode & 0o077) for p in files} == {"0o0"}

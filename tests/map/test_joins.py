"""Joins: a row reads the fields of its one partner in another table, and nothing is lost, doubled or guessed."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.map.workshop import Workshop

PATIENTS = """
id,born
p1,01.02.1950
p2,03.04.1960
"""
TUMOURS = """
tumour,id,seen,size,note,site
t1,p1,05.06.2001,"18,5",private,C50
t2,p1,07.2005,30,private,C34
t3,p2,2010,,private,C50
"""
TREATMENTS = """
treatment,of,kind
a,t1,surgery
b,t2,surgery
c,t3,surgery
d,t9,surgery
e,,surgery
"""
KEYS = {
    "tumours": "row: {fields: [tumour]}\nperson: [id]",
    "treatments": "row: {fields: [treatment]}",
    "clinics": "row: {fields: [clinic]}",
}
FIELDS = {"of": "{type: identifier}"}
JOINS = "joins:\n- {from: treatments, to: tumours, by: {of: tumour}, person: true}"
SURGERY = "- {fact: procedure, name: surgery, from: treatments, concept: excision, date: tumours.seen}\n"
DIAGNOSIS = (
    "- {fact: condition, name: diagnosis, from: tumours, concept: {vocabulary: ICD10, code: '{site}'}, start: seen}\n"
)
WRITTEN = {
    "patients": PATIENTS, "tumours": TUMOURS, "treatments": TREATMENTS, "keys": KEYS, "fields": FIELDS, "mapping": JOINS,
}  # fmt: skip


def test_a_row_reads_the_fields_and_the_person_of_its_partner(workshop: Workshop) -> None:
    made = workshop.map(SURGERY + DIAGNOSIS, **WRITTEN)
    persons = {row["year_of_birth"]: row["person_id"] for row in made.rows("person")}
    assert sorted((str(d), p) for d, p in made.rows("procedure_occurrence", "procedure_date", "person_id")) == [
        ("2001-06-05", persons[1950]), ("2005-07-15", persons[1950]), ("2010-07-01", persons[1960]),
    ]  # fmt: skip
    assert made.counts("surgery") == (5, 3, 2, 0)
    assert made.reasons("surgery") == {
        "quarantined: no row of tumours tells its person": 2,
    }
    assert [e["start_precision"] for e in sorted(made.events("surgery"), key=lambda e: e["start_date"])] == [
        "day", "month", "year",
    ]  # fmt: skip


def test_rows_without_a_partner_are_counted_and_told(workshop: Workshop) -> None:
    made = workshop.map(SURGERY + DIAGNOSIS, **WRITTEN)
    (count,) = made.record.joins
    assert (count.table, count.join, count.rows, count.empty, count.without) == ("treatments", "tumours", 5, 1, 1)
    assert any("1 of 5 rows of `treatments` name a row of `tumours`" in w for w in made.record.warnings)


def test_a_row_without_a_partner_reads_nulls_or_is_left_out_as_the_author_says(workshop: Workshop) -> None:
    rules = """
    - {fact: observation, name: all, from: treatments, concept: family_history, date: "date('2011-01-01')", value: "coalesce(tumours.site, 'none')"}
    - fact: observation
      name: some
      from: treatments
      concept: family_history
      date: date('2011-01-01')
      value: tumours.site
      where: tumours.tumour is not null
      because: no tumour
    """
    treatments = "treatment,id,of\na,p1,t1\nb,p2,\nc,p2,t9"
    joins = "joins:\n- {from: treatments, to: tumours, by: {of: tumour}}"
    keys = KEYS | {"treatments": "row: {fields: [treatment]}\nperson: [id]"}
    made = workshop.map(rules, **WRITTEN | {"treatments": treatments, "mapping": joins, "keys": keys})
    assert sorted(e["value_text"] for e in made.events("all")) == ["C50", "none", "none"]
    assert made.reasons("some") == {"excluded: no tumour": 2}


def test_a_fact_refers_to_the_diagnosis_of_its_tumour(workshop: Workshop) -> None:
    size = "- {fact: measurement, name: sizes, from: treatments, concept: size, date: tumours.seen, value: tumours.size, modifies: diagnosis}\n"
    made = workshop.map(DIAGNOSIS + size, **WRITTEN)
    diagnoses = {
        row["condition_start_date"]: row["condition_occurrence_id"] for row in made.rows("condition_occurrence")
    }
    found = {row["measurement_date"]: row for row in made.rows("measurement")}
    assert {d: row["measurement_event_id"] for d, row in found.items()} == {d: diagnoses[d] for d in found}
    assert sorted(row["value_as_number"] for row in found.values()) == [18.5, 30.0]
    assert sorted(row["value_source_value"] for row in found.values()) == ["18,5", "30"]


def test_a_fact_refers_through_fields_that_only_the_joined_table_has(workshop: Workshop) -> None:
    """The tumour's key is patient and number; the treatment knows its registration number alone."""
    tumours = "id,tumour,registration,seen\np1,1,r1,05.06.2001\np1,2,r2,05.06.2005\np2,1,r3,05.06.2010"
    treatments = "treatment,registration,seen\na,r2,06.07.2005\nb,r3,07.07.2010"
    keys = {
        "tumours": "row: {fields: [id, tumour]}\nperson: [id]\nunique: [[registration]]",
        "treatments": "row: {fields: [treatment]}",
    }
    joins = "joins:\n- {from: treatments, to: tumours, by: {registration: registration}, person: true}"
    rules = """
    - {fact: condition, name: diagnosis, from: tumours, concept: breast_cancer, start: seen}
    - {fact: measurement, name: grades, from: treatments, concept: grade_1, date: seen, modifies: diagnosis}
    """
    made = workshop.map(rules, patients=PATIENTS, tumours=tumours, treatments=treatments, keys=keys, mapping=joins)
    diagnoses = {
        row["condition_occurrence_id"]: str(row["condition_start_date"]) for row in made.rows("condition_occurrence")
    }
    found = {str(d): diagnoses[e] for d, e in made.rows("measurement", "measurement_date", "measurement_event_id")}
    assert found == {"2005-07-06": "2005-06-05", "2010-07-07": "2010-06-05"}


def test_rows_that_share_a_unique_value_are_not_found(workshop: Workshop) -> None:
    tumours = "id,tumour,registration,seen\np1,1,r1,05.06.2001\np1,2,r1,05.06.2005\np2,1,r3,05.06.2010"
    treatments = "treatment,registration\na,r1\nb,r3"
    keys = {
        "tumours": "row: {fields: [id, tumour]}\nperson: [id]\nunique: [[registration]]",
        "treatments": "row: {fields: [treatment]}",
    }
    joins = "joins:\n- {from: treatments, to: tumours, by: {registration: registration}, person: true}"
    made = workshop.map(SURGERY, patients=PATIENTS, tumours=tumours, treatments=treatments, keys=keys, mapping=joins)
    assert [str(d) for d in made.rows("procedure_occurrence", "procedure_date")] == ["2010-06-05"]
    assert made.record.joins[0].without == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_duplicate_key_is_the_row_that_is_mapped_in_any_order(workshop: Workshop, order: tuple[int, ...]) -> None:
    rows = ["t1,p1,05.06.2001,18", "t1,p1,05.06.2001,17", "t1,p1,06.06.2001,16"]
    tumours = "\n".join(["tumour,id,seen,size", *(rows[i] for i in order)])
    rules = """
    - {fact: condition, name: diagnosis, from: tumours, concept: breast_cancer, start: seen}
    - {fact: measurement, name: sizes, from: treatments, concept: size, date: tumours.seen, value: tumours.size}
    """
    made = workshop.map(rules, **WRITTEN | {"tumours": tumours, "treatments": "treatment,of\na,t1"})
    assert made.counts("sizes") == (1, 1, 0, 0)
    assert made.rows("measurement", "measurement_date", "value_as_number") == [
        (made.row("condition_occurrence")["condition_start_date"], 17.0)
    ]


def test_joins_form_a_chain(workshop: Workshop) -> None:
    rules = "- {fact: observation, name: places, from: treatments, concept: family_history, date: tumours.seen, value: tumours.clinics.town}\n"
    joins = JOINS + "\n- {from: tumours, to: clinics, by: {place: clinic}}"
    tumours = "tumour,id,seen,place\nt1,p1,05.06.2001,c1\nt2,p2,05.06.2002,c2"
    clinics = "clinic,town\nc1,Aarhus\nc2,Bergen"
    made = workshop.map(rules, **WRITTEN | {"tumours": tumours, "clinics": clinics, "mapping": joins})
    assert sorted(e["value_text"] for e in made.events("places")) == ["Aarhus", "Bergen"]
    assert [(c.table, c.join, c.without) for c in made.record.joins] == [
        ("treatments", "tumours", 2), ("tumours", "clinics", 0),
    ]  # fmt: skip


def test_the_table_of_the_persons_reads_others_too(workshop: Workshop) -> None:
    persons = "- {fact: person, name: persons, from: patients, birth: {date: births.born}}\n"
    joins = "joins:\n- {from: patients, to: births, by: {id: child}}"
    made = workshop.map(
        "- {fact: death, name: deaths, from: births, date: died}",
        persons=persons,
        patients="id\np1\np2",
        births="child,born,died\np1,01.01.1950,02.02.2000",
        keys={"births": "row: {fields: [child]}"},
        fields={"child": "{type: identifier}"},
        mapping=joins,
    )
    assert made.rows("person", "year_of_birth") == [1950]
    assert made.counts("deaths") == (1, 1, 0, 0)


def test_groups_over_a_joined_table(workshop: Workshop) -> None:
    rules = """
    - fact: condition
      name: first_treated
      from: treatments
      group: [tumours.id]
      concept: breast_cancer
      start: min(tumours.seen)
    """
    made = workshop.map(rules, **WRITTEN)
    assert sorted(str(d) for d in made.rows("condition_occurrence", "condition_start_date")) == [
        "2001-06-05",
        "2010-07-01",
    ]
    assert made.counts("first_treated") == (5, 3, 2, 0)


def test_a_table_joined_twice_has_two_names(workshop: Workshop) -> None:
    joins = """
    joins:
    - {from: treatments, to: tumours, by: {of: tumour}, person: true}
    - {from: treatments, to: tumours, by: {before: tumour}, as: earlier}
    """
    rules = "- {fact: observation, name: both, from: treatments, concept: family_history, date: tumours.seen, value: tumours.site || earlier.site}\n"
    fields = FIELDS | {"before": "{type: identifier}"}
    made = workshop.map(
        rules, **WRITTEN | {"treatments": "treatment,of,before\na,t2,t1", "mapping": joins, "fields": fields}
    )
    assert [e["value_text"] for e in made.events("both")] == ["C34C50"]


LEAKS = {
    "free text": "source_value: tumours.note",
    "the person's key": "source_value: tumours.id",
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_what_may_not_leave_its_own_table_may_not_leave_by_a_join(workshop: Workshop, leak: str) -> None:
    place, message, _ = workshop.problem(SURGERY.replace("date:", f"{leak}, date:"), **WRITTEN)
    assert place.startswith("tumours.")
    assert message.startswith("free text and identifiers may not leave the site: tumours.")


def test_a_person_key_of_any_type_stays_an_identifier_through_a_join(workshop: Workshop) -> None:
    rules = "- {fact: observation, name: o, from: treatments, concept: family_history, date: tumours.seen, value: tumours.id}\n"
    _, message, _ = workshop.problem(rules, **WRITTEN | {"fields": FIELDS | {"id": "{type: integer}"}})
    assert message == "free text and identifiers may not leave the site: tumours.id"


def test_corrections_reach_through_joins(workshop: Workshop) -> None:
    mend = "- {table: tumours, where: tumour = 't1', set: {seen: 06.06.2001}, because: told by the clinic}"
    made = workshop.map(SURGERY, **WRITTEN | {"corrections": mend})
    assert "2001-06-06" in [str(d) for d in made.rows("procedure_occurrence", "procedure_date")]


FAULTS = {
    "no such table": ("to: tumours", "to: tumour", "there is no source table `tumour`", "did you mean `tumours`?"),
    "no such own field": ("{of:", "{off:", "`off` is not a declared field of `treatments`", "did you mean `of`?"),
    "no such field there": (": tumour}", ": tumor}", "`tumor` is not a declared field of `tumours`", "did you mean `tumour`?"),
    "not a key": (": tumour}", ": site}", "`site` of `tumours` may be the same in several rows, and a join finds one", "join by `tumour`, or declare `unique: [[site]]`"),
    "a circle": ("person: true}", "person: true}\n- {from: tumours, to: treatments, by: {tumour: treatment}}", "`tumours` is joined to `treatments`, which leads back to it", "break the circle"),
    "a name twice": ("person: true}", "person: true}\n- {from: treatments, to: tumours, by: {treatment: tumour}}", "`treatments` finds another row as `tumours` already", "the first is in line"),
    "two persons": ("person: true}", "person: true}\n- {from: treatments, to: patients, by: {treatment: id}, person: true}", "another join of `treatments` tells the person already", "leave one of the two out"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_faulty_join_is_told_with_its_place_and_mend(workshop: Workshop, fault: tuple[str, str, str, str]) -> None:
    before, after, message, mend = fault
    _, told, helped = workshop.problem(SURGERY, **WRITTEN | {"mapping": JOINS.replace(before, after)})
    assert told == message
    assert mend in helped


def test_a_field_of_a_table_that_is_not_joined_is_told_with_the_join(workshop: Workshop) -> None:
    place, message, mend = workshop.problem(SURGERY, **WRITTEN | {"mapping": ""})
    assert place.startswith("tumours.seen")
    assert message == "there is no field `tumours.seen`"
    assert "joins:" in mend


def test_a_table_that_cannot_find_its_person_is_warned_with_the_join_that_mends_it(workshop: Workshop) -> None:
    rules = "- {fact: observation, name: o, from: treatments, concept: family_history, date: \"date('2001-01-01')\"}\n"
    treatments = TREATMENTS.replace(",of,", ",tumour,")
    (found,) = (
        p for p in workshop.problems(rules, **WRITTEN | {"treatments": treatments, "mapping": ""}) if p.code == "person"
    )
    assert "`- {from: treatments, to: tumours, by: {tumour: tumour}, person: true}`" in found.help

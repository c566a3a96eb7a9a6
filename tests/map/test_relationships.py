"""Relationships of facts: found by their keys, written in both directions, never between what was not mapped."""

from __future__ import annotations

from typing import Any

import pytest

from oncoweave.compiler import explain
from oncoweave.omop.routing import DOMAIN_CONCEPT
from tests.map.workshop import RELEASE, SOURCE, Mapped, Workshop

HAS, OF = 44818756, 44818854
CONDITION, OBSERVATION, PROCEDURE, SPECIMEN, VISIT = (
    DOMAIN_CONCEPT[t] for t in ("condition_occurrence", "observation", "procedure_occurrence", "specimen", "visit_occurrence")
)  # fmt: skip

PATIENTS = "id,born\n1,1950\n2,1960"
TUMOURS = """
    id,tumour,seen,code
    1,1,01.01.2015,c
    1,2,02.01.2015,m
    2,1,,c
    2,2,04.01.2015,c
"""
BIOPSIES = """
- {fact: procedure, name: biopsies, from: tumours, concept: biopsy, date: seen}
- {fact: specimen, name: samples, from: tumours, concept: tissue, date: seen, where: code = 'c', because: no sample}
- {fact: relationship, name: taken, from: tumours, first: biopsies, second: samples, relationship: Has specimen}
"""
FIELDS = ("domain_concept_id_1", "fact_id_1", "domain_concept_id_2", "fact_id_2", "relationship_concept_id")


def pairs(made: Mapped) -> set[tuple[Any, ...]]:
    """The rows of FACT_RELATIONSHIP, each of which is there once and in order."""
    rows = made.rows("fact_relationship", *FIELDS)
    assert rows == sorted(set(rows))
    return set(rows)


def both(one: tuple[int, int], other: tuple[int, int], there: int = HAS, back: int = OF) -> set[tuple[int, ...]]:
    """The two rows of a pair of (domain, fact)."""
    return {(*one, *other, there), (*other, *one, back)}


def test_both_directions_are_written(workshop: Workshop) -> None:
    made = workshop.map(BIOPSIES, patients=PATIENTS, tumours="id,tumour,seen,code\n1,1,01.01.2015,c")
    (procedure,), (specimen,) = (
        made.rows(t, f"{t}_id") for t in ("procedure_occurrence", "specimen")
    )  # fmt: skip
    assert pairs(made) == both((PROCEDURE, procedure), (SPECIMEN, specimen))
    assert made.record.events["fact_relationship"] == 2


def test_a_pair_of_which_a_fact_was_not_mapped_is_held_back_and_counted(workshop: Workshop) -> None:
    made = workshop.map(BIOPSIES, patients=PATIENTS, tumours=TUMOURS)
    assert made.counts("taken") == (4, 2, 2, 0)
    assert made.entry("taken").events == 2
    assert made.reasons("taken") == {"quarantined: biopsies not mapped": 1, "quarantined: samples not mapped": 1}
    assert len(pairs(made)) == 4


def test_the_domain_follows_where_each_fact_was_routed(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("c", 101), ("m", 501))
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, concept: {map: codes, value: code}, start: seen}
        - {fact: procedure, name: surgery, from: tumours, concept: excision, date: seen}
        - {fact: relationship, name: why, from: tumours, first: surgery, second: cancer, relationship: "OMOP:44818780 |Has due to|", reverse: Due to of}
        """,
        patients=PATIENTS,
        tumours=TUMOURS,
    )
    there = {(row[0], row[2]) for row in pairs(made)}
    assert there == {(PROCEDURE, CONDITION), (CONDITION, PROCEDURE), (PROCEDURE, OBSERVATION), (OBSERVATION, PROCEDURE)}
    observed = set(made.rows("observation", "observation_id"))
    assert {row[3] for row in pairs(made) if row[2] == OBSERVATION} == observed


def test_a_row_names_two_facts_of_one_rule_by_its_fields(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}
        - fact: relationship
          name: recurrences
          from: tumours
          first: cancer
          second: {rule: cancer, by: {id: id, earlier: tumour}}
          relationship: Has due to
        """,
        patients=PATIENTS,
        tumours="id,tumour,seen,earlier\n1,1,2015,\n1,2,2016,1\n1,3,2017,9\n1,4,2018,4",
    )
    of = {str(day)[:4]: (CONDITION, i) for i, day in made.rows("condition_occurrence", "condition_occurrence_id", "condition_start_date")}  # fmt: skip
    assert pairs(made) == both(of["2016"], of["2015"], 44818780, 44818878)
    assert made.reasons("recurrences") == {
        "excluded: empty": 1,
        "quarantined: cancer not mapped": 1,
        "quarantined: first and second are the same fact": 1,
    }


def test_pairs_of_a_table_of_links_are_written_once_and_of_one_person(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}
        - {fact: procedure, name: surgery, from: treatments, concept: excision, date: seen}
        - fact: relationship
          name: aims
          from: contents
          first: surgery
          second: {rule: cancer, by: {id: id, cancer_no: tumour}}
          relationship: Has due to
        """,
        keys={"contents": "row: {content: true}\nperson: [id]"},
        fields={"cancer_no": "{type: identifier}"},
        patients=PATIENTS,
        tumours="id,tumour,seen\n1,1,2015\n2,1,2015",
        treatments="id,treatment,seen\n1,t1,2016\n2,t2,2016",
        contents="id,treatment,cancer_no\n1,t1,1\n1,t1,1\n1,t2,1\n2,t2,1",
    )
    assert made.counts("aims") == (4, 3, 1, 0)
    assert made.reasons("aims") == {"quarantined: surgery is of another person": 1}
    assert len(pairs(made)) == 4


def test_an_encounter_that_was_rolled_up_is_related_by_its_visit(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("i", 9201), ("e", 9203))
    made = workshop.map(
        """
        - {fact: visit, name: encounters, from: stays, concept: {map: kinds, value: kind}, start: seen, end: left, roll_up: true}
        - {fact: procedure, name: surgery, from: treatments, concept: excision, date: seen}
        - {fact: relationship, name: during, from: treatments, first: surgery, second: encounters, relationship: Has due to}
        """,
        patients=PATIENTS,
        stays="id,stay,seen,left,kind\n1,a,01.01.2015,01.01.2015,e\n1,b,01.01.2015,05.01.2015,i",
        treatments="id,treatment,seen,stay\n1,t1,01.01.2015,a\n1,t2,02.01.2015,b",
    )
    (visit,) = made.rows("visit_occurrence", "visit_occurrence_id")
    assert {row[3] for row in pairs(made) if row[0] == PROCEDURE} == {visit}
    assert {row[2] for row in pairs(made) if row[0] == PROCEDURE} == {VISIT}


def test_a_relationship_is_no_event_of_the_person(workshop: Workshop) -> None:
    """It stretches no period, belies no death, and may not be left out of the time of observation."""
    made = workshop.map(BIOPSIES, patients=PATIENTS, tumours=TUMOURS)
    alone = workshop.map("\n".join(BIOPSIES.splitlines()[:-1]), patients=PATIENTS, tumours=TUMOURS)
    names = {f"{t}.parquet" for t in ("observation_period", "procedure_occurrence", "specimen", "cdm_source")}
    assert {n: b for n, b in made.table_bytes().items() if n in names} == {
        n: b for n, b in alone.table_bytes().items() if n in names
    }
    assert alone.rows("fact_relationship") == []
    _, message, _ = workshop.problem(
        BIOPSIES, patients=PATIENTS, tumours=TUMOURS, mapping="observation_periods: {without: [taken]}"
    )
    assert message == "the rule `taken` makes no events, so that none can be left out"


def test_the_rows_do_not_depend_on_the_order_of_the_file(workshop: Workshop) -> None:
    head, *rows = [line.strip() for line in TUMOURS.strip().splitlines()]
    one = workshop.map(BIOPSIES, patients=PATIENTS, tumours="\n".join([head, *rows])).table_bytes()
    other = workshop.map(BIOPSIES, patients=PATIENTS, tumours="\n".join([head, *reversed(rows)])).table_bytes()
    assert one["fact_relationship.parquet"] == other["fact_relationship.parquet"]


def test_the_plan_tells_both_directions(workshop: Workshop) -> None:
    workshop.write(BIOPSIES, patients=PATIENTS, tumours=TUMOURS)
    told = explain(workshop.project, SOURCE, "taken")
    assert "  first: biopsies\n  second: samples\n" in told
    assert f"  relationship: Has specimen ({HAS}), back: Specimen of ({OF})\n" in told
    assert told.endswith("-> fact_relationship")


TAKEN = "- {fact: relationship, name: taken, from: tumours, first: biopsies, second: samples, relationship: %s}"
FAULTS = [
    # rule in place of the last one, where the place begins, words of the message, words of the mend
    (TAKEN % "Has specimens", "Has specimens", "no relationship `Has specimens`", "did you mean `Has specimen`?"),
    (TAKEN % "Without concept", "Without", "no relationship `Without concept`", ""),
    (TAKEN % '"OMOP:1 |Has specimen|"', '"OMOP:1', "no relationship with concept 1", "relationship_id"),
    (TAKEN % '"OMOP:44818756 |Specimen|"', '"OMOP', "not called `Specimen`", "|Has specimen|"),
    (TAKEN % "Has specimen, reverse: Has due to", "Has due to", "the reverse of `Has specimen` is `Specimen of`", "leave it out"),
    (TAKEN % "Has specimen, reverse: Nothing", "Nothing", "no relationship `Nothing`", ""),
    (TAKEN % "Lost", "Lost", "does not say what the reverse of `Lost` is", ""),
    (TAKEN.replace("second: samples", "second: biopsies") % "Has specimen", "biopsies", "name the same fact of `biopsies`", "by: {…}"),
    (TAKEN.replace("second: samples", "second: sample") % "Has specimen", "sample", "there is no rule `sample`", "`samples`"),
    (TAKEN.replace("second: samples", "second: persons") % "Has specimen", "persons", "a person cannot be named here", ""),
    (TAKEN.replace("second: samples", "second: taken") % "Has specimen", "taken", "a relationship cannot be named here", ""),
    (TAKEN.replace("second: samples", "second: {rule: samples, by: {idd: id}}") % "Has specimen", "idd", "not a field of `tumours`", "`id`"),
    (TAKEN.replace("second: samples", "second: {rule: samples, by: {id: id}}") % "Has specimen", "{id: id}", "identified by `id` and `tumour`", "each of them"),
    (TAKEN.replace("from: tumours", "from: patients") % "Has specimen", "biopsies", "cannot be found from a row of `patients`", "id, tumour"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "place", "message", "mend"), FAULTS, ids=[str(n) for n in range(len(FAULTS))])
def test_a_fault_is_told_at_its_place_with_the_mend(
    workshop: Workshop, rule: str, place: str, message: str, mend: str
) -> None:
    rules = "\n".join([*BIOPSIES.splitlines()[:-1], rule])
    found = [p for p in workshop.problems(rules, patients=PATIENTS, tumours=TUMOURS) if p.severity == "error"]
    line = (workshop.project.root / found[0].file).read_text(encoding="utf-8").splitlines()[found[0].line - 1]
    assert line[found[0].column - 1 :].startswith(place), (found[0], line)
    assert message in found[0].message and mend in found[0].help


def test_a_vocabulary_without_relationships_is_told_with_the_mend(workshop: Workshop) -> None:
    (workshop.project.root / "mappings" / "vocabulary" / RELEASE / "RELATIONSHIP.parquet").unlink()
    place, message, mend = workshop.problem(BIOPSIES, patients=PATIENTS, tumours=TUMOURS)
    assert place.startswith("Has specimen")
    assert message == "the vocabulary workshop-1 has no RELATIONSHIP, so it knows no relationship of facts"
    assert "oncoweave vocab load" in mend

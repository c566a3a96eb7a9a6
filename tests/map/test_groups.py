"""Many rows to one fact, keys made of content, and facts that refer to facts of other tables."""

from __future__ import annotations

import itertools

import pytest

from oncoweave.omop.routing import FIELD_CONCEPT
from tests.map.workshop import Workshop

PATIENTS = "id,born\n1,12.03.1951\n2,1948"
ONE_PERSON = """
- {fact: person, name: persons, from: tumours, group: [id], birth: {date: born}}
"""


def test_a_field_that_differs_within_the_group_quarantines_all_its_rows(workshop: Workshop) -> None:
    made = workshop.map(
        "",
        persons=ONE_PERSON,
        tumours="id,tumour,born\n1,1,1950\n1,2,1951\n2,1,1960\n2,2,1960\n3,1,1970\n3,2,",
    )
    assert made.counts("persons") == (6, 2, 4, 0)
    assert made.reasons("persons") == {"quarantined: born: differs within the group": 4}
    assert sorted(made.quarantine()) == [(n, None, "born: differs within the group") for n in (2, 3, 6, 7)]
    assert made.rows("person", "year_of_birth") == [1960]


def test_an_aggregate_takes_one_value_of_a_group_that_differs(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: measurement, name: sizes, from: tumours, group: [id], date: min(seen), concept: size, value: max(size)}",
        patients=PATIENTS,
        tumours="id,tumour,seen,size\n1,1,02.01.2015,3\n1,2,01.01.2015,9\n1,3,01.01.2016,",
    )
    row = made.row("measurement")
    assert (str(row["measurement_date"]), row["value_as_number"]) == ("2015-01-01", 9.0)
    assert made.counts("sizes") == (3, 3, 0, 0)
    assert made.entry("sizes").events == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [("sum(size)", 12.5), ("count(size)", 2.0), ("first(size)", 3.5), ("last(size)", 9.0), ("min(size)", 3.5)],
)
def test_aggregates_of_numbers(workshop: Workshop, value: str, expected: float) -> None:
    made = workshop.map(
        "- {fact: measurement, name: sizes, from: tumours, group: [id], order: [tumour], date: min(seen), concept: size, "
        f"value: {value}}}",
        patients=PATIENTS,
        tumours='id,tumour,seen,size\n1,2,02.01.2015,9\n1,3,02.01.2015,\n1,1,02.01.2015,"3,5"',
    )
    assert made.rows("measurement", "value_as_number") == [expected]


def test_first_and_last_need_an_order(workshop: Workshop) -> None:
    text, message, mend = workshop.problem(
        "- {fact: measurement, name: sizes, from: tumours, group: [id], date: min(seen), concept: size, value: first(size)}",
        patients=PATIENTS,
        tumours="id,tumour,seen,size",
    )
    assert text.startswith("first(size)") and "needs `order:`" in message
    assert mend == ""


def test_an_aggregate_counts_only_what_its_case_lets_through(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - fact: condition
          name: cancer
          from: tumours
          group: [id]
          concept: breast_cancer
          start: min(case when site = 'C50' then seen end)
        """,
        patients=PATIENTS,
        tumours="id,tumour,seen,site\n1,1,01.01.2014,C34\n1,2,01.01.2015,C50\n2,1,01.01.2016,C34",
    )
    assert [str(d) for d in made.rows("condition_occurrence", "condition_start_date")] == ["2015-01-01"]
    assert made.reasons("cancer") == {"quarantined: start: missing": 1}


def test_the_condition_comes_before_the_grouping(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - fact: condition
          name: cancer
          from: tumours
          group: [id]
          where: site = 'C50'
          because: other site
          concept: breast_cancer
          start: seen
        """,
        patients=PATIENTS,
        tumours="id,tumour,seen,site\n1,1,01.01.2014,C34\n1,2,01.01.2015,C50\n1,3,01.01.2015,C50\n2,1,x,C34\n2,2,x,C50",
    )
    assert made.counts("cancer") == (5, 2, 1, 2)
    assert made.reasons("cancer") == {"excluded: other site": 2, "quarantined: seen: not a date": 1}
    (event,) = made.events("cancer")
    assert event["source_lines"] == [3, 4] and event["source_line"] == 3


def test_a_group_whose_key_misses_a_part_is_quarantined(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: condition, name: cancer, from: tumours, group: [id, site], concept: breast_cancer, start: min(seen)}",
        patients=PATIENTS,
        tumours="id,tumour,seen,site\n1,1,01.01.2014,\n1,2,01.01.2015,C50\n2,1,01.01.2015,",
    )
    assert made.reasons("cancer") == {"quarantined: key missing": 2}
    assert sorted(made.quarantine("cancer")) == [(2, None, "key missing"), (4, None, "key missing")]
    assert len(made.rows("condition_occurrence")) == 1


def test_held_rows_of_a_group_with_columns_are_listed_for_each_column(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - fact: measurement
          name: findings
          from: tumours
          group: [id]
          date: seen
          columns: {size: {concept: size}, nodes: {concept: nodes}}
        """,
        patients=PATIENTS,
        tumours="id,tumour,seen,size,nodes\n1,1,01.01.2014,1,2\n,2,01.01.2014,1,2\n2,1,01.01.2014,x,1",
    )
    for column in ("size", "nodes"):
        held = [line for line, found, _ in made.quarantine("findings") if found == column]
        assert len(held) == made.entry("findings", column).quarantined
    assert made.reasons("findings", "size") == {
        "quarantined: key missing": 1,
        "quarantined: size: not a number": 1,
    }


def test_held_rows_of_a_group_over_several_files_keep_their_own_place(workshop: Workshop) -> None:
    rules = """
    - {fact: measurement, name: sizes, from: tumours, group: [id], date: seen, concept: size, value: max(size)}
    """
    workshop.write(rules, patients=PATIENTS, tumours="id,tumour,seen,size\n2,1,01.01.2014,1\n1,1,x,5")
    source = workshop.folder / "source.yaml"
    source.write_text(source.read_text().replace("files: tumours.csv", "files: tumours*.csv"))
    more = workshop.project.root / "delivery" / "tumours_2.csv"
    more.write_text("id,tumour,seen,size\n1,2,x,5\n2,2,01.01.2014,3\n")
    made = workshop.run()
    held = made.held("sizes")
    assert held == [("tumours.csv", 3, "seen: not a date"), ("tumours_2.csv", 2, "seen: not a date")]
    (event,) = made.events("sizes")
    assert (event["source_file"], event["source_line"], event["source_lines"]) == ("tumours.csv", 2, [2, 3])


def test_rows_of_another_person_in_a_group_are_quarantined(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: condition, name: cancer, from: tumours, group: [site], concept: breast_cancer, start: min(seen)}",
        patients=PATIENTS,
        tumours="id,tumour,seen,site\n1,1,01.01.2014,a\n2,1,01.01.2014,a",
    )
    assert made.reasons("cancer") == {"quarantined: person: differs within the group": 2}


def test_a_duplicate_key_stays_out_of_the_group(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: measurement, name: sizes, from: tumours, group: [id], date: seen, concept: size, value: sum(size)}",
        patients=PATIENTS,
        tumours="id,tumour,seen,size\n1,1,01.01.2014,5\n1,1,01.01.2014,5\n1,2,01.01.2014,1",
    )
    assert made.reasons("sizes") == {"quarantined: duplicate key": 1}
    assert made.rows("measurement", "value_as_number") == [6.0]


GROUPED_PARENT = """
- {fact: condition, name: cancer, from: tumours, group: [id], concept: breast_cancer, start: min(seen)}
"""


def test_rows_refer_to_the_fact_of_their_group(workshop: Workshop) -> None:
    made = workshop.map(
        GROUPED_PARENT
        + "- {fact: measurement, name: sizes, from: tumours, modifies: cancer, date: seen, concept: size, value: size}",
        patients=PATIENTS,
        tumours="id,tumour,seen,size\n1,1,01.01.2014,5\n1,2,02.01.2014,6\n2,1,,7",
    )
    condition = made.row("condition_occurrence")["condition_occurrence_id"]
    assert made.rows("measurement", "measurement_event_id") == [condition, condition]
    assert made.counts("sizes") == (3, 2, 1, 0)


def test_groups_refer_to_groups(workshop: Workshop) -> None:
    made = workshop.map(
        GROUPED_PARENT
        + "- {fact: measurement, name: sizes, from: tumours, group: [id], modifies: cancer, date: min(seen), concept: size, value: max(size)}",
        patients=PATIENTS,
        tumours="id,tumour,seen,size\n1,1,01.01.2014,5\n1,2,02.01.2014,6",
    )
    condition = made.row("condition_occurrence")["condition_occurrence_id"]
    assert made.rows("measurement", "measurement_event_id", "value_as_number") == [(condition, 6.0)]


def test_a_finer_group_refers_to_a_coarser_one(workshop: Workshop) -> None:
    made = workshop.map(
        GROUPED_PARENT
        + "- {fact: measurement, name: sizes, from: tumours, group: [id, site], modifies: cancer, date: min(seen), concept: size, value: max(size)}",
        patients=PATIENTS,
        tumours="id,tumour,seen,size,site\n1,1,01.01.2014,5,a\n1,2,02.01.2014,6,b",
    )
    condition = made.row("condition_occurrence")["condition_occurrence_id"]
    assert made.rows("measurement", "measurement_event_id") == [condition, condition]


CONTENT_PERSONS = """
- {fact: person, name: persons, from: contents, birth: {year: 2000 - age}}
- {fact: condition, name: cancer, from: contents, concept: breast_cancer, start: seen}
- {fact: measurement, name: sizes, from: contents, modifies: cancer, date: seen, concept: size, value: size}
"""


def test_equal_rows_of_a_table_without_key_are_different_persons_whatever_their_order(workshop: Workshop) -> None:
    rows = ["50,01.01.2015,3", "50,01.01.2015,3", "50,01.01.2015,4", "50,01.01.2015,3"]
    tables = []
    for order in itertools.islice(itertools.permutations(rows), 0, 24, 7):
        made = workshop.map(CONTENT_PERSONS, persons="", contents="\n".join(["age,seen,size", *order]))
        assert len(set(made.rows("person", "person_id"))) == 4
        assert made.counts("sizes") == (4, 4, 0, 0)
        conditions = dict(made.rows("condition_occurrence", "condition_occurrence_id", "person_id"))
        assert {(e, p) for e, p in made.rows("measurement", "measurement_event_id", "person_id")} == set(
            conditions.items()
        )
        tables.append(made.table_bytes())
    assert all(t == tables[0] for t in tables)


def test_equal_rows_of_a_keyless_table_with_persons_elsewhere_are_facts_of_one_person(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: measurement, name: sizes, from: contents, date: seen, concept: size, value: size}",
        keys={"contents": "row: {content: true}\nperson: [id]"},
        patients=PATIENTS,
        contents="id,seen,size\n1,01.01.2015,3\n1,01.01.2015,3\n2,01.01.2015,3",
    )
    persons = made.rows("person", "person_id")
    assert set(made.rows("measurement", "person_id")) == set(persons)
    assert len(set(made.rows("measurement", "measurement_id"))) == 3
    assert made.counts("sizes") == (3, 3, 0, 0)


ACROSS = """
- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}
- {fact: drug, name: drugs, from: treatments, modifies: cancer, concept: tamoxifen, start: seen}
- {fact: measurement, name: doses, from: treatments, modifies: cancer, concept: size, date: seen, value: size}
"""


def test_a_row_of_another_table_refers_by_fields_of_the_same_name(workshop: Workshop) -> None:
    made = workshop.map(
        ACROSS,
        patients=PATIENTS,
        tumours="id,tumour,seen\n1,a,01.01.2015\n1,b,01.01.2016\n2,c,01.01.2015",
        keys={"tumours": "row: {fields: [tumour]}\nperson: [id]"},
        treatments="treatment,id,tumour,seen,size\nt1,1,b,01.02.2015,1\nt2,2,c,01.02.2015,2\nt3,1,z,01.02.2015,3\nt4,1,,01.02.2015,4",
    )
    conditions = {
        str(r["condition_start_date"]): r["condition_occurrence_id"] for r in made.rows("condition_occurrence")
    }
    by_dose = dict(made.rows("measurement", "value_as_number", "measurement_event_id"))
    assert by_dose[1.0] == conditions["2016-01-01"]
    assert made.reasons("doses") == {"quarantined: cancer not mapped": 2}
    assert set(made.rows("measurement", "meas_event_field_concept_id")) == {FIELD_CONCEPT["condition_occurrence"]}


def test_a_row_that_refers_to_the_fact_of_another_person_is_quarantined(workshop: Workshop) -> None:
    made = workshop.map(
        ACROSS,
        patients=PATIENTS,
        tumours="id,tumour,seen\n1,a,01.01.2015\n2,b,01.01.2016",
        keys={"tumours": "row: {fields: [tumour]}\nperson: [id]"},
        treatments="treatment,id,tumour,seen,size\nt1,1,b,01.02.2015,1\nt2,1,a,01.02.2015,2",
    )
    assert made.reasons("doses") == {"quarantined: cancer is of another person": 1}
    assert made.rows("measurement", "value_as_number") == [2.0]


EPISODES = """
- {fact: episode, name: disease, from: tumours, concept: disease_episode, object: breast_cancer, start: seen}
- fact: episode
  name: regimen
  from: tumours
  concept: treatment_regimen
  object: tamoxifen
  start: seen
  end: left
  number: line_no
  parent: disease
- {fact: condition, name: cancer, from: tumours, episode: disease, concept: breast_cancer, start: seen}
- {fact: drug, name: drugs, from: tumours, episode: regimen, concept: tamoxifen, start: seen}
"""


def test_episodes_have_parents_and_events(workshop: Workshop) -> None:
    made = workshop.map(
        EPISODES,
        patients=PATIENTS,
        tumours="id,tumour,seen,left,line_no\n1,1,01.01.2015,31.01.2015,1\n2,1,01.01.2015,,\n2,2,x,,",
    )
    kinds = {r["episode_id"]: r for r in made.rows("episode")}
    regimens = [r for r in kinds.values() if r["episode_concept_id"] == 601]
    assert len(regimens) == 2
    assert {kinds[r["episode_parent_id"]]["episode_concept_id"] for r in regimens} == {602}
    assert {kinds[r["episode_parent_id"]]["person_id"] == r["person_id"] for r in regimens} == {True}
    assert sorted((r["episode_number"] for r in regimens), key=str) == [1, None]
    drugs = {r["drug_exposure_id"] for r in made.rows("drug_exposure")}
    conditions = {r["condition_occurrence_id"] for r in made.rows("condition_occurrence")}
    for row in made.rows("episode_event"):
        kind = kinds[row["episode_id"]]["episode_concept_id"]
        wanted, field = (drugs, "drug_exposure") if kind == 601 else (conditions, "condition_occurrence")
        assert row["event_id"] in wanted and row["episode_event_field_concept_id"] == FIELD_CONCEPT[field]
    assert len(made.rows("episode_event")) == 4


def test_the_fields_of_a_persons_group_may_stand_in_any_order(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: person, name: people, from: tumours, group: [tumour, id], birth: {date: min(seen)}}",
        persons="",
        tumours="id,tumour,seen,line_no\n1,a,01.01.1950,1\n1,a,02.01.1951,2\n1,b,03.01.1960,3",
        keys={"tumours": "row: {fields: [id, tumour, line_no]}\nperson: [id, tumour]"},
    )
    assert sorted(made.rows("person", "year_of_birth")) == [1950, 1960]

"""What a code becomes: approved targets, several of them, none, companions of the value, and codes to be ignored."""

from __future__ import annotations

import pytest

from tests.map.workshop import Workshop

PATIENTS = "id,born\n1,12.03.1951\n2,1948"
FINDINGS = """
- fact: measurement
  name: findings
  from: tumours
  date: seen
  columns: {code: {concept: {map: codes}}}
"""


def tumours(*codes: str, header: str = "code") -> str:
    """One tumour a code, with further cells after it."""
    return "\n".join([f"id,tumour,seen,{header}", *(f"1,{n},01.01.2015,{code}" for n, code in enumerate(codes))])


def test_an_unlisted_an_unchecked_and_a_targetless_code_keep_their_row_with_concept_zero(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("a", 203), ("b", 204, "UNCHECKED"), ("c", 0))
    made = workshop.map(FINDINGS, patients=PATIENTS, tumours=tumours("a", "b", "c", "d", "d"))
    assert made.counts("findings", "code") == (5, 5, 0, 0)
    assert sorted(made.rows("measurement", "measurement_source_value", "measurement_concept_id")) == [
        ("a", 203), ("b", 0), ("c", 0), ("d", 0), ("d", 0),
    ]  # fmt: skip
    assert made.entry("findings", "code").unmapped == 4
    (count,) = made.record.unmapped
    assert (count.rule, count.column, count.concept_map, count.codes, count.events) == (
        "findings",
        "code",
        "codes",
        3,
        4,
    )


def test_one_code_with_two_targets_makes_two_facts_in_two_tables(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("both", 203), ("both", 101), ("one", 204))
    made = workshop.map(FINDINGS, patients=PATIENTS, tumours=tumours("both", "one"))
    entry = made.entry("findings", "code")
    assert (entry.read, entry.mapped, entry.events, entry.unmapped) == (2, 2, 3, 0)
    assert sorted(made.rows("measurement", "measurement_concept_id")) == [203, 204]
    (condition,) = made.rows("condition_occurrence")
    assert condition["condition_source_value"] == "both"
    ids = [*made.rows("measurement", "measurement_id"), condition["condition_occurrence_id"]]
    assert len(set(ids)) == 3


def test_two_targets_in_one_table_have_two_ids(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("both", 203), ("both", 204))
    made = workshop.map(FINDINGS, patients=PATIENTS, tumours=tumours("both"))
    assert len(set(made.rows("measurement", "measurement_id"))) == 2


def test_a_held_row_whose_code_has_two_targets_is_held_once(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("both", 203), ("both", 101))
    made = workshop.map(FINDINGS, patients=PATIENTS, tumours="id,tumour,seen,code\n1,1,x,both\n1,2,01.01.2015,both")
    assert made.counts("findings", "code") == (2, 1, 1, 0)
    assert made.quarantine() == [(2, "code", "seen: not a date")]


def test_only_the_first_target_is_what_others_refer_to(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("both", 101), ("both", 502))
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, concept: {map: codes, value: code}, start: seen}
        - {fact: measurement, name: sizes, from: tumours, modifies: cancer, date: seen, columns: {size: {concept: size}}}
        """,
        patients=PATIENTS,
        tumours=tumours("both,7", header="code,size"),
    )
    assert made.counts("sizes", "size") == (1, 1, 0, 0)
    assert (
        made.row("measurement")["measurement_event_id"] == made.row("condition_occurrence")["condition_occurrence_id"]
    )


@pytest.mark.parametrize("value_first", [False, True])
def test_a_value_target_fills_the_value_of_the_same_row_wherever_it_stands(
    workshop: Workshop, value_first: bool
) -> None:
    rows = [("er+", 205), ("er+", 701, "APPROVED", "MAPS_TO_VALUE")]
    workshop.concept_map("codes", *(reversed(rows) if value_first else rows))
    made = workshop.map(FINDINGS, patients=PATIENTS, tumours=tumours("er+"))
    row = made.row("measurement")
    assert (row["measurement_concept_id"], row["value_as_concept_id"]) == (205, 701)


def test_unit_and_operator_targets_fill_those_of_a_number(workshop: Workshop) -> None:
    workshop.concept_map(
        "codes",
        ("small", 201),
        ("small", 8588, "APPROVED", "MAPS_TO_UNIT"),
        ("small", 4171756, "APPROVED", "MAPS_TO_OPERATOR"),
    )
    made = workshop.map(
        """
        - {fact: measurement, name: sizes, from: tumours, date: seen, concept: {map: codes, value: code}, value: size}
        """,
        patients=PATIENTS,
        tumours=tumours("small,5", header="code,size"),
    )
    row = made.row("measurement")
    assert (row["value_as_number"], row["unit_concept_id"], row["operator_concept_id"]) == (5.0, 8588, 4171756)


def test_an_unchecked_companion_is_not_used(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("er+", 205), ("er+", 701, "UNCHECKED", "MAPS_TO_VALUE"))
    made = workshop.map(FINDINGS, patients=PATIENTS, tumours=tumours("er+"))
    assert made.row("measurement")["value_as_concept_id"] is None


def test_blanks_around_a_code_do_not_count_and_stay_in_the_source_value(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("a", 203))
    made = workshop.map(FINDINGS, patients=PATIENTS, tumours=tumours(" a "))
    row = made.row("measurement")
    assert (row["measurement_concept_id"], row["measurement_source_value"]) == (203, " a ")


def test_codes_that_look_like_numbers_are_looked_up_to_the_letter(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("007", 203), ("7", 204))
    made = workshop.map(FINDINGS, patients=PATIENTS, tumours=tumours("007", "7", "07"))
    found = dict(made.rows("measurement", "measurement_source_value", "measurement_concept_id"))
    assert found == {"007": 203, "7": 204, "07": 0}


def test_a_whole_number_can_be_looked_up(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("7", 203))
    made = workshop.map(
        FINDINGS, fields={"code": "{type: integer}"}, patients=PATIENTS, tumours=tumours("07", "8", "x")
    )
    found = dict(made.rows("measurement", "measurement_source_value", "measurement_concept_id"))
    assert found == {"07": 203, "8": 0}
    assert made.reasons("findings", "code") == {"quarantined: code: not a whole number": 1}


SEX = """
- {fact: person, name: persons, from: patients, birth: {date: born}, gender: {concept: {map: sex, value: sex}}}
"""


def test_a_person_is_never_dropped_for_the_sex(workshop: Workshop) -> None:
    workshop.concept_map("sex", ("F", 8532), ("M", 8507), ("M", 8532), ("9", 0, "IGNORED"), ("X", 8507, "UNCHECKED"))
    made = workshop.map(
        SEX, persons="", patients="id,born,sex\n1,1950,F\n2,1950,M\n3,1950,9\n4,1950,X\n5,1950,\n6,1950,other"
    )
    assert made.counts("persons") == (6, 6, 0, 0)
    found = sorted((r["gender_source_value"] or "", r["gender_concept_id"]) for r in made.rows("person"))
    assert found == [("", 0), ("9", 0), ("F", 8532), ("M", 8507), ("X", 0), ("other", 0)]
    assert len(set(made.rows("person", "person_id"))) == 6


def test_a_person_is_never_dropped_for_a_missing_sex_code(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - {fact: person, name: persons, from: patients, birth: {date: born},
           gender: {concept: {vocabulary: Gender, code: "85{sex}"}}}
        """,
        persons="",
        patients="id,born,sex\n1,1950,\n2,1950,32",
    )
    assert made.counts("persons") == (2, 2, 0, 0)


def test_an_episode_with_a_code_of_two_targets_is_one_episode(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("t", 601), ("t", 602))
    made = workshop.map(
        """
        - {fact: episode, name: courses, from: tumours, concept: {map: kinds, value: kind}, object: tamoxifen, start: seen}
        """,
        patients=PATIENTS,
        tumours=tumours("t", "u", header="kind"),
    )
    assert made.counts("courses") == (2, 2, 0, 0)
    assert sorted(made.rows("episode", "episode_concept_id")) == [0, 601]


UNITS = """
- fact: measurement
  name: sizes
  from: tumours
  date: seen
  concept: size
  value: size
  unit: {map: units, value: unit}
"""


def test_a_unit_is_zero_where_it_is_unmapped_and_null_where_it_is_empty_or_ignored(workshop: Workshop) -> None:
    workshop.concept_map("units", ("mm", 8588, "APPROVED", "MAPS_TO_UNIT"), ("cm", 8582), ("?", 0, "IGNORED"))
    made = workshop.map(
        UNITS,
        patients=PATIENTS,
        tumours=tumours("1,mm", "2,cm", "3,ell", "4,", "5,?", header="size,unit"),
    )
    assert made.counts("sizes") == (5, 5, 0, 0)
    found = sorted(made.rows("measurement", "value_as_number", "unit_concept_id", "unit_source_value"))
    assert found == [(1.0, 8588, "mm"), (2.0, 8582, "cm"), (3.0, 0, "ell"), (4.0, None, None), (5.0, None, "?")]
    assert [(c.rule, c.concept_map, c.codes, c.events) for c in made.record.unmapped] == [("sizes", "units", 1, 1)]


def test_an_ignored_value_status_or_route_leaves_the_fact(workshop: Workshop) -> None:
    workshop.concept_map("status", ("h", 901), ("u", 0, "IGNORED"))
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, status: {map: status, value: basis}}
        """,
        patients=PATIENTS,
        tumours=tumours("h", "u", "", "z", header="basis"),
    )
    found = made.rows("condition_occurrence", "condition_status_source_value", "condition_status_concept_id")
    assert sorted(found, key=str) == sorted([("h", 901), ("u", None), (None, None), ("z", 0)], key=str)


def test_codes_of_a_vocabulary_keep_their_own_concept_and_follow_its_standard_ones(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, start: seen, concept: {vocabulary: ICD10, code: "{icd}"}}
        """,
        patients=PATIENTS,
        tumours=tumours("C50", "c509", "Z85", "Q99", header="icd"),
    )
    entry = made.entry("cancer")
    assert (entry.mapped, entry.events, entry.unmapped) == (4, 5, 2)
    conditions = made.rows(
        "condition_occurrence", "condition_source_value", "condition_source_concept_id", "condition_concept_id"
    )
    assert sorted(conditions) == [("C50", 9001, 101), ("Q99", 0, 0), ("c509", 9002, 101)]
    observations = made.rows(
        "observation", "observation_source_value", "observation_source_concept_id", "observation_concept_id"
    )
    assert sorted(observations) == [("Z85", 9003, 0), ("c509", 9002, 502)]  # Z85 goes by its own domain


def test_one_code_lookup_serves_all_columns_of_a_rule(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - fact: measurement
          name: sizes
          from: tumours
          date: seen
          unit: {vocabulary: UCUM, code: "{unit}"}
          columns: {size: {concept: size}, nodes: {concept: nodes}}
        """,
        patients=PATIENTS,
        tumours=tumours("1,2,8588", header="size,nodes,unit"),
    )
    assert len(made.rows("measurement")) == 2

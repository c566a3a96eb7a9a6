"""The domain of the standard concept decides the table, and what refers to a fact follows it there."""

from __future__ import annotations

from oncoweave.omop.routing import FIELD_CONCEPT
from tests.map.workshop import Workshop

PATIENTS = "id,born\n1,12.03.1951\n2,1948"
ROWS = "id,tumour,seen,code,size\n1,1,01.01.2015,{},5\n1,2,01.01.2015,{},6"

CODED = """
- {fact: condition, name: cancer, from: tumours, concept: {map: codes, value: code}, start: seen}
- {fact: measurement, name: sizes, from: tumours, modifies: cancer, date: seen, columns: {size: {concept: size}}}
"""


def test_each_domain_goes_to_its_table_and_those_without_one_to_observation(workshop: Workshop) -> None:
    domains = {"c": 101, "m": 203, "p": 301, "d": 401, "o": 501, "s": 503}
    workshop.concept_map("codes", *domains.items())
    rows = "\n".join(f"1,{n},01.01.2015,{code}" for n, code in enumerate(domains))
    made = workshop.map(
        "- {fact: measurement, name: findings, from: tumours, date: seen, columns: {code: {concept: {map: codes}}}}",
        patients=PATIENTS,
        tumours=f"id,tumour,seen,code\n{rows}",
    )
    assert made.rows("condition_occurrence", "condition_concept_id") == [101]
    assert made.rows("measurement", "measurement_concept_id") == [203]
    assert made.rows("procedure_occurrence", "procedure_concept_id") == [301]
    assert made.rows("drug_exposure", "drug_concept_id") == [401]
    assert sorted(made.rows("observation", "observation_concept_id")) == [501, 503]


def test_an_unmapped_code_goes_where_the_rule_says_the_fact_is(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("a", 101))
    rules = "\n".join(
        f"- {{fact: {fact}, name: {fact}s, from: tumours, concept: {{map: codes, value: code}}, {date}: seen}}"
        for fact, date in [
            ("condition", "start"), ("measurement", "date"), ("observation", "date"), ("procedure", "date"), ("drug", "start"),
        ]
    )  # fmt: skip
    made = workshop.map(rules, patients=PATIENTS, tumours="id,tumour,seen,code\n1,1,01.01.2015,?")
    for table, field in [
        ("condition_occurrence", "condition"), ("measurement", "measurement"), ("observation", "observation"),
        ("procedure_occurrence", "procedure"), ("drug_exposure", "drug"),
    ]:  # fmt: skip
        assert made.rows(table, f"{field}_concept_id", f"{field}_source_value") == [(0, "?")]


def test_a_modifier_follows_its_routed_parent_row_by_row(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("cancer", 101), ("excision", 301))
    made = workshop.map(CODED, patients=PATIENTS, tumours=ROWS.format("cancer", "excision"))
    parents = {
        5.0: (made.row("condition_occurrence")["condition_occurrence_id"], FIELD_CONCEPT["condition_occurrence"]),
        6.0: (made.row("procedure_occurrence")["procedure_occurrence_id"], FIELD_CONCEPT["procedure_occurrence"]),
    }
    found = made.rows("measurement", "value_as_number", "measurement_event_id", "meas_event_field_concept_id")
    assert {value: (event, field) for value, event, field in found} == parents


def test_a_modifier_that_goes_to_observation_uses_its_own_event_fields(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("menopause", 501), ("grade", 203))
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}
        - {fact: measurement, name: findings, from: tumours, modifies: cancer, date: seen, columns: {code: {concept: {map: codes}}}}
        """,
        patients=PATIENTS,
        tumours=ROWS.format("menopause", "grade"),
    )
    conditions = made.rows("condition_occurrence", "condition_occurrence_id")
    observation, measurement = made.row("observation"), made.row("measurement")
    assert {observation["observation_event_id"], measurement["measurement_event_id"]} == set(conditions)
    assert observation["obs_event_field_concept_id"] == FIELD_CONCEPT["condition_occurrence"]
    assert measurement["meas_event_field_concept_id"] == FIELD_CONCEPT["condition_occurrence"]


def test_a_named_concept_of_the_domain_observation_takes_its_fact_to_observation(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: measurement, name: history, from: tumours, date: seen, concept: family_history, value: size}",
        patients=PATIENTS,
        tumours=ROWS.format("a", "b"),
    )
    assert sorted(made.rows("observation", "value_as_number")) == [5.0, 6.0]
    assert made.rows("measurement") == []


def test_a_condition_sent_elsewhere_keeps_its_date_and_source_value(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("tamoxifen", 401))
    made = workshop.map(
        "- {fact: condition, name: cancer, from: tumours, concept: {map: codes, value: code}, start: seen}",
        patients=PATIENTS,
        tumours="id,tumour,seen,code\n1,1,01.01.2015,tamoxifen",
    )
    row = made.row("drug_exposure")
    assert str(row["drug_exposure_start_date"]) == str(row["drug_exposure_end_date"]) == "2015-01-01"
    assert row["drug_source_value"] == "tamoxifen"


def test_a_chain_of_modifiers_refers_to_the_next_link(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - {fact: measurement, name: grade, from: tumours, modifies: sizes, date: seen, concept: grade_1}
        - {fact: measurement, name: sizes, from: tumours, modifies: cancer, date: seen, concept: size, value: size}
        - {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}
        """,
        patients=PATIENTS,
        tumours="id,tumour,seen,size\n1,1,01.01.2015,4\n1,2,01.01.2015,x",
    )
    by_concept = {r["measurement_concept_id"]: r for r in made.rows("measurement")}
    assert by_concept[203]["measurement_event_id"] == by_concept[201]["measurement_id"]
    assert by_concept[203]["meas_event_field_concept_id"] == FIELD_CONCEPT["measurement"]
    assert made.reasons("grade") == {"quarantined: sizes not mapped": 1}

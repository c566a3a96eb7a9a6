"""Visits and devices: a fact finds its visit by the fields that identify the visit, in its own table or in another."""

from __future__ import annotations

from tests.map.workshop import Workshop

PATIENTS = "id,born\n1,12.03.1951\n2,1948"
STAYS = "stay,id,code,seen,left\ns1,1,in,01.01.2015,04.01.2015\ns2,1,out,03.02.2015,\ns3,2,?,05.02.2015,05.02.2015"
VISITS = "- {fact: visit, name: stays, from: stays, concept: {map: kinds, value: code}, start: seen, end: left}\n"


def test_a_visit_ends_on_its_first_day_where_the_source_has_no_end(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 802), ("out", 803))
    made = workshop.map(VISITS, patients=PATIENTS, stays=STAYS)
    found = made.rows(
        "visit_occurrence", "visit_concept_id", "visit_start_date", "visit_end_date", "visit_source_value"
    )
    assert sorted((c, str(a), str(b), text) for c, a, b, text in found) == [
        (0, "2015-02-05", "2015-02-05", "?"),
        (802, "2015-01-01", "2015-01-04", "in"),
        (803, "2015-02-03", "2015-02-03", "out"),
    ]
    assert made.entry("stays").unmapped == 1


def test_facts_of_another_table_find_their_visit_by_its_key_and_stay_without_one(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 802), ("out", 803))
    made = workshop.map(
        VISITS + "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, visit: stays}",
        patients=PATIENTS,
        stays=STAYS,
        tumours="id,tumour,seen,stay\n1,1,01.01.2015,s1\n1,2,02.01.2015,s9\n2,1,03.01.2015,\n2,2,04.01.2015,s1",
    )
    visits = dict(made.rows("visit_occurrence", "visit_source_value", "visit_occurrence_id"))
    found = dict(made.rows("condition_occurrence", "condition_start_date", "visit_occurrence_id"))
    assert {str(day): visit for day, visit in found.items()} == {
        "2015-01-01": visits["in"],
        "2015-01-02": None,
        "2015-01-03": None,
        "2015-01-04": None,  # the stay is another person's
    }
    assert made.entry("cancer").quarantined == 0


def test_facts_of_the_visits_own_row_belong_to_it(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 802), ("out", 803))
    made = workshop.map(
        VISITS
        + "- {fact: device, name: ports, from: stays, concept: port_catheter, start: seen, end: left, visit: stays}",
        patients=PATIENTS,
        stays=STAYS,
    )
    visits = set(made.rows("visit_occurrence", "visit_occurrence_id"))
    assert set(made.rows("device_exposure", "visit_occurrence_id")) == visits
    assert made.rows("device_exposure", "device_concept_id") == [804, 804, 804]


def test_a_device_concept_takes_any_fact_to_the_devices(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("port", 804), ("excision", 301))
    made = workshop.map(
        "- {fact: procedure, name: acts, from: tumours, concept: {map: codes, value: code}, date: seen}",
        patients=PATIENTS,
        tumours="id,tumour,seen,code\n1,1,01.01.2015,port\n1,2,01.01.2015,excision",
    )
    assert made.rows("device_exposure", "device_concept_id", "device_source_value") == [(804, "port")]
    assert made.rows("procedure_occurrence", "procedure_concept_id") == [301]


def test_only_a_visit_can_be_named_as_a_visit(workshop: Workshop) -> None:
    rules = """
    - {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, kind: diagnosis}
    - {fact: measurement, name: sizes, from: tumours, date: seen, visit: cancer, columns: {size: {concept: size}}}
    """
    (problem,) = workshop.problems(rules, patients=PATIENTS, tumours="id,tumour,seen,size\n1,1,01.01.2015,5")
    assert "a condition cannot be named here: `cancer`" in problem.message

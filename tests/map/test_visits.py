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


def test_a_visit_says_where_the_person_came_from_and_went_to(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 9201), ("er", 9203), ("home", 0, "IGNORED"), ("?", 0, "UNCHECKED"))
    made = workshop.map(
        """
        - fact: visit
          name: stays
          from: stays
          concept: {map: kinds, value: code}
          start: seen
          admitted_from: {map: kinds, value: came}
          discharged_to: {map: kinds, value: went}
        """,
        patients=PATIENTS,
        stays="stay,id,code,seen,came,went\ns1,1,in,01.01.2015,er,home\ns2,1,in,01.02.2015,,?",
    )
    columns = [f"{key}_{kind}" for key in ("admitted_from", "discharged_to") for kind in ("concept_id", "source_value")]
    assert sorted(made.rows("visit_occurrence", *columns), key=str) == [(9203, "er", 0, "home"), (None, None, 0, "?")]


def test_each_visit_names_the_persons_visit_before_it(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 9201), ("out", 9202), ("?", 0, "UNCHECKED"))
    made = workshop.map(VISITS, patients=PATIENTS, stays=STAYS)
    found = {r["visit_source_value"]: r for r in made.rows("visit_occurrence")}
    before = {name: row["preceding_visit_occurrence_id"] for name, row in found.items()}
    assert before == {"in": None, "out": found["in"]["visit_occurrence_id"], "?": None}


def test_an_ongoing_inpatient_visit_lasts_until_the_delivery(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 9201), ("er", 9203), ("both", 262), ("?", 0, "UNCHECKED"))
    rows = ["s1,1,in,01.01.2024,", "s2,1,er,02.01.2024,", "s3,1,both,03.01.2024,", "s4,2,in,04.01.2024,05.01.2024"]
    rows += ["s5,2,in,01.03.2024,", "s6,2,?,01.01.2024,"]
    made = workshop.map(
        VISITS.replace("end: left", "end: left, without_end: ongoing"),
        patients=PATIENTS,
        stays="stay,id,code,seen,left\n" + "\n".join(rows),
    )
    found = made.rows("visit_occurrence", "visit_start_date", "visit_end_date")
    assert sorted((str(a)[5:], str(b)[5:]) for a, b in found) == [
        ("01-01", "01-01"),
        ("01-01", "01-31"),
        ("01-02", "01-02"),
        ("01-03", "01-31"),
        ("01-04", "01-05"),
        ("03-01", "03-01"),  # dated after the delivery
    ]
    assert made.record.imputed == {"visit_occurrence.end": {"ongoing": 3}}


def test_what_an_empty_end_means_needs_an_end(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 9201))
    rules = VISITS.replace("end: left", "without_end: ongoing")
    (problem,) = [p for p in workshop.problems(rules, patients=PATIENTS, stays=STAYS) if p.severity == "error"]
    assert "there is no `end`" in problem.message


WARDS = """
- {fact: visit_detail, name: wards, from: wards, concept: inpatient_stay, start: seen, end: left, source_value: ward, visit: stays}
"""
KEYS = {"wards": "row: {fields: [ward]}\nperson: [id]"}


def test_a_detail_lies_within_its_visit_and_is_held_back_without_one(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 9201), ("out", 9202), ("?", 0, "UNCHECKED"))
    beds = "- {fact: visit_detail, name: beds, from: beds, concept: inpatient_stay, start: seen, visit: stays, parent: wards}\n"
    cancer = (
        "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, visit_detail: wards}\n"
    )
    made = workshop.map(
        VISITS + WARDS + beds + cancer,
        patients=PATIENTS,
        stays=STAYS,
        wards="ward,id,seen,left,stay\nw1,1,01.01.2015,02.01.2015,s1\nw2,1,02.01.2015,04.01.2015,s1\nw3,1,01.01.2016,,s9\nw4,2,01.01.2015,,s1",
        beds="ward,bed,id,seen,stay\nw1,b1,1,01.01.2015,s1\nw9,b2,1,02.01.2015,s1\n",
        tumours="id,tumour,seen,ward\n1,1,01.01.2015,w2\n1,2,02.01.2015,w3",
        keys=KEYS | {"beds": "row: {fields: [bed]}\nperson: [id]"},
    )
    (stay,) = [r["visit_occurrence_id"] for r in made.rows("visit_occurrence") if r["visit_concept_id"] == 9201]
    details = {r["visit_detail_source_value"]: r for r in made.rows("visit_detail") if r["visit_detail_source_value"]}
    assert set(details) == {"w1", "w2"}
    assert {r["visit_occurrence_id"] for r in made.rows("visit_detail")} == {stay}
    assert details["w2"]["preceding_visit_detail_id"] is not None
    inner = [r["parent_visit_detail_id"] for r in made.rows("visit_detail") if r["visit_detail_source_value"] is None]
    assert sorted(inner, key=str) == sorted([details["w1"]["visit_detail_id"], None], key=str)
    assert made.reasons("wards") == {
        "quarantined: stays is of another person": 1,
        "quarantined: stays not mapped": 1,
    }
    found = made.rows("condition_occurrence", "condition_start_date", "visit_occurrence_id", "visit_detail_id")
    assert {str(day)[8:]: (visit, detail) for day, visit, detail in found} == {
        "01": (stay, details["w2"]["visit_detail_id"]),
        "02": (None, None),
    }


NESTED = "- {fact: visit_detail, name: wards, from: wards, concept: inpatient_stay, start: seen, source_value: ward, visit: stays, parent: %s}\n"


def test_a_detail_may_lie_within_another_of_its_own_rule(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 9201), ("out", 9202), ("?", 0, "UNCHECKED"))
    made = workshop.map(
        VISITS + NESTED % "{rule: wards, by: {within: ward}}",
        patients=PATIENTS,
        stays=STAYS,
        wards="""
            ward,id,seen,stay,within
            w1,1,01.01.2015,s1,
            w2,1,01.01.2015,s1,w1
            w3,1,02.01.2015,s1,w2
            w4,1,02.01.2015,s1,w9
            w5,1,02.01.2015,s1,w5
            w6,1,02.01.2015,s9,w1
            w7,1,02.01.2015,s1,w6
            w8,1,,s1,w1
        """,
        keys=KEYS,
    )
    rows = made.rows("visit_detail", "visit_detail_source_value", "visit_detail_id", "parent_visit_detail_id")
    names = {detail: name for name, detail, _ in rows}
    assert {name: names.get(parent) for name, _, parent in rows} == {
        "w1": None, "w2": "w1", "w3": "w2", "w4": None, "w5": None, "w7": None,
    }  # fmt: skip
    assert made.counts("wards") == (8, 6, 2, 0)


def test_a_detail_does_not_lie_within_itself(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 9201))
    wards = "ward,id,seen,stay,within\nw1,1,01.01.2015,s1,"
    found = workshop.problems(VISITS + NESTED % "wards", patients=PATIENTS, stays=STAYS, wards=wards, keys=KEYS)
    (problem,) = [p for p in found if p.severity == "error"]
    assert problem.message == "`wards` refers to `wards`, which leads back to it"
    assert problem.help == "say which fields tell the row that it lies within: {rule: wards, by: {…}}"

"""The health system's links and limits: other names of keys, providers of visits, what may not leave, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from oncoweave.compiler import compile_draft, read_inputs
from oncoweave.compiler.keys import event_salt, salt
from tests.map.test_health_system import DOCTORS, FIELDS, HOMES, HOSPITALS, KEYS, PATIENTS, RULES, STAYS, TABLES, mapped
from tests.map.workshop import SOURCE, Mapped, Workshop

ALONE = "- {fact: person, name: persons, from: patients, birth: {date: born}}\n"
CARE = "- {fact: provider, name: doctors, from: doctors, specialty: {map: skills, value: skill}}\n"
CANCER = "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, %s}\n"


def onc(made: Mapped) -> int:
    """The one provider with the specialty `onc`."""
    (found,) = {r["provider_id"] for r in made.rows("provider") if r["specialty_source_value"] == "onc"}
    return int(found)


def problem(workshop: Workshop, rules: str, **more: Any) -> tuple[str, str, str]:
    """The one problem of a mapping over the hospital's tables."""
    for name in ("kinds", "skills", "sexes"):
        workshop.concept_map(name)
    return workshop.problem(rules, **{"persons": ALONE, "keys": KEYS, "fields": FIELDS, **TABLES, **more})


def test_ids_are_keyed_and_do_not_depend_on_the_order_of_rows_or_rules(workshop: Workshop) -> None:
    turned = {
        name: "\n".join([text.splitlines()[0], *reversed(text.splitlines()[1:])]) + "\n"
        for name, text in TABLES.items()
    }
    first = mapped(workshop)
    kept = {table: first.rows(table) for table in ("location", "care_site", "provider", "person", "visit_occurrence")}
    rules = "\n".join(f"- {rule}" for rule in reversed(RULES.strip().removeprefix("- ").split("\n- "))) + "\n"
    again = mapped(workshop, rules, **turned)
    assert {table: again.rows(table) for table in kept} == kept
    ids = [row[f"{table}_id"] for table in ("location", "care_site", "provider") for row in kept[table]]
    assert len(set(ids)) == len(ids) == 7 and min(ids) > 2**32


def test_a_table_of_nobody_may_use_the_key_of_a_person(workshop: Workshop) -> None:
    """A hospital 1 must not tell the id of a patient 1, as it would if both were keyed alike but for a known salt."""
    rules = "- {fact: care_site, name: sites, from: hospitals, care_site_name: title}\n"
    made = workshop.map(
        rules,
        keys={"hospitals": "row: {fields: [id]}"},
        persons=ALONE,
        patients="id,born\n1,1950",
        hospitals="id,title\n1,General",
    )
    (person,), (site,) = made.rows("person", "person_id"), made.rows("care_site", "care_site_id")
    assert site ^ event_salt("sites", None) ^ salt("unit", SOURCE, "hospitals") != person
    assert made.record.warnings == ()


def test_a_key_of_another_name_is_found_through_a_join(workshop: Workshop) -> None:
    stays = "stay,id,seen,treats\ns1,1,01.01.2015,d1\ns2,2,02.01.2015,d7\n"
    rules = CARE + "- {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen, provider: doctors}"
    made = mapped(
        workshop, rules, ALONE, patients="id,born\n1,1950\n2,1960\n", doctors=DOCTORS, stays=stays,
        mapping="joins: [{from: stays, to: doctors, by: {treats: doctor}}]",
    )  # fmt: skip
    found = {str(day): link for day, link in made.rows("visit_occurrence", "visit_start_date", "provider_id")}
    assert found == {"2015-01-01": onc(made), "2015-01-02": None}


def test_a_key_of_another_name_is_found_by_naming_the_fields_alike(workshop: Workshop) -> None:
    """`header:` is the file's name of a column, so both tables may call theirs `doctor`."""
    stays = "stay,id,seen,TREATS\ns1,1,01.01.2015,d1\n"
    rules = CARE + "- {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen, provider: doctors}"
    for name in ("kinds", "sexes"):
        workshop.concept_map(name)
    workshop.concept_map("skills", ("onc", 805))
    given: dict[str, str] = {"patients": "id,born\n1,1950\n", "doctors": DOCTORS, "stays": stays}
    workshop.write(rules, persons=ALONE, keys=KEYS, fields=FIELDS, **given)
    path = workshop.folder / "source.yaml"
    path.write_text(path.read_text().replace("TREATS: {type: code}", "doctor: {type: identifier, header: TREATS}"))
    made = workshop.run()
    assert made.rows("visit_occurrence", "provider_id") == [onc(made)]


def test_the_provider_of_a_visit_that_is_found_by_date(workshop: Workshop) -> None:
    rules = RULES + CANCER % "visit: {rule: stays, by: date}, provider: from visit"
    tumours = "id,tumour,seen\n1,1,01.01.2015\n1,2,05.01.2015\n2,1,02.01.2015\n"
    made = mapped(workshop, rules, **TABLES, tumours=tumours)
    found = made.rows("condition_occurrence", "condition_start_date", "visit_occurrence_id", "provider_id")
    assert {str(day): (visit is not None, doctor) for day, visit, doctor in found} == {
        "2015-01-01": (True, onc(made)), "2015-01-05": (False, None), "2015-01-02": (True, None),
    }  # fmt: skip


def test_the_provider_of_an_encounter_that_was_rolled_up(workshop: Workshop) -> None:
    rules = RULES.replace("provider: doctors, care_site: hospitals}", "roll_up: true, provider: doctors}")
    stays = "stay,id,seen,doctor\ns1,1,01.01.2015,d1\ns2,1,03.01.2015,d2\n"
    tumours = "id,tumour,seen,stay\n1,1,01.01.2015,s1\n1,2,03.01.2015,s2\n"
    tables = {**TABLES, "stays": stays}
    made = mapped(workshop, rules + CANCER % "visit: stays, provider: from visit", **tables, tumours=tumours)
    details = {str(d): p for d, p in made.rows("visit_detail", "visit_detail_start_date", "provider_id")}
    assert details["2015-01-01"] == onc(made) and None not in details.values()
    facts = {str(d): p for d, p in made.rows("condition_occurrence", "condition_start_date", "provider_id")}
    assert facts == details
    assert set(made.rows("visit_occurrence", "provider_id")) == set(details.values())


def test_the_default_does_not_ask_for_visits_with_providers(workshop: Workshop) -> None:
    rules = "- {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen}\n"
    rules += CANCER % "visit: stays" + CANCER.replace("cancer", "again", 1) % "kind: diagnosis"
    made = workshop.map(
        rules,
        mapping="defaults: {provider: from visit}",
        patients="id,born\n1,1950\n",
        stays="stay,id,seen\ns1,1,01.01.2015\n",
        tumours="id,tumour,seen,stay\n1,1,01.01.2015,s1\n",
    )
    assert made.rows("condition_occurrence", "provider_id") == [None, None]


def test_a_visit_without_a_provider_cannot_lend_one(workshop: Workshop) -> None:
    visit = "- {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen}\n"
    tumours = "id,tumour,seen,stay\n1,1,01.01.2015,s1\n"
    found = problem(workshop, visit + CANCER % "visit: stays, provider: from visit", tumours=tumours)
    assert found == ("from visit}", "the visits of `stays` have no provider", "add `provider:` to that rule")
    found = problem(workshop, visit + CANCER % "provider: from visit", tumours=tumours)
    mend = "add `visit:`, or name a provider rule"
    assert found == ("from visit}", "a fact without a visit has no provider of it", mend)


REFUSED = [
    ("a street that is free text", HOMES.replace("city: city", "city: city, address_1: remark"), "remark"),
    ("a place told by an identifier", HOMES.replace("city: city", "city: city, zip: id").replace(", zip: zip", ""), "id"),
    ("a name that is free text", "- {fact: care_site, name: sites, from: hospitals, care_site_name: remark}", "remark"),
    ("a site's number", "- {fact: care_site, name: sites, from: hospitals, source_value: organization}", "organization"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "field"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_may_not_leave_is_refused(workshop: Workshop, rules: str, field: str) -> None:
    tables = {"patients": PATIENTS.replace("zip", "remark,zip"), "hospitals": HOSPITALS.replace("kind", "remark")}
    _, message, mend = problem(workshop, rules, **tables)
    assert message == f"free text and identifiers may not leave the site: {field}"
    assert mend == "leave it out, or declare the field in source.yaml as the code or number that it is"


WRONG = [
    (
        "- {fact: location, name: homes, from: patients, where: zip > '1', because: x}",
        "give at least one value, such as `state` or `zip`",
    ),
    (
        HOMES + "- {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen, provider: homes}",
        "a location cannot be named here: `homes`",
    ),
    (
        "- {fact: provider, name: doctors, from: doctors, specialty: breast_cancer}",
        "concept 101 is of the domain Condition",
    ),
    (
        "- {fact: location, name: homes, from: patients, country: inpatient_visit}",
        "concept 802 is of the domain Visit",
    ),
    (
        "- {fact: care_site, name: sites, from: hospitals, place_of_service: oncology}",
        "concept 805 is of the domain Provider",
    ),
    (
        CARE + "- {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen, care_site: sites}",
        "there is no rule `sites`",
    ),
]


@pytest.mark.parametrize(("rules", "message"), WRONG, ids=[w[1] for w in WRONG])
def test_a_wrong_rule_is_told_with_its_place(workshop: Workshop, rules: str, message: str) -> None:
    for name in ("kinds", "skills", "sexes"):
        workshop.concept_map(name)
    found = workshop.problems(rules, persons=ALONE, keys=KEYS, fields=FIELDS, **TABLES)
    assert [p.message for p in found if p.severity == "error" and message in p.message], found
    assert all(p.line for p in found)


def test_a_clinical_rule_cannot_read_a_table_that_tells_of_nobody(workshop: Workshop) -> None:
    keys = {**KEYS, "stays": "row: {fields: [stay]}\nperson: []"}
    rules = "- {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen}"
    found = problem(workshop, rules, keys=keys, stays=STAYS)
    assert found[1] == "the rows of `stays` tell of no person, and a visit is of a person"


def test_the_plan_says_where_the_provider_comes_from(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 802))
    workshop.concept_map("skills", ("onc", 805))
    workshop.concept_map("sexes", ("f", 8532))
    tumours = "id,tumour,seen,stay\n1,1,01.01.2015,s1\n"
    rules = RULES + CANCER % "visit: stays, provider: from visit"
    workshop.write(rules, keys=KEYS, fields=FIELDS, tumours=tumours, **TABLES)
    plan = str(compile_draft(read_inputs(workshop.project, SOURCE)).plan)
    assert "provider: that of visit" in plan
    assert "specialty: concept map skills of skill" in plan
    assert plan.index("rule homes") < plan.index("rule persons") < plan.index("rule stays")


def test_a_region_is_told_by_the_beginning_of_a_zip_code_and_a_ward_by_its_visits(workshop: Workshop) -> None:
    rules = """
    - {fact: location, name: homes, from: patients, zip: 'substring(zip, 1, 3)'}
    - {fact: care_site, name: sites, from: stays, group: [ward], source_value: ward}
    - {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen, care_site: sites}
    """
    made = workshop.map(
        rules,
        persons=ALONE.replace("born}", "born}, location: homes"),
        patients="id,born,zip\n1,1950,70173\n2,1960,70199\n3,1970,69117\n",
        stays="stay,id,seen,ward\ns1,1,01.01.2015,A\ns2,2,02.01.2015,A\ns3,3,02.01.2015,B\n",
    )
    homes = dict(made.rows("location", "location_id", "zip"))
    assert sorted(homes.values()) == ["691", "701"]
    assert [homes[i] for _, i in sorted(made.rows("person", "year_of_birth", "location_id"))] == ["701", "701", "691"]
    sites = dict(made.rows("care_site", "care_site_id", "care_site_source_value"))
    assert sorted(sites[i] for i in made.rows("visit_occurrence", "care_site_id")) == ["A", "A", "B"]

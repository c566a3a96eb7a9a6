"""The health system: places, sites and staff are of no person; persons, visits and facts find them by their keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.map.workshop import Mapped, Workshop

FIELDS = {
    "organization": "{type: identifier}",
    "doctor": "{type: identifier}",
    "lat": "{type: number}",
    "lon": "{type: number}",
    "year": "{type: integer}",
    "remark": "{type: text}",
}
KEYS = {
    "hospitals": "row: {fields: [organization]}",
    "doctors": "row: {fields: [doctor]}",
    "places": "row: {content: true}",
}
PATIENTS = (
    "id,born,city,zip,doctor,organization\n1,1950,Bath,12,d1,o1\n2,1960,Bath,12,d9,\n3,1970,Wells,,,o1\n4,1980,,,,\n"
)
HOSPITALS = "organization,title,kind,city,zip\no1,General,in,Bath,12\no2,Other,?,Bath,12\no3,Third,,,\n"
DOCTORS = "doctor,organization,skill,sex,year\nd1,o1,onc,f,1961\nd2,o8,?,,\n"
STAYS = "stay,id,seen,doctor,organization\ns1,1,01.01.2015,d1,o1\ns2,2,02.01.2015,d7,o9\n"
PERSONS = """
- {fact: person, name: persons, from: patients, birth: {date: born}, location: homes, provider: doctors, care_site: hospitals}
"""
HOMES = "- {fact: location, name: homes, from: patients, city: city, zip: zip}\n"
RULES = (
    HOMES
    + """\
- {fact: location, name: sites, from: hospitals, city: city, zip: zip}
- fact: care_site
  name: hospitals
  from: hospitals
  care_site_name: title
  place_of_service: {map: kinds, value: kind}
  location: sites
- fact: provider
  name: doctors
  from: doctors
  specialty: {map: skills, value: skill}
  gender: {concept: {map: sexes, value: sex}}
  year_of_birth: year
  care_site: hospitals
- {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen, provider: doctors, care_site: hospitals}
"""
)
TABLES = {"patients": PATIENTS, "hospitals": HOSPITALS, "doctors": DOCTORS, "stays": STAYS}


def mapped(workshop: Workshop, rules: str = RULES, persons: str = PERSONS, **tables: Any) -> Mapped:
    """The workshop's run over the hospital's tables, or those that are given."""
    workshop.concept_map("kinds", ("in", 802))
    workshop.concept_map("skills", ("onc", 805))
    workshop.concept_map("sexes", ("f", 8532))
    given: dict[str, Any] = {"persons": persons, "keys": KEYS, "fields": FIELDS, **(tables or TABLES)}
    return workshop.map(rules, **given)


def places(made: Mapped) -> dict[int, tuple[Any, ...]]:
    """The locations by id."""
    return {row[0]: row[1:] for row in made.rows("location", "location_id", "city", "zip")}


def test_rows_that_tell_the_same_place_are_one_location_in_all_tables(workshop: Workshop) -> None:
    made = mapped(workshop)
    assert sorted(places(made).values(), key=str) == [("Bath", "12"), ("Wells", None)]
    by_year = {y: places(made).get(i) for y, i in made.rows("person", "year_of_birth", "location_id")}
    assert by_year == {1950: ("Bath", "12"), 1960: ("Bath", "12"), 1970: ("Wells", None), 1980: None}
    assert made.counts("homes") == (4, 3, 0, 1)
    assert made.reasons("homes") == {"excluded: empty": 1}


def test_sites_and_staff_are_rows_of_their_own_with_links(workshop: Workshop) -> None:
    made = mapped(workshop)
    sites = {row["care_site_name"]: row for row in made.rows("care_site")}
    assert {n: places(made).get(r["location_id"]) for n, r in sites.items()} == {
        "General": ("Bath", "12"), "Other": ("Bath", "12"), "Third": None,
    }  # fmt: skip
    concepts = {
        n: (r["place_of_service_concept_id"], r["place_of_service_source_value"], r["care_site_source_value"])
        for n, r in sites.items()
    }
    assert concepts == {"General": (802, "in", None), "Other": (0, "?", None), "Third": (None, None, None)}
    staff = {row["specialty_source_value"]: row for row in made.rows("provider")}
    assert staff["onc"]["specialty_concept_id"] == 805 and staff["?"]["specialty_concept_id"] == 0
    assert staff["onc"]["care_site_id"] == sites["General"]["care_site_id"] and staff["?"]["care_site_id"] is None
    assert [staff[k]["gender_concept_id"] for k in ("onc", "?")] == [8532, None]
    assert [staff[k]["year_of_birth"] for k in ("onc", "?")] == [1961, None]
    assert all(
        row[k] is None for row in staff.values() for k in ("provider_name", "npi", "dea", "provider_source_value")
    )
    assert made.counts("doctors") == (2, 2, 0, 0) and made.entry("doctors").unmapped == 1
    assert made.record.warnings == ()


def test_persons_and_visits_stay_where_what_they_name_is_not_mapped(workshop: Workshop) -> None:
    made = mapped(workshop)
    (site,) = {r["care_site_id"] for r in made.rows("care_site") if r["care_site_name"] == "General"}
    (doctor,) = {r["provider_id"] for r in made.rows("provider") if r["specialty_source_value"] == "onc"}
    persons = {row[0]: row[1:] for row in made.rows("person", "year_of_birth", "provider_id", "care_site_id")}
    assert persons == {1950: (doctor, site), 1960: (None, None), 1970: (None, site), 1980: (None, None)}
    visits = {
        str(r[0]): r[1:] for r in made.rows("visit_occurrence", "visit_start_date", "provider_id", "care_site_id")
    }
    assert visits == {"2015-01-01": (doctor, site), "2015-01-02": (None, None)}
    assert made.counts("persons") == (4, 4, 0, 0) and made.counts("stays") == (2, 2, 0, 0)


def test_events_of_the_health_system_are_of_no_person(workshop: Workshop) -> None:
    made = mapped(workshop)
    assert {e["person_id"] for rule in ("homes", "sites", "hospitals", "doctors") for e in made.events(rule)} == {None}


def test_a_place_of_a_person_who_is_not_mapped_is_held_back(workshop: Workshop) -> None:
    persons = PERSONS.replace("birth:", "where: zip = '12', because: no consent, birth:")
    made = mapped(workshop, persons=persons)
    assert sorted(places(made).values()) == [("Bath", "12")]
    assert made.reasons("homes") == {"quarantined: person not mapped": 2}
    assert made.counts("homes") == (4, 2, 2, 0)


GROUPED = """
- {fact: location, name: homes, from: patients, group: [city, zip], city: city, zip: zip}
"""


def test_a_group_of_several_fields_may_miss_some_of_them_but_not_all(workshop: Workshop) -> None:
    persons = "- {fact: person, name: persons, from: patients, birth: {date: born}, location: homes}\n"
    patients = "id,born,city,zip\n1,1950,Bath,12\n2,1960,Bath,\n3,1970,,12\n4,1980,,\n5,1990,Bath,\n"
    made = mapped(workshop, GROUPED, persons, patients=patients)
    by_year = {y: places(made).get(i) for y, i in made.rows("person", "year_of_birth", "location_id")}
    assert by_year == {
        1950: ("Bath", "12"), 1960: ("Bath", None), 1970: (None, "12"), 1980: None, 1990: ("Bath", None),
    }  # fmt: skip
    assert made.counts("homes") == (5, 4, 0, 1)
    assert made.reasons("homes") == {"excluded: empty": 1}


def test_a_site_may_come_from_the_rows_of_visits(workshop: Workshop) -> None:
    rules = """
    - {fact: care_site, name: sites, from: stays, group: [organization], source_value: first(ward), order: [ward]}
    - {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen, care_site: sites}
    """
    persons = "- {fact: person, name: persons, from: patients, birth: {date: born}}\n"
    stays = "stay,id,seen,organization,ward\ns1,1,01.01.2015,o1,a\ns2,2,02.01.2015,o1,b\ns3,1,03.01.2015,,c\ns4,9,04.01.2015,o2,d"
    made = mapped(workshop, rules, persons, patients="id,born\n1,1950\n2,1960", stays=stays)
    (site,) = made.rows("care_site")
    assert site["care_site_source_value"] == "a"
    links = {str(d): i for d, i in made.rows("visit_occurrence", "visit_start_date", "care_site_id")}
    assert links == {"2015-01-01": site["care_site_id"], "2015-01-02": site["care_site_id"], "2015-01-03": None}
    assert made.reasons("sites") == {"excluded: empty": 1, "quarantined: person not mapped": 1}


FACTS = """
- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, visit: stays%s}
"""


@pytest.mark.parametrize(("own", "mapping"), [(", provider: from visit", ""), ("", "defaults: {provider: from visit}")])
def test_a_fact_takes_the_provider_of_its_visit_where_the_mapping_says_so(
    workshop: Workshop, own: str, mapping: str
) -> None:
    tumours = "id,tumour,seen,stay\n1,1,01.01.2015,s1\n2,1,02.01.2015,s2\n2,2,03.01.2015,\n"
    made = mapped(workshop, RULES + FACTS.strip() % own, mapping=mapping, tumours=tumours, **TABLES)
    (doctor,) = {r["provider_id"] for r in made.rows("provider") if r["specialty_source_value"] == "onc"}
    found = {str(d): p for d, p in made.rows("condition_occurrence", "condition_start_date", "provider_id")}
    assert found == {"2015-01-01": doctor, "2015-01-02": None, "2015-01-03": None}


def test_a_fact_of_the_visits_own_row_takes_its_provider_too(workshop: Workshop) -> None:
    port = "- {fact: device, name: ports, from: stays, concept: port_catheter, start: seen, visit: stays, provider: from visit}"
    made = mapped(workshop, RULES + port)
    visits = dict(made.rows("visit_occurrence", "visit_occurrence_id", "provider_id"))
    assert dict(made.rows("device_exposure", "visit_occurrence_id", "provider_id")) == visits


def test_a_provider_of_its_own_goes_before_that_of_the_visit(workshop: Workshop) -> None:
    tumours = "id,tumour,seen,stay,doctor\n1,1,01.01.2015,s1,d2\n"
    rules = RULES + FACTS.strip() % ", provider: doctors"
    made = mapped(workshop, rules, mapping="defaults: {provider: from visit}", tumours=tumours, **TABLES)
    (doctor,) = {r["provider_id"] for r in made.rows("provider") if r["specialty_source_value"] == "?"}
    assert made.rows("condition_occurrence", "provider_id") == [doctor]

"""Which codes stand in a resource: the standard one, then the source's own, never one that nobody gave."""

from __future__ import annotations

from tests.fhir_out.written import mapped, resource, resources, told
from tests.map.workshop import Workshop

ICD10 = "http://hl7.org/fhir/sid/icd-10"
RULE = "- {{fact: condition, name: diagnosis, from: patients, start: seen, concept: {concept}}}"
CODE = "{vocabulary: ICD10, code: '{icd}'}"


def patients(icd: str) -> str:
    return f'id,born,seen,icd\nA,1950,05.06.2019,"{icd}"\n'


def test_the_standard_code_comes_before_that_of_the_source(workshop: Workshop) -> None:
    done = mapped(workshop, RULE.format(concept=CODE), patients=patients("C50"))
    assert resource(done, "Condition")["code"] == {
        "coding": [
            {"system": "http://snomed.info/sct", "code": "101", "display": "Breast cancer"},
            {"system": ICD10, "code": "C50", "display": "C50 Malignant neoplasm of breast"},
        ]
    }


def test_a_code_that_leads_nowhere_keeps_its_own_coding_and_the_text(workshop: Workshop) -> None:
    done = mapped(workshop, RULE.format(concept=CODE), patients=patients("Z85"))
    assert told(done, "Observation", "code") == {
        "code": {"coding": [{"system": ICD10, "code": "Z85", "display": "Z85 no standard"}], "text": "Z85"}
    }


def test_a_code_that_the_vocabulary_does_not_have_is_text_and_nothing_else(workshop: Workshop) -> None:
    done = mapped(workshop, RULE.format(concept=CODE), patients=patients("X99 odd"))
    assert resource(done, "Condition")["code"] == {"text": "X99 odd"}


def test_one_code_with_two_targets_is_two_resources(workshop: Workshop) -> None:
    done = mapped(workshop, RULE.format(concept=CODE), patients=patients("C50.9"))
    codes = [resource(done, type_)["code"]["coding"] for type_ in ("Condition", "Observation")]
    assert [[c["code"] for c in coding] for coding in codes] == [["101", "C50.9"], ["502", "C50.9"]]
    assert resource(done, "Condition")["id"] != resource(done, "Observation")["id"]


def test_a_local_code_has_the_system_of_its_concept_map_only_where_it_leads_to_a_concept(workshop: Workshop) -> None:
    workshop.concept_map("site", ("l", 101), ("odd one", 0, "UNCHECKED"))
    rows = "id,born,seen,icd\nA,1950,05.06.2019,l\nB,1950,05.06.2019,odd one\n"
    done = mapped(workshop, RULE.format(concept="{map: site, value: icd}"), patients=rows)
    codes = sorted((one["code"] for one in resources(done, "Condition")), key=str)
    assert codes == [
        {
            "coding": [
                {"system": "http://snomed.info/sct", "code": "101", "display": "Breast cancer"},
                {"system": "urn:oncoweave:clinic:site", "code": "l"},
            ]
        },
        {"text": "odd one"},
    ]


def test_a_vocabulary_without_a_system_is_told_by_the_id_of_omop(workshop: Workshop) -> None:
    rules = "- {fact: measurement, name: grade, from: patients, concept: grade_2, date: seen}"
    done = mapped(workshop, rules, patients=patients(""))
    coding = {"system": "http://fhir.ohdsi.org/CodeSystem/concepts", "code": "204", "display": "Grade 2"}
    assert told(done, "Observation", "code") == {"code": {"coding": [coding]}}


def test_the_class_of_an_encounter_is_that_of_its_concept(workshop: Workshop) -> None:
    workshop.concept_map("kinds", ("in", 9201), ("out", 9202), ("er", 9203), ("both", 262), ("home", 581476), ("?", 0, "UNCHECKED"))  # fmt: skip
    rules = "- {fact: visit, name: visits, from: stays, concept: {map: kinds, value: kind}, start: seen, end: left, without_end: ongoing}"
    kinds = ("in", "out", "er", "both", "home", "?")
    stays = "id,stay,kind,seen,left\n" + "".join(
        f"A,{n},{kind},0{n + 1}.06.2019,0{n + 2}.06.2019\n" for n, kind in enumerate(kinds)
    )
    done = mapped(workshop, rules, patients="id,born\nA,1950\n", stays=stays)
    found = sorted(resources(done, "Encounter"), key=lambda one: str(one["period"]["start"]))
    assert [one["class"].get("code") for one in found] == ["IMP", "AMB", "EMER", "OBSENC", "HH", None]
    assert "extension" in found[-1]["class"]
    assert {one["status"] for one in found} == {"finished"}
    assert found[0]["period"] == {"start": "2019-06-01", "end": "2019-06-02"}


def test_a_visit_that_goes_on_has_no_end(workshop: Workshop) -> None:
    rules = "- {fact: visit, name: visits, from: stays, concept: inpatient_stay, start: seen, end: left, without_end: ongoing}"
    done = mapped(workshop, rules, patients="id,born\nA,1950\n", stays="id,stay,seen,left\nA,1,05.06.2019,\n")
    encounter = resource(done, "Encounter")
    assert (encounter["status"], encounter["period"]) == ("in-progress", {"start": "2019-06-05"})


def test_what_happens_in_a_visit_refers_to_it(workshop: Workshop) -> None:
    rules = """
        - {fact: visit, name: visits, from: stays, concept: inpatient_stay, start: seen, end: left}
        - {fact: condition, name: diagnosis, from: stays, concept: breast_cancer, start: seen, visit: visits}
    """
    done = mapped(workshop, rules, patients="id,born\nA,1950\n", stays="id,stay,seen,left\nA,1,05.06.2019,06.06.2019\n")
    assert resource(done, "Condition")["encounter"] == {"reference": f"Encounter/{resource(done, 'Encounter')['id']}"}

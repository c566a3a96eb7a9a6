"""Each kind of fact as a resource, by hand."""

from __future__ import annotations

import pytest

from tests.fhir_out.written import left_out, mapped, resource, resources, told
from tests.map.workshop import Workshop

PERSON = "id,born\nA,03.02.1950\n"
SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
OMOP = "http://fhir.ohdsi.org/CodeSystem/concepts"
DATED = {"mg": "{type: number}", "text": "{type: code}", "at": '{type: timestamp, formats: ["%d.%m.%Y %H:%M"]}'}


@pytest.mark.parametrize(("sex", "gender"), [("f", "female"), ("m", "male"), ("?", "unknown"), ("", "unknown")])
def test_gender_is_that_of_the_standard_concept(workshop: Workshop, sex: str, gender: str) -> None:
    workshop.concept_map("sex", ("f", 8532), ("m", 8507))
    persons = "\n- {fact: person, name: persons, from: patients, birth: {date: born}, gender: {concept: {map: sex, value: sex}}}\n"
    done = mapped(workshop, "", persons=persons, patients=f"id,born,sex\nA,03.02.1950,{sex}\n")
    assert told(done, "Patient") == {"gender": gender, "birthDate": "1950-02-03"}
    assert resource(done, "Patient")["id"] == str(done.row("person")["person_id"])


@pytest.mark.parametrize(("born", "known"), [("03.02.1950", "1950-02-03"), ("02.1950", "1950-02"), ("1950", "1950")])
def test_a_birth_is_known_as_exactly_as_the_source_knows_it(workshop: Workshop, born: str, known: str) -> None:
    assert told(mapped(workshop, "", patients=f"id,born\nA,{born}\n"), "Patient", "birthDate") == {"birthDate": known}


@pytest.mark.parametrize(("seen", "known"), [("05.06.2019", "2019-06-05"), ("06.2019", "2019-06"), ("2019", "2019")])
def test_a_diagnosis_is_confirmed_and_starts_as_exactly_as_is_known(workshop: Workshop, seen: str, known: str) -> None:
    rules = "- {fact: condition, name: diagnosis, from: patients, concept: breast_cancer, start: seen}"
    done = mapped(workshop, rules, patients=f"id,born,seen\nA,1950,{seen}\n")
    assert told(done, "Condition") == {
        "verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]},
        "code": {"coding": [{"system": SNOMED, "code": "101", "display": "Breast cancer"}]},
        "onsetDateTime": known,
    }  # fmt: skip
    condition = resource(done, "Condition")
    row = done.row("condition_occurrence")
    assert (condition["id"], condition["subject"]) == (
        str(row["condition_occurrence_id"]),
        {"reference": f"Patient/{row['person_id']}"},
    )


def test_a_condition_that_has_ended_is_inactive(workshop: Workshop) -> None:
    rules = "- {fact: condition, name: diagnosis, from: patients, concept: breast_cancer, start: seen, end: left}"
    done = mapped(workshop, rules, patients="id,born,seen,left\nA,1950,05.06.2019,07.2020\n")
    status = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "inactive"}]}
    assert told(done, "Condition", "clinicalStatus", "abatementDateTime") == {
        "clinicalStatus": status,
        "abatementDateTime": "2020-07",
    }


def test_a_finding_has_number_unit_range_comparator_and_focus(workshop: Workshop) -> None:
    rules = """
        - {fact: condition, name: diagnosis, from: patients, concept: breast_cancer, start: seen}
        - {fact: measurement, name: size, from: patients, concept: size, date: seen, value: mg, unit: milligram, operator: below,
           range_low: mg - 1, range_high: mg * 3, modifies: diagnosis}
    """
    done = mapped(workshop, rules, fields=DATED, patients="id,born,seen,mg\nA,1950,05.06.2019,0.1\n")
    unit = {"unit": "milligram", "system": UCUM, "code": "mg"}
    assert told(done, "Observation") == {
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "201", "display": "Size"}]},
        "focus": [{"reference": f"Condition/{done.row('condition_occurrence')['condition_occurrence_id']}"}],
        "effectiveDateTime": "2019-06-05",
        "valueQuantity": {"value": 0.1, "comparator": "<", **unit},
        "referenceRange": [{"low": {"value": -0.9, **unit}, "high": {"value": 0.3, **unit}}],
    }


def test_a_number_in_a_unit_without_a_ucum_code_has_its_text(workshop: Workshop) -> None:
    workshop.concept_map("units", ("furlong", 0, "UNCHECKED"))
    rules = "- {fact: measurement, name: size, from: patients, concept: size, date: seen, value: mg, unit: {map: units, value: text}}"
    done = mapped(workshop, rules, fields=DATED, patients="id,born,seen,mg,text\nA,1950,05.06.2019,25,furlong\n")
    assert told(done, "Observation", "valueQuantity") == {"valueQuantity": {"value": 25, "unit": "furlong"}}


def test_a_value_with_a_concept_is_a_codeable_concept_with_the_words_of_the_source(workshop: Workshop) -> None:
    workshop.concept_map("answers", ("pos", 701))
    rules = """
        - {fact: measurement, name: receptor, from: patients, concept: receptor, date: seen, value: text,
           value_concept: {map: answers, value: text}}
    """
    done = mapped(
        workshop, rules, fields=DATED, patients="id,born,seen,text\nA,1950,05.06.2019,pos\nB,1950,05.06.2019,odd\n"
    )
    values = sorted((one["valueCodeableConcept"] for one in resources(done, "Observation")), key=str)
    assert values == [
        {"coding": [{"system": SNOMED, "code": "701", "display": "Positive"}], "text": "pos"},
        {"text": "odd"},
    ]


def test_the_words_of_an_observation_are_a_string_where_omop_has_them(workshop: Workshop) -> None:
    rules = "- {fact: observation, name: family, from: patients, concept: family_history, date: seen, value: text}"
    done = mapped(workshop, rules, fields=DATED, patients="id,born,seen,text\nA,1950,05.06.2019,mother\n")
    assert done.row("observation")["value_as_string"] == "mother"
    assert told(done, "Observation", "valueString") == {"valueString": "mother"}


def test_a_procedure_with_an_end_has_a_period(workshop: Workshop) -> None:
    rules = "- {fact: procedure, name: excision, from: patients, concept: excision, date: seen, end: left}"
    done = mapped(workshop, rules, patients="id,born,seen,left\nA,1950,05.06.2019,06.06.2019\n")
    assert told(done, "Procedure", "status", "performedPeriod", "performedDateTime") == {
        "status": "completed",
        "performedPeriod": {"start": "2019-06-05", "end": "2019-06-06"},
    }


def test_drugs_are_administrations_statements_or_left_out(workshop: Workshop) -> None:
    workshop.concept_map("drugs", ("tam", 401), ("odd", 0, "UNCHECKED"))
    rules = """
        - {fact: drug, name: given, from: patients, concept: {map: drugs, value: text}, start: seen, quantity: mg, dose_unit: "'mg'", route: oral}
        - {fact: drug, name: written, from: patients, recorded_as: prescription, concept: {map: drugs, value: text}, start: seen, route: oral}
    """
    patients = "id,born,seen,mg,text\nA,1950,05.06.2019,20,tam\nB,1950,05.06.2019,20,odd\n"
    done = mapped(workshop, rules, fields=DATED, patients=patients)
    drug = {
        "coding": [
            {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "401", "display": "Tamoxifen"},
            {"system": "urn:oncoweave:clinic:drugs", "code": "tam"},
        ]
    }
    route = {"coding": [{"system": SNOMED, "code": "801", "display": "Oral"}]}
    assert told(done, "MedicationAdministration") == {
        "status": "completed", "medicationCodeableConcept": drug, "effectiveDateTime": "2019-06-05",
        "dosage": {"route": route, "dose": {"value": 20, "unit": "mg"}},
    }  # fmt: skip
    assert told(done, "MedicationStatement") == {
        "status": "unknown", "medicationCodeableConcept": drug, "effectiveDateTime": "2019-06-05", "dosage": [{"route": route}],
    }  # fmt: skip
    assert left_out(done) == {("drug_exposure", "no drug is named that the vocabulary has"): 2}


def test_a_device_and_its_use(workshop: Workshop) -> None:
    rules = "- {fact: device, name: port, from: patients, concept: port_catheter, start: seen, unique_device_id: text}"
    done = mapped(workshop, rules, fields=DATED, patients="id,born,seen,text\nA,1950,05.06.2019,0123\n")
    number = str(done.row("device_exposure")["device_exposure_id"])
    assert told(done, "Device") == {
        "udiCarrier": [{"deviceIdentifier": "0123"}],
        "type": {"coding": [{"system": SNOMED, "code": "804", "display": "Port catheter"}]},
    }
    assert told(done, "DeviceUseStatement") == {
        "status": "active",
        "timingDateTime": "2019-06-05",
        "device": {"reference": f"Device/{number}"},
    }


def test_a_specimen_has_its_pseudonym_and_site(workshop: Workshop) -> None:
    rules = "- {fact: specimen, name: samples, from: patients, concept: tissue, date: seen, quantity: mg, unit: milligram, anatomic_site: left_breast, source_id: sample}"
    done = mapped(workshop, rules, fields=DATED | {"sample": "{type: identifier}"}, patients="id,born,seen,mg,sample\nA,1950,05.06.2019,3,S7\n")  # fmt: skip
    pseudonym = done.row("specimen")["specimen_source_id"]
    assert told(done, "Specimen") == {
        "identifier": [{"system": "urn:oncoweave:clinic:specimen", "value": pseudonym}],
        "type": {"coding": [{"system": SNOMED, "code": "511", "display": "Tissue"}]},
        "collection": {
            "collectedDateTime": "2019-06-05",
            "quantity": {"value": 3, "unit": "milligram", "system": UCUM, "code": "mg"},
            "bodySite": {"coding": [{"system": SNOMED, "code": "503", "display": "Left breast"}]},
        },
    }
    assert pseudonym != "S7"


def test_an_episode_names_its_diagnoses_and_its_drugs_name_it(workshop: Workshop) -> None:
    rules = """
        - {fact: episode, name: course, from: patients, concept: disease_episode, object: breast_cancer, start: seen, end: left}
        - {fact: condition, name: diagnosis, from: patients, concept: breast_cancer, start: seen, episode: course}
        - {fact: drug, name: given, from: patients, concept: tamoxifen, start: seen, episode: course}
        - {fact: procedure, name: excision, from: patients, concept: excision, date: seen, episode: course}
    """
    done = mapped(workshop, rules, patients="id,born,seen,left\nA,1950,05.06.2019,06.06.2019\n")
    episode = resource(done, "EpisodeOfCare")
    assert told(done, "EpisodeOfCare") == {
        "status": "finished",
        "type": [
            {"coding": [{"system": OMOP, "code": "602", "display": "Disease Episode"}]},
            {"coding": [{"system": SNOMED, "code": "101", "display": "Breast cancer"}]},
        ],
        "diagnosis": [{"condition": {"reference": f"Condition/{resource(done, 'Condition')['id']}"}}],
        "period": {"start": "2019-06-05", "end": "2019-06-06"},
    }
    reference = {"reference": f"EpisodeOfCare/{episode['id']}"}
    assert resource(done, "MedicationAdministration")["context"] == reference
    url = "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare"
    assert resource(done, "Procedure")["extension"] == [{"url": url, "valueReference": reference}]


def test_a_death_is_in_the_patient_and_in_observations(workshop: Workshop) -> None:
    rules = "- {fact: death, name: deaths, from: patients, date: died, cause: breast_cancer, where: died is not null, because: alive}"
    done = mapped(workshop, rules, patients="id,born,died\nA,1950,07.2020\nB,1951,\n")
    assert [one.get("deceasedDateTime") for one in sorted(resources(done, "Patient"), key=lambda p: str(p["birthDate"]))] == ["2020-07", None]  # fmt: skip
    cause, status = sorted(resources(done, "Observation"), key=lambda one: str(one["id"]))
    assert cause["id"].endswith("-cause-of-death") and status["id"].endswith("-vital-status")
    assert status["code"]["coding"] == [{"system": LOINC, "code": "67162-8", "display": "Vital status"}]
    assert status["valueCodeableConcept"]["coding"] == [{"system": SNOMED, "code": "419099009", "display": "Dead"}]
    assert cause["valueCodeableConcept"] == {"coding": [{"system": SNOMED, "code": "101", "display": "Breast cancer"}]}
    assert {one["effectiveDateTime"] for one in (cause, status)} == {"2020-07"}


@pytest.mark.parametrize(
    ("answer", "status", "provision", "directive"),
    [("pos", "active", None, None), ("yes", "active", "permit", "OPTIN"), ("no", "rejected", "deny", "OPTOUT")],
)
def test_a_consent_is_given_or_refused(
    workshop: Workshop, answer: str, status: str, provision: str | None, directive: str | None
) -> None:
    workshop.concept_map("answers", ("pos", 701), ("yes", 4188539), ("no", 4188540))
    rules = """
        - {fact: observation, name: consents, from: patients, concept: family_history, date: seen, value: text,
           value_concept: {map: answers, value: text}, kind: consent}
    """
    done = mapped(workshop, rules, fields=DATED, patients=f"id,born,seen,text\nA,1950,05.06.2019,{answer}\n")
    consent = resource(done, "Consent")
    assert (consent["status"], consent.get("provision", {}).get("type"), consent["dateTime"]) == (status, provision, "2019-06-05")  # fmt: skip
    assert [coding["code"] for coding in consent["policyRule"].get("coding", [])] == ([directive] if directive else [])
    assert consent["category"][0]["coding"][0]["code"] == "502"
    assert not resources(done, "Observation")

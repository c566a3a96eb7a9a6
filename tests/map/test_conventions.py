"""Conventions of the CDM and of Themis that no author has to know."""

from __future__ import annotations

import pytest

from tests.map.workshop import Workshop

PATIENTS = "id,born,died\n1,01.01.1950,01.03.2015\n2,01.01.1950,01.03.2015\n3,01.01.1950,\n"
SEEN = """
id,tumour,seen
1,a,30.04.2015
2,a,01.01.2010
2,b,01.05.2015
3,a,01.01.2019
"""
DEATHS = "- {fact: death, name: deaths, from: patients, date: died}\n"
DIAGNOSES = "- {fact: condition, name: diagnoses, from: tumours, concept: breast_cancer, start: seen}\n"


def test_death_that_facts_belie_is_held_back_and_the_facts_stay(workshop: Workshop) -> None:
    made = workshop.map(DEATHS + DIAGNOSES, patients=PATIENTS, tumours=SEEN)
    assert len(made.rows("death")) == 1  # 60 days after the death of person 1, 61 after that of person 2
    assert made.counts("deaths") == (3, 1, 2, 0)
    assert made.quarantine("deaths") == [
        (3, None, "facts of the person start more than 60 days after it"),
        (4, None, "date: missing"),
    ]
    assert len(made.rows("condition_occurrence")) == 4


REGISTERED = """
- {fact: death, name: registered, from: tumours, group: [id], date: max(seen), where: code = 'D', because: alive, cause: {map: causes, value: only(code)}}
- {fact: death, name: told, from: patients, date: died, where: died is not null, because: alive}
"""


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_rules_the_first_that_tells_of_a_death_counts(workshop: Workshop, *, turned: bool) -> None:
    """Person 1 is in both rules, 2 in the second alone (the first holds his death back), 3 in neither, 4 in the first alone."""
    workshop.concept_map("causes", ("D", 101))
    patients = PATIENTS + "4,01.01.1950,\n"
    tumours = "id,tumour,seen,code\n1,a,05.03.2015,D\n2,a,,D\n3,a,01.01.2010,A\n4,a,01.01.2016,D\n"
    first, second = REGISTERED.strip().splitlines()
    rules = f"{second}\n{first}\n" if turned else f"{first}\n{second}\n"
    made = workshop.map(rules, patients=patients, tumours=tumours)
    deaths = sorted((str(day), cause) for day, cause in made.rows("death", "death_date", "cause_concept_id"))
    assert len(set(made.rows("death", "person_id"))) == 3
    if turned:
        assert deaths == [("2015-03-01", 0), ("2015-03-01", 0), ("2016-01-01", 101)]
        assert made.counts("told") == (4, 2, 0, 2)
        assert made.reasons("registered") == {
            "excluded: alive": 1, "excluded: the person has a death already": 1, "quarantined: date: missing": 1,
        }  # fmt: skip
    else:
        assert deaths == [("2015-03-01", 0), ("2015-03-05", 101), ("2016-01-01", 101)]
        assert made.counts("registered") == (4, 2, 1, 1)
        assert made.reasons("told") == {"excluded: alive": 2, "excluded: the person has a death already": 1}


def test_span_of_observation_belies_no_death(workshop: Workshop) -> None:
    spans = "- {fact: observation_period, name: spans, from: tumours, start: seen, end: seen}\n"
    made = workshop.map(spans + DEATHS, patients=PATIENTS, tumours=SEEN)
    assert len(made.rows("death")) == 2


@pytest.mark.parametrize("operator", ["exactly", "{map: signs, value: code}"])
def test_exact_number_has_no_operator(workshop: Workshop, operator: str) -> None:
    workshop.concept_map("signs", ("eq", 4172703), ("lt", 4171756))
    rule = f"""
        - {{fact: measurement, name: sizes, from: tumours, date: seen, concept: size, value: size, operator: {operator}}}
        """
    tumours = "id,tumour,seen,code,size\n1,a,01.01.2015,eq,5\n1,b,01.01.2015,lt,6\n"
    made = workshop.map(rule, patients=PATIENTS, tumours=tumours)
    found = dict(made.rows("measurement", "value_as_number", "operator_concept_id"))
    assert found == {5.0: None, 6.0: None if operator == "exactly" else 4171756}


TUMOURS = (
    "id,tumour,seen,site,kind\n1,a,01.01.2015,C34,9\n1,b,01.01.2015,C50,1\n1,c,01.01.2015,C99,7\n1,d,01.01.2015,,\n"
)
WIDER = """
- fact: condition
  name: tumours
  from: tumours
  concept: {vocabulary: ICD10, code: "{site}.{kind}", otherwise: "{site}"}
  start: seen
"""


def test_code_without_a_concept_falls_back_to_the_wider_one(workshop: Workshop) -> None:
    made = workshop.map(WIDER, patients=PATIENTS, tumours=TUMOURS)
    columns = ("condition_source_value", "condition_concept_id", "condition_source_concept_id")
    assert sorted(made.rows("condition_occurrence", *columns)) == [
        ("C34.9", 102, 9004),
        ("C50.1", 101, 9001),
        ("C99.7", 0, 0),
    ]
    assert made.counts("tumours") == (4, 3, 0, 1)
    assert made.entry("tumours").unmapped == 1


def test_code_with_targets_of_its_own_does_not_fall_back(workshop: Workshop) -> None:
    tumours = "id,tumour,seen,site,kind\n1,a,01.01.2015,C50,9\n"
    made = workshop.map(WIDER, patients=PATIENTS, tumours=tumours)
    assert made.rows("condition_occurrence", "condition_concept_id") == [101]
    assert made.rows("observation", "observation_concept_id") == [502]
    wider = WIDER.replace('"{site}"}', '"C34"}')
    assert workshop.map(wider, patients=PATIENTS, tumours=tumours).rows("observation", "observation_concept_id") == [
        502
    ]


def test_wider_code_is_for_the_concept_of_a_fact(workshop: Workshop) -> None:
    rule = DIAGNOSES.replace("start: seen", 'start: seen, status: {vocabulary: ICD10, code: "{id}", otherwise: "C34"}')
    text, message, mend = workshop.problem(rule, patients=PATIENTS, tumours=SEEN)
    assert (text.split(":")[0], message, mend) == (
        "otherwise",
        "`otherwise` is for a fact's own concept",
        "leave it out",
    )

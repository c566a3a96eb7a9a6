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

"""The checker that holds claims to the snapshots finds what is wrong, and finds nothing wrong with mCODE's own examples but one thing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fhir.snapshots import Checker, Json, Packages

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"


@pytest.fixture(scope="module")
def packages(shared_data: Path) -> Packages:
    folder = shared_data / "fhir" / "packages"
    if not folder.is_dir():
        pytest.skip("no FHIR packages beside the checkout")
    return Packages(folder)


@pytest.fixture(scope="module")
def examples(shared_data: Path) -> dict[str, Json]:
    folder = shared_data / "fhir" / "mcode-examples"
    read = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
    return {f"{r['resourceType']}/{r['id']}": r for r in read}


def told(packages: Packages, examples: dict[str, Json], resource: Json) -> list[str]:
    checker = Checker(packages, examples)
    checker.check(resource)
    return sorted({f"{v.path} {v.told}" for v in checker.violations})


def test_the_examples_of_mcode_meet_their_profiles_but_one(packages: Packages, examples: dict[str, Json]) -> None:
    kinds = (
        "Observation",
        "Condition",
        "Procedure",
        "Patient",
        "MedicationAdministration",
        "Specimen",
        "BodyStructure",
    )
    found = {name: told(packages, examples, r) for name, r in examples.items() if r["resourceType"] in kinds}
    assert len(found) > 130
    assert {name: violations for name, violations in found.items() if violations} == {
        "Observation/tnm-pathologic-distant-metastases-category-jenny-m": [
            "Observation.value[x] no code of mcode-tnm-distant-metastases-category-max-vs"
        ]
    }


def _set(path: str, value: Any) -> Callable[[Json], None]:
    """Sets a member; None takes it away."""

    def mutate(resource: Json) -> None:
        *above, last = path.split(".")
        at: Any = resource
        for step in above:
            at = at[int(step)] if step.isdigit() else at[step]
        if value is None:
            del at[last]
        else:
            at[last] = value

    return mutate


STAGE, T = "Observation/tnm-clinical-stage-group-jenny-m", "Observation/tnm-clinical-primary-tumor-category-jenny-m"
PRIMARY, PERSON = "Condition/primary-cancer-condition-jenny-m", "Patient/cancer-patient-jenny-m"
GRADE, SIZE = "Observation/histologic-grade-intermediate", "Observation/tumor-size-jenny-m"
ECOG, COURSE = (
    "Observation/ecog-performance-status-jenny-m",
    "Procedure/radiotherapy-treatment-summary-chest-wall-jenny-m",
)


@pytest.mark.parametrize(
    ("name", "mutate", "expected"),
    [
        (STAGE, _set("method", None), "Observation.method 0 where 1..1 may be"),
        (STAGE, _set("category", None), "Observation.category 0 where 1..* may be"),
        (STAGE, _set("focus", None), "Observation.focus 0 where 1..1 may be"),
        (STAGE, _set("focus.0.reference", "Condition/us-core-condition-anxiety-jenny-m"), "Observation.focus leads to"),
        (STAGE, _set("focus.0.reference", "Condition/nobody"), "Observation.focus leads to nothing that is there"),
        (STAGE, _set("valueCodeableConcept", {"text": "II"}), "no code of mcode-tnm-stage-group-max-vs"),
        (STAGE, _set("code.coding", [{"system": LOINC, "code": "1-8"}]), "no code of mcode-tnm-stage-group-staging-type"),
        (T, _set("valueCodeableConcept.coding.0.system", "http://fhir.ohdsi.org/CodeSystem/concepts"), "max-vs"),
        (T, _set("valueString", "T3"), "Observation.value[x]"),
        (T, _set("status", "done"), "no code of observation-status|4.0.1"),
        (PRIMARY, _set("category", [{"text": "problem"}]), "Condition.category:us-core 0 where 1..* may be"),
        (PRIMARY, _set("code", None), "Condition.code 0 where 1..1 may be"),
        ("Condition/primary-cancer-condition-nsclc", _set("abatementDateTime", "2020-01-01"), "breaks con-4"),
        (PRIMARY, _set("onset", "2020"), "Condition.onset the definition has no such member"),
        (PRIMARY, _set("onsetDateTime", "2020-13-1"), "not the form of a dateTime"),
        (PERSON, _set("identifier", None), "Patient.identifier 0 where 1..* may be"),
        (PERSON, _set("name", [{"use": "official"}]), "breaks us-core-6"),
        (PERSON, _set("gender", "F"), "no code of administrative-gender"),
        (GRADE, _set("effectiveDateTime", "2020-03"), "breaks us-core-1"),
        (GRADE, _set("category", [{"text": "laboratory"}]), "Observation.category:us-core 0 where 1..1 may be"),
        (GRADE, _set("code.coding.0.code", "C1"), "not of the pattern"),
        (SIZE, _set("specimen", None), "breaks must-have-focus-or-specimen-invariant"),
        (SIZE, _set("component.0.code.coding.0.code", "1-8"), "Observation.component:tumorLongestDimension 0 where 1..1"),
        (SIZE, _set("component.0.valueQuantity.code", "m"), "no code of mcode-tumor-size-units-vs"),
        (ECOG, _set("valueInteger", None), "breaks us-core-2"),
        (COURSE, _set("performedPeriod", None), "breaks us-core-7"),
        (COURSE, _set("code.coding.0.code", "108290001"), "not of the pattern"),
    ],
)  # fmt: skip
def test_what_breaks_a_profile_is_told(
    name: str, mutate: Callable[[Json], None], expected: str, packages: Packages, examples: dict[str, Json]
) -> None:
    broken = copy.deepcopy(examples[name])
    mutate(broken)
    assert any(expected in violation for violation in told(packages, examples, broken)), told(
        packages, examples, broken
    )

"""The codes that are typed in for mCODE are those of its value sets and examples, and none is mistyped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.fhir import cancers, eu_cancer, findings, mcode_observations, mcode_treatments, staging
from oncoweave.fhir.coding import SNOMED, Coding
from oncoweave.fhir.mcode import MCODE_SET
from oncoweave.fhir.mcode_profiles import MCODE
from tests.fhir.snapshots import Packages, covers

ROOT = Path(__file__).resolve().parents[2]
VALUE_SET = "http://hl7.org/fhir/us/mcode/ValueSet/mcode-"


@pytest.fixture(scope="module")
def packages(shared_data: Path) -> Packages:
    folder = shared_data / "fhir" / "packages"
    if not folder.is_dir():
        pytest.skip("no FHIR packages beside the checkout: codes are not compared with mCODE's value sets")
    return Packages(folder)


def codings(value: object) -> Iterator[Coding]:
    """Every coding in a module's constants."""
    if isinstance(value, Coding):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from codings(inner)
    elif isinstance(value, tuple | list | frozenset):
        for inner in value:
            yield from codings(inner)


def typed_in() -> set[str]:
    """All codes of SNOMED CT that are typed in."""
    modules = (cancers, eu_cancer, findings, mcode_observations, mcode_treatments, staging)
    found = {c.code for m in modules for v in vars(m).values() for c in codings(v) if c.system == SNOMED}
    return (
        found | {*staging.CATEGORIES.values(), *staging.GROUPS.values()} | {s.structure for s in cancers.known_sites()}
    )


def has_its_check_digit(code: str) -> bool:
    """Whether a code of SNOMED CT ends with its check digit (Verhoeff)."""
    dihedral = [[(a + b) % 5 if b < 5 else 5 + (a + b) % 5 for b in range(10)] for a in range(5)]
    dihedral += [[5 + (a - b) % 5 if b < 5 else (a - b) % 5 for b in range(10)] for a in range(5, 10)]
    order, turned = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4], [list(range(10))]
    for _ in range(7):
        turned.append([turned[-1][digit] for digit in order])
    sum_ = 0
    for place, digit in enumerate(reversed(code)):
        sum_ = dihedral[sum_][turned[place % 8][int(digit)]]
    return sum_ == 0


def test_every_code_of_snomed_ends_with_its_check_digit() -> None:
    assert has_its_check_digit("363346000")
    assert not has_its_check_digit("363346001")
    assert len(typed_in()) > 200
    assert {code for code in typed_in() if not has_its_check_digit(code)} == set()


def test_no_two_categories_have_one_code() -> None:
    codes = [*staging.CATEGORIES.values(), *staging.GROUPS.values()]
    assert len(codes) == len(set(codes)) > 170


def test_stages_are_those_of_the_examples_of_mcode(shared_data: Path) -> None:
    known = {code: name for name, code in staging.CATEGORIES.items()}
    known |= {code: f"stage {name}" for name, code in staging.GROUPS.items()}
    seen = 0
    for path in (shared_data / "fhir" / "mcode-examples").glob("Observation-tnm-*.json"):
        for coding in json.loads(path.read_text(encoding="utf-8"))["valueCodeableConcept"]["coding"]:
            if coding["system"] == SNOMED:
                seen += 1
                assert (
                    coding["display"] == f"American Joint Committee on Cancer {known[coding['code']]} (qualifier value)"
                )
    assert seen > 8


@pytest.mark.parametrize("axis", ["T", "N", "M", "S"])
def test_what_was_staged_is_in_the_value_set_of_its_profile(axis: str, packages: Packages) -> None:
    names = {"T": "tnm-primary-tumor", "N": "tnm-regional-nodes", "M": "tnm-distant-metastases", "S": "tnm-stage-group"}
    for prefix in ("", "c", "p", "yp"):
        code = staging.Stage(axis, prefix, "", "").code
        assert packages.has(f"{VALUE_SET}{names[axis]}-staging-type-vs", code.system, code.code) is True


def test_methods_grades_intents_specimens_and_courses_are_in_their_value_sets(packages: Packages) -> None:
    sets: Mapping[str, Mapping[Any, Coding]] = {
        "tnm-staging-method-vs": staging.METHODS,
        "histologic-grade-vs": findings.GRADES,
        "procedure-intent-vs": findings.INTENTS,
        "human-specimen-type-vs": findings.SPECIMENS,
        "condition-status-trend-max-vs": findings.COURSES,
        "laterality-qualifier-vs": findings.SIDES,
        "tumor-marker-test-vs": {n: test for n, (test, _) in findings.RECEPTORS.items()},
        "cancer-stage-type-vs": {"any": mcode_observations.ANY_STAGE},
    }
    for name, table in sets.items():
        outside = {c.code for c in table.values() if packages.has(VALUE_SET + name, c.system, c.code) is not True}
        assert (name, outside) == (name, set())


@pytest.mark.parametrize(
    ("profile", "path", "coding"),
    [
        ("histologic-grade", "Observation.code", mcode_observations.GRADE_CODE),
        ("histologic-behavior-and-type", "Observation.code", mcode_observations.HISTOLOGY_CODE),
        ("tumor-size", "Observation.code", mcode_observations.SIZE_CODE),
        ("tumor-size", "Observation.component:tumorLongestDimension.code", mcode_observations.LARGEST_DIMENSION),
        ("cancer-disease-status", "Observation.code", mcode_observations.COURSE_CODE),
        ("ecog-performance-status", "Observation.code", findings.ECOG),
        ("karnofsky-performance-status", "Observation.code", findings.KARNOFSKY),
        ("radiotherapy-course-summary", "Procedure.code", mcode_treatments.RADIOTHERAPY_COURSE),
    ],
)
def test_fixed_codes_are_those_of_the_snapshots(profile: str, path: str, coding: Coding, packages: Packages) -> None:
    structure = packages.structure(MCODE + profile)
    assert structure is not None
    assert covers({"coding": [coding.elements]}, structure.elements[path]["patternCodeableConcept"])


def test_every_profile_that_is_claimed_is_one_of_the_package(packages: Packages) -> None:
    claimed = {overlay.profile for overlay in MCODE_SET.overlays}
    assert len(claimed) >= 17
    assert {url for url in claimed if packages.structure(url) is None} == set()


def test_every_stage_of_the_vocabulary_has_a_code(shared_data: Path) -> None:
    concepts = shared_data / "vocab" / "merged" / "CONCEPT.parquet"
    sql = f"SELECT concept_code FROM '{concepts}' WHERE vocabulary_id = 'Cancer Modifier' AND concept_code LIKE '%AJCC/UICC-%'"
    codes = [str(code) for (code,) in duckdb.sql(sql).fetchall()]
    stages = {code: staging.stage_of(code, "") for code in codes}
    assert len(stages) > 130
    without = {code for code, stage in stages.items() if stage is None or stage.value is None}
    assert without == {"AJCC/UICC-N4"}, "the AJCC has no N4"


def test_the_concepts_are_those_of_the_reference_data(shared_data: Path) -> None:
    text = (shared_data / "oncology" / "omop_oncology_core_concepts.csv").read_text(encoding="utf-8")
    concepts = shared_data / "vocab" / "merged" / "CONCEPT.parquet"
    known = {int(n) for n in re.findall(r"\b\d{4,9}\b", text)}
    known |= {n for (n,) in duckdb.sql(f"SELECT concept_id FROM '{concepts}'").fetchall()}
    ours = {*cancers.SITES, *findings.GRADES, *findings.RECEPTORS, *findings.SCORES, *findings.GRADES_OF_ECOG}
    assert {*ours, *findings.COURSES, *findings.INTENTS, *findings.TUMOUR_SIZES, *findings.SIDES} - known == set()


@pytest.mark.parametrize(
    ("name", "ancestors", "role"),
    [
        ("Primary malignant neoplasm of colon", (), "primary"),
        ("Small cell carcinoma of lung", (), "primary"),
        ("Neuroblastoma", (), "primary"),
        ("Secondary malignant neoplasm of liver", (), "secondary"),
        ("Malignant essential hypertension", (), None),
        ("Malignant hyperthermia", (), None),
        ("Suspected carcinoma of lung", (), None),
        ("Osteoblastoma", (), None),
        ("Essential hypertension", (), None),
        ("Thymoma", (cancers.MALIGNANT,), "primary"),
        ("Carcinomatosis", (cancers.MALIGNANT, cancers.SECONDARY), "secondary"),
        ("Carcinoma phobia", (0,), None),
    ],
)
def test_a_cancer_is_told_by_its_ancestors_else_by_its_name(
    name: str, ancestors: tuple[int, ...], role: str | None
) -> None:
    assert cancers.cancer_of(cancers.ConceptOf(1, name, "SNOMED", "1", frozenset(ancestors))).role == role


@pytest.mark.parametrize(
    ("code", "text", "value", "method"),
    [
        ("AJCC/UICC-T3", "AJCC 6th T3", "T3", "444256004"),
        ("AJCC/UICC-T1c", "pT1c", "1229846008", None),
        ("AJCC/UICC-N0", "UICC 8 cN0", "1229967007", "C188404"),
        ("c-8th_AJCC/UICC-M0", "", "1229901006", "897275008"),
        ("AJCC/UICC-Stage-3A1", "AJCC 7 IIIA1", "1222803006", "443830009"),
        ("yp-8th_AJCC/UICC-T2", "", "ypT2", "897275008"),
        ("p-8th_AJCC/UICC-M0", "", None, "897275008"),
        ("AJCC/UICC-T2", "AJCC 1977 T2", "T2", None),
    ],
)
def test_a_stage_is_told_by_its_concept_and_what_the_source_adds(
    code: str, text: str, value: str | None, method: str | None
) -> None:
    stage = staging.stage_of(code, text)
    assert stage is not None
    assert (stage.value and stage.value.code) == value
    assert (stage.method and stage.method.code) == method

"""The rules of the suites `oncology` and `tumours`: what each finds, and what looks like it and is right."""

from __future__ import annotations

from functools import cache

import pytest

from oncoweave import content
from oncoweave.project import Project
from oncoweave.quality.compilation import Check, checks
from oncoweave.stages.check import check_tables
from tests.quality.planted import measured
from tests.quality.small_cdm import DELIVERY, Cdm

T1, T1C, T2, TIS = 1635564, 9000014, 9000015, 9000003
N1, N1MI, N3, M0, M1 = 1634434, 9000011, 1635320, 1635624, 1635142
STAGE_0, STAGE_1, STAGE_2A_CLINICAL, STAGE_1_AFTER, STAGE_4 = 9000002, 1633306, 9000012, 9000013, 9000001
NO_T = "DELETE FROM measurement WHERE measurement_id = 52;"


def staged(*concepts: int, source: str = "AJCC 7th", day: str = "2000-02-01") -> str:
    """Modifiers of the diagnosis of person 1, on one day."""
    return "".join(
        measured(1000 * (n + 1) + concept % 1000, concept, source, day) for n, concept in enumerate(concepts)
    )


def diagnosis(concept: int = 4162253, source: int = 0) -> str:
    """What the diagnosis of person 1 is."""
    return (
        f"UPDATE condition_occurrence SET condition_concept_id = {concept}, condition_source_value = 'x', "
        f"condition_source_concept_id = {source} WHERE condition_occurrence_id = 21;"
    )


def number(concept: int, value: float, unit: str = "NULL") -> str:
    """The first measurement is of this concept and value."""
    return f"UPDATE measurement SET measurement_concept_id = {concept}, value_as_number = {value}, unit_concept_id = {unit} WHERE measurement_id = 51"


COLON, PROSTATE, THYROID = diagnosis(197500), diagnosis(200962), diagnosis(133424)
IN_SITU, INVASIVE, LEUKAEMIA = diagnosis(source=9000005), diagnosis(source=44498348), diagnosis(source=9000008)

RULES = [
    # (check, what is planted, judged, failing)
    ("oncology.m1_is_stage_4", staged(M1, STAGE_1), 1, 1),
    ("oncology.m1_is_stage_4", staged(M1, STAGE_4), 1, 0),
    ("oncology.m1_is_stage_4", THYROID + staged(M1, STAGE_1), 0, 0),
    ("oncology.m1_is_stage_4", staged(9000016, STAGE_2A_CLINICAL), 1, 1),
    ("oncology.m1_is_stage_4", staged(M1) + staged(STAGE_1, day="2000-01-15"), 0, 0),
    ("oncology.m1_is_stage_4", staged(M1, STAGE_1_AFTER), 0, 0),
    ("oncology.stage_4_is_m1", staged(M0, STAGE_4), 1, 1),
    ("oncology.stage_4_is_m1", PROSTATE + staged(M0, STAGE_4), 0, 0),
    ("oncology.in_situ_is_stage_0", staged(TIS, STAGE_1), 1, 1),
    ("oncology.in_situ_is_stage_0", staged(TIS, STAGE_0), 1, 0),
    ("oncology.in_situ_is_stage_0", staged(TIS, STAGE_1, N1), 0, 0),
    ("oncology.stage_0_is_not_invasive", staged(STAGE_0), 1, 1),
    ("oncology.stage_0_is_not_invasive", NO_T + staged(STAGE_0, TIS), 1, 0),
    ("oncology.colorectal_nodes_are_stage_3", COLON + staged(N1, STAGE_1), 1, 1),
    ("oncology.colorectal_nodes_are_stage_3", COLON + staged(N1, STAGE_4), 1, 0),
    ("oncology.colorectal_nodes_are_stage_3", staged(N1, STAGE_1), 0, 0),
    ("oncology.breast_nodes_are_not_stage_1", staged(N1, STAGE_1), 1, 1),
    ("oncology.breast_nodes_are_not_stage_1", staged(N1, STAGE_1, source="AJCC 8th"), 0, 0),
    ("oncology.breast_nodes_are_not_stage_1", staged(N1MI, STAGE_1), 0, 0),
    ("oncology.breast_nodes_are_not_stage_1", staged(N1, STAGE_2A_CLINICAL), 1, 0),
    ("oncology.breast_n3_is_stage_3c", staged(N3, STAGE_2A_CLINICAL), 1, 1),
    ("oncology.behaviour_in_situ_is_stage_0", IN_SITU + staged(STAGE_1), 1, 1),
    ("oncology.behaviour_in_situ_is_stage_0", IN_SITU + staged(STAGE_0), 1, 0),
    ("oncology.behaviour_in_situ_is_stage_0", INVASIVE + staged(STAGE_1), 0, 0),
    ("oncology.in_situ_is_behaviour_2", NO_T + INVASIVE + staged(TIS), 1, 1),
    ("oncology.no_tnm_of_blood_and_brain", LEUKAEMIA, 1, 1),
    ("oncology.no_tnm_of_blood_and_brain", INVASIVE, 1, 0),
    ("oncology.no_grade_of_behaviour_other_than_3", diagnosis(source=9000010) + staged(1634371), 1, 1),
    ("oncology.no_grade_of_behaviour_other_than_3", IN_SITU + staged(1634371), 1, 0),
    ("oncology.stage_group.once", staged(STAGE_1, STAGE_4), 2, 2),
    ("oncology.stage_group.once", staged(STAGE_0, STAGE_2A_CLINICAL), 2, 0),
    ("oncology.tnm_t.once", staged(T2, source="T2"), 2, 2),
    ("oncology.tnm_t.once", staged(T1C, source="T1c"), 2, 0),
    ("oncology.tnm_n.once", staged(N1, N3), 2, 2),
    ("oncology.tnm_m.once", staged(M0, M1), 2, 2),
    ("oncology.measurement_concept_id.categories_to_agree_with_source", staged(N1, source="pN0"), 2, 1),
    ("oncology.measurement_concept_id.categories_to_agree_with_source", staged(9000004, source="pN0"), 2, 1),
    ("oncology.measurement_concept_id.categories_to_agree_with_source", staged(9000004, source="ypN0"), 2, 0),
    ("oncology.measurement_concept_id.categories_to_agree_with_source", staged(9000016, source="pM1"), 2, 1),
    ("oncology.measurement_concept_id.categories_to_agree_with_source", staged(T1C, source="AJCC 7th T1c"), 2, 0),
    ("oncology.measurement_concept_id.categories_to_agree_with_source", staged(N1, source="N staging"), 1, 0),
    ("oncology.metastasis_of_a_primary", number(36769180, 1) + "; UPDATE measurement SET measurement_event_id = 41, meas_event_field_concept_id = 1147082", 1, 1),
    ("oncology.metastasis_present_or_absent", number(36769180, 1) + "; UPDATE measurement SET value_as_concept_id = 4171754", 1, 1),
    ("oncology.tumour_size_in_mm", number(36768664, 999, "8588"), 1, 1),
    ("oncology.tumour_size_in_mm", number(36768664, 988, "8588"), 1, 0),
    ("oncology.tumour_size_in_cm", number(36768664, 120, "8582"), 1, 1),
    ("oncology.grade_in_range", number(21490742, 0), 1, 1),
    ("oncology.gleason_in_range", number(9000017, 11), 1, 1),
    ("oncology.ecog_in_range", number(9000018, 6), 1, 1),
    ("oncology.karnofsky_in_range", number(9000019, 101), 1, 1),
    ("tumours.both_histology_and_site", diagnosis(source=9000006), 1, 1),
    ("tumours.histology_is_specific", diagnosis(source=9000009), 1, 1),
    ("tumours.site_is_known", diagnosis(source=9000009), 1, 1),
    ("tumours.metastasis_code_as_diagnosis", diagnosis(source=9000010), 1, 1),
    ("tumours.metastasis_as_diagnosis", diagnosis(9000007), 2, 1),
    ("tumours.diagnosis_not_after_death", "UPDATE condition_occurrence SET condition_start_date = '2002-07-01'", 1, 1),
    ("tumours.diagnosis_not_after_death", "UPDATE condition_occurrence SET condition_start_date = '2002-06-30'", 1, 0),
]  # fmt: skip


@cache
def standard() -> dict[str, Check]:
    """The checks of the standard suites by id."""
    return {check.id: check for check in checks(Project.at(content.standard()), "registry")}


def test_every_rule_with_a_name_of_its_own_has_a_case_that_fails() -> None:
    named = {id_ for id_, check in standard().items() if check.suite in ("oncology", "tumours") and check.spec.id}
    assert named <= {rule[0] for rule in RULES if rule[3]}


@pytest.mark.parametrize(("rule", "plant", "judged", "failing"), RULES)
def test_a_rule_finds_what_it_says_and_nothing_else(cdm: Cdm, rule: str, plant: str, judged: int, failing: int) -> None:
    cdm.plant(plant)
    cdm.write()
    (result,) = check_tables(cdm.run, [standard()[rule]], cdm.concepts, DELIVERY)
    assert (result.error, result.evaluated, result.unexpected) == (None, judged, failing)

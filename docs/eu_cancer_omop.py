"""Writes docs/eu_cancer_omop.md: HL7 Europe's cancer models (hl7.eu.fhir.cancer-common 0.1.0) in OMOP CDM 5.4.

The guide maps one of its eleven models to OMOP, with nine rows, and leaves ten to be defined. These are ours. A test compares them
with the models, the fields of the CDM, the concepts of the reference data, the keys of the mapping language, and a source that is
mapped by them. `make reference` writes the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent / "eu_cancer_omop.md"


@dataclass(frozen=True)
class Row:
    """One element of a model: its relation to fields of a table, by which concepts, the keys that fill them, and where FHIR has it."""

    model: str
    element: str
    relation: str
    table: str
    fields: tuple[str, ...]
    concepts: tuple[tuple[int, str], ...]
    keys: tuple[str, ...]
    fhir: tuple[str, ...]
    note: str


# model, then: element | relation | table | fields | concepts | keys of the mapping | elements of FHIR | note
_FACTS = """
CancerPatient
birthDate | equivalent | person | year_of_birth, month_of_birth, day_of_birth | | person, birth | Patient.birthDate | Month and day stay empty where only the year is known.
sexAtBirth | equivalent | person | gender_concept_id, gender_source_value | 8507 Male; 8532 Female | person, gender | Patient.extension, Patient.gender | Unknown and Other are concept 0, their code stays in gender_source_value.
observedSexGender | related-to | observation | observation_concept_id, value_as_concept_id, observation_date | | observation, value_concept | Observation.value[x] | Dated at the diagnosis; only where it differs from the sex at birth.
comorbiditiesAtCancerDiagnosis | related-to | condition_occurrence | condition_concept_id, condition_start_date, condition_end_date | | condition, start | Condition.code | Those that began before or at the diagnosis and had not ended. That one is absent is an observation, never a condition.
CancerConditionAtDiagnosis
subject | equivalent | condition_occurrence | person_id | | condition | Condition.subject |
histologyBehaviour | related-to | condition_occurrence | condition_concept_id, condition_source_concept_id, condition_source_value | | condition, concept, vocabulary, code | Condition.extension | One concept of ICD-O-3 holds morphology, behaviour and site: `8500/3-C50.9`. Without histology it is the concept of the site.
bodySite | related-to | condition_occurrence | condition_concept_id, condition_source_concept_id | | condition, concept, vocabulary, code, otherwise | Condition.bodySite | Part of the same concept of ICD-O-3.
tumourGradeSystem | related-to | measurement | measurement_concept_id | 1634371 Grade 1; 1634752 Grade 2; 1633749 Grade 3; 1635792 Grade 4; 36769498 FNCLCC grade 1; 36769950 FNCLCC grade 2; 36770080 FNCLCC grade 3 | measurement, modifies, kind | Observation.value[x] | The concept of the grade names its system.
tumourGradeValue | equivalent | measurement | measurement_concept_id, measurement_source_value, measurement_event_id, meas_event_field_concept_id | 1634371 Grade 1; 1634752 Grade 2; 1633749 Grade 3; 1635792 Grade 4; 1147127 condition_occurrence.condition_occurrence_id | measurement, modifies, kind | Observation.value[x], Observation.focus | A modifier of the diagnosis.
visitDate | equivalent | visit_occurrence | visit_start_date | | visit, start | Encounter.period, Condition.encounter | `visit:` ties the diagnosis to it.
biopsyDate | equivalent | procedure_occurrence | procedure_date, procedure_concept_id | | procedure, date | Procedure.performed[x], Specimen.collection.collected[x] | The specimen that was taken is a specimen of that day.
imagingDate | equivalent | procedure_occurrence | procedure_date, procedure_concept_id | | procedure, date | Procedure.performed[x] |
labReportDate | equivalent | measurement | measurement_date | | measurement, date | Observation.effective[x], Condition.onset[x] | condition_start_date is the first of the four dates there are, by `least(…)`: the rule of the guide (ccad-1) that there is one is then that of the CDM.
CancerStage
cancerConditionAtDiagnosisReference | equivalent | measurement | measurement_event_id, meas_event_field_concept_id | 1147127 condition_occurrence.condition_occurrence_id | measurement, modifies | Observation.focus, Condition.stage.assessment |
classificationType | related-to | measurement | measurement_concept_id, measurement_source_value | | measurement, concept | Observation.method | TNM: a concept of the vocabulary Cancer Modifier whose code begins with the system and its edition, `8th_AJCC/UICC-`. An edition that the concept does not have stands in the source value: `AJCC 6th T2`.
value | equivalent | measurement | measurement_concept_id | 1633883 cT1, 8th edition; 1634070 cN0, 8th edition; 1634757 cM0, 8th edition; 1635070 pT1, 8th edition; 1635758 clinical stage group 1, 8th edition | measurement, columns, kind | Observation.value[x], Observation.hasMember | One row each for T, N, M and the stage group: `kind: tnm_t`, `tnm_n`, `tnm_m`, `stage_group`.
type | related-to | measurement | measurement_concept_id | 1633883 cT1, 8th edition; 1635070 pT1, 8th edition | measurement, concept | Observation.code | Clinical or pathological is part of the concept (`c-`, `p-`).
evidenceReference[x] | related-to | fact_relationship | fact_id_1, fact_id_2, relationship_concept_id | | relationship | | The stage and the imaging or the surgery that it rests on.
ClinicalCancerProgression
cancerConditionAtDiagnosisReference | related-to | episode | episode_parent_id, episode_object_concept_id | 32533 Disease Episode | episode, parent, object | EpisodeOfCare.diagnosis.condition | The episode of the disease as a whole is the parent; EPISODE_EVENT ties the diagnosis to that one.
diseaseStatus | equivalent | episode | episode_concept_id | 32949 Disease Progression; 32948 Stable Disease; 32947 Partial Remission; 32946 Complete Remission | episode, concept | Observation.value[x], EpisodeOfCare.type | A recurrence is a progression after a complete remission.
tumourGradeSystem | related-to | measurement | measurement_concept_id | 1634371 Grade 1 | measurement, episode | Observation.value[x] | As at the diagnosis, of the episode's day.
tumourGradeValue | related-to | measurement | measurement_concept_id, measurement_source_value | 1634371 Grade 1 | measurement, episode | Observation.value[x] |
assertedDate | equivalent | episode | episode_start_date | | episode, start | Observation.effective[x], EpisodeOfCare.period |
extentType | equivalent | episode | episode_concept_id | 32942 Confined Disease (Local); 32943 Invasive Disease (Loco-regional); 32944 Metastatic Disease | episode, concept | EpisodeOfCare.type | An episode of its own.
locoRegionalSites | related-to | measurement | measurement_concept_id, value_as_concept_id | 36769269 Regional spread to lymph node | measurement, episode, value_concept | Observation.code | As metastaticSites.
metastaticSites | equivalent | measurement | measurement_concept_id, value_as_concept_id | 36769180 Metastasis; 36769301 bone; 36768862 brain; 36770544 liver; 36770283 lung; 9191 Positive | measurement, episode, value_concept | Condition.bodySite, Condition.extension | One row for each site, tied to the episode by EPISODE_EVENT; 36769180 where the site is not known.
Surgery
subject | equivalent | procedure_occurrence | person_id | | procedure | Procedure.subject |
cancerConditionAtDiagnosisReference | related-to | fact_relationship | fact_id_1, fact_id_2, relationship_concept_id | | relationship | Procedure.reasonReference | PROCEDURE_OCCURRENCE has no field for it. For FHIR `modifies: {rule: …, by: …}` is enough.
clinicalCancerProgressionReference | related-to | episode_event | episode_id, event_id, episode_event_field_concept_id | 1147082 procedure_occurrence.procedure_occurrence_id | procedure, episode | Procedure.extension | By the episode of the progression.
intent | equivalent | procedure_occurrence | modifier_concept_id, modifier_source_value | 4162591 Curative intent; 4179711 Palliative intent | procedure, modifier | Procedure.extension |
date | equivalent | procedure_occurrence | procedure_date | | procedure, date | Procedure.performed[x] |
bodySite | related-to | procedure_occurrence | procedure_concept_id | 4213045 Lumpectomy of breast; 4066543 Simple mastectomy | procedure, concept | Procedure.code | The concept of an operation has its site; the most exact one is chosen.
Radiotherapy
subject | equivalent | procedure_occurrence | person_id | | procedure | Procedure.subject |
cancerConditionAtDiagnosisReference | related-to | fact_relationship | fact_id_1, fact_id_2, relationship_concept_id | | relationship | Procedure.reasonReference | As for Surgery.
clinicalCancerProgresionReference | related-to | episode_event | episode_id, event_id, episode_event_field_concept_id | 1147082 procedure_occurrence.procedure_occurrence_id | procedure, episode | Procedure.extension |
intent | equivalent | procedure_occurrence | modifier_concept_id, modifier_source_value | 4162591 Curative intent; 4179711 Palliative intent | procedure, modifier | Procedure.extension |
startDate | equivalent | procedure_occurrence | procedure_date | | procedure, date | Procedure.performed[x] | A course is one row; a fraction is none.
endDate | equivalent | procedure_occurrence | procedure_end_date | | procedure, end | Procedure.performed[x] | Empty while it goes on.
bodySite | related-to | procedure_occurrence | procedure_concept_id | | procedure, concept | Procedure.code | As for Surgery.
setting | related-to | observation | observation_concept_id, observation_event_id, obs_event_field_concept_id | 44804498 Adjuvant; 37159508 Neoadjuvant | observation, modifies | Observation.code, Observation.focus |
SystemicTreatment
subject | equivalent | episode | person_id | | episode | EpisodeOfCare.patient |
cancerConditionAtDiagnosisReference | related-to | episode | episode_parent_id | 32533 Disease Episode | episode, parent | MedicationAdministration.reasonReference |
clinicalCancerProgresionReference | related-to | episode | episode_parent_id | 32949 Disease Progression | episode, parent | | The episode of the progression is then the parent.
intent | related-to | observation | observation_concept_id | 4162591 Curative intent; 4179711 Palliative intent | observation, episode | Observation.code | Tied to the episode by EPISODE_EVENT.
type | equivalent | episode | episode_object_concept_id | 35803401 Chemotherapy; 35803407 Hormonotherapy; 35803410 Immunotherapy | episode, object | EpisodeOfCare.type, MedicationAdministration.medication[x] | A drug that is named is a drug_exposure of the episode as well; one that is not named is not made up.
startDate | equivalent | episode | episode_start_date | | episode, start | EpisodeOfCare.period |
endDate | equivalent | episode | episode_end_date | | episode, end | EpisodeOfCare.period |
ongoing | related-to | episode | episode_end_date | | episode, end | EpisodeOfCare.status | Empty: it goes on, as far as the source knows.
setting | related-to | observation | observation_concept_id | 44804498 Adjuvant; 37159508 Neoadjuvant | observation, episode | Observation.code | As intent.
Imaging
type | equivalent | procedure_occurrence | procedure_concept_id | | procedure, concept | Procedure.code |
bodySite | related-to | procedure_occurrence | procedure_concept_id | | procedure, concept | Procedure.code | The concept of an imaging procedure has its site.
ActiveSurveillance
subject | equivalent | episode | person_id | | episode | EpisodeOfCare.patient |
cancerConditionAtDiagnosisReference | related-to | episode | episode_parent_id | 32533 Disease Episode | episode, parent | EpisodeOfCare.diagnosis.condition |
startDate | equivalent | episode | episode_start_date | | episode, start | EpisodeOfCare.period | The episode is a treatment regimen (32531) whose object is the procedure of active surveillance.
endDate | equivalent | episode | episode_end_date | | episode, end | EpisodeOfCare.period | The day of the first progression or treatment, or empty.
OverallCancerTreatmentResponse
cancerConditionAtDiagnosisReference | related-to | episode | episode_parent_id | 32533 Disease Episode | episode, parent | EpisodeOfCare.diagnosis.condition |
clinicalCancerProgressionReference | related-to | episode | episode_parent_id | 32949 Disease Progression | episode, parent | |
treatmentResponseType | equivalent | episode | episode_concept_id | 32949 Disease Progression; 32948 Stable Disease; 32947 Partial Remission; 32946 Complete Remission | episode, concept | Observation.value[x] | The same concepts as of ClinicalCancerProgression: what differs is the treatment that the episode follows.
date | equivalent | episode | episode_start_date | | episode, start | Observation.effective[x] |
LastFollowUp
subject | equivalent | observation | person_id | | observation | Observation.subject |
vitalStatus | related-to | death | person_id | | death, date | Observation.value[x], Patient.deceased[x] | A row in DEATH says dead; that somebody was alive is the end of OBSERVATION_PERIOD, or an observation of that day.
evidenceOfDisease | related-to | episode | episode_concept_id | 32946 Complete Remission; 32948 Stable Disease | episode, concept | Observation.value[x] | The course told last; nothing is concluded from silence (lfu-1 then fails, and says so).
causeOfDeath | equivalent | death | cause_concept_id, cause_source_value | | death, cause | Observation.value[x], Observation.dataAbsentReason | Concept 0 where no cause is recorded (lfu-2).
date | equivalent | observation_period | observation_period_end_date | | observation_period, end | |
deathDate | equivalent | death | death_date | | death, date | Patient.deceased[x] | Required by the CDM too (lfu-3).
"""
HEAD = """# HL7 Europe's cancer models in OMOP

<!-- Written by `make reference` from docs/eu_cancer_omop.py; do not edit it. -->

HL7 Europe's [common cancer model](https://github.com/hl7-eu/cancer-common) (0.1.0, CC0) has eleven logical models. It gives the way
to OMOP for one of them, CancerPatient; the other ten are to be defined. Below is the way that Oncoweave fills OMOP CDM 5.4 for all
eleven, offered as a contribution. A test holds it to the models, to the CDM, to the concepts and to the mapping language.

*Keys* are those of a [mapping](mapping-language.md): the kind of fact first. A concept id is an example or the whole list where the
model has a closed choice; what the source says instead of a concept is mapped by its map. The models have codes of their own
(`Clinical`, `Definitive`) without a system, so those are the left side of a concept map.

*FHIR* is where `fhir: eu-cancer` writes the same fact, in the profiles of mCODE that the guide rests on; the guide leaves these ten to be
defined, too. Where it is empty, OMOP alone has it.
"""


def rows() -> Iterator[Row]:
    """The rows of all models, in the order of the models."""
    model = ""
    for line in _FACTS.strip().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 1:
            model = cells[0]
            continue
        element, relation, table, fields, concepts, keys, fhir, note = cells
        yield Row(
            model, element, relation, table, _split(fields), _concepts(concepts), _split(keys), _split(fhir), note
        )


def page() -> str:
    """The page."""
    parts, model = [HEAD], ""
    for row in rows():
        if row.model != model:
            model = row.model
            parts.append(
                f"\n## {model}\n\n| element | relation | table | fields | concepts | keys | FHIR | note |\n|---|---|---|---|---|---|---|---|\n"
            )
        concepts = "; ".join(f"{number} {name}" for number, name in row.concepts)
        fields, keys, fhir = (", ".join(f"`{name}`" for name in names) for names in (row.fields, row.keys, row.fhir))
        parts.append(
            f"| {row.element} | {row.relation} | {row.table} | {fields} | {concepts} | {keys} | {fhir} | {row.note} |\n"
        )
    return "".join(parts)


def _split(cell: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in cell.split(",") if name.strip())


def _concepts(cell: str) -> tuple[tuple[int, str], ...]:
    pairs = (pair.strip().partition(" ") for pair in cell.split(";") if pair.strip())
    return tuple((int(number), name) for number, _, name in pairs)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

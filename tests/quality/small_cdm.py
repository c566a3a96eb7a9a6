"""A small valid CDM, made by hand, in which each test plants one defect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import duckdb

from oncoweave import content
from oncoweave.omop.model import tables
from oncoweave.project import Project, RunFolder
from oncoweave.quality.compilation import Check, checks
from oncoweave.records import ExpectationResult
from oncoweave.stages.check import check_tables

DELIVERY = date(2020, 6, 30)
VOCABULARY = "small-1"

CONCEPTS = """
0        | No matching concept                           | Metadata            | None            | Undefined       |
8532     | FEMALE                                        | Gender              | Gender          | Gender          | S
8551     | UNKNOWN                                       | Gender              | Gender          | Gender          |
8576     | milligram                                     | Unit                | UCUM            | Unit            | S
8588     | millimeter                                    | Unit                | UCUM            | Unit            | S
32879    | Registry                                      | Type Concept        | Type Concept    | Type Concept    | S
32531    | Treatment Regimen                             | Episode             | Episode         | Treatment       | S
756265   | OMOP CDM Version 5.4.0                        | Metadata            | CDM             | CDM             | S
1147127  | condition_occurrence.condition_occurrence_id  | Metadata            | CDM             | Field           | S
1147082  | procedure_occurrence.procedure_occurrence_id  | Metadata            | CDM             | Field           | S
1147094  | drug_exposure.drug_exposure_id                | Metadata            | CDM             | Field           | S
1635564  | T1                                            | Measurement         | Cancer Modifier | Staging/Grading | S | AJCC/UICC-T1
36769180 | Metastasis                                    | Measurement         | Cancer Modifier | Metastasis      | S
36768664 | Dimension of tumour                           | Measurement         | Cancer Modifier | Dimension       | S
4162253  | Primary malignant neoplasm of breast          | Condition           | SNOMED          | Disorder        | S
44498348 | Infiltrating duct carcinoma of breast         | Condition           | ICDO3           | ICDO Condition  | | 8500/3-C50.9
4273629  | Chemotherapy                                  | Procedure           | SNOMED          | Procedure       | S
1308433  | doxorubicin 10 MG injection                   | Drug                | RxNorm          | Clinical Drug   | S
1308432  | doxorubicin                                   | Drug                | RxNorm          | Ingredient      | S
4171754  | <=                                            | Meas Value Operator | SNOMED          | Qualifier Value | S
4172703  | =                                             | Meas Value Operator | SNOMED          | Qualifier Value | S
4236900  | Port catheter                                 | Device              | SNOMED          | Physical Object | S
9201     | Inpatient Visit                               | Visit               | Visit           | Visit           | S
4122248  | Tissue specimen (made up)                     | Specimen            | SNOMED          | Specimen        | S
38004446 | General Practice                              | Provider            | Medicare Specialty | Physician Specialty | S
42048428 | Germany                                       | Geography           | OSM             | 2nd level       | S
4145666  | Menopause                                     | Observation         | SNOMED          | Clinical Finding| S
10       | Procedure                                     | Metadata            | Domain          | Domain          | S
36       | Specimen                                      | Metadata            | Domain          | Domain          | S
44818756 | Has specimen                                  | Metadata            | Relationship    | Relationship    | S
44818854 | Specimen of                                   | Metadata            | Relationship    | Relationship    | S
2000000001 | A code of the site                          | Condition           | Site            | Site            |
1634434  | N1                                            | Measurement         | Cancer Modifier | Staging/Grading | S | AJCC/UICC-N1
1635142  | M1                                            | Measurement         | Cancer Modifier | Staging/Grading | S | AJCC/UICC-M1
1635624  | M0                                            | Measurement         | Cancer Modifier | Staging/Grading | S | AJCC/UICC-M0
1633306  | Stage 1                                       | Measurement         | Cancer Modifier | Staging/Grading | S | AJCC/UICC-Stage-1
9000001  | Stage 4 (made-up id)                          | Measurement         | Cancer Modifier | Staging/Grading | S | AJCC/UICC-Stage-4
9000002  | Stage 0 (made-up id)                          | Measurement         | Cancer Modifier | Staging/Grading | S | p-7th_AJCC/UICC-Stage-0
9000003  | pathological Tis (made-up id)                 | Measurement         | Cancer Modifier | Staging/Grading | S | p-7th_AJCC/UICC-Tis
9000004  | N0 after therapy (made-up id)                 | Measurement         | Cancer Modifier | Staging/Grading | S | yp-AJCC/UICC-N0
1634371  | Grade 1 tumor                                 | Measurement         | Cancer Modifier | Staging/Grading | S | Grade-1
9000005  | Carcinoma in situ of breast (made-up id)      | Condition           | ICDO3           | ICDO Condition  | S | 8500/2-C50.9
9000006  | Neoplasm defined only by histology (made-up)  | Condition           | ICDO3           | ICDO Condition  | S | 8500/3-NULL
9000007  | Secondary malignant neoplasm of bone (made up)| Condition           | SNOMED          | Disorder        | S
9000008  | Acute myeloid leukemia (made-up id)           | Condition           | ICDO3           | ICDO Condition  | S | 9861/3-C42.1
9000009  | Unspecified site (made-up id)                 | Condition           | ICDO3           | ICDO Condition  | S | 8000/3-C80.9
9000010  | Metastatic tumour (made-up id)                | Condition           | ICDO3           | ICDO Condition  | S | 8500/6-C77.3
197500   | Primary malignant neoplasm of colon           | Condition           | SNOMED          | Disorder        | S
200962   | Primary malignant neoplasm of prostate        | Condition           | SNOMED          | Disorder        | S
133424   | Primary malignant neoplasm of thyroid gland   | Condition           | SNOMED          | Disorder        | S
1635320  | N3                                            | Measurement         | Cancer Modifier | Staging/Grading | S | AJCC/UICC-N3
9000011  | N1mi (made-up id)                             | Measurement         | Cancer Modifier | Staging/Grading | S | 7th_AJCC/UICC-N1mi
9000012  | clinical Stage 2A (made-up id)                | Measurement         | Cancer Modifier | Staging/Grading | S | c-7th_AJCC/UICC-Stage-2A
9000013  | Stage 1 after therapy (made-up id)            | Measurement         | Cancer Modifier | Staging/Grading | S | yp-7th_AJCC/UICC-Stage-1
9000014  | T1c (made-up id)                              | Measurement         | Cancer Modifier | Staging/Grading | S | AJCC/UICC-T1c
9000015  | T2                                            | Measurement         | Cancer Modifier | Staging/Grading | S | AJCC/UICC-T2
9000016  | pathological M1 (made-up id)                  | Measurement         | Cancer Modifier | Staging/Grading | S | c-AJCC/UICC-M1
9000017  | Gleason score (made-up id)                    | Measurement         | SNOMED          | Observable      | S
9000018  | ECOG performance status (made-up id)          | Measurement         | SNOMED          | Observable      | S
9000019  | Karnofsky index (made-up id)                  | Measurement         | SNOMED          | Observable      | S
9189     | Negative                                      | Meas Value          | SNOMED          | Qualifier Value | S
8582     | centimeter                                    | Unit                | UCUM            | Unit            | S
9191     | Positive                                      | Meas Value          | SNOMED          | Qualifier Value | S
21490742 | Histologic grade of tumor (made up)           | Measurement         | LOINC           | Clinical Observation | S
"""

ROWS = """
INSERT INTO person (person_id, gender_concept_id, year_of_birth, month_of_birth, day_of_birth, birth_datetime,
    race_concept_id, ethnicity_concept_id)
VALUES (1, 8532, 1950, 3, 7, TIMESTAMP '1950-03-07', 0, 0), (2, 8532, 1960, NULL, NULL, NULL, 0, 0);
INSERT INTO observation_period
VALUES (11, 1, '2000-01-01', '2001-12-31', 32879), (12, 1, '2003-01-01', '2004-12-31', 32879),
    (13, 2, '2000-01-01', '2002-06-30', 32879);
INSERT INTO condition_occurrence (condition_occurrence_id, person_id, condition_concept_id, condition_start_date,
    condition_end_date, condition_type_concept_id, condition_source_value, condition_source_concept_id)
VALUES (21, 1, 4162253, '2000-02-01', '2001-02-01', 32879, '8500/3-C50.9', 44498348),
    (22, 2, 4162253, '2000-05-01', NULL, 32879, 'C50', 2000000001);
INSERT INTO drug_exposure (drug_exposure_id, person_id, drug_concept_id, drug_exposure_start_date,
    drug_exposure_end_date, drug_type_concept_id, days_supply, quantity)
VALUES (31, 1, 1308432, '2000-03-01', '2000-03-10', 32879, 10, 5);
INSERT INTO procedure_occurrence (procedure_occurrence_id, person_id, procedure_concept_id, procedure_date,
    procedure_type_concept_id, quantity)
VALUES (41, 1, 4273629, '2000-03-01', 32879, 1);
INSERT INTO visit_occurrence (visit_occurrence_id, person_id, visit_concept_id, visit_start_date, visit_end_date,
    visit_type_concept_id)
VALUES (81, 1, 9201, '2000-02-01', '2000-02-03', 32879);
INSERT INTO visit_detail (visit_detail_id, person_id, visit_detail_concept_id, visit_detail_start_date,
    visit_detail_end_date, visit_detail_type_concept_id, visit_occurrence_id)
VALUES (101, 1, 9201, '2000-02-01', '2000-02-02', 32879, 81);
UPDATE condition_occurrence SET visit_occurrence_id = 81, visit_detail_id = 101 WHERE person_id = 1;
INSERT INTO device_exposure (device_exposure_id, person_id, device_concept_id, device_exposure_start_date,
    device_exposure_end_date, device_type_concept_id, visit_occurrence_id)
VALUES (91, 1, 4236900, '2000-02-02', '2000-08-02', 32879, 81);
INSERT INTO measurement (measurement_id, person_id, measurement_concept_id, measurement_date,
    measurement_type_concept_id, operator_concept_id, value_as_number, unit_concept_id, unit_source_value,
    measurement_source_value, measurement_event_id, meas_event_field_concept_id)
VALUES (51, 1, 36768664, '2000-02-01', 32879, 4171754, 20, 8588, 'mm', 'size', 21, 1147127),
    (52, 1, 1635564, '2000-02-01', 32879, NULL, NULL, NULL, NULL, 'T1', 21, 1147127),
    (53, 2, 36768664, '2000-05-01', 32879, NULL, 3, NULL, NULL, 'nodes', NULL, NULL);
INSERT INTO observation (observation_id, person_id, observation_concept_id, observation_date,
    observation_type_concept_id, observation_source_value, observation_event_id, obs_event_field_concept_id)
VALUES (61, 1, 4145666, '2000-02-01', 32879, '1', 21, 1147127);
INSERT INTO note (note_id, person_id, note_date, note_type_concept_id, note_class_concept_id, note_text,
    encoding_concept_id, language_concept_id, visit_occurrence_id, note_event_id, note_event_field_concept_id)
VALUES (101, 1, '2000-02-01', 32879, 0, '[withheld: the text of this note stays at the site]', 0, 0, 81, 21, 1147127),
    (102, 1, '2000-02-01', 32879, 4145666, '[withheld: the text of this note stays at the site]', 0, 0, NULL, NULL, NULL);
INSERT INTO specimen (specimen_id, person_id, specimen_concept_id, specimen_type_concept_id, specimen_date, quantity,
    unit_concept_id, unit_source_value, specimen_source_id)
VALUES (111, 1, 4122248, 32879, '2000-02-02', 5, 8588, 'mm', '4711');
INSERT INTO metadata (metadata_id, metadata_concept_id, metadata_type_concept_id, name, value_as_string)
VALUES (121, 0, 0, 'software', 'oncoweave');
INSERT INTO death (person_id, death_date, death_type_concept_id, cause_concept_id)
VALUES (2, '2002-06-30', 32879, NULL);
INSERT INTO episode (episode_id, person_id, episode_concept_id, episode_start_date, episode_end_date,
    episode_object_concept_id, episode_type_concept_id, episode_number)
VALUES (71, 1, 32531, '2000-03-01', '2000-03-10', 4273629, 32879, 1);
INSERT INTO condition_era VALUES (121, 1, 4162253, '2000-02-01', '2001-02-01', 1),
    (122, 2, 4162253, '2000-05-01', '2000-05-01', 1);
INSERT INTO drug_era VALUES (131, 1, 1308432, '2000-03-01', '2000-03-10', 1, 0);
INSERT INTO dose_era VALUES (141, 1, 1308432, 8576, 5, '2000-03-01', '2000-03-10');
INSERT INTO location (location_id, city, state, country_concept_id, country_source_value)
VALUES (101, 'Bath', 'BA', 42048428, 'DE'), (102, 'Bath', NULL, NULL, NULL);
INSERT INTO care_site (care_site_id, care_site_name, place_of_service_concept_id, location_id, place_of_service_source_value)
VALUES (111, 'General', 9201, 101, 'in');
INSERT INTO provider (provider_id, specialty_concept_id, care_site_id, year_of_birth, gender_concept_id,
    specialty_source_value)
VALUES (151, 38004446, 111, 1961, 8532, 'gp');
UPDATE person SET location_id = 101, care_site_id = 111, provider_id = 151 WHERE person_id = 1;
UPDATE visit_occurrence SET care_site_id = 111, provider_id = 151;
UPDATE condition_occurrence SET provider_id = 151 WHERE person_id = 1;
INSERT INTO episode_event VALUES (71, 31, 1147094), (71, 41, 1147082);
INSERT INTO fact_relationship VALUES (10, 41, 36, 111, 44818756), (36, 111, 10, 41, 44818854);
INSERT INTO cdm_source (cdm_source_name, cdm_source_abbreviation, cdm_holder, source_release_date, cdm_release_date,
    cdm_version, cdm_version_concept_id, vocabulary_version)
VALUES ('A registry', 'reg', 'A holder', '2020-06-30', '2020-06-30', '5.4', 756265, 'starter-1');
"""


@dataclass(frozen=True)
class Cdm:
    """The tables in a scratch database; `check` writes them as a run would and judges them."""

    connection: duckdb.DuckDBPyConnection
    run: RunFolder
    project: Project
    concepts: Path

    def plant(self, sql: str) -> None:
        """Change the tables."""
        self.connection.execute(sql)

    def check(self, suite: str = "", expectation: str = "") -> list[ExpectationResult]:
        """Write every table, and give the results of the standard suites: of all, or of what is named."""
        self.write()
        planned = [
            check
            for check in _standard_checks()
            if suite in ("", check.suite) and expectation in ("", check.spec.expect)
        ]
        return check_tables(self.run, planned, self.concepts, DELIVERY)

    def write(self) -> None:
        """Write every table that the scratch database has."""
        self.run.tables.mkdir(exist_ok=True)
        for (table,) in self.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            target = self.run.tables / f"{table}.parquet"
            self.connection.execute(f"COPY \"{table}\" TO '{target}' (FORMAT parquet)")


@contextmanager
def small_cdm(folder: Path, concepts: Path) -> Iterator[Cdm]:
    """The small CDM, in a project without anything of its own."""
    with closing(duckdb.connect()) as connection:
        for table in tables().values():
            fields = ", ".join(f'"{field.name}" {field.type}' for field in table.fields)
            connection.execute(f'CREATE TABLE "{table.name}" ({fields})')
        connection.execute(ROWS)
        project = Project(folder / "site", folder / "runs", folder / "releases", folder / "restricted")
        run = RunFolder(folder / "runs" / "registry" / "r1")
        run.path.mkdir(parents=True)
        yield Cdm(connection, run, project, concepts)


@cache
def _standard_checks() -> list[Check]:
    return checks(Project.at(content.standard()), "registry")


def vocabulary(folder: Path) -> Path:
    """A vocabulary release of these concepts, named as its folder; returns its CONCEPT table."""
    folder.mkdir(parents=True)
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE CONCEPT (concept_id INTEGER, concept_name VARCHAR, domain_id VARCHAR, vocabulary_id VARCHAR, "
        "concept_class_id VARCHAR, standard_concept VARCHAR, concept_code VARCHAR, invalid_reason VARCHAR);"
        "CREATE TABLE CONCEPT_RELATIONSHIP (concept_id_1 INTEGER, concept_id_2 INTEGER, relationship_id VARCHAR, "
        "invalid_reason VARCHAR);"
        "CREATE TABLE VOCABULARY (vocabulary_id VARCHAR, vocabulary_version VARCHAR);"
        "CREATE TABLE RELATIONSHIP (relationship_id VARCHAR, reverse_relationship_id VARCHAR, relationship_concept_id BIGINT);"
        "INSERT INTO RELATIONSHIP VALUES ('Has specimen', 'Specimen of', 44818756), ('Specimen of', 'Has specimen', 44818854);"
    )
    connection.execute("INSERT INTO VOCABULARY VALUES ('None', ?)", [folder.name])
    for line in CONCEPTS.strip().splitlines():
        values = [value.strip() or None for value in line.split("|")]
        values += [None] * (7 - len(values))  # the last two, standard and code, may be left out
        connection.execute("INSERT INTO CONCEPT VALUES (?, ?, ?, ?, ?, ?, coalesce(?, ''), NULL)", values)
    for table in ("CONCEPT", "CONCEPT_RELATIONSHIP", "RELATIONSHIP", "VOCABULARY"):
        connection.execute(f"COPY {table} TO '{folder / table}.parquet' (FORMAT parquet)")
    connection.close()
    return folder / "CONCEPT.parquet"


def failing(results: list[ExpectationResult]) -> set[tuple[str, str, str | None, str]]:
    """What failed, as (suite, expectation, field, severity)."""
    return {(r.suite, r.expectation, r.column, r.severity) for r in results if not r.success}

"""A case worked out by hand for each kind of DQD check: small tables with a defect, and what DQD counts in them.

`source` is the file in OHDSI's DataQualityDashboard (inst/sql/sql_server, at 2f81ca9eb736) that says which rows are the
numerator (N) and which the denominator (D); `counts` is N and D in our words. After `mended` nothing fails.
"""

from __future__ import annotations

from dataclasses import dataclass

CONCEPTS = """
INSERT INTO concept (concept_id, domain_id, concept_class_id, standard_concept, invalid_reason) VALUES
    (0, 'Metadata', 'Undefined', NULL, NULL), (10, 'Condition', 'Disorder', 'S', NULL),
    (11, 'Drug', 'Ingredient', 'S', NULL), (12, 'Condition', 'Disorder', NULL, NULL),
    (13, 'Condition', 'Disorder', 'S', 'D'), (14, 'Drug', 'Clinical Drug', 'S', NULL)
"""
PERSONS = "INSERT INTO person (person_id, gender_concept_id) VALUES (1, 8507), (2, 8532), (3, 8507), (4, 0)"


@dataclass(frozen=True)
class Case:
    """`violated` of `denominator` rows fail once `planted` has run, none of `mended_denominator` once `mended` has too."""

    check: str
    source: str
    counts: str
    planted: str
    violated: int
    denominator: int
    mended: str
    mended_denominator: int
    keys: tuple[int, ...] | None = None
    """Keys of the failing rows; None where rows have none."""


CASES = (
    Case(
        "table_cdmtable_death",
        "table_cdm_table.sql",
        "N: the query fails, that is the table is not there. D: 1.",
        "DROP TABLE death",
        1, 1,
        "CREATE TABLE death (person_id BIGINT)", 1,
    ),
    Case(
        "field_cdmfield_death_death_date",
        "field_cdm_field.sql",
        "N: the query fails, that is the field is not there. D: 1.",
        "ALTER TABLE death DROP COLUMN death_date",
        1, 1,
        "ALTER TABLE death ADD COLUMN death_date DATE", 1,
    ),
    Case(
        "table_measurepersoncompleteness_visit_occurrence",
        "table_person_completeness.sql",
        "N: persons (rows of PERSON) without a row in the table. D: rows of PERSON.",
        PERSONS + "; INSERT INTO visit_occurrence (visit_occurrence_id, person_id) VALUES (81, 1), (82, 1), (83, NULL), (84, 9)",
        3, 4,
        "INSERT INTO visit_occurrence (visit_occurrence_id, person_id) VALUES (85, 2), (86, 3), (87, 4)", 4,
        keys=(2, 3, 4),
    ),
    Case(
        "table_measureconditioneracompleteness_condition_era",
        "table_condition_era_completeness.sql",
        "N: different persons with a condition other than 0 and no era. D: different persons with a condition other than 0.",
        "INSERT INTO condition_occurrence (condition_occurrence_id, person_id, condition_concept_id) "
        "VALUES (21, 1, 10), (22, 1, 12), (23, 2, 10), (24, 2, 10), (25, 3, 0), (26, 4, NULL), (27, NULL, 10); "
        "INSERT INTO condition_era (condition_era_id, person_id) VALUES (121, 1), (122, 3)",
        1, 2,
        "INSERT INTO condition_era (condition_era_id, person_id) VALUES (123, 2)", 2,
        keys=(2,),
    ),
    Case(
        "table_measureobservationperiodoverlap_observation_period",
        "table_observation_period_overlap.sql",
        "N: different persons of whom two periods share a day, or one starts on the day after another ends. "
        "D: different persons with a period.",
        "INSERT INTO observation_period (observation_period_id, person_id, observation_period_start_date, "
        "observation_period_end_date) VALUES (11, 1, '2000-01-01', '2001-06-30'), (12, 1, '2001-06-30', '2002-12-31'), "
        "(13, 2, '2000-01-01', '2000-12-31'), (14, 2, '2001-01-01', '2001-12-31'), "
        "(15, 3, '2000-01-01', '2000-12-30'), (16, 3, '2001-01-01', '2001-12-31'), (17, 4, '2000-01-01', '2000-12-31')",
        2, 4,
        "DELETE FROM observation_period WHERE observation_period_id IN (12, 14)", 4,
        keys=(1, 2),
    ),
    Case(
        "field_isrequired_person_year_of_birth",
        "field_is_not_nullable.sql",
        "N: rows in which the field is NULL. D: rows.",
        "INSERT INTO person (person_id, year_of_birth) VALUES (1, 1950), (2, NULL), (3, 1960)",
        1, 3,
        "UPDATE person SET year_of_birth = 1970 WHERE person_id = 2", 3,
        keys=(2,),
    ),
    Case(
        "field_cdmdatatype_person_year_of_birth",
        "field_cdm_datatype.sql",
        "N: rows in which the field is filled and no whole number. D: rows.",
        "ALTER TABLE person ALTER year_of_birth TYPE VARCHAR; "
        "INSERT INTO person (person_id, year_of_birth) VALUES (1, '1950'), (2, 'fifty'), (3, '1950.5'), (4, NULL)",
        2, 4,
        "UPDATE person SET year_of_birth = '1951' WHERE person_id IN (2, 3)", 4,
        keys=(2, 3),
    ),
    Case(
        "field_isprimarykey_measurement_measurement_id",
        "field_is_primary_key.sql",
        "N: rows whose key another row has too (an empty key is none). D: rows.",
        "INSERT INTO measurement (measurement_id) VALUES (51), (52), (51), (53), (51), (NULL), (NULL)",
        3, 7,
        "DELETE FROM measurement WHERE measurement_id = 51", 4,
        keys=(51,),
    ),
    Case(
        "field_isforeignkey_condition_occurrence_person_id",
        "is_foreign_key.sql",
        "N: rows in which the field is filled and not a key of the other table. D: rows.",
        PERSONS + "; INSERT INTO person (person_id) VALUES (NULL); "
        "INSERT INTO condition_occurrence (condition_occurrence_id, person_id) VALUES (21, 1), (22, 7), (23, NULL), (24, 7)",
        2, 4,
        "INSERT INTO person (person_id) VALUES (7)", 4,
        keys=(22, 24),
    ),
    Case(
        "field_isforeignkey_condition_occurrence_condition_concept_id",
        "is_foreign_key.sql",
        "N: rows in which the field is filled and not a key of CONCEPT, which has 0. D: rows.",
        CONCEPTS + "; INSERT INTO condition_occurrence (condition_occurrence_id, condition_concept_id) "
        "VALUES (21, 0), (22, 10), (23, 99), (24, NULL)",
        1, 4,
        "DELETE FROM condition_occurrence WHERE condition_occurrence_id = 23", 3,
        keys=(23,),
    ),
    Case(
        "field_fkdomain_condition_occurrence_condition_concept_id",
        "field_fk_domain.sql",
        "N: rows whose concept is in CONCEPT, is not 0 and has another domain. D: rows.",
        CONCEPTS + "; INSERT INTO condition_occurrence (condition_occurrence_id, condition_concept_id) "
        "VALUES (21, 0), (22, 10), (23, 99), (24, NULL), (25, 11), (26, 14), (27, 11)",
        3, 7,
        "UPDATE condition_occurrence SET condition_concept_id = 12 WHERE condition_occurrence_id >= 25", 7,
        keys=(25, 26, 27),
    ),
    Case(
        "field_fkclass_drug_era_drug_concept_id",
        "field_fk_class.sql",
        "N: rows whose concept is in CONCEPT, is not 0 and has another class. D: rows.",
        CONCEPTS + "; INSERT INTO drug_era (drug_era_id, drug_concept_id) VALUES (131, 11), (132, 14), (133, 0), (134, 99), (135, NULL)",
        1, 5,
        "UPDATE drug_era SET drug_concept_id = 11 WHERE drug_era_id = 132", 5,
        keys=(132,),
    ),
    Case(
        "field_isstandardvalidconcept_condition_occurrence_condition_concept_id",
        "field_is_standard_valid_concept.sql",
        "N: rows whose concept is in CONCEPT, is not 0, and is not standard or not valid. D: rows in which the field is filled.",
        CONCEPTS + "; INSERT INTO condition_occurrence (condition_occurrence_id, condition_concept_id) "
        "VALUES (21, 0), (22, 10), (23, 99), (24, NULL), (25, 12), (26, 13)",
        2, 5,
        "UPDATE concept SET standard_concept = 'S', invalid_reason = ''", 5,
        keys=(25, 26),
    ),
    Case(
        "field_measurevaluecompleteness_measurement_value_as_number",
        "field_measure_value_completeness.sql",
        "N: rows in which the field is NULL. D: rows.",
        "INSERT INTO measurement (measurement_id, value_as_number) VALUES (51, 1.5), (52, NULL), (53, NULL), (54, 0)",
        2, 4,
        "UPDATE measurement SET value_as_number = 3", 4,
        keys=(52, 53),
    ),
    Case(
        "field_standardconceptrecordcompleteness_condition_occurrence_condition_concept_id",
        "field_concept_record_completeness.sql",
        "N: rows with concept 0. D: rows in which the field is filled.",
        "INSERT INTO condition_occurrence (condition_occurrence_id, condition_concept_id, condition_source_value) "
        "VALUES (21, 0, 'C50'), (22, 10, 'C50'), (23, NULL, 'C50')",
        1, 2,
        "UPDATE condition_occurrence SET condition_concept_id = 10 WHERE condition_occurrence_id = 21", 2,
        keys=(21,),
    ),
    Case(
        "field_standardconceptrecordcompleteness_measurement_unit_concept_id",
        "field_concept_record_completeness.sql",
        "N: rows with unit 0, or without a unit where there is a source value. D: rows with a unit or a source value of it.",
        "INSERT INTO measurement (measurement_id, unit_concept_id, unit_source_value) "
        "VALUES (51, 8588, 'mm'), (52, 0, NULL), (53, NULL, 'mm'), (54, NULL, NULL)",
        2, 3,
        "UPDATE measurement SET unit_concept_id = 8588 WHERE measurement_id IN (52, 53)", 3,
        keys=(52, 53),
    ),
    Case(
        "field_standardconceptrecordcompleteness_dose_era_unit_concept_id",
        "field_concept_record_completeness.sql",
        "N: rows with unit 0 (DOSE_ERA has no source values). D: rows in which the field is filled.",
        "INSERT INTO dose_era (dose_era_id, unit_concept_id) VALUES (141, 8576), (142, 0), (143, NULL)",
        1, 2,
        "UPDATE dose_era SET unit_concept_id = 8576 WHERE dose_era_id = 142", 2,
        keys=(142,),
    ),
    Case(
        "field_standardconceptrecordcompleteness_person_gender_concept_id",
        "field_concept_record_completeness.sql",
        "N: rows with concept 0; that a source value makes the concept required is so in PROVIDER only. D: rows with a concept.",
        "INSERT INTO person (person_id, gender_concept_id, gender_source_value) VALUES (1, 8507, 'm'), (2, NULL, 'f'), (3, 0, 'x')",
        1, 2,
        "UPDATE person SET gender_concept_id = 8532 WHERE person_id = 3", 2,
        keys=(3,),
    ),
    Case(
        "field_sourceconceptrecordcompleteness_measurement_unit_source_concept_id",
        "field_concept_record_completeness.sql",
        "N: rows with concept 0, or without one where there is a source value. D: rows with a concept or a source value.",
        "INSERT INTO measurement (measurement_id, unit_source_concept_id, unit_source_value) "
        "VALUES (51, 8588, 'mm'), (52, 0, 'mm'), (53, NULL, 'mm'), (54, NULL, NULL), (55, 8588, NULL)",
        2, 4,
        "UPDATE measurement SET unit_source_concept_id = 8588 WHERE measurement_id IN (52, 53)", 4,
        keys=(52, 53),
    ),
    Case(
        "field_sourcevaluecompleteness_condition_occurrence_condition_source_value",
        "field_source_value_completeness.sql",
        "N: different source values, being empty among them, that have concept 0 in a row. D: different source values, being empty among them.",
        "INSERT INTO condition_occurrence (condition_occurrence_id, condition_source_value, condition_concept_id) "
        "VALUES (21, 'a', 0), (22, 'a', 10), (23, 'a', 0), (24, 'b', 0), (25, 'c', 10), (26, NULL, 0), (27, NULL, 10), (28, 'd', NULL)",
        3, 5,
        "UPDATE condition_occurrence SET condition_concept_id = 10", 5,
        keys=(21, 23, 24, 26),
    ),
    Case(
        "field_plausiblevaluelow_measurement_measurement_date",
        "field_plausible_value_low.sql",
        "N: rows dated before 1950. D: rows in which the field is filled.",
        "INSERT INTO measurement (measurement_id, measurement_date) VALUES (51, '1949-12-31'), (52, '1950-01-01'), (53, NULL)",
        1, 2,
        "UPDATE measurement SET measurement_date = '1950-01-01' WHERE measurement_id = 51", 2,
        keys=(51,),
    ),
    Case(
        "field_plausiblevaluelow_drug_exposure_quantity",
        "field_plausible_value_low.sql",
        "N: rows in which the number is less than 0.0000001. D: rows in which the field is filled.",
        "INSERT INTO drug_exposure (drug_exposure_id, quantity) VALUES (31, 0), (32, 0.0000001), (33, -1), (34, 5), (35, NULL)",
        2, 4,
        "UPDATE drug_exposure SET quantity = 1", 5,
        keys=(31, 33),
    ),
    Case(
        "field_plausiblevaluehigh_measurement_measurement_datetime",
        "field_plausible_value_high.sql",
        "N: rows whose day is after tomorrow, of the day of the delivery (2020-06-30). D: rows in which the field is filled.",
        "INSERT INTO measurement (measurement_id, measurement_datetime) "
        "VALUES (51, '2020-07-01 23:59:00'), (52, '2020-07-02 00:00:00'), (53, NULL)",
        1, 2,
        "DELETE FROM measurement WHERE measurement_id = 52", 1,
        keys=(52,),
    ),
    Case(
        "field_plausiblevaluehigh_person_year_of_birth",
        "field_plausible_value_high.sql",
        "N: rows in which the year is after the next, of the year of the delivery (2020). D: rows in which the field is filled.",
        "INSERT INTO person (person_id, year_of_birth) VALUES (1, 2021), (2, 2022), (3, NULL)",
        1, 2,
        "UPDATE person SET year_of_birth = 1960", 3,
        keys=(2,),
    ),
    Case(
        "field_plausiblevaluehigh_person_month_of_birth",
        "field_plausible_value_high.sql",
        "N: rows in which the number is greater than 12. D: rows in which the field is filled.",
        "INSERT INTO person (person_id, month_of_birth) VALUES (1, 12), (2, 13), (3, NULL)",
        1, 2,
        "UPDATE person SET month_of_birth = 1", 3,
        keys=(2,),
    ),
    Case(
        "field_plausibletemporalafter_visit_occurrence_visit_end_date",
        "field_plausible_temporal_after.sql",
        "N: rows in which the field is before the other field of the row. D: rows.",
        "INSERT INTO visit_occurrence (visit_occurrence_id, visit_start_date, visit_end_date) VALUES "
        "(81, '2000-02-02', '2000-02-01'), (82, '2000-02-02', '2000-02-02'), (83, '2000-02-02', NULL), (84, NULL, '2000-02-02')",
        1, 4,
        "UPDATE visit_occurrence SET visit_end_date = '2000-02-03'", 4,
        keys=(81,),
    ),
    Case(
        "field_plausibletemporalafter_measurement_measurement_date",
        "field_plausible_temporal_after.sql",
        "N: rows dated before the person's birth, by birth_datetime, else the first of June. D: rows.",
        "INSERT INTO person (person_id, year_of_birth, month_of_birth, birth_datetime) VALUES (1, 1950, 3, '1950-03-07'), (2, 1960, 1, NULL); "
        "INSERT INTO measurement (measurement_id, person_id, measurement_date) VALUES (51, 1, '1950-03-06'), "
        "(52, 1, '1950-03-07'), (53, 2, '1960-05-31'), (54, 2, '1960-06-01'), (55, 2, NULL), (56, 9, '1900-01-01')",
        2, 6,
        "UPDATE measurement SET measurement_date = '2000-01-01'", 6,
        keys=(51, 53),
    ),
    Case(
        "field_plausibleduringlife_procedure_occurrence_procedure_date",
        "field_plausible_during_life.sql",
        "N: rows dated more than 60 days after the person's death. D: rows of persons who died, dated or not.",
        "INSERT INTO death (person_id, death_date) VALUES (1, '2002-01-01'), (2, NULL); "
        "INSERT INTO procedure_occurrence (procedure_occurrence_id, person_id, procedure_date) VALUES (41, 1, '2002-03-02'), "
        "(42, 1, '2002-03-03'), (43, 1, NULL), (44, 2, '2010-01-01'), (45, 3, '2010-01-01')",
        1, 4,
        "UPDATE procedure_occurrence SET procedure_date = '2001-01-01'", 4,
        keys=(42,),
    ),
    Case(
        "field_withinvisitdates_measurement_measurement_date",
        "field_within_visit_dates.sql",
        "N: rows dated more than 7 days before the start or after the end of their visit. D: rows whose visit is there.",
        "INSERT INTO visit_occurrence (visit_occurrence_id, visit_start_date, visit_end_date) VALUES (81, '2000-02-10', '2000-02-12'); "
        "INSERT INTO measurement (measurement_id, visit_occurrence_id, measurement_date) VALUES (51, 81, '2000-02-02'), "
        "(52, 81, '2000-02-03'), (53, 81, '2000-02-19'), (54, 81, '2000-02-20'), (55, 81, NULL), (56, 82, '1990-01-01'), (57, NULL, '1990-01-01')",
        2, 5,
        "UPDATE measurement SET measurement_date = '2000-02-11'", 5,
        keys=(51, 54),
    ),
    Case(
        "field_plausibleafterbirth_measurement_measurement_date",
        "field_plausible_after_birth.sql",
        "N: rows dated before the person's birth, by birth_datetime, else year, month and day, the first where one is "
        "missing. D: rows in which the field is filled.",
        "INSERT INTO person (person_id, year_of_birth, month_of_birth, day_of_birth, birth_datetime) VALUES "
        "(1, 1950, 3, 7, '1950-04-01'), (2, 1960, NULL, NULL, NULL), (3, 1970, 2, 5, NULL), (4, NULL, 2, 5, NULL); "
        "INSERT INTO measurement (measurement_id, person_id, measurement_date) VALUES (51, 1, '1950-03-31'), "
        "(52, 1, '1950-04-01'), (53, 2, '1959-12-31'), (54, 2, '1960-01-01'), (55, 3, '1970-02-04'), (56, 3, '1970-02-05'), "
        "(57, 4, '1900-01-01'), (58, 9, '1900-01-01'), (59, 1, NULL)",
        3, 8,
        "UPDATE measurement SET measurement_date = '2000-01-01'", 9,
        keys=(51, 53, 55),
    ),
    Case(
        "field_plausiblebeforedeath_procedure_occurrence_procedure_date",
        "field_plausible_before_death.sql",
        "N: rows dated more than 60 days after the person's death. D: rows of persons who died in which the field is filled.",
        "INSERT INTO death (person_id, death_date) VALUES (1, '2002-01-01'), (2, NULL); "
        "INSERT INTO procedure_occurrence (procedure_occurrence_id, person_id, procedure_date) VALUES (41, 1, '2002-03-02'), "
        "(42, 1, '2002-03-03'), (43, 1, NULL), (44, 2, '2010-01-01'), (45, 3, '2010-01-01')",
        1, 3,
        "UPDATE procedure_occurrence SET procedure_date = '2001-01-01'", 4,
        keys=(42,),
    ),
    Case(
        "field_plausiblestartbeforeend_visit_occurrence_visit_start_date",
        "field_plausible_start_before_end.sql",
        "N: rows in which the start is after the end. D: rows in which both are filled.",
        "INSERT INTO visit_occurrence (visit_occurrence_id, visit_start_date, visit_end_date) VALUES "
        "(81, '2000-02-02', '2000-02-01'), (82, '2000-02-02', '2000-02-02'), (83, '2000-02-02', NULL), (84, NULL, '2000-02-02')",
        1, 2,
        "UPDATE visit_occurrence SET visit_end_date = '2000-02-03' WHERE visit_occurrence_id = 81", 2,
        keys=(81,),
    ),
    Case(
        "concept_plausiblegender_condition_occurrence_condition_concept_id_192854",
        "concept_plausible_gender.sql",
        "N: rows with the concept of persons whose gender is another (here than female). D: rows with the concept, of any person.",
        PERSONS + "; INSERT INTO condition_occurrence (condition_occurrence_id, person_id, condition_concept_id) "
        "VALUES (21, 1, 192854), (22, 2, 192854), (23, 4, 192854), (24, 9, 192854), (25, 1, 10)",
        2, 4,
        "UPDATE condition_occurrence SET person_id = 2", 4,
        keys=(21, 23),
    ),
    Case(
        "concept_plausiblegenderusedescendants_condition_occurrence_condition_concept_id_4090861,4025213",
        "concept_plausible_gender_use_descendants.sql",
        "N: rows of a concept below one of those listed, of persons whose gender is another (here than male). D: rows of a "
        "concept below one of those listed. A row counts for every listed concept that its own is below.",
        PERSONS + "; INSERT INTO concept_ancestor (ancestor_concept_id, descendant_concept_id) VALUES (4090861, 4090861), "
        "(4025213, 4025213), (4090861, 15), (4025213, 15), (4090861, 16), (77, 17); "
        "INSERT INTO condition_occurrence (condition_occurrence_id, person_id, condition_concept_id) VALUES "
        "(21, 1, 15), (22, 2, 15), (23, 2, 16), (24, 1, 4025213), (25, 2, 17), (26, 9, 16)",
        3, 7,
        "UPDATE condition_occurrence SET person_id = 3", 7,
        keys=(22, 23),
    ),
    Case(
        "concept_plausibleunitconceptids_measurement_measurement_concept_id_3006315",
        "concept_plausible_unit_concept_ids.sql",
        "N: rows with the concept whose unit is neither empty, nor 0, nor one of the plausible. D: rows with the concept, "
        "but those with unit 0.",
        "INSERT INTO measurement (measurement_id, measurement_concept_id, unit_concept_id) VALUES (51, 3006315, 8784), "
        "(52, 3006315, 8588), (53, 3006315, 0), (54, 3006315, NULL), (55, 10, 8588), (56, 3006315, 8848)",
        1, 4,
        "UPDATE measurement SET unit_concept_id = 8961 WHERE measurement_id = 52", 4,
        keys=(52,),
    ),
)  # fmt: skip

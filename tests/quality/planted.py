"""For every expectation of the catalogue: tables that meet it, the defect that breaks it, and how many rows that is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """An entry of a suite, and what it finds: `clean` rows judged in good tables, (judged, failing) once the defect is planted.

    `setup` changes the small CDM before both; `failing` is None where a check tells no such number; `keys` is how many keys the
    failing rows have, where rows share one.
    """

    expect: str
    table: str
    parameters: str
    clean: int
    plant: str
    judged: int
    failing: int | None
    setup: str = ""
    keys: int | None = None

    @property
    def name(self) -> str:
        """How the test is called."""
        return f"{self.expect}-{self.table}"


_MEASURED = (
    "INSERT INTO measurement (measurement_id, person_id, measurement_concept_id, measurement_date, measurement_type_concept_id, "
    "measurement_source_value, measurement_event_id, meas_event_field_concept_id) VALUES "
)


def measured(number: int, concept: int, source: str = "x", day: str = "2000-02-01") -> str:
    """A modifier of the diagnosis 21 of person 1."""
    return f"{_MEASURED}({number}, 1, {concept}, '{day}', 32879, '{source}', 21, 1147127);"


_EVENT = "event: measurement_event_id, field: meas_event_field_concept_id"
_CM = "vocabularies: [Cancer Modifier], classes: [Staging/Grading]"
_VISIT = "column: visit_occurrence_id, table: visit_occurrence, field: visit_occurrence_id"
_TWO_VISITS = (
    "INSERT INTO visit_occurrence (visit_occurrence_id, person_id, visit_concept_id, visit_start_date, visit_end_date, "
    "visit_type_concept_id, preceding_visit_occurrence_id) VALUES (82, 1, 9201, '2000-03-01', '2000-03-05', 32879, 81);"
)
_SIZES = "column: measurement_concept_id, of: Dimension, value: value_as_number"
_CONDITION_SOURCE = "UPDATE condition_occurrence SET condition_source_concept_id ="

OURS = [
    Case("expect_columns_of_the_model", "death", "", 7, "ALTER TABLE death DROP cause_source_value", 7, 2),
    Case("expect_column_values_to_reference", "condition_occurrence", _VISIT, 1, "UPDATE condition_occurrence SET visit_occurrence_id = 9", 2, 2),
    Case("expect_column_values_to_be_referenced", "person", "column: person_id, table: measurement, field: person_id", 2, "DELETE FROM measurement WHERE person_id = 2", 2, 1),
    Case("expect_references_of_the_same_person", "condition_occurrence", _VISIT, 1, "UPDATE condition_occurrence SET visit_occurrence_id = 81", 2, 1),
    Case("expect_references_not_to_start_later", "visit_occurrence",
         "column: preceding_visit_occurrence_id, start: visit_start_date, table: visit_occurrence, field: visit_occurrence_id, other_start: visit_start_date",
         1, "UPDATE visit_occurrence SET visit_start_date = '2000-01-31' WHERE visit_occurrence_id = 82", 1, 1, _TWO_VISITS),
    Case("expect_events_to_exist", "measurement", _EVENT, 2, "UPDATE measurement SET measurement_event_id = 9 WHERE measurement_id = 51", 2, 1),
    Case("expect_events_of_the_same_person", "measurement", _EVENT, 2, "UPDATE measurement SET measurement_event_id = 22 WHERE measurement_id = 51", 2, 1),
    Case("expect_events_of_the_person_of_the_episode", "episode_event", "event: event_id, field: episode_event_field_concept_id", 2, "UPDATE episode SET person_id = 2", 2, 2),
    Case("expect_modifiers_to_have_an_event", "measurement", f"column: measurement_concept_id, event: measurement_event_id, {_CM}", 1, "UPDATE measurement SET measurement_event_id = NULL", 1, 1),
    Case("expect_modifiers_to_qualify", "measurement", f"column: measurement_concept_id, {_EVENT}, table: condition_occurrence, {_CM}", 1,
         "UPDATE measurement SET measurement_event_id = 41, meas_event_field_concept_id = 1147082 WHERE person_id = 1", 1, 1),
    Case("expect_modifiers_not_before_event", "measurement", f"date: measurement_date, {_EVENT}", 2, "UPDATE measurement SET measurement_date = '2000-01-31' WHERE measurement_id = 51", 2, 1),
    Case("expect_facts_to_exist", "fact_relationship", "fact: fact_id_1, domain: domain_concept_id_1", 2, "UPDATE fact_relationship SET fact_id_1 = 9", 2, 2, keys=1),
    Case("expect_related_facts_of_the_same_person", "fact_relationship", "", 2, "UPDATE specimen SET person_id = 2", 2, 2),
    Case("expect_relationship_concepts_to_exist", "fact_relationship", "column: relationship_concept_id", 2, "UPDATE fact_relationship SET relationship_concept_id = 5 WHERE fact_id_1 = 41", 2, 1),
    Case("expect_relationships_in_both_directions", "fact_relationship", "", 2, "DELETE FROM fact_relationship WHERE fact_id_1 = 41", 1, 1),
    Case("expect_concepts_to_exist", "measurement", "column: measurement_concept_id", 3, "UPDATE measurement SET measurement_concept_id = 123456 WHERE measurement_id = 52", 3, 1),
    Case("expect_source_concepts_to_exist", "condition_occurrence", "column: condition_source_concept_id", 1, f"{_CONDITION_SOURCE} 5", 2, 2),
    Case("expect_concepts_to_be_standard", "condition_occurrence", "column: condition_concept_id", 2, "UPDATE condition_occurrence SET condition_concept_id = 44498348 WHERE person_id = 1", 2, 1),
    Case("expect_concepts_to_be_in_domain", "condition_occurrence", "column: condition_concept_id, domains: [Condition]", 2, "UPDATE condition_occurrence SET condition_concept_id = 8532 WHERE person_id = 1", 2, 1),
    Case("expect_concepts_not_to_be_in_domain", "observation", "column: observation_concept_id, domains: [Condition]", 1, "UPDATE observation SET observation_concept_id = 4162253", 1, 1),
    Case("expect_concepts_to_be_in_class", "drug_era", "column: drug_concept_id, classes: [Ingredient]", 1, "UPDATE drug_era SET drug_concept_id = 1308433", 1, 1),
    Case("expect_concepts_to_be_in_vocabulary", "measurement", "column: unit_concept_id, vocabularies: [UCUM]", 1, "UPDATE measurement SET unit_concept_id = 9191", 3, 3),
    Case("expect_concepts_to_be_mapped", "measurement", "column: measurement_concept_id", 3, "UPDATE measurement SET measurement_concept_id = 0 WHERE person_id = 1", 3, 2),
    Case("expect_zero_to_come_from_a_source_value", "measurement", "column: unit_concept_id, source: unit_source_value", 2, "UPDATE measurement SET unit_concept_id = 0", 2, 2),
    Case("expect_column_values_to_be_filled_with", "measurement", "column: unit_concept_id, other: unit_source_value", 1, "UPDATE measurement SET unit_concept_id = NULL", 1, 1),
    Case("expect_columns_in_order", "drug_exposure", "first: drug_exposure_start_date, last: drug_exposure_end_date", 1, "UPDATE drug_exposure SET drug_exposure_end_date = '2000-02-28'", 1, 1),
    Case("expect_dates_not_before_birth", "condition_occurrence", "column: condition_start_date", 2, "UPDATE condition_occurrence SET condition_start_date = '1955-01-01'", 2, 1),
    Case("expect_dates_not_long_after_death", "condition_occurrence", "column: condition_start_date, days: 60", 1, "UPDATE condition_occurrence SET condition_start_date = '2002-08-30'", 1, 1),
    Case("expect_dates_not_after_delivery", "condition_occurrence", "column: condition_start_date", 2, "UPDATE condition_occurrence SET condition_start_date = '2020-07-01' WHERE person_id = 1", 2, 1),
    Case("expect_dates_within_observation", "condition_occurrence", "column: condition_start_date", 2, "UPDATE condition_occurrence SET condition_start_date = '2002-03-01'", 2, 1),
    Case("expect_first_dates_within_observation", "condition_occurrence", "column: condition_start_date", 2, "UPDATE condition_occurrence SET condition_start_date = '2002-03-01'", 2, 1),
    Case("expect_dates_within_visit", "condition_occurrence", "column: condition_start_date, visit: visit_occurrence_id", 1, "UPDATE condition_occurrence SET condition_start_date = '2000-02-04'", 1, 1),
    Case("expect_datetimes_to_agree", "condition_occurrence", "column: condition_start_date, datetime: condition_start_datetime", 2,
         "UPDATE condition_occurrence SET condition_start_datetime = '2000-02-02 23:00' WHERE person_id = 1", 2, 1, "UPDATE condition_occurrence SET condition_start_datetime = condition_start_date"),
    Case("expect_ages_to_be_between", "condition_occurrence", "column: condition_start_date, min_value: 0, max_value: 110", 2, "UPDATE person SET year_of_birth = 1888 WHERE person_id = 1", 2, 1),
    Case("expect_persons_not_active_long_after_death", "person", "column: person_id, days: 365", 1, "UPDATE condition_occurrence SET condition_start_date = '2003-07-01'", 1, 1),
    Case("expect_locations_to_differ", "location", "", 2, "UPDATE location SET state = NULL, country_concept_id = NULL, country_source_value = NULL", 2, 2),
    Case("expect_homes_to_be_regions", "location", "", 1, "UPDATE location SET address_1 = 'Lane 1'", 1, 1),
    Case("expect_periods_not_to_overlap", "observation_period", "start: observation_period_start_date, end: observation_period_end_date", 3,
         "UPDATE observation_period SET observation_period_start_date = '2001-12-31' WHERE observation_period_id = 12", 3, 1),
    Case("expect_eras_not_to_overlap", "condition_era", "of: [condition_concept_id], start: condition_era_start_date, end: condition_era_end_date, days: 30", 3,
         "UPDATE condition_era SET condition_era_start_date = condition_era_start_date - 1 WHERE condition_era_id = 123", 3, 1,
         "INSERT INTO condition_era VALUES (123, 1, 4162253, '2001-03-04', '2001-04-01', 1)"),
    Case("expect_eras_within_records", "drug_era", "start: drug_era_start_date, end: drug_era_end_date, table: drug_exposure, other_start: drug_exposure_start_date, other_end: drug_exposure_end_date", 1,
         "UPDATE drug_era SET drug_era_end_date = '2000-03-12'", 1, 1),
    Case("expect_days_within_span", "drug_era", "column: gap_days, start: drug_era_start_date, end: drug_era_end_date", 1, "UPDATE drug_era SET gap_days = 10", 1, 1),
    Case("expect_long_visits_not_to_overlap", "visit_occurrence", "start: visit_start_date, end: visit_end_date", 2,
         "UPDATE visit_occurrence SET visit_start_date = '2000-02-02' WHERE visit_occurrence_id = 82", 2, 1, _TWO_VISITS),
    Case("expect_details_within_visit", "visit_detail", "start: visit_detail_start_date, end: visit_detail_end_date, visit: visit_occurrence_id", 1, "UPDATE visit_detail SET visit_detail_end_date = '2000-02-04'", 1, 1),
    Case("expect_year_not_after_delivery", "person", "column: year_of_birth", 2, "UPDATE person SET year_of_birth = 2021 WHERE person_id = 1", 2, 1),
    Case("expect_text_to_be_declared", "note", "column: note_text, declared: [released note_text], withheld: ['[withheld: the text of this note stays at the site]']", 0,
         "UPDATE note SET note_text = 'Dear colleague' WHERE note_id = 101", 1, 1),
    Case("expect_birth_parts_to_agree", "person", "", 1, "UPDATE person SET day_of_birth = 8", 1, 1),
    Case("expect_rows_to_meet", "measurement", "condition: value_as_number < 30", 2, "UPDATE measurement SET value_as_number = 30 WHERE measurement_id = 51", 2, 1),
]  # fmt: skip

ONCOLOGY = [
    Case("expect_modifiers_to_agree", "measurement", "column: measurement_concept_id, of: 'Stage-.*', given: 'M1.*', must_be: 'Stage-4.*'", 1,
         "UPDATE measurement SET measurement_concept_id = 1633306 WHERE measurement_id = 61", 1, 1, measured(61, 9000001) + measured(62, 1635142)),
    Case("expect_modifiers_not_to_contradict", "measurement", "column: measurement_concept_id, of: 'Stage-.*'", 2,
         "UPDATE measurement SET measurement_date = '2000-02-01' WHERE measurement_id = 62", 2, 2, measured(61, 9000001) + measured(62, 1633306, day="2000-05-01")),
    Case("expect_modifiers_not_of_tumours", "measurement", "column: measurement_concept_id, of: 'T.*', tumours: '9[89][0-9]{2}/'", 1, f"{_CONDITION_SOURCE} 9000008", 1, 1),
    Case("expect_modifiers_of_persons_with_a_diagnosis", "measurement", "column: measurement_concept_id, of: '.*'", 1, "UPDATE condition_occurrence SET person_id = 2", 1, 1),
    Case("expect_categories_to_agree_with_source", "measurement", "column: measurement_concept_id, source: measurement_source_value", 2,
         "UPDATE measurement SET measurement_source_value = 'AJCC 6th T2' WHERE measurement_id = 52", 2, 1, measured(61, 1634434, "pN1")),
    Case("expect_concepts_not_to_match", "condition_occurrence", "column: condition_source_concept_id, pattern: NULL, vocabularies: [ICDO3]", 1, f"{_CONDITION_SOURCE} 9000006", 2, 2),
    Case("expect_values_of_concepts_to_be_between", "measurement", f"{_SIZES}, max_value: 988, unit: unit_concept_id, in_unit: 8588", 1, "UPDATE measurement SET value_as_number = 999", 1, 1),
    Case("expect_values_of_concepts_to_be_in_set", "measurement", "column: measurement_concept_id, of: Metastasis, value: value_as_concept_id, value_set: [9191]", 1,
         "UPDATE measurement SET value_as_concept_id = 4171754 WHERE measurement_id = 61", 1, 1, measured(61, 36769180) + "UPDATE measurement SET value_as_concept_id = 9191 WHERE measurement_id = 61;"),
    Case("expect_treatments_not_before_diagnosis", "procedure_occurrence", "date: procedure_date, column: procedure_concept_id, of: Chemo, tumours: neoplasm", 1,
         "UPDATE procedure_occurrence SET procedure_date = '2000-01-31'", 1, 1),
]  # fmt: skip

_SOURCE = "column: measurement_source_value"
_BOUNDS = "column: value_as_number, min_value: 1, max_value: 20"
_PARTS = "UPDATE measurement SET range_low = 3, range_high = 5, value_as_number = 2"

GREAT_EXPECTATIONS = [
    Case("expect_column_values_to_not_be_null", "measurement", _SOURCE, 3, "UPDATE measurement SET measurement_source_value = NULL WHERE person_id = 1", 3, 2),
    Case("expect_column_values_to_be_null", "measurement", "column: range_low", 3, "UPDATE measurement SET range_low = 1 WHERE person_id = 1", 3, 2),
    Case("expect_column_values_to_be_unique", "measurement", "column: measurement_id", 3, "UPDATE measurement SET measurement_id = 51 WHERE measurement_id = 52", 3, 2, keys=1),
    Case("expect_column_values_to_be_between", "measurement", _BOUNDS, 2, "UPDATE measurement SET value_as_number = 0 WHERE measurement_id = 51", 2, 1),
    Case("expect_column_values_to_be_in_set", "measurement", f"{_SOURCE}, value_set: [size, T1, nodes]", 3, "UPDATE measurement SET measurement_source_value = 'x' WHERE person_id = 1", 3, 2),
    Case("expect_column_values_to_not_be_in_set", "measurement", f"{_SOURCE}, value_set: [x]", 3, "UPDATE measurement SET measurement_source_value = 'x' WHERE person_id = 1", 3, 2),
    Case("expect_column_values_to_match_regex", "measurement", f"{_SOURCE}, regex: '^(size|nodes|(?:T)[0-4])$'", 3, "UPDATE measurement SET measurement_source_value = 'T9' WHERE person_id = 1", 3, 2),
    Case("expect_column_values_to_not_match_regex", "measurement", f"{_SOURCE}, regex: '[789]'", 3, "UPDATE measurement SET measurement_source_value = 'T9' WHERE person_id = 1", 3, 2),
    Case("expect_column_values_to_match_regex_list", "measurement", f"{_SOURCE}, regex_list: ['^[a-z]+$', '^T[0-4]$']", 3, "UPDATE measurement SET measurement_source_value = 'T9' WHERE person_id = 1", 3, 2),
    Case("expect_column_values_to_not_match_regex_list", "measurement", f"{_SOURCE}, regex_list: ['9$', '8$']", 3, "UPDATE measurement SET measurement_source_value = 'T9' WHERE person_id = 1", 3, 2),
    Case("expect_column_values_to_match_like_pattern", "measurement", f"{_SOURCE}, like_pattern: '_%'", 3, "UPDATE measurement SET measurement_source_value = '' WHERE person_id = 1", 3, 2),
    Case("expect_column_values_to_not_match_like_pattern", "measurement", f"{_SOURCE}, like_pattern: 'T9%'", 3, "UPDATE measurement SET measurement_source_value = 'T9a' WHERE person_id = 1", 3, 2),
    Case("expect_column_value_lengths_to_be_between", "measurement", f"{_SOURCE}, min_value: 2, max_value: 5", 3, "UPDATE measurement SET measurement_source_value = 'T' WHERE person_id = 1", 3, 2),
    Case("expect_column_value_lengths_to_equal", "measurement", "column: unit_source_value, value: 2", 1, "UPDATE measurement SET unit_source_value = 'cm3'", 3, 3),
    Case("expect_compound_columns_to_be_unique", "measurement", "column_list: [person_id, measurement_source_value]", 3, "UPDATE measurement SET measurement_source_value = 'x'", 3, 2),
    Case("expect_column_pair_values_a_to_be_greater_than_b", "measurement", "column_A: range_high, column_B: range_low", 3, "UPDATE measurement SET range_high = 3 WHERE person_id = 1", 3, 2, _PARTS),
    Case("expect_column_pair_values_to_be_equal", "measurement", "column_A: range_high, column_B: range_low", 3, "UPDATE measurement SET range_high = 4 WHERE person_id = 1", 3, 2,
         "UPDATE measurement SET range_low = 3, range_high = 3"),
    Case("expect_multicolumn_values_to_be_equal", "measurement", "column_list: [range_low, range_high]", 3, "UPDATE measurement SET range_high = 4 WHERE person_id = 1", 3, 2,
         "UPDATE measurement SET range_low = 3, range_high = 3"),
    Case("expect_multicolumn_sum_to_equal", "measurement", "column_list: [range_low, range_high, value_as_number], sum_total: 10", 3, "UPDATE measurement SET range_high = 6 WHERE person_id = 1", 3, 2, _PARTS),
    Case("expect_select_column_values_to_be_unique_within_record", "measurement", "column_list: [range_low, range_high]", 3, "UPDATE measurement SET range_high = 3 WHERE person_id = 1", 3, 2, _PARTS),
    Case("expect_table_row_count_to_equal", "measurement", "value: 3", 3, "DELETE FROM measurement WHERE person_id = 2", 2, None),
    Case("expect_table_row_count_to_be_between", "measurement", "min_value: 3", 3, "DELETE FROM measurement WHERE person_id = 2", 2, None),
    Case("expect_table_row_count_to_equal_other_table", "condition_occurrence", "other_table_name: person", 1, "DELETE FROM person WHERE person_id = 2", 1, 1),
    Case("expect_column_mean_to_be_between", "measurement", "column: value_as_number, min_value: 11, max_value: 12", 1, "UPDATE measurement SET value_as_number = 1", 1, 1),
    Case("expect_column_stdev_to_be_between", "measurement", "column: value_as_number, min_value: 1", 1, "UPDATE measurement SET value_as_number = 1", 1, 1),
    Case("expect_column_sum_to_be_between", "measurement", "column: value_as_number, min_value: 23, max_value: 23", 1, "UPDATE measurement SET value_as_number = 1", 1, 1),
    Case("expect_column_unique_value_count_to_be_between", "measurement", f"{_SOURCE}, min_value: 3", 1, "UPDATE measurement SET measurement_source_value = 'x'", 1, 1),
    Case("expect_column_proportion_of_unique_values_to_be_between", "measurement", f"{_SOURCE}, min_value: 1", 1, "UPDATE measurement SET measurement_source_value = 'x'", 1, 1),
    Case("expect_column_proportion_of_non_null_values_to_be_between", "measurement", f"{_SOURCE}, min_value: 0.9", 1, "UPDATE measurement SET measurement_source_value = NULL WHERE person_id = 1", 1, 1),
    Case("expect_column_min_to_be_between", "measurement", "column: measurement_concept_id, min_value: 1", 1, "UPDATE measurement SET measurement_concept_id = 0 WHERE person_id = 1", 1, 1),
    Case("expect_column_max_to_be_between", "measurement", "column: measurement_concept_id, max_value: 2000000000", 1, "UPDATE measurement SET measurement_concept_id = 2000000001 WHERE person_id = 1", 1, 1),
    Case("expect_column_distinct_values_to_be_in_set", "person", "column: gender_concept_id, value_set: [8532, 8507]", 1, "UPDATE person SET gender_concept_id = 0 WHERE person_id = 1", 1, 1),
    Case("expect_column_distinct_values_to_contain_set", "person", "column: gender_concept_id, value_set: [8532]", 1, "UPDATE person SET gender_concept_id = 0", 1, 1),
    Case("expect_column_distinct_values_to_equal_set", "person", "column: gender_concept_id, value_set: [8532]", 1, "UPDATE person SET gender_concept_id = 0 WHERE person_id = 1", 1, 1),
    Case("expect_column_most_common_value_to_be_in_set", "person", "column: gender_concept_id, value_set: [8532]", 1, "UPDATE person SET gender_concept_id = 0", 1, 1),
]  # fmt: skip

CASES = [*GREAT_EXPECTATIONS, *OURS, *ONCOLOGY]

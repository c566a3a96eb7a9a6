"""Each kind of defect, planted in a valid CDM, is found by the expectation that is meant to find it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oncoweave.quality.judge import verdict
from tests.quality.small_cdm import Cdm, failing

IDS = {
    "person": "person_id",
    "observation_period": "observation_period_id",
    "condition_occurrence": "condition_occurrence_id",
    "drug_exposure": "drug_exposure_id",
    "procedure_occurrence": "procedure_occurrence_id",
    "device_exposure": "device_exposure_id",
    "visit_occurrence": "visit_occurrence_id",
    "visit_detail": "visit_detail_id",
    "measurement": "measurement_id",
    "observation": "observation_id",
    "episode": "episode_id",
    "condition_era": "condition_era_id",
    "drug_era": "drug_era_id",
    "dose_era": "dose_era_id",
    "note": "note_id",
    "specimen": "specimen_id",
}
LINKS = {
    "person": ("location_id", "provider_id", "care_site_id"),
    "visit_occurrence": ("provider_id", "care_site_id"),
    "visit_detail": ("provider_id", "care_site_id"),
    "care_site": ("location_id",),
    "provider": ("care_site_id",),
    **dict.fromkeys(
        (
            "condition_occurrence", "drug_exposure", "procedure_occurrence", "device_exposure", "measurement",
            "observation", "note",
        ),
        ("provider_id",),
    ),
}  # fmt: skip
CONCEPT = {
    "condition_occurrence": "condition_concept_id",
    "drug_exposure": "drug_concept_id",
    "procedure_occurrence": "procedure_concept_id",
    "device_exposure": "device_concept_id",
    "visit_occurrence": "visit_concept_id",
    "visit_detail": "visit_detail_concept_id",
    "measurement": "measurement_concept_id",
    "observation": "observation_concept_id",
    "episode": "episode_concept_id",
    "specimen": "specimen_concept_id",
}
START = {
    "observation_period": "observation_period_start_date",
    "condition_occurrence": "condition_start_date",
    "drug_exposure": "drug_exposure_start_date",
    "procedure_occurrence": "procedure_date",
    "device_exposure": "device_exposure_start_date",
    "visit_occurrence": "visit_start_date",
    "visit_detail": "visit_detail_start_date",
    "measurement": "measurement_date",
    "observation": "observation_date",
    "note": "note_date",
    "specimen": "specimen_date",
    "episode": "episode_start_date",
    "death": "death_date",
}
END = {
    "observation_period": "observation_period_end_date",
    "condition_occurrence": "condition_end_date",
    "drug_exposure": "drug_exposure_end_date",
    "procedure_occurrence": "procedure_end_date",
    "device_exposure": "device_exposure_end_date",
    "visit_occurrence": "visit_end_date",
    "visit_detail": "visit_detail_end_date",
    "episode": "episode_end_date",
}
EVENT = {
    "measurement": ("measurement_event_id", "meas_event_field_concept_id"),
    "observation": ("observation_event_id", "obs_event_field_concept_id"),
    "episode_event": ("event_id", "episode_event_field_concept_id"),
}
ERAS = {"condition_era": "condition_concept_id", "drug_era": "drug_concept_id", "dose_era": "drug_concept_id"}
VISIT_LINKS = (
    ("visit_occurrence", "preceding_visit_occurrence_id"),
    ("visit_detail", "preceding_visit_detail_id"),
    ("visit_detail", "parent_visit_detail_id"),
    ("visit_detail", "visit_occurrence_id"),
)
OF_THE_HEALTH_SYSTEM = (
    ("location", "country_concept_id"),
    ("care_site", "place_of_service_concept_id"),
    ("provider", "specialty_concept_id"),
    ("provider", "gender_concept_id"),
)
OWN_ROW = "person_id = 1"

Defect = tuple[str, str, str, str | None, str]
"""(SQL that plants the defect, suite, expectation, field, severity)."""


def _keys() -> Iterator[Defect]:
    for table, key in IDS.items():
        plant = f"INSERT INTO {table} SELECT * FROM {table} WHERE {OWN_ROW} LIMIT 1"
        yield plant, table, "expect_column_values_to_be_unique", key, "fatal"
    for table in (*IDS, "death"):
        if table != "person":
            yield f"UPDATE {table} SET person_id = 99", table, "expect_column_values_to_reference", "person_id", "fatal"


def _concepts() -> Iterator[Defect]:
    for table, column in CONCEPT.items():
        plant = f"UPDATE {table} SET {column} = "
        yield f"{plant} 123456 WHERE {OWN_ROW}", table, "expect_concepts_to_exist", column, "fatal"
        yield f"{plant} 44498348 WHERE {OWN_ROW}", table, "expect_concepts_to_be_standard", column, "fatal"
        yield f"{plant} 0", table, "expect_concepts_to_be_mapped", column, "characterization"
        if table != "observation":
            yield f"{plant} 8532 WHERE {OWN_ROW}", table, "expect_concepts_to_be_in_domain", column, "fatal"


def _dates() -> Iterator[Defect]:
    for table, start in START.items():
        plant = f"UPDATE {table} SET {start} ="
        yield f"{plant} NULL", table, "expect_column_values_to_not_be_null", start, "fatal"
        yield f"{plant} '1940-01-01'", table, "expect_dates_not_before_birth", start, "convention"
        yield f"{plant} '2020-07-01'", table, "expect_dates_not_after_delivery", start, "convention"
        if table not in ("death", "observation_period"):
            yield f"{plant} '1999-12-31'", table, "expect_dates_within_observation", start, "characterization"
    for table, start in START.items():
        if table != "death":
            plant = (
                f"INSERT INTO death (person_id, death_date) VALUES (1, '1999-01-01'); UPDATE {table} SET person_id = 1"
            )
            yield plant, table, "expect_dates_not_long_after_death", start, "convention"
    for table, end in END.items():
        plant = f"UPDATE {table} SET {end} = CAST({START[table]} AS DATE) - 1 WHERE {OWN_ROW}"
        yield plant, table, "expect_columns_in_order", START[table], "fatal"


def _health_system() -> Iterator[Defect]:
    for table, columns in LINKS.items():
        for column in columns:
            yield f"UPDATE {table} SET {column} = 99", table, "expect_column_values_to_reference", column, "fatal"
    for table in ("location", "care_site", "provider"):
        plant = f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1"
        yield plant, table, "expect_column_values_to_be_unique", f"{table}_id", "fatal"
        yield (
            f"UPDATE {table} SET {table}_id = NULL",
            table,
            "expect_column_values_to_not_be_null",
            f"{table}_id",
            "fatal",
        )
    for table, column in OF_THE_HEALTH_SYSTEM:
        plant = f"UPDATE {table} SET {column} = "
        yield f"{plant} 123456", table, "expect_concepts_to_exist", column, "fatal"
        yield f"{plant} 44498348", table, "expect_concepts_to_be_standard", column, "fatal"
        yield f"{plant} 32879", table, "expect_concepts_to_be_in_domain", column, "fatal"
    for column in ("provider_name", "npi", "dea", "provider_source_value"):
        yield f"UPDATE provider SET {column} = 'x'", "provider", "expect_column_values_to_be_null", column, "fatal"
    same = "UPDATE location SET state = NULL, country_concept_id = NULL, country_source_value = NULL"
    yield same, "location", "expect_locations_to_differ", None, "convention"
    for change in ("address_1 = 'Lane 1'", "address_2 = 'b'", "latitude = 1", "longitude = 1"):
        yield f"UPDATE location SET {change}", "location", "expect_homes_to_be_regions", None, "convention"
    yield "UPDATE location SET latitude = 91", "location", "expect_column_values_to_be_between", "latitude", "fatal"
    yield "UPDATE location SET longitude = 181", "location", "expect_column_values_to_be_between", "longitude", "fatal"
    born = "UPDATE provider SET year_of_birth = 2021"
    yield born, "provider", "expect_year_not_after_delivery", "year_of_birth", "fatal"


def _links() -> Iterator[Defect]:
    for table in ("condition_occurrence", "device_exposure"):
        plant = f"UPDATE {table} SET visit_occurrence_id = 4711"
        yield plant, table, "expect_column_values_to_reference", "visit_occurrence_id", "fatal"
    for table in ("condition_occurrence", "device_exposure", "drug_exposure", "measurement", "observation"):
        plant = f"UPDATE {table} SET visit_detail_id = 4711"
        yield plant, table, "expect_column_values_to_reference", "visit_detail_id", "fatal"
    for table, column in VISIT_LINKS:
        plant = f"UPDATE {table} SET {column} = 4711"
        yield plant, table, "expect_column_values_to_reference", column, "fatal"
    for table, (event, concept) in EVENT.items():
        for change in (f"{event} = 4711", f"{concept} = 1147082", f"{concept} = NULL"):
            yield f"UPDATE {table} SET {change}", table, "expect_events_to_exist", event, "fatal"
    for table in ("measurement", "observation"):
        event, _ = EVENT[table]
        plant = f"UPDATE {table} SET {event} = 22 WHERE {OWN_ROW}"
        yield plant, table, "expect_events_of_the_same_person", event, "fatal"


def _eras() -> Iterator[Defect]:
    for table, concept in ERAS.items():
        first, last, plant = f"{table}_start_date", f"{table}_end_date", f"UPDATE {table} SET"
        days = 0 if table == "dose_era" else 30
        another = (
            f"INSERT INTO {table} SELECT * REPLACE ({table}_id + 1 AS {table}_id, {last} + {days} AS {first}, "
            f"{last} + 40 AS {last}) FROM {table}"
        )
        yield f"{plant} {concept} = 0", table, "expect_column_values_to_not_be_in_set", concept, "fatal"
        yield f"{plant} {concept} = 123456", table, "expect_concepts_to_exist", concept, "fatal"
        yield f"{plant} {concept} = 44498348", table, "expect_concepts_to_be_standard", concept, "fatal"
        yield f"{plant} {concept} = 8532", table, "expect_concepts_to_be_in_domain", concept, "fatal"
        yield f"{plant} {last} = {first} - 1", table, "expect_columns_in_order", first, "fatal"
        yield another, table, "expect_eras_not_to_overlap", first, "fatal"
        yield f"{plant} {first} = '1940-01-01'", table, "expect_dates_not_before_birth", first, "convention"
        yield f"{plant} {first} = '2020-07-01'", table, "expect_dates_not_after_delivery", first, "convention"
    for table in ("drug_era", "dose_era"):
        plant = f"UPDATE {table} SET drug_concept_id = 1308433"
        yield plant, table, "expect_concepts_to_be_in_class", "drug_concept_id", "fatal"
    for table, count in (("condition_era", "condition_occurrence_count"), ("drug_era", "drug_exposure_count")):
        yield f"UPDATE {table} SET {count} = 0", table, "expect_column_values_to_be_between", count, "fatal"
    yield "UPDATE drug_era SET gap_days = -1", "drug_era", "expect_column_values_to_be_between", "gap_days", "fatal"
    for unit, expectation in ((0, "expect_column_values_to_not_be_in_set"), (32879, "expect_concepts_to_be_in_domain")):
        yield f"UPDATE dose_era SET unit_concept_id = {unit}", "dose_era", expectation, "unit_concept_id", "fatal"


_ANOTHER_VISIT = """INSERT INTO visit_occurrence (visit_occurrence_id, person_id, visit_concept_id, visit_start_date, visit_end_date,
    visit_type_concept_id) VALUES (82, 1, 9201, '2000-02-02', '2000-02-09', 32879)"""

OF_ONE_TABLE: list[Defect] = [
    (_ANOTHER_VISIT, "visit_occurrence", "expect_long_visits_not_to_overlap", "visit_start_date", "convention"),
    (
        "UPDATE visit_detail SET visit_detail_end_date = '2000-02-09'",
        "visit_detail",
        "expect_details_within_visit",
        "visit_detail_start_date",
        "convention",
    ),
    (
        "UPDATE visit_detail SET visit_occurrence_id = NULL",
        "visit_detail",
        "expect_column_values_to_not_be_null",
        "visit_occurrence_id",
        "fatal",
    ),
    (
        "UPDATE visit_detail SET discharged_to_concept_id = 8532",
        "visit_detail",
        "expect_concepts_to_be_in_domain",
        "discharged_to_concept_id",
        "fatal",
    ),
    (
        "UPDATE visit_occurrence SET admitted_from_concept_id = 8532",
        "visit_occurrence",
        "expect_concepts_to_be_in_domain",
        "admitted_from_concept_id",
        "fatal",
    ),
    ("ALTER TABLE person ALTER year_of_birth TYPE VARCHAR", "person", "expect_columns_of_the_model", None, "fatal"),
    ("ALTER TABLE death DROP cause_source_value", "death", "expect_columns_of_the_model", None, "fatal"),
    (
        "UPDATE person SET gender_concept_id = NULL",
        "person",
        "expect_column_values_to_not_be_null",
        "gender_concept_id",
        "fatal",
    ),
    (
        "UPDATE person SET gender_concept_id = 32879",
        "person",
        "expect_concepts_to_be_in_domain",
        "gender_concept_id",
        "fatal",
    ),
    (
        "UPDATE person SET gender_concept_id = 8551",
        "person",
        "expect_concepts_to_be_standard",
        "gender_concept_id",
        "fatal",
    ),
    (
        "UPDATE person SET gender_concept_id = 8551",
        "person",
        "expect_column_values_to_be_in_set",
        "gender_concept_id",
        "convention",
    ),
    (
        "UPDATE person SET year_of_birth = 1066",
        "person",
        "expect_column_values_to_be_between",
        "year_of_birth",
        "convention",
    ),
    ("UPDATE person SET year_of_birth = 2021", "person", "expect_year_not_after_delivery", "year_of_birth", "fatal"),
    (
        "UPDATE person SET month_of_birth = 13",
        "person",
        "expect_column_values_to_be_between",
        "month_of_birth",
        "fatal",
    ),
    ("UPDATE person SET day_of_birth = 32", "person", "expect_column_values_to_be_between", "day_of_birth", "fatal"),
    ("UPDATE person SET day_of_birth = 8", "person", "expect_birth_parts_to_agree", None, "convention"),
    (
        "UPDATE person SET race_source_concept_id = 5",
        "person",
        "expect_source_concepts_to_exist",
        "race_source_concept_id",
        "fatal",
    ),
    (
        "UPDATE observation_period SET observation_period_start_date = '2001-12-31' WHERE observation_period_id = 12",
        "observation_period",
        "expect_periods_not_to_overlap",
        "observation_period_start_date",
        "fatal",
    ),
    (
        "UPDATE measurement SET unit_concept_id = NULL",
        "measurement",
        "expect_column_values_to_be_filled_with",
        "unit_concept_id",
        "convention",
    ),
    (
        "UPDATE measurement SET unit_concept_id = 32879",
        "measurement",
        "expect_concepts_to_be_in_domain",
        "unit_concept_id",
        "fatal",
    ),
    (
        "UPDATE measurement SET operator_concept_id = 4172703",
        "measurement",
        "expect_column_values_to_not_be_in_set",
        "operator_concept_id",
        "convention",
    ),
    (
        "UPDATE measurement SET measurement_type_concept_id = 8588",
        "measurement",
        "expect_concepts_to_be_in_domain",
        "measurement_type_concept_id",
        "fatal",
    ),
    (
        "UPDATE measurement SET range_low = 2, range_high = 1",
        "measurement",
        "expect_columns_in_order",
        "range_low",
        "convention",
    ),
    (
        "UPDATE measurement SET measurement_source_value = repeat('x', 51)",
        "measurement",
        "expect_column_value_lengths_to_be_between",
        "measurement_source_value",
        "convention",
    ),
    (
        "UPDATE drug_exposure SET days_supply = 0",
        "drug_exposure",
        "expect_column_values_to_be_between",
        "days_supply",
        "convention",
    ),
    (
        "UPDATE drug_exposure SET quantity = -1",
        "drug_exposure",
        "expect_column_values_to_be_between",
        "quantity",
        "convention",
    ),
    (
        "UPDATE drug_exposure SET drug_exposure_end_date = NULL",
        "drug_exposure",
        "expect_column_values_to_not_be_null",
        "drug_exposure_end_date",
        "fatal",
    ),
    (
        "UPDATE procedure_occurrence SET quantity = 0",
        "procedure_occurrence",
        "expect_column_values_to_be_between",
        "quantity",
        "convention",
    ),
    (
        "UPDATE observation SET observation_concept_id = 36768664",
        "observation",
        "expect_concepts_not_to_be_in_domain",
        "observation_concept_id",
        "fatal",
    ),
    ("INSERT INTO death SELECT * FROM death", "death", "expect_column_values_to_be_unique", "person_id", "fatal"),
    (
        "UPDATE death SET cause_concept_id = 4273629",
        "death",
        "expect_concepts_to_be_in_domain",
        "cause_concept_id",
        "convention",
    ),
    (
        "UPDATE episode SET episode_parent_id = 72",
        "episode",
        "expect_column_values_to_reference",
        "episode_parent_id",
        "fatal",
    ),
    (
        "UPDATE episode SET episode_object_concept_id = 32879",
        "episode",
        "expect_concepts_to_be_in_domain",
        "episode_object_concept_id",
        "fatal",
    ),
    (
        "UPDATE episode_event SET episode_id = 72",
        "episode_event",
        "expect_column_values_to_reference",
        "episode_id",
        "fatal",
    ),
    (
        "INSERT INTO episode_event SELECT * FROM episode_event",
        "episode_event",
        "expect_compound_columns_to_be_unique",
        None,
        "fatal",
    ),
    (
        "UPDATE episode SET person_id = 2",
        "episode_event",
        "expect_events_of_the_person_of_the_episode",
        "event_id",
        "fatal",
    ),
    *(
        (f"UPDATE fact_relationship SET {change}", "fact_relationship", expectation, column, "fatal")
        for change, expectation, column in (
            ("fact_id_1 = 4711", "expect_facts_to_exist", "fact_id_1"),
            ("fact_id_2 = 4711", "expect_facts_to_exist", "fact_id_2"),
            ("domain_concept_id_1 = 19", "expect_facts_to_exist", "fact_id_1"),
            ("domain_concept_id_1 = 56", "expect_column_values_to_be_in_set", "domain_concept_id_1"),
            ("domain_concept_id_2 = 0", "expect_column_values_to_be_in_set", "domain_concept_id_2"),
            ("relationship_concept_id = 123456", "expect_relationship_concepts_to_exist", "relationship_concept_id"),
            ("relationship_concept_id = 44818756", "expect_relationships_in_both_directions", None),
            ("fact_id_1 = NULL", "expect_column_values_to_not_be_null", "fact_id_1"),
        )
    ),
    (
        "DELETE FROM fact_relationship WHERE domain_concept_id_1 = 36",
        "fact_relationship",
        "expect_relationships_in_both_directions",
        None,
        "fatal",
    ),
    (
        "INSERT INTO fact_relationship SELECT * FROM fact_relationship",
        "fact_relationship",
        "expect_compound_columns_to_be_unique",
        None,
        "fatal",
    ),
    (
        "UPDATE specimen SET person_id = 2",
        "fact_relationship",
        "expect_related_facts_of_the_same_person",
        None,
        "fatal",
    ),
    ("UPDATE note SET note_text = 'Dear colleague'", "note", "expect_text_to_be_declared", "note_text", "fatal"),
    ("UPDATE note SET note_title = 'Letter'", "note", "expect_text_to_be_declared", "note_title", "fatal"),
    (
        "INSERT INTO metadata SELECT 122, 0, 0, 'released note_title', 'so', NULL, 1, NULL, NULL; "
        "UPDATE note SET note_text = 'Dear colleague'",
        "note",
        "expect_text_to_be_declared",
        "note_text",
        "fatal",
    ),
    ("UPDATE note SET note_text = NULL", "note", "expect_column_values_to_not_be_null", "note_text", "fatal"),
    (
        "UPDATE note SET note_event_id = 22 WHERE note_id = 101",
        "note",
        "expect_events_of_the_same_person",
        "note_event_id",
        "fatal",
    ),
    ("UPDATE specimen SET quantity = -1", "specimen", "expect_column_values_to_be_between", "quantity", "convention"),
    (
        "UPDATE specimen SET anatomic_site_source_value = 'x'",
        "specimen",
        "expect_column_values_to_be_filled_with",
        "anatomic_site_concept_id",
        "convention",
    ),
    (
        "INSERT INTO metadata SELECT * FROM metadata",
        "metadata",
        "expect_column_values_to_be_unique",
        "metadata_id",
        "fatal",
    ),
    ("UPDATE metadata SET name = NULL", "metadata", "expect_column_values_to_not_be_null", "name", "fatal"),
    ("INSERT INTO cdm_source SELECT * FROM cdm_source", "cdm_source", "expect_table_row_count_to_equal", None, "fatal"),
    ("DELETE FROM cdm_source", "cdm_source", "expect_table_row_count_to_equal", None, "fatal"),
    (
        "UPDATE cdm_source SET cdm_version_concept_id = 1147127",
        "cdm_source",
        "expect_column_values_to_be_in_set",
        "cdm_version_concept_id",
        "fatal",
    ),
    (
        "UPDATE cdm_source SET cdm_release_date = '2020-01-01'",
        "cdm_source",
        "expect_columns_in_order",
        "source_release_date",
        "fatal",
    ),
    ("DELETE FROM person", "across_tables", "expect_table_row_count_to_be_between", None, "fatal"),
    (
        "DELETE FROM observation_period WHERE person_id = 2",
        "across_tables",
        "expect_column_values_to_be_referenced",
        "person_id",
        "convention",
    ),
    (
        "UPDATE measurement SET measurement_event_id = NULL, meas_event_field_concept_id = NULL",
        "oncology",
        "expect_modifiers_to_have_an_event",
        "measurement_concept_id",
        "convention",
    ),
    (
        "UPDATE measurement SET measurement_event_id = 41, meas_event_field_concept_id = 1147082 WHERE person_id = 1",
        "oncology",
        "expect_modifiers_to_qualify",
        "measurement_concept_id",
        "fatal",
    ),
    (
        "UPDATE measurement SET measurement_concept_id = 36769180 WHERE person_id = 2",
        "oncology",
        "expect_modifiers_to_have_an_event",
        "measurement_concept_id",
        "convention",
    ),
    (
        "UPDATE measurement SET measurement_date = '2000-01-31'",
        "oncology",
        "expect_modifiers_not_before_event",
        "measurement_date",
        "characterization",
    ),
]

DEFECTS = [*_keys(), *_concepts(), *_dates(), *_links(), *_eras(), *_health_system(), *OF_ONE_TABLE]


def test_valid_tables_meet_every_expectation(cdm: Cdm) -> None:
    results = cdm.check()
    assert failing(results) == set()
    assert verdict(results) == "pass"
    assert all(result.evaluated is not None for result in results)


@pytest.mark.parametrize(
    ("plant", "suite", "expectation", "column", "severity"), DEFECTS, ids=[f"{d[1]}-{d[2]}-{d[3]}" for d in DEFECTS]
)
def test_a_planted_defect_is_found_where_it_belongs(
    cdm: Cdm, plant: str, suite: str, expectation: str, column: str | None, severity: str
) -> None:
    cdm.plant(plant)
    results = cdm.check(suite, expectation)
    assert (suite, expectation, column, severity) in failing(results)
    assert severity != "fatal" or verdict(results) == "fail"

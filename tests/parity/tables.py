"""What is compared of each CDM table: the columns that say which record it is, and the others.

Keys are natural: a person is the patient's id of the source, a visit its first day and source value. The SQL is the
same for both sides, over tables in which `person` stands for person_id, `visit` for visit_occurrence_id and `provider` for
provider_id. LOCATION is compared through the persons, as `home`: the peer's is one row an address, and addresses do not
leave. Of a device the product's part of the UDI is: the serial number does not leave either.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Compared:
    """A table: the SQL of what identifies a record, and of what else is compared, by column."""

    name: str
    identity: tuple[str, ...]
    others: tuple[str, ...]


TABLES = (
    Compared(
        "person",
        ("person",),
        (
            "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime",
            "race_concept_id", "ethnicity_concept_id", "gender_source_value", "race_source_value",
            "ethnicity_source_value", "home",
        ),
    ),
    Compared(
        "visit_occurrence",
        ("person", "visit_start_date", "visit_source_value"),
        ("visit_concept_id", "visit_end_date", "visit_type_concept_id"),
    ),
    Compared(
        "visit_detail",
        ("person", "visit_detail_start_datetime", "visit_detail_source_value"),
        (
            "visit_detail_concept_id",
            "visit_detail_start_date",
            "visit_detail_end_date",
            "visit_detail_end_datetime",
            "visit_detail_type_concept_id",
            "visit",
        ),
    ),
    Compared(
        "condition_occurrence",
        ("person", "condition_source_value", "condition_start_date"),
        (
            "condition_concept_id", "condition_source_concept_id", "condition_end_date", "condition_type_concept_id",
            "visit", "provider",
        ),
    ),
    Compared(
        "drug_exposure",
        ("person", "drug_source_value", "drug_exposure_start_date"),
        (
            "drug_concept_id", "drug_source_concept_id", "drug_exposure_start_datetime",
            "drug_exposure_end_date", "drug_exposure_end_datetime", "verbatim_end_date", "days_supply",
            "drug_type_concept_id", "visit", "provider",
        ),
    ),
    Compared(
        "measurement",
        ("person", "measurement_source_value", "measurement_datetime", "value_source_value"),
        (
            "measurement_concept_id", "measurement_source_concept_id", "measurement_date", "measurement_type_concept_id",
            "CAST(value_as_number AS FLOAT)", "value_as_concept_id", "unit_concept_id", "unit_source_value",
            "operator_concept_id",
            "visit", "provider",
        ),
    ),
    Compared(
        "observation",
        ("person", "observation_source_value", "observation_datetime"),
        (
            "observation_concept_id", "observation_source_concept_id", "observation_date", "observation_type_concept_id",
            "CAST(value_as_number AS FLOAT)", "value_as_string", "value_as_concept_id", "unit_concept_id", "unit_source_value",
            "value_source_value", "visit", "provider",
        ),
    ),
    Compared(
        "procedure_occurrence",
        ("person", "procedure_source_value", "procedure_datetime"),
        (
            "procedure_concept_id", "procedure_source_concept_id", "procedure_date", "procedure_end_date",
            "procedure_end_datetime", "procedure_type_concept_id",
            "quantity", "visit", "provider",
        ),
    ),
    Compared(
        "device_exposure",
        ("person", "device_source_value", "device_exposure_start_datetime"),
        (
            "device_concept_id", "device_source_concept_id", "device_exposure_start_date", "device_exposure_end_date",
            "device_exposure_end_datetime", "device_type_concept_id", "regexp_extract(unique_device_id, '[0-9]{14}')",
            "quantity", "visit", "provider",
        ),
    ),
    Compared(
        "death",
        ("person",),
        ("death_date", "death_datetime", "death_type_concept_id", "cause_concept_id", "cause_source_value"),
    ),
    Compared(
        "observation_period",
        ("person",),
        ("observation_period_start_date", "observation_period_end_date", "period_type_concept_id"),
    ),
    Compared(
        "condition_era",
        ("person", "condition_concept_id", "CAST(condition_era_start_date AS DATE)"),
        ("CAST(condition_era_end_date AS DATE)", "condition_occurrence_count"),
    ),
    Compared(
        "drug_era",
        ("person", "drug_concept_id", "CAST(drug_era_start_date AS DATE)"),
        ("CAST(drug_era_end_date AS DATE)", "drug_exposure_count", "gap_days"),
    ),
    Compared("care_site", ("care_site_name",), ("place_of_service_concept_id",)),
    Compared("provider", ("specialty_source_value", "gender_concept_id", "gender_source_value"), ("specialty_concept_id",)),
    Compared("cdm_source", ("cdm_version",), ("vocabulary_version", "cdm_version_concept_id")),
)  # fmt: skip

"""How each field of a CDM table comes from the event columns: SQL over one event, nothing of files or engines.

Fields that are not listed are NULL: among them the name and the licences of a provider, which never leave. Conventions: OMOP CDM 5.4 and Themis.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from oncoweave.omop.routing import FIELD_CONCEPT

_FIELD_OF = "CASE {0} " + " ".join(f"WHEN '{t}' THEN {c}" for t, c in FIELD_CONCEPT.items()) + " END"
_PLACE = "coalesce({0}_concept_id, CASE WHEN {0}_source_value IS NOT NULL THEN 0 END)"
"""Where a person came from or went to: 0 for home, which a concept map leaves out, as the CDM asks."""
_DRUG_END = (
    "coalesce(end_date, start_date + CASE WHEN days_supply > 0 THEN days_supply - 1 WHEN days_supply = 0 THEN 0 "
    "ELSE coalesce(days_otherwise, 0) END)"
)
"""The last day of a drug: as given, else by the supply, else by what is recorded (Themis, drug_end_date_not_in_data)."""

FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "person": {
            "person_id": "person_id",
            "gender_concept_id": "concept_id",
            "year_of_birth": "year(start_date)",
            "month_of_birth": "CASE WHEN start_precision <> 'year' THEN month(start_date) END",
            "day_of_birth": "CASE WHEN start_precision = 'day' THEN day(start_date) END",
            "birth_datetime": "CASE WHEN start_precision = 'day' THEN start_date + coalesce(start_time, TIME '00:00:00') END",
            "race_concept_id": "coalesce(race_concept_id, 0)",
            "ethnicity_concept_id": "coalesce(ethnicity_concept_id, 0)",
            "gender_source_value": "source_value",
            "gender_source_concept_id": "source_concept_id",
            "race_source_value": "race_source_value",
            "race_source_concept_id": "race_source_concept_id",
            "ethnicity_source_value": "ethnicity_source_value",
            "location_id": "location",
            "provider_id": "provider",
            "care_site_id": "care_site",
            "ethnicity_source_concept_id": "ethnicity_source_concept_id",
        },
        "location": {
            "location_id": "location",
            **{name: name for name in ("address_1", "address_2", "city", "state", "zip", "county")},
            "location_source_value": "source_value",
            "country_concept_id": "concept_id",
            "country_source_value": "concept_source_value",
            "latitude": "latitude",
            "longitude": "longitude",
        },
        "care_site": {
            "care_site_id": "event_id",
            "care_site_name": "care_site_name",
            "place_of_service_concept_id": "concept_id",
            "location_id": "location",
            "care_site_source_value": "source_value",
            "place_of_service_source_value": "concept_source_value",
        },
        "provider": {
            "provider_id": "event_id",
            "specialty_concept_id": "concept_id",
            "care_site_id": "care_site",
            "year_of_birth": "year_of_birth",
            "gender_concept_id": "gender_concept_id",
            "specialty_source_value": "concept_source_value",
            "specialty_source_concept_id": "source_concept_id",
            "gender_source_value": "gender_source_value",
        },
        "condition_occurrence": {
            "condition_occurrence_id": "event_id",
            "person_id": "person_id",
            "condition_concept_id": "concept_id",
            "condition_start_date": "start_date",
            "condition_end_date": "end_date",
            "condition_type_concept_id": "type_concept_id",
            "condition_status_concept_id": "status_concept_id",
            "stop_reason": "stop_reason",
            "provider_id": "provider",
            "visit_occurrence_id": "visit",
            "visit_detail_id": "visit_detail",
            "condition_source_value": "source_value",
            "condition_source_concept_id": "source_concept_id",
            "condition_status_source_value": "status_source_value",
        },
        "drug_exposure": {
            "drug_exposure_id": "event_id",
            "person_id": "person_id",
            "drug_concept_id": "concept_id",
            "drug_exposure_start_date": "start_date",
            "drug_exposure_end_date": _DRUG_END,
            "verbatim_end_date": "end_date",
            "drug_type_concept_id": "type_concept_id",
            "quantity": "quantity",
            "stop_reason": "stop_reason",
            "refills": "refills",
            "days_supply": "days_supply",
            "sig": "sig",
            "lot_number": "lot_number",
            "dose_unit_source_value": "dose_unit_source_value",
            "route_concept_id": "route_concept_id",
            "provider_id": "provider",
            "visit_occurrence_id": "visit",
            "visit_detail_id": "visit_detail",
            "drug_source_value": "source_value",
            "drug_source_concept_id": "source_concept_id",
            "route_source_value": "route_source_value",
        },
        "device_exposure": {
            "device_exposure_id": "event_id",
            "person_id": "person_id",
            "device_concept_id": "concept_id",
            "device_exposure_start_date": "start_date",
            "device_exposure_end_date": "end_date",
            "device_type_concept_id": "type_concept_id",
            "unique_device_id": "unique_device_id",
            "production_id": "production_id",
            "unit_concept_id": "unit_concept_id",
            "unit_source_value": "unit_source_value",
            "quantity": "quantity",
            "provider_id": "provider",
            "visit_occurrence_id": "visit",
            "visit_detail_id": "visit_detail",
            "device_source_value": "source_value",
            "device_source_concept_id": "source_concept_id",
        },
        "visit_occurrence": {
            "visit_occurrence_id": "event_id",
            "person_id": "person_id",
            "visit_concept_id": "concept_id",
            "visit_start_date": "start_date",
            "visit_end_date": "coalesce(end_date, start_date)",
            "visit_type_concept_id": "type_concept_id",
            "provider_id": "provider",
            "care_site_id": "care_site",
            "visit_source_value": "source_value",
            "visit_source_concept_id": "source_concept_id",
            "admitted_from_concept_id": _PLACE.format("admitted_from"),
            "admitted_from_source_value": "admitted_from_source_value",
            "discharged_to_concept_id": _PLACE.format("discharged_to"),
            "discharged_to_source_value": "discharged_to_source_value",
        },
        "visit_detail": {
            "visit_detail_id": "event_id",
            "person_id": "person_id",
            "visit_detail_concept_id": "concept_id",
            "visit_detail_start_date": "start_date",
            "visit_detail_end_date": "coalesce(end_date, start_date)",
            "visit_detail_type_concept_id": "type_concept_id",
            "provider_id": "provider",
            "care_site_id": "care_site",
            "visit_detail_source_value": "source_value",
            "visit_detail_source_concept_id": "source_concept_id",
            "admitted_from_concept_id": _PLACE.format("admitted_from"),
            "admitted_from_source_value": "admitted_from_source_value",
            "discharged_to_concept_id": _PLACE.format("discharged_to"),
            "discharged_to_source_value": "discharged_to_source_value",
            "parent_visit_detail_id": "parent",
            "visit_occurrence_id": "visit",
        },
        "procedure_occurrence": {
            "procedure_occurrence_id": "event_id",
            "person_id": "person_id",
            "procedure_concept_id": "concept_id",
            "procedure_date": "start_date",
            "procedure_end_date": "end_date",
            "procedure_type_concept_id": "type_concept_id",
            "modifier_concept_id": "modifier_concept_id",
            "modifier_source_value": "modifier_source_value",
            "quantity": "CASE WHEN quantity = 0 THEN 1 ELSE quantity END",
            "provider_id": "provider",
            "visit_occurrence_id": "visit",
            "visit_detail_id": "visit_detail",
            "procedure_source_value": "source_value",
            "procedure_source_concept_id": "source_concept_id",
        },
        "measurement": {
            "measurement_id": "event_id",
            "person_id": "person_id",
            "measurement_concept_id": "concept_id",
            "measurement_date": "start_date",
            "measurement_type_concept_id": "type_concept_id",
            "operator_concept_id": "operator_concept_id",
            "value_as_number": "value_number",
            "value_as_concept_id": "value_concept_id",
            "unit_concept_id": "unit_concept_id",
            "range_low": "range_low",
            "range_high": "range_high",
            "provider_id": "provider",
            "visit_occurrence_id": "visit",
            "visit_detail_id": "visit_detail",
            "measurement_source_value": "source_value",
            "measurement_source_concept_id": "source_concept_id",
            "unit_source_value": "unit_source_value",
            "value_source_value": "value_source_value",
            "measurement_event_id": "modifies",
            "meas_event_field_concept_id": _FIELD_OF.format("modifies_target"),
        },
        "observation": {
            "observation_id": "event_id",
            "person_id": "person_id",
            "observation_concept_id": "concept_id",
            "observation_date": "start_date",
            "observation_type_concept_id": "type_concept_id",
            "value_as_number": "value_number",
            "value_as_string": "value_text",
            "value_as_concept_id": "value_concept_id",
            "qualifier_concept_id": "qualifier_concept_id",
            "unit_concept_id": "unit_concept_id",
            "provider_id": "provider",
            "visit_occurrence_id": "visit",
            "visit_detail_id": "visit_detail",
            "observation_source_value": "source_value",
            "observation_source_concept_id": "source_concept_id",
            "unit_source_value": "unit_source_value",
            "qualifier_source_value": "qualifier_source_value",
            "value_source_value": "value_source_value",
            "observation_event_id": "modifies",
            "obs_event_field_concept_id": _FIELD_OF.format("modifies_target"),
        },
        "note": {
            "note_id": "event_id",
            "person_id": "person_id",
            "note_date": "start_date",
            "note_type_concept_id": "type_concept_id",
            "note_class_concept_id": "concept_id",
            "note_title": "title",
            "note_text": "text",
            "encoding_concept_id": "coalesce(encoding_concept_id, 0)",
            "language_concept_id": "coalesce(language_concept_id, 0)",
            "provider_id": "provider",
            "visit_occurrence_id": "visit",
            "visit_detail_id": "visit_detail",
            "note_source_value": "source_value",
            "note_event_id": "modifies",
            "note_event_field_concept_id": _FIELD_OF.format("modifies_target"),
        },
        "specimen": {
            "specimen_id": "event_id",
            "person_id": "person_id",
            "specimen_concept_id": "concept_id",
            "specimen_type_concept_id": "type_concept_id",
            "specimen_date": "start_date",
            "quantity": "quantity",
            "unit_concept_id": "unit_concept_id",
            "anatomic_site_concept_id": "anatomic_site_concept_id",
            "disease_status_concept_id": "disease_status_concept_id",
            "specimen_source_id": "own_number",
            "specimen_source_value": "source_value",
            "unit_source_value": "unit_source_value",
            "anatomic_site_source_value": "anatomic_site_source_value",
            "disease_status_source_value": "disease_status_source_value",
        },
        "death": {
            "person_id": "person_id",
            "death_date": "start_date",
            "death_datetime": "start_date + start_time",
            "death_type_concept_id": "type_concept_id",
            "cause_concept_id": "coalesce(cause_concept_id, 0)",
            "cause_source_value": "cause_source_value",
        },
        "episode": {
            "episode_id": "event_id",
            "person_id": "person_id",
            "episode_concept_id": "concept_id",
            "episode_start_date": "start_date",
            "episode_end_date": "end_date",
            "episode_parent_id": "episode",
            "episode_number": "number",
            "episode_object_concept_id": "object_concept_id",
            "episode_type_concept_id": "type_concept_id",
            "episode_source_value": "source_value",
            "episode_source_concept_id": "source_concept_id",
        },
    }
)
"""For each table that events are projected into: the SQL of its fields over the event columns."""

DATE_OF: Mapping[str, str] = MappingProxyType(
    {
        "condition_start_datetime": "condition_start_date",
        "device_exposure_start_datetime": "device_exposure_start_date",
        "device_exposure_end_datetime": "device_exposure_end_date",
        "visit_start_datetime": "visit_start_date",
        "visit_end_datetime": "visit_end_date",
        "visit_detail_start_datetime": "visit_detail_start_date",
        "visit_detail_end_datetime": "visit_detail_end_date",
        "condition_end_datetime": "condition_end_date",
        "drug_exposure_start_datetime": "drug_exposure_start_date",
        "drug_exposure_end_datetime": "drug_exposure_end_date",
        "procedure_datetime": "procedure_date",
        "procedure_end_datetime": "procedure_end_date",
        "measurement_datetime": "measurement_date",
        "observation_datetime": "observation_date",
        "note_datetime": "note_date",
        "specimen_datetime": "specimen_date",
        "episode_start_datetime": "episode_start_date",
        "episode_end_datetime": "episode_end_date",
    }
)
"""The datetime fields that follow from a date field; midnight stands for a time that is not known."""

_END_TIME = "CASE WHEN end_date > start_date THEN end_time ELSE coalesce(end_time, start_time) END"

TIME_OF: Mapping[str, str] = MappingProxyType(
    {f: _END_TIME if "_end_" in f else "start_time" for f in DATE_OF}
    | {
        "drug_exposure_end_datetime": f"CASE WHEN {_DRUG_END} = start_date THEN coalesce(end_time, start_time) ELSE end_time END"
    }
)
"""The SQL of the time of each of these fields over one event. An end whose time is not known, on the day of the start, has
the time of the start: at midnight it would come before it."""

PRECEDING: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "visit_occurrence": (
            "preceding_visit_occurrence_id",
            ("visit_start_date", "visit_end_date", "visit_occurrence_id"),
        ),
        "visit_detail": (
            "preceding_visit_detail_id",
            ("visit_detail_start_date", "visit_detail_end_date", "visit_detail_id"),
        ),
    }
)
"""The field that names the person's row before, and the fields that order a person's rows (the
time of the first after it); the last is the row's id."""

TIME_TEXT: Mapping[str, str] = MappingProxyType({"measurement_time": "measurement_datetime"})
"""Fields that tell the time of a datetime field as text, hh:mm:ss; empty where no time is known."""

"""Projects events into the tables of OMOP CDM 5.4: one Parquet file a table, sorted, typed, complete.

Each table is a list of (field, SQL over the event columns). Fields that are not listed are NULL. What is the same for every
row stays out of the sort. Conventions: OMOP CDM 5.4 and Themis; see docs/decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.engine.parquet import copy, identifier
from oncoweave.omop.model import CDM_VERSION, CDM_VERSION_CONCEPT, CdmField, CdmTable, tables
from oncoweave.omop.routing import FIELD_CONCEPT

_FIELD_OF = "CASE {0} " + " ".join(f"WHEN '{t}' THEN {c}" for t, c in FIELD_CONCEPT.items()) + " END"
_MIDNIGHT = "CAST({0} AS TIMESTAMP)"

FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "person": {
            "person_id": "person_id",
            "gender_concept_id": "concept_id",
            "year_of_birth": "year(start_date)",
            "month_of_birth": "CASE WHEN start_precision <> 'year' THEN month(start_date) END",
            "day_of_birth": "CASE WHEN start_precision = 'day' THEN day(start_date) END",
            "birth_datetime": f"CASE WHEN start_precision = 'day' THEN {_MIDNIGHT.format('start_date')} END",
            "race_concept_id": "0",
            "ethnicity_concept_id": "0",
            "gender_source_value": "source_value",
            "gender_source_concept_id": "source_concept_id",
        },
        "condition_occurrence": {
            "condition_occurrence_id": "event_id",
            "person_id": "person_id",
            "condition_concept_id": "concept_id",
            "condition_start_date": "start_date",
            "condition_start_datetime": _MIDNIGHT.format("start_date"),
            "condition_end_date": "end_date",
            "condition_end_datetime": _MIDNIGHT.format("end_date"),
            "condition_type_concept_id": "type_concept_id",
            "condition_status_concept_id": "status_concept_id",
            "condition_source_value": "source_value",
            "condition_source_concept_id": "source_concept_id",
            "condition_status_source_value": "status_source_value",
        },
        "drug_exposure": {
            "drug_exposure_id": "event_id",
            "person_id": "person_id",
            "drug_concept_id": "concept_id",
            "drug_exposure_start_date": "start_date",
            "drug_exposure_start_datetime": _MIDNIGHT.format("start_date"),
            "drug_exposure_end_date": "coalesce(end_date, start_date)",
            "drug_exposure_end_datetime": _MIDNIGHT.format("coalesce(end_date, start_date)"),
            "verbatim_end_date": "end_date",
            "drug_type_concept_id": "type_concept_id",
            "quantity": "quantity",
            "days_supply": "days_supply",
            "route_concept_id": "route_concept_id",
            "drug_source_value": "source_value",
            "drug_source_concept_id": "source_concept_id",
            "route_source_value": "route_source_value",
        },
        "procedure_occurrence": {
            "procedure_occurrence_id": "event_id",
            "person_id": "person_id",
            "procedure_concept_id": "concept_id",
            "procedure_date": "start_date",
            "procedure_datetime": _MIDNIGHT.format("start_date"),
            "procedure_end_date": "end_date",
            "procedure_end_datetime": _MIDNIGHT.format("end_date"),
            "procedure_type_concept_id": "type_concept_id",
            "quantity": "CASE WHEN quantity = 0 THEN 1 ELSE quantity END",
            "procedure_source_value": "source_value",
            "procedure_source_concept_id": "source_concept_id",
        },
        "measurement": {
            "measurement_id": "event_id",
            "person_id": "person_id",
            "measurement_concept_id": "concept_id",
            "measurement_date": "start_date",
            "measurement_datetime": _MIDNIGHT.format("start_date"),
            "measurement_type_concept_id": "type_concept_id",
            "operator_concept_id": "operator_concept_id",
            "value_as_number": "value_number",
            "value_as_concept_id": "value_concept_id",
            "unit_concept_id": "unit_concept_id",
            "range_low": "range_low",
            "range_high": "range_high",
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
            "observation_datetime": _MIDNIGHT.format("start_date"),
            "observation_type_concept_id": "type_concept_id",
            "value_as_number": "value_number",
            "value_as_string": "value_text",
            "value_as_concept_id": "value_concept_id",
            "qualifier_concept_id": "qualifier_concept_id",
            "unit_concept_id": "unit_concept_id",
            "observation_source_value": "source_value",
            "observation_source_concept_id": "source_concept_id",
            "unit_source_value": "unit_source_value",
            "qualifier_source_value": "qualifier_source_value",
            "value_source_value": "value_source_value",
            "observation_event_id": "modifies",
            "obs_event_field_concept_id": _FIELD_OF.format("modifies_target"),
        },
        "death": {
            "person_id": "person_id",
            "death_date": "start_date",
            "death_type_concept_id": "type_concept_id",
            "cause_concept_id": "coalesce(cause_concept_id, 0)",
            "cause_source_value": "cause_source_value",
        },
        "episode": {
            "episode_id": "event_id",
            "person_id": "person_id",
            "episode_concept_id": "concept_id",
            "episode_start_date": "start_date",
            "episode_start_datetime": _MIDNIGHT.format("start_date"),
            "episode_end_date": "end_date",
            "episode_end_datetime": _MIDNIGHT.format("end_date"),
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


@dataclass(frozen=True)
class CdmSource:
    """What cdm_source says of the data set; see the CDM's description of its fields."""

    name: str
    abbreviation: str
    holder: str
    description: str
    documentation: str
    release_date: str
    vocabulary_version: str


@dataclass(frozen=True)
class TableWriter:
    """Writes the CDM tables of one run from its event files."""

    connection: duckdb.DuckDBPyConnection
    folder: Path

    def write(self, name: str, events: Sequence[Path]) -> int:
        """Write a table that events are projected into; returns its number of rows."""
        table = tables()[name]
        fields = FIELDS[name]
        moving = [f for f in table.fields if f.name in fields and not _is_constant(fields[f.name])]
        inner = ", ".join(f"{_limited(f, fields[f.name])} AS {identifier(f.name)}" for f in moving)
        rows = f"SELECT {inner} FROM {self._events(events)} WHERE target = '{name}'"
        constants = {n: sql for n, sql in fields.items() if _is_constant(sql)}
        return self._copy(table, rows, [f.name for f in moving], constants)

    def write_periods(self, rules: Sequence[Path], everything: Sequence[Path], type_concept_id: int) -> int:
        """observation_period: the mapping's spans, merged where they overlap or touch; else from first to last event.

        A person without a span of the mapping gets one from first to last dated event. One without any has none.
        """
        given = f"SELECT person_id, event_id AS id, start_date, end_date, type_concept_id AS type FROM {self._events(rules)}"
        if not rules:
            given = "SELECT NULL::BIGINT AS person_id, NULL::BIGINT AS id, NULL::DATE AS start_date, NULL::DATE AS end_date, 0 AS type WHERE false"
        derived = f"""SELECT person_id, person_id AS id, min(start_date) AS start_date,
            max(greatest(start_date, end_date)) AS end_date, {int(type_concept_id)} AS type
            FROM {self._events(everything)} WHERE fact NOT IN ('person', 'observation_period')
            AND person_id NOT IN (SELECT person_id FROM given) GROUP BY person_id"""
        spans = f"WITH given AS ({given}), spans AS (SELECT * FROM given UNION ALL {derived})"
        rows = f"""{spans} SELECT first(id ORDER BY start_date, end_date, id) AS observation_period_id, person_id,
            min(start_date) AS observation_period_start_date, max(end_date) AS observation_period_end_date,
            first(type ORDER BY start_date, end_date, id) AS period_type_concept_id FROM ({_ISLANDS}) GROUP BY person_id, island"""
        table = tables()["observation_period"]
        return self._copy(table, rows, [f.name for f in table.fields])

    def write_episode_events(self, events: Sequence[Path]) -> int:
        """episode_event: every event that belongs to an episode; an episode's parent is in EPISODE itself."""
        rows = f"""SELECT episode AS episode_id, event_id, {_FIELD_OF.format("target")} AS episode_event_field_concept_id
            FROM {self._events(events)} WHERE episode IS NOT NULL AND fact <> 'episode'"""
        table = tables()["episode_event"]
        return self._copy(table, rows, [f.name for f in table.fields])

    def write_cdm_source(self, about: CdmSource) -> int:
        """cdm_source: exactly one row. Both dates are the delivery's, so that nothing depends on the clock."""
        values = {
            "cdm_source_name": about.name,
            "cdm_source_abbreviation": about.abbreviation,
            "cdm_holder": about.holder,
            "source_description": about.description,
            "source_documentation_reference": about.documentation or None,
            "cdm_etl_reference": "Oncoweave",
            "source_release_date": about.release_date,
            "cdm_release_date": about.release_date,
            "cdm_version": CDM_VERSION,
            "cdm_version_concept_id": CDM_VERSION_CONCEPT,
            "vocabulary_version": about.vocabulary_version,
        }
        table = tables()["cdm_source"]
        inner = ", ".join(
            f"{_limited(f, f'CAST(${f.name} AS {f.type})')} AS {identifier(f.name)}" for f in table.fields
        )
        return self._copy(table, f"SELECT {inner}", [f.name for f in table.fields], parameters=values)

    def truncated(self, name: str, events: Sequence[Path]) -> dict[str, int]:
        """How many texts of a table were longer than the CDM allows, by field."""
        table, fields = tables()[name], FIELDS[name]
        limits = [f for f in table.fields if f.limit and f.name in fields]
        if not limits:
            return {}
        counts = ", ".join(f"count_if(length({fields[f.name]}) > {f.limit})" for f in limits)
        sql = f"SELECT {counts} FROM {self._events(events)} WHERE target = '{name}'"
        with without_values(f"measuring {name}"):
            row = self.connection.execute(sql).fetchall()[0]
        return {f"{name}.{f.name}": n for f, n in zip(limits, row, strict=True) if n}

    def _events(self, files: Sequence[Path]) -> str:
        quoted = ", ".join("'" + str(p).replace("'", "''") + "'" for p in files)
        return f"read_parquet([{quoted}])"

    def _copy(
        self,
        table: CdmTable,
        rows: str,
        have: Sequence[str],
        constants: Mapping[str, str] = MappingProxyType({}),
        parameters: Mapping[str, object] | None = None,
    ) -> int:
        """Sort the rows by the table's key, then add the constant and empty fields and fix order and types."""
        order = ", ".join(identifier(k) for k in table.key)
        select = ", ".join(_column(f, have, constants) for f in table.fields)
        sql = f"SELECT {select} FROM (SELECT * FROM ({rows}) ORDER BY {order})"
        return copy(self.connection, sql, self.folder / f"{table.name}.parquet", parameters=parameters)


_ISLANDS = """SELECT *, sum(begins) OVER (PARTITION BY person_id ORDER BY start_date, end_date, id ROWS UNBOUNDED PRECEDING) AS island
    FROM (SELECT *, CASE WHEN start_date <= max(end_date) OVER before + 1 THEN 0 ELSE 1 END AS begins FROM spans
    WINDOW before AS (PARTITION BY person_id ORDER BY start_date, end_date, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))"""


def _column(field: CdmField, have: Sequence[str], constants: Mapping[str, str]) -> str:
    source = identifier(field.name) if field.name in have else constants.get(field.name, "NULL")
    return f"CAST({source} AS {field.type}) AS {identifier(field.name)}"


def _is_constant(sql: str) -> bool:
    return sql.isdecimal()


def _limited(field: CdmField, sql: str) -> str:
    return f"left({sql}, {field.limit})" if field.limit else sql

"""Projects events into the tables of OMOP CDM 5.4: one Parquet file a table, sorted, typed, complete.

What is the same for all events of a file (a unit, a type, an empty field) stays out of the sort and is filled in
after it: sorting seven million narrow rows costs half of sorting them wide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import cast

import duckdb
import sqlglot
from sqlglot import exp

from oncoweave.engine.connection import without_values
from oncoweave.engine.parquet import copy, identifier
from oncoweave.events import constant_sql, select_events, union_of
from oncoweave.omop.fields import DATE_OF, FIELDS, PRECEDING, TIME_OF, TIME_TEXT
from oncoweave.omop.metadata import MetadataRow
from oncoweave.omop.model import CDM_VERSION, CDM_VERSION_CONCEPT, CdmField, CdmTable, tables
from oncoweave.omop.routing import DOMAIN_CONCEPT, FIELD_CONCEPT
from oncoweave.records import EventFile


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
class Written:
    """What was written of a table: its rows, and how many texts were cut to the CDM's limit, by `table.field`."""

    rows: int
    truncated: dict[str, int]


@dataclass(frozen=True)
class _Measure:
    """What an event file holds for a table: its events, and by field how many texts are longer than the CDM allows."""

    rows: int
    long: Mapping[str, int]


@dataclass(frozen=True)
class TableWriter:
    """Writes the CDM tables of one run from its event files."""

    connection: duckdb.DuckDBPyConnection
    events: Path
    files: Sequence[EventFile]
    folder: Path

    def over(self, connection: duckdb.DuckDBPyConnection) -> TableWriter:
        """The same writer over another connection of the same database; what is measured is not measured again."""
        other = replace(self, connection=connection)
        vars(other)["_measured"] = self._measured
        return other

    def events_of(self, name: str) -> int:
        """How many events go to a table."""
        return sum(self._measured[file.name, name].rows for file in self._of(name))

    def write(self, name: str) -> Written:
        """Write a table that events are projected into."""
        table = tables()[name]
        files = self._of(name)
        long = {(f, file.name): n for file in files for f, n in self._measured[file.name, name].long.items()}
        moving = [f for f in table.fields if any(_varies(FIELDS[name].get(f.name), file) for file in files)]
        before, order = PRECEDING.get(name, ("", ()))
        payload = [f for f in table.fields if f in moving or f.name in (*table.key, *order)]
        times = [f.name for f in table.fields if any(_varies(TIME_OF.get(f.name), file) for file in files)]
        selects = [self._payload(name, payload, times, file, number, long) for number, file in enumerate(files)]
        rows = " UNION ALL ".join(selects) or _no_rows(payload)
        if before:
            clock = [_time_column(t) for t in times if "_start_" in t]
            rows = _with_preceding(rows, before, (order[0], *clock, *order[1:]))
            payload.append(table.field(before))
        if name == "location" and files:  # rows that tell the same place are one, whichever rules they come from
            rows = f"SELECT DISTINCT ON (location_id) * FROM ({rows}) ORDER BY location_id, _file"
        fixed = {f.name: _fixed(FIELDS[name].get(f.name), f, files) for f in table.fields if f not in payload}
        sorted_ = {name: identifier(name) for name in (*(f.name for f in payload), *map(_time_column, times))}
        count = self._copy(table, rows, {**fixed, **sorted_})
        truncated: Counter[str] = Counter()
        for (field, _), number in long.items():
            truncated[f"{name}.{field}"] += number
        return Written(count, dict(truncated))

    def write_rows(self, name: str, rows: str | None) -> int:
        """Write a table from the SQL of all its fields; without it, a table without rows."""
        table = tables()[name]
        return self._copy(table, rows or _no_rows(table.fields))

    def write_episode_events(self) -> int:
        """episode_event: every event that belongs to an episode; an episode's parent is in EPISODE itself."""
        belonging = [f for f in self.files if f.fact != "episode" and ("episode" in f.columns)]
        events = self._union(belonging, ["episode", "event_id", "target"])
        rows = f"""SELECT episode AS episode_id, event_id, CASE target {_whens(FIELD_CONCEPT)} END AS episode_event_field_concept_id
            FROM ({events}) WHERE episode IS NOT NULL"""
        return self._copy(tables()["episode_event"], rows)

    def write_fact_relationships(self) -> int:
        """fact_relationship: every pair of related facts, once in each direction, however many rows of the source tell it."""
        ends = ("first", "second")
        columns = [*ends, *(f"{end}_target" for end in ends), "relationship_concept_id", "reverse_concept_id"]
        pairs = self._union([f for f in self.files if f.fact == "relationship"], columns)
        selects = []
        for (one, other), concept in ((ends, columns[-2]), (ends[::-1], columns[-1])):
            domains = [f"CASE {end}_target {_whens(DOMAIN_CONCEPT)} END" for end in (one, other)]
            selects.append(
                f"SELECT {domains[0]} AS domain_concept_id_1, {one} AS fact_id_1, {domains[1]} AS domain_concept_id_2, "
                f"{other} AS fact_id_2, {concept} AS relationship_concept_id FROM pairs"
            )
        rows = f"WITH pairs AS ({pairs}) {' UNION '.join(selects)}"  # UNION, not UNION ALL: each row once
        return self._copy(tables()["fact_relationship"], rows)

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
        return self._copy(table, f"SELECT {inner}", parameters=values)

    def write_metadata(self, rows: Sequence[MetadataRow]) -> int:
        """metadata: what the data rest on; its concepts are 0, for none exists."""
        table = tables()["metadata"]
        columns = {"metadata_id": "id", "name": "name", "value_as_string": "text", "value_as_number": "number"}
        values = {f.name: columns.get(f.name, "0" if f.required else "NULL") for f in table.fields}
        nodes = ", ".join(f"{_limited(f, f'CAST({values[f.name]} AS {f.type})')} AS {f.name}" for f in table.fields)
        given = (
            """SELECT unnest($ids) AS id, unnest($names) AS name, unnest($texts) AS text, unnest($numbers) AS number"""
        )
        parameters = {
            "ids": [row.id for row in rows],
            "names": [row.name for row in rows],
            "texts": [row.text for row in rows],
            "numbers": [row.number for row in rows],
        }
        return self._copy(table, f"SELECT {nodes} FROM ({given})", parameters=parameters)

    def _of(self, name: str) -> list[EventFile]:
        """The event files that hold an event for a table."""
        return [file for file in self.files if name in file.targets and self._measured[file.name, name].rows]

    @cached_property
    def _measured(self) -> Mapping[tuple[str, str], _Measure]:
        """By event file and table: how many of its events go there, and how many of their texts the CDM has no room for."""
        return {(file.name, name): m for file in self.files for name, m in self._measure(file).items()}

    def _measure(self, file: EventFile) -> dict[str, _Measure]:
        """One file, for all its tables; looked into only where they are several or it has texts that may be too long."""
        limited = {name: _limited_fields(name, file) for name in file.targets}
        lengths = {(FIELDS[name][f.name], f.limit): 0 for name, fields in limited.items() for f in fields}
        if not file.rows or (not lengths and len(file.targets) == 1):
            return {name: _Measure(file.rows, {}) for name in file.targets}
        columns = {"target"}.union(*(_columns(text) for text, _ in lengths))
        counts = ["count(*)", *(f"count(*) FILTER (length({text}) > {limit})" for text, limit in lengths)]
        sql = f"SELECT target, {', '.join(counts)} FROM ({select_events(self.events, file, sorted(columns))}) GROUP BY target"
        with without_values(f"measuring {file.name}"):
            found = {name: numbers for name, *numbers in self.connection.execute(sql).fetchall()}
        measures = {}
        for name, fields in limited.items():
            rows, *numbers = found.get(name, [0] * len(counts))
            number_of = dict(zip(lengths, numbers, strict=True))
            long = {f.name: number_of[FIELDS[name][f.name], f.limit] for f in fields}
            measures[name] = _Measure(rows, {field: number for field, number in long.items() if number})
        return measures

    def _union(self, files: Sequence[EventFile], columns: Sequence[str]) -> str:
        return union_of(self.events, files, columns)

    def _payload(
        self,
        name: str,
        payload: Sequence[CdmField],
        times: Sequence[str],
        file: EventFile,
        number: int,
        long: Container[tuple[str, str]],
    ) -> str:
        """What is sorted of one event file: the fields that vary somewhere, and the number of the file."""
        texts = {f.name: FIELDS[name].get(f.name, "NULL") for f in payload}
        texts |= {f.name: _limited(f, texts[f.name]) for f in payload if (f.name, file.name) in long}
        texts |= {_time_column(datetime): TIME_OF[datetime] for datetime in times}
        nodes = ", ".join(f"{text} AS {identifier(field)}" for field, text in texts.items())
        where = f" WHERE target = '{name}'" if len(file.targets) > 1 else ""
        return f"SELECT {nodes}, CAST({number} AS USMALLINT) AS _file FROM ({select_events(self.events, file)}){where}"

    def _copy(
        self,
        table: CdmTable,
        rows: str,
        values: Mapping[str, str] | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> int:
        """Sort the rows by the table's key, then fill in the other fields and fix order and types.

        `values` gives the SQL of each field over the sorted rows; without it the rows have every field.
        """
        order = ", ".join(identifier(k) for k in table.key)
        sources = values or {f.name: identifier(f.name) for f in table.fields}
        select = ", ".join(f"CAST({_source(f, sources)} AS {f.type}) AS {identifier(f.name)}" for f in table.fields)
        sql = f"SELECT {select} FROM (SELECT * FROM ({rows}) ORDER BY {order})"
        return copy(self.connection, sql, self.folder / f"{table.name}.parquet", parameters=parameters)


def _with_preceding(rows: str, name: str, order: Sequence[str]) -> str:
    """The rows with the id of the person's row before, in this order of fields; the last of them is the id."""
    by = ", ".join(f"{identifier(field)} NULLS FIRST" for field in order)
    before = f"lag({identifier(order[-1])}) OVER (PARTITION BY person_id ORDER BY {by})"
    return f"SELECT *, {before} AS {identifier(name)} FROM ({rows})"


def _whens(concepts: Mapping[str, int]) -> str:
    return " ".join(f"WHEN '{table}' THEN {concept}" for table, concept in concepts.items())


def _source(field: CdmField, sources: Mapping[str, str]) -> str:
    """A field's SQL over the sorted rows; a datetime is its date with its time, or the midnight of its date."""
    date = DATE_OF.get(field.name)
    time = sources.get(_time_column(field.name))
    told = sources.get(_time_column(TIME_TEXT.get(field.name, "")))
    if told is not None:
        return f"left(CAST({told} AS VARCHAR), 8)"
    if date is None:
        return sources[field.name]
    if time is None:
        return f"CAST({sources[date]} AS TIMESTAMP)"
    return f"CAST({sources[date]} AS DATE) + coalesce({time}, TIME '00:00:00')"


def _time_column(datetime: str) -> str:
    """The column of the sorted rows that holds the time of a datetime field."""
    return f"{datetime}~"


def _no_rows(payload: Sequence[CdmField]) -> str:
    nodes = ", ".join(f"CAST(NULL AS {f.type}) AS {identifier(f.name)}" for f in payload)
    return f"SELECT {nodes or '1'} WHERE false"


@cache
def _parsed(sql: str) -> exp.Expression:
    return cast("exp.Expression", sqlglot.parse_one(sql, dialect="duckdb"))


def _varies(sql: str | None, file: EventFile) -> bool:
    """Whether a field's SQL differs from event to event of a file."""
    return sql is not None and any(column in file.columns for column in _columns(sql))


def _limited_fields(name: str, file: EventFile) -> list[CdmField]:
    """The texts of a table that the CDM limits and that the events of a file may have."""
    limited = [f for f in tables()[name].fields if f.limit and f.name in FIELDS[name]]
    return [f for f in limited if _filled(FIELDS[name][f.name], file)]


def _filled(sql: str, file: EventFile) -> bool:
    """Whether a field's SQL reads anything that the events of a file have."""
    return any(n in file.columns or file.constants.get(n) is not None for n in _columns(sql))


@cache
def _columns(sql: str) -> frozenset[str]:
    """The event columns that a field's SQL reads."""
    return frozenset(column.name for column in _parsed(sql).find_all(exp.Column))


def _fixed(sql: str | None, field: CdmField, files: Sequence[EventFile]) -> str:
    """A field that is the same in all events of each file, over the number of the file."""
    if sql is None or not files:
        return "NULL"
    files_of: dict[str, list[int]] = {}
    for number, file in enumerate(files):
        files_of.setdefault(_limited(field, _with_constants(sql, file)), []).append(number)
    common, *others = sorted(files_of, key=lambda value: len(files_of[value]), reverse=True)
    if not others:
        return common
    whens = " ".join(f"WHEN _file IN ({', '.join(map(str, files_of[v]))}) THEN {v}" for v in others)
    return f"CASE {whens} ELSE {common} END"


def _with_constants(sql: str, file: EventFile) -> str:
    def constant(node: exp.Expression) -> exp.Expression:
        return _parsed(constant_sql(file.constants.get(node.name), node.name)) if isinstance(node, exp.Column) else node

    return _parsed(sql).copy().transform(constant).sql(dialect="duckdb")


def _limited(field: CdmField, sql: str) -> str:
    return f"left({sql}, {field.limit})" if field.limit else sql

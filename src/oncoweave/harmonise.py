"""From the snapshot of a run to its events and OMOP tables: what the map stage does, and each worked example too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import duckdb

from oncoweave.compiler import Plan
from oncoweave.compiler.execute import Execution
from oncoweave.compiler.join_tables import warnings_of
from oncoweave.compiler.keys import is_one_a_person
from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import copy_sorted
from oncoweave.events import TYPES, select_events
from oncoweave.files import file_record, make_private_folder, stage_folder, work_folder, write_json
from oncoweave.omop.eras import EraWriter
from oncoweave.omop.fields import FIELDS
from oncoweave.omop.metadata import Made, metadata_rows
from oncoweave.omop.model import CDM_VERSION, tables
from oncoweave.omop.periods import PeriodWriter
from oncoweave.omop.tables import CdmSource, TableWriter
from oncoweave.privacy.pseudonym import Key
from oncoweave.project import Project, RunFolder
from oncoweave.records import (
    DerivedTable,
    EventIndex,
    ExtractRecord,
    FileRecord,
    MapRecord,
    ReleasedText,
    UnconvertedCount,
)
from oncoweave.spec.notes import NoteRule
from oncoweave.vocabulary.bundle import Bundle


def harmonise(
    run: RunFolder,
    project: Project,
    extracted: ExtractRecord,
    plan: Plan,
    bundle: Bundle,
    key: Key,
    rests_on: Mapping[str, str] = MappingProxyType({}),
) -> MapRecord:
    """Write the events, the quarantine, the restricted id map and the tables of a compiled mapping.

    `rests_on` is what METADATA says of the software and the files that the run rests on, by name.
    """
    restricted = make_private_folder(project.restricted / run.source)
    with (
        stage_folder(run, "events") as events,
        stage_folder(run, "tables") as cdm,
        work_folder(run, "map") as work,
        connect(work=work, allow=[run.path, restricted, bundle.folder]) as connection,
    ):
        snapshot = {t.table: run.snapshot / f"{t.table}.parquet" for t in extracted.tables}
        execution = Execution(connection, plan, bundle, key, snapshot, events, extracted.delivery_date)
        execution.run()
        make_private_folder(run.quarantine)
        execution.write_quarantine(run.quarantine / "map.parquet")
        execution.write_id_map(restricted / "person_map.parquet")
        _write_concepts(connection, events, execution, bundle)
        write_json(events / "events.json", EventIndex(files=tuple(execution.files)))
        writer = TableWriter(connection, events, execution.files, cdm)
        counts, truncated = _write_tables(writer, plan, extracted, bundle.version or plan.vocabulary)
        derived = [_write_periods(writer, plan, extracted), *EraWriter(connection, writer, bundle).write()]
        counts |= {table.table: table.rows for table in derived}
        imputed = _imputed(connection, events, execution)
        released = _released_text(execution, plan)
        known = {**rests_on, "vocabulary": bundle.version or plan.vocabulary, "CDM": CDM_VERSION}
        made = Made(known, _origin(plan), imputed, truncated, released, counts)
        counts["metadata"] = writer.write_metadata(metadata_rows(made))
        counts = {name: counts[name] for name in tables()}
        files = tuple(file_record(cdm / f"{name}.parquet", f"{name}.parquet", rows) for name, rows in counts.items())
    return _record(plan, execution, counts, files, made, derived)


def _write_tables(
    writer: TableWriter, plan: Plan, extracted: ExtractRecord, version: str
) -> tuple[dict[str, int], dict[str, int]]:
    """The rows of every table, and how many texts were cut to the CDM's limits, by field."""
    written = {name: writer.write(name) for name in FIELDS}
    truncated = {field: number for table in written.values() for field, number in table.truncated.items()}
    counts = {name: table.rows for name, table in written.items()}
    counts["episode_event"] = writer.write_episode_events()
    counts["fact_relationship"] = writer.write_fact_relationships()
    counts["cdm_source"] = writer.write_cdm_source(_about(plan, extracted, version))
    return counts, truncated


def _origin(plan: Plan) -> tuple[date, str] | None:
    origin = plan.source.origin
    return (origin.date, origin.why) if origin else None


def _released_text(execution: Execution, plan: Plan) -> tuple[ReleasedText, ...]:
    """The free text that the mapping lets leave the site, by rule."""
    notes = {p.name: p.rule.spec for p in plan.rules}
    found = []
    for file in execution.files:
        spec = notes[file.rule]
        if isinstance(spec, NoteRule) and spec.release:
            parts: tuple[Literal["text", "title"], ...] = ("text", "title")
            what = tuple(part for part in parts if getattr(spec.release, part))
            found.append(ReleasedText(rule=file.rule, what=what, because=spec.release.because, notes=file.rows))
    return tuple(found)


def _write_periods(writer: TableWriter, plan: Plan, extracted: ExtractRecord) -> DerivedTable:
    options, one_each = plan.mapping.observation_periods, _one_period_each(plan)
    return PeriodWriter(writer, options, plan.period_type, extracted.delivery_date, one_each).write()


def _one_period_each(plan: Plan) -> bool:
    """Whether at most one rule makes periods, and one for each person."""
    rules = [p.rule for p in plan.rules if p.rule.fact == "observation_period"]
    return all(is_one_a_person(r.unit, plan.source.tables[r.table]) for r in rules) and len(rules) <= 1


def _about(plan: Plan, extracted: ExtractRecord, version: str) -> CdmSource:
    """The row of CDM_SOURCE; `version` is what the vocabulary calls itself, whatever name mappings use for it."""
    source = plan.source
    description = source.description or source.title
    if source.origin:
        description += f" Dates count from a synthetic origin, {source.origin.date}: {source.origin.why}"
    return CdmSource(
        name=source.title,
        abbreviation=source.source[:25],
        holder=source.holder,
        description=description,
        documentation=source.reference,
        release_date=extracted.delivery_date.isoformat(),
        vocabulary_version=version,
    )


_CONCEPTS = tuple(name for name in TYPES if name.endswith("concept_id"))


def _write_concepts(connection: duckdb.DuckDBPyConnection, events: Path, execution: Execution, bundle: Bundle) -> None:
    """_concepts.parquet: every concept that an event names, once, with its code, name and domain."""
    used = {int(v) for f in execution.files for n, v in f.constants.items() if n in _CONCEPTS and v is not None}
    varying = [(f, n) for f in execution.files for n in _CONCEPTS if n in f.columns]
    selects = [f"SELECT DISTINCT {n} AS id FROM ({select_events(events, f, [n])})" for f, n in varying]
    sql = f"""SELECT concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, concept_code
        FROM read_parquet($concepts) WHERE concept_id IN ({" UNION ALL ".join(["SELECT unnest($used) AS id", *selects])})"""
    parameters = {"used": sorted(used), "concepts": str(bundle.table("CONCEPT"))}
    copy_sorted(connection, sql, events / "_concepts.parquet", order_by=["concept_id"], parameters=parameters)


def _imputed(connection: duckdb.DuckDBPyConnection, events: Path, execution: Execution) -> dict[str, dict[str, int]]:
    """For each table and date, how many days stand for a partial date, by what the source knows.

    Not of births: what is not known of them stays empty.
    """
    found: dict[str, dict[str, int]] = {}
    for file in (f for f in execution.files if f.fact != "person"):
        for which in ("start", "end"):
            if file.constants.get(f"{which}_precision", "") in (None, "day"):
                continue
            source = select_events(events, file, ["target", f"{which}_precision", f"{which}_date"])
            sql = f"""SELECT target || '.{which}', {which}_precision, count(*) FROM ({source})
                WHERE {which}_precision <> 'day' AND {which}_date IS NOT NULL GROUP BY ALL ORDER BY ALL"""
            with without_values("counting imputed dates"):
                rows = connection.execute(sql).fetchall()
            for place, precision, count in rows:
                counts = found.setdefault(str(place), {})
                counts[str(precision)] = counts.get(str(precision), 0) + int(count)
    return found


def _record(
    plan: Plan,
    execution: Execution,
    counts: dict[str, int],
    files: Sequence[FileRecord],
    made: Made,
    derived: Sequence[DerivedTable],
) -> MapRecord:
    joins = [count for _, count in sorted(execution.joins.items())]
    return MapRecord(
        vocabulary=plan.vocabulary,
        unconfirmed_concepts=plan.unconfirmed,
        synthetic_origin=made.origin,
        plan_sha256=plan.sha256,
        ledger=tuple(execution.ledger),
        unmapped=tuple(execution.unmapped),
        imputed={field: dict(counts) for field, counts in made.imputed.items()},
        truncated=dict(made.truncated),
        corrections=execution.corrected,
        persons=counts["person"],
        events={n: c for n, c in counts.items() if n not in ("person", "cdm_source", "metadata")},
        tables=tuple(files),
        derived=tuple(derived),
        released_text=tuple(made.released),
        warnings=(*plan.warnings, *warnings_of(joins), *map(_not_converted, execution.unconverted)),
        unconverted=tuple(execution.unconverted),
        joins=tuple(joins),
    )


def _not_converted(count: UnconvertedCount) -> str:
    rule = f"{count.rule}.{count.column}" if count.column else count.rule
    return f"{count.events:,} values of `{rule}` have a unit that `convert:` does not name; they keep value and unit"

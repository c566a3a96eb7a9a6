"""From the snapshot of a run to its events and OMOP tables: what the map stage does, and each worked example too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from oncoweave.compiler import Plan
from oncoweave.compiler.execute import Execution
from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import copy_sorted
from oncoweave.files import file_record, make_private_folder, stage_folder, work_folder
from oncoweave.omop.model import tables
from oncoweave.omop.tables import FIELDS, CdmSource, TableWriter
from oncoweave.privacy.pseudonym import Key
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord, FileRecord, MapRecord
from oncoweave.vocabulary.bundle import Bundle


def harmonise(
    run: RunFolder, project: Project, extracted: ExtractRecord, plan: Plan, bundle: Bundle, key: Key
) -> MapRecord:
    """Write the events, the quarantine, the restricted id map and the tables of a compiled mapping."""
    restricted = make_private_folder(project.restricted / run.source)
    with (
        stage_folder(run, "events") as events,
        stage_folder(run, "tables") as cdm,
        work_folder(run, "map") as work,
        connect(work=work, allow=[run.path, restricted, bundle.folder]) as connection,
    ):
        snapshot = {t.table: run.snapshot / f"{t.table}.parquet" for t in extracted.tables}
        execution = Execution(connection, plan, bundle, key, snapshot, events)
        execution.run()
        make_private_folder(run.quarantine)
        execution.write_quarantine(run.quarantine / "map.parquet")
        execution.write_id_map(restricted / "person_map.parquet")
        _write_concepts(connection, events, bundle)
        counts = _write_tables(connection, execution, plan, extracted, cdm)
        imputed, truncated = _imputed(connection, events), _truncated(connection, execution, cdm)
        files = tuple(file_record(cdm / f"{name}.parquet", f"{name}.parquet", rows) for name, rows in counts.items())
    return _record(plan, execution, counts, files, imputed, truncated)


def _write_tables(
    connection: duckdb.DuckDBPyConnection, execution: Execution, plan: Plan, extracted: ExtractRecord, folder: Path
) -> dict[str, int]:
    """Every table by name, with its rows."""
    writer = TableWriter(connection, folder)
    counts = {name: writer.write(name, execution.event_files(name)) for name in FIELDS}
    everything = execution.all_event_files()
    first_type = plan.rules[0].rule.branches[0].type_concept_id
    counts["observation_period"] = writer.write_periods(
        execution.event_files("observation_period"), everything, first_type
    )
    counts["episode_event"] = writer.write_episode_events(everything)
    counts["cdm_source"] = writer.write_cdm_source(_about(plan, extracted))
    return {name: counts[name] for name in tables()}


def _about(plan: Plan, extracted: ExtractRecord) -> CdmSource:
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
        vocabulary_version=plan.vocabulary,
    )


def _write_concepts(connection: duckdb.DuckDBPyConnection, events: Path, bundle: Bundle) -> None:
    """concepts.parquet: every concept that an event names, once, with its code, name and domain."""
    names = [
        "concept_id",
        "source_concept_id",
        "value_concept_id",
        "unit_concept_id",
        "operator_concept_id",
        "type_concept_id",
        "object_concept_id",
        "status_concept_id",
    ]
    files = [str(path) for path in sorted(events.glob("*.parquet"))]
    used = " UNION ".join(f"SELECT {name} AS id FROM read_parquet($files)" for name in names)
    columns = "concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, concept_code"
    sql = f"SELECT {columns} FROM read_parquet($concepts) WHERE concept_id IN ({used})"
    parameters = {"files": files, "concepts": str(bundle.table("CONCEPT"))}
    copy_sorted(connection, sql, events / "concepts.parquet", order_by=["concept_id"], parameters=parameters)


def _imputed(connection: duckdb.DuckDBPyConnection, events: Path) -> dict[str, dict[str, int]]:
    """For each table and date, how many days stand for a partial date, by what the source knows."""
    found: dict[str, dict[str, int]] = {}
    files = [str(path) for path in sorted(events.glob("*.parquet")) if path.name != "concepts.parquet"]
    for date in ("start", "end"):
        sql = f"""SELECT target || '.{date}', {date}_precision, count(*) FROM read_parquet(?)
            WHERE {date}_precision <> 'day' AND {date}_date IS NOT NULL GROUP BY ALL ORDER BY ALL"""
        with without_values("counting imputed dates"):
            rows = connection.execute(sql, [files]).fetchall()
        for place, precision, count in rows:
            found.setdefault(str(place), {})[str(precision)] = int(count)
    return found


def _truncated(connection: duckdb.DuckDBPyConnection, execution: Execution, folder: Path) -> dict[str, int]:
    writer = TableWriter(connection, folder)
    return {k: n for name in FIELDS for k, n in writer.truncated(name, execution.event_files(name)).items()}


def _record(
    plan: Plan,
    execution: Execution,
    counts: dict[str, int],
    files: Sequence[FileRecord],
    imputed: dict[str, dict[str, int]],
    truncated: dict[str, int],
) -> MapRecord:
    origin = plan.source.origin
    return MapRecord(
        vocabulary=plan.vocabulary,
        unconfirmed_concepts=plan.unconfirmed,
        synthetic_origin=(origin.date, origin.why) if origin else None,
        plan_sha256=plan.sha256,
        ledger=tuple(execution.ledger),
        unmapped=tuple(execution.unmapped),
        imputed=imputed,
        truncated=truncated,
        corrections=execution.corrected,
        persons=counts["person"],
        events={n: c for n, c in counts.items() if n not in ("person", "cdm_source")},
        tables=tuple(files),
        warnings=plan.warnings,
    )

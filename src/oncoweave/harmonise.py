"""From the snapshot of a run to its events and OMOP tables: what the map stage does, and each worked example too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias

import duckdb

from oncoweave.compiler import Plan
from oncoweave.compiler.execute import Execution
from oncoweave.compiler.join_tables import warnings_of
from oncoweave.compiler.keys import is_one_a_person
from oncoweave.engine.connection import CALLERS, connect, without_values
from oncoweave.engine.parquet import copy_sorted
from oncoweave.engine.side_by_side import Task, side_by_side
from oncoweave.events import TYPES, select_events
from oncoweave.fhir.concept_maps import concept_maps
from oncoweave.fhir.named_sets import profile_set
from oncoweave.fhir.provenance import Origin
from oncoweave.fhir.run_resources import write_run_resources
from oncoweave.fhir.writer import FhirWriter
from oncoweave.files import file_record, make_private_folder, read_record, stage_folder, work_folder, write_json
from oncoweave.omop.eras import EraWriter
from oncoweave.omop.fields import FIELDS
from oncoweave.omop.metadata import Made, metadata_rows
from oncoweave.omop.model import CDM_VERSION, tables
from oncoweave.omop.periods import PeriodWriter
from oncoweave.omop.tables import CdmSource, TableWriter, Written
from oncoweave.privacy.pseudonym import Key
from oncoweave.project import Project, RunFolder
from oncoweave.records import (
    DerivedTable,
    EventFile,
    EventIndex,
    ExtractRecord,
    FhirFile,
    FhirRecord,
    MapRecord,
    ReleasedText,
    UnconvertedCount,
)
from oncoweave.spec.concept_map import ConceptMap
from oncoweave.spec.notes import NoteRule
from oncoweave.vocabulary.bundle import Bundle

_Done: TypeAlias = Written | Sequence[DerivedTable | FhirFile]
"""What a task of the map stage has written."""
PROJECTED = (*FIELDS, "episode_event", "fact_relationship")
"""The tables that events are projected into, each by itself; the others follow from them."""


@dataclass(frozen=True)
class Harmonisation:
    """What is harmonised, by which plan. `rests_on` is what METADATA says of the software and files that it rests on, by name;
    `maps` are the concept maps of the mapping, and `origin` is what FHIR says of all that, both nothing for a worked example."""

    run: RunFolder
    project: Project
    extracted: ExtractRecord
    plan: Plan
    bundle: Bundle
    key: Key
    rests_on: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, ConceptMap] = field(default_factory=dict)
    origin: Origin | None = None

    in_fhir: bool = True
    """Whether FHIR is written where the mapping asks for it: not of worked examples, which are of OMOP."""

    @property
    def vocabulary(self) -> str:
        """What the vocabulary calls itself, whatever name mappings use for it."""
        return self.bundle.version or self.plan.vocabulary


def harmonise(of: Harmonisation) -> MapRecord:
    """Write the events, the quarantine, the restricted id map and the tables of a compiled mapping."""
    with (
        stage_folder(of.run, "events") as events,
        stage_folder(of.run, "tables") as cdm,
        _fhir_folder(of) as fhir,
        _connected(of) as connection,
    ):
        files, found = _make_events(connection, of, events)
        return _complete(TableWriter(connection, events, files, cdm), of, found, {}, fhir)


def harmonise_events(of: Harmonisation) -> MapRecord:
    """The first part of `harmonise`: the events, the quarantine and the id map; the record that there is without tables."""
    with stage_folder(of.run, "events") as events, _connected(of) as connection:
        return _make_events(connection, of, events)[1]


def harmonise_table(run: RunFolder, name: str, folder: Path) -> Written:
    """Write one of the tables that events are projected into; such parts may run side by side."""
    with work_folder(run, f"map-{name}") as work, connect(work=work, allow=[run.path]) as connection:
        return _write(TableWriter(connection, run.events, event_files(run), folder), name)


def harmonise_rest(of: Harmonisation, found: MapRecord, parts: Mapping[str, tuple[Path, Written]]) -> MapRecord:
    """The last part: takes the tables that the other parts made, makes those that are left, and puts all in their place."""
    with stage_folder(of.run, "tables") as cdm, _fhir_folder(of) as fhir, _connected(of) as connection:
        for path, _ in parts.values():
            path.rename(cdm / path.name)
        writer = TableWriter(connection, of.run.events, event_files(of.run), cdm)
        return _complete(writer, of, found, {name: written for name, (_, written) in parts.items()}, fhir)


def _fhir_folder(of: Harmonisation) -> AbstractContextManager[Path | None]:
    """The folder for FHIR, where the mapping asks for it."""
    return stage_folder(of.run, "fhir") if of.plan.mapping.fhir and of.in_fhir else nullcontext()


def event_files(run: RunFolder) -> tuple[EventFile, ...]:
    """The event files of a run whose events are made."""
    return read_record(run.events / "events.json", EventIndex).files


@contextmanager
def _connected(of: Harmonisation) -> Iterator[duckdb.DuckDBPyConnection]:
    restricted = make_private_folder(of.project.restricted / of.run.source)
    with (
        work_folder(of.run, "map") as work,
        connect(work=work, allow=[of.run.path, restricted, of.bundle.folder], callers=CALLERS) as connection,
    ):
        yield connection


def _make_events(
    connection: duckdb.DuckDBPyConnection, of: Harmonisation, events: Path
) -> tuple[Sequence[EventFile], MapRecord]:
    """The event files, and the record that there is without tables."""
    run, plan, day = of.run, of.plan, of.extracted.delivery_date
    snapshot = {t.table: run.snapshot / f"{t.table}.parquet" for t in of.extracted.tables}
    execution = Execution(connection, plan, of.bundle, of.key, snapshot, events, day)
    execution.run()
    make_private_folder(run.quarantine)
    execution.write_quarantine(run.quarantine / "map.parquet")
    execution.write_id_map(of.project.restricted / run.source / "person_map.parquet")
    _write_concepts(connection, events, execution, of.bundle)
    write_json(events / "events.json", EventIndex(files=tuple(execution.files)))
    return execution.files, _found(plan, execution, _imputed(connection, events, execution))


def _write(writer: TableWriter, name: str) -> Written:
    """Write one table that events are projected into."""
    if name == "episode_event":
        return Written(writer.write_episode_events(), {})
    if name == "fact_relationship":
        return Written(writer.write_fact_relationships(), {})
    return writer.write(name)


def _complete(
    writer: TableWriter, of: Harmonisation, found: MapRecord, parts: Mapping[str, Written], fhir: Path | None
) -> MapRecord:
    """Write the tables that are not there in `parts`, those that tell of the whole, and FHIR; the record with all of it."""
    plan, extracted = of.plan, of.extracted
    resources = _fhir_writer(writer, of, fhir) if fhir else None
    tasks = [*_projected(writer, parts), *_derived(writer, of, parts), *_resources(resources)]
    done = side_by_side(writer.connection, tasks)
    all_written = {**parts, **{name: what for name, what in done.items() if isinstance(what, Written)}}
    written = {name: all_written[name] for name in PROJECTED}
    others = [entry for entries in done.values() if not isinstance(entries, Written) for entry in entries]
    derived = [entry for entry in others if isinstance(entry, DerivedTable)]
    truncated = {field: number for table in written.values() for field, number in table.truncated.items()}
    counts = {name: table.rows for name, table in written.items()}
    counts["cdm_source"] = writer.write_cdm_source(_about(plan, extracted, of.vocabulary))
    counts |= {table.table: table.rows for table in derived}
    known = {**of.rests_on, "vocabulary": of.vocabulary, "CDM": CDM_VERSION}
    made = Made(known, _origin(plan), found.imputed, truncated, found.released_text, counts)
    counts["metadata"] = writer.write_metadata(metadata_rows(made))
    counts = {name: counts[name] for name in tables()}
    files = (file_record(writer.folder / f"{n}.parquet", f"{n}.parquet", rows) for n, rows in counts.items())
    return found.model_copy(
        update={
            "truncated": truncated,
            "persons": counts["person"],
            "events": {n: c for n, c in counts.items() if n not in ("person", "cdm_source", "metadata")},
            "tables": tuple(files),
            "derived": tuple(derived),
            "fhir": resources and _told_of(of, resources, others),
        }
    )


def _fhir_writer(writer: TableWriter, of: Harmonisation, folder: Path) -> FhirWriter:
    profiles = profile_set(of.plan.mapping.fhir or "base")
    ancestors = of.bundle.table("CONCEPT_ANCESTOR")
    known = ancestors if ancestors.is_file() else None
    fhir = FhirWriter(writer.connection, writer.events, writer.files, folder, profiles, of.run.source, ancestors=known)
    fhir.prepare()
    return fhir


def _resources(writer: FhirWriter | None) -> list[Task[_Done]]:
    """The types of FHIR resources."""

    def task(type_: str) -> Task[_Done]:
        assert writer is not None
        return Task(type_, lambda connection: [*writer.over(connection).write(type_)])

    return [task(type_) for type_ in (writer.types if writer else ())]


def _told_of(of: Harmonisation, writer: FhirWriter, made: Sequence[DerivedTable | FhirFile]) -> FhirRecord:
    """What was written of FHIR, with what a run has once: ConceptMaps and Provenance, which are written last."""
    files = [entry for entry in made if isinstance(entry, FhirFile)]
    if of.origin:
        told = concept_maps(of.plan, of.maps, of.bundle)
        patients = [file for file in files if file.type == "Patient"]
        files += write_run_resources(writer.connection, writer.folder, of.origin, told, patients)
    files.sort(key=lambda entry: entry.file.name)
    return FhirRecord(profiles=writer.profiles.name, files=tuple(files), left_out=writer.left_out, claims=writer.claims)


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


def _projected(writer: TableWriter, parts: Mapping[str, Written]) -> list[Task[_Done]]:
    """The tables that are not there in `parts`, the largest first, so that none is left for the end."""
    names = sorted((name for name in PROJECTED if name not in parts), key=writer.events_of, reverse=True)

    def task(name: str) -> Task[_Done]:
        return Task(name, lambda connection: _write(writer.over(connection), name))

    return [task(name) for name in names]


def _derived(writer: TableWriter, of: Harmonisation, parts: Mapping[str, Written]) -> list[Task[_Done]]:
    """The tables that are derived from the events, or from tables that must be written before."""

    def periods(connection: duckdb.DuckDBPyConnection) -> list[DerivedTable]:
        return [_write_periods(writer.over(connection), of.plan, of.extracted)]

    def conditions(connection: duckdb.DuckDBPyConnection) -> list[DerivedTable]:
        return [EraWriter(writer.over(connection), of.bundle).write_conditions()]

    def drugs(connection: duckdb.DuckDBPyConnection) -> list[DerivedTable]:
        return EraWriter(writer.over(connection), of.bundle).write_drugs()

    return [
        Task("periods", periods),
        Task("eras of conditions", conditions, frozenset({"condition_occurrence"}.difference(parts))),
        Task("eras of drugs", drugs, frozenset({"drug_exposure"}.difference(parts))),
    ]


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


def _found(plan: Plan, execution: Execution, imputed: dict[str, dict[str, int]]) -> MapRecord:
    """What is known before there are tables."""
    joins = [count for _, count in sorted(execution.joins.items())]
    return MapRecord(
        vocabulary=plan.vocabulary,
        unconfirmed_concepts=plan.unconfirmed,
        synthetic_origin=_origin(plan),
        plan_sha256=plan.sha256,
        ledger=tuple(execution.ledger),
        unmapped=tuple(execution.unmapped),
        imputed=imputed,
        truncated={},
        corrections=execution.corrected,
        persons=0,
        events={},
        tables=(),
        released_text=_released_text(execution, plan),
        warnings=(*plan.warnings, *warnings_of(joins), *map(_not_converted, execution.unconverted)),
        unconverted=tuple(execution.unconverted),
        joins=tuple(joins),
    )


def _not_converted(count: UnconvertedCount) -> str:
    rule = f"{count.rule}.{count.column}" if count.column else count.rule
    return f"{count.events:,} values of `{rule}` have a unit that `convert:` does not name; they keep value and unit"

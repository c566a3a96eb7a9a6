"""map: compiles the mapping and runs it, from the snapshot of a run to its events and OMOP tables.

Whole, or in parts that a scheduler runs one by one: `map_events`, then `write_table` for each of `tables_to_write`, side by side,
then `map_record`. The bytes are the same. What the parts leave for each other is in the folder `parts` of the run.
"""

from __future__ import annotations

from pathlib import Path

from oncoweave.compiler import Plan, compile_mapping
from oncoweave.errors import UsageError, nearest
from oncoweave.fhir.provenance import Origin
from oncoweave.files import file_record, forget, read_record, remove, sha256_of, stage_folder, write_json
from oncoweave.harmonise import (
    PROJECTED,
    Harmonisation,
    event_files,
    harmonise,
    harmonise_events,
    harmonise_rest,
    harmonise_table,
)
from oncoweave.lineage.columns import column_lineage
from oncoweave.lineage.datasets import LINEAGE
from oncoweave.omop.tables import Written
from oncoweave.privacy.pseudonym import load_key
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord, MapRecord, TablePart
from oncoweave.run_identity import Identity, read_identity


def map(run: RunFolder, project: Project) -> MapRecord:  # noqa: A001 - the stage, the verb and the task have one name
    """Map the snapshot of a run; returns at once what is mapped already.

    Raises SpecError for a mapping with errors, UsageError without a key, DataError when a correction does not match.
    """
    record_path = run.path / "map.json"
    if record_path.is_file():
        return read_record(record_path, MapRecord)
    compiled = _compiled(run, project)
    return _done(compiled, harmonise(compiled))


def map_events(run: RunFolder, project: Project) -> MapRecord:
    """The first part: the events. What there is of it is made anew. Raises as `map`."""
    compiled = _compiled(run, project)
    forget(run.path / "map.json")
    remove(_parts(run))
    found = harmonise_events(compiled)
    with stage_folder(run, "parts") as parts:
        write_json(parts / "events.json", found)
    return found


def tables_to_write(run: RunFolder) -> tuple[str, ...]:
    """The tables that events of this run go to, in the order of the CDM: each is a part of its own."""
    targets = {target for file in event_files(run) for target in file.targets}
    return tuple(name for name in PROJECTED if name in targets)


def write_table(run: RunFolder, table: str) -> TablePart:
    """The part of one table; nothing is done when it is there and whole.

    Raises UsageError for a table that is none of `tables_to_write`, or before `map_events`.
    """
    events, record = sha256_of(_events(run)), _parts(run) / f"{table}.json"
    if table not in tables_to_write(run):
        raise UsageError(f"no events go to a table `{table}`", mend=nearest(table, tables_to_write(run)))
    part = _whole(run, table, events)
    if part is None:
        forget(record)
        written = harmonise_table(run, table, _parts(run))
        file = file_record(_parts(run) / f"{table}.parquet", f"{table}.parquet", written.rows)
        part = TablePart(file=file, truncated=written.truncated, events_sha256=events)
        write_json(record, part)
    return part


def map_record(run: RunFolder, project: Project) -> MapRecord:
    """The last part: every other table, and the record by which the stage is done.

    A table that is not there, or not whole, is made here.
    """
    found, events = read_record(_events(run), MapRecord), sha256_of(_events(run))
    whole = {name: part for name in tables_to_write(run) if (part := _whole(run, name, events))}
    parts = {name: (_parts(run) / p.file.name, Written(p.file.rows or 0, p.truncated)) for name, p in whole.items()}
    compiled = _compiled(run, project)
    record = _done(compiled, harmonise_rest(compiled, found, parts))
    remove(_parts(run))
    return record


def _compiled(run: RunFolder, project: Project) -> Harmonisation:
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    key = load_key()
    plan, inputs = compile_mapping(project, run.source, {t.table: t.columns for t in extracted.tables})
    rests_on, origin = _rests_on(run), _origin(extracted, plan, read_identity(run))
    return Harmonisation(run, project, extracted, plan, inputs.bundle, key, rests_on, inputs.maps, origin)


def _origin(extracted: ExtractRecord, plan: Plan, rests_on: Identity) -> Origin:
    """What the Provenance of the FHIR resources says of a run."""
    return Origin(
        run_id=extracted.run_id,
        software=rests_on.software,
        holder=plan.source.holder,
        day=extracted.delivery_date,
        deliveries=extracted.chain,
        mapping_sha256=rests_on.mapping_sha256,
        vocabulary=plan.vocabulary,
    )


def _done(compiled: Harmonisation, record: MapRecord) -> MapRecord:
    write_json(compiled.run.path / LINEAGE, column_lineage(compiled.plan))
    write_json(compiled.run.path / "map.json", record)
    return record


def _parts(run: RunFolder) -> Path:
    return run.path / "parts"


def _events(run: RunFolder) -> Path:
    path = _parts(run) / "events.json"
    if not path.is_file():
        raise UsageError(f"the events of run {run.run_id} of `{run.source}` are not made", mend="map them first")
    return path


def _whole(run: RunFolder, table: str, events_sha256: str) -> TablePart | None:
    """The part of a table, if it is of these events and its file is what it says."""
    record, file = _parts(run) / f"{table}.json", _parts(run) / f"{table}.parquet"
    if not record.is_file() or not file.is_file():
        return None
    part = read_record(record, TablePart)
    whole = part.events_sha256 == events_sha256 and file_record(file, file.name, part.file.rows) == part.file
    return part if whole else None


def _rests_on(run: RunFolder) -> dict[str, str]:
    """What METADATA says of the software and the specification that a run rests on."""
    known = read_identity(run)
    return {
        "software": known.software,
        "code SHA-256": known.code_sha256,
        "mapping SHA-256": known.mapping_sha256,
        "vocabulary release": known.vocabulary,
    }

"""The first stage: copies a delivery into a snapshot, every field as text, nothing cleaned, nothing lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, count
from pathlib import Path
from typing import TypeVar

import duckdb

from oncoweave.engine.arrival_record import dated, find_arrived, note_arrival, refuse_changing
from oncoweave.engine.changes import Change, apply_change
from oncoweave.engine.connection import connect
from oncoweave.engine.delivery import locate, refuse_all_unknown, unclaimed
from oncoweave.engine.parquet import copy
from oncoweave.engine.reading import DeliveredFile, Reading, Reject
from oncoweave.engine.servers.fetch import Fetched, fetched
from oncoweave.engine.side_by_side import Task, side_by_side
from oncoweave.engine.snapshot import Snapshot, reader, take_snapshot
from oncoweave.errors import DataError, OncoweaveError, UsageError
from oncoweave.files import (
    clear_away,
    file_record,
    forget,
    make_private_folder,
    read_record,
    remove,
    sha256_of,
    stage_folder,
    write_json,
)
from oncoweave.project import Project, RunFolder
from oncoweave.records import DeliveryRecord, ExtractRecord, FileRecord, ResourceCount, SourceTableRecord, TableChange
from oncoweave.release.predecessor import find_base, fingerprint, layout_of, left_out, refuse_unfit
from oncoweave.run_identity import open_run
from oncoweave.spec.delivery import day_of
from oncoweave.spec.load import load_source
from oncoweave.spec.source import FhirTable, Source, Table, TableSpec

TableT = TypeVar("TableT", bound=TableSpec)


def extract(
    project: Project, source: str, delivery: Path | None = None, base: str = "", day: date | None = None
) -> RunFolder:
    """Takes the snapshot of a delivery and returns its run; a run that has it already is returned as it is.

    `delivery` is a folder to read instead of the one that source.yaml declares. `day` is the delivery's date; else the
    folder's name tells it, where deliveries arrive in folders named by their day; else source.yaml.
    A delta is applied to the snapshot of its base: of the run behind the current release, or of the run that `base`
    names (`none`: it is the first).
    Records that cannot be read go to quarantine/extract.parquet with file, line and reason.

    Raises SpecError, UsageError, DataError, SourceUnreachable or EnvironmentFault, before the next stage
    could see anything of it.
    """
    declared, _ = load_source(project, source)
    arrived = find_arrived(project, declared, delivery, day)
    spec = dated(declared, arrived, delivery, day)
    with fetched(project, spec, delivery) as there:
        given = _locate(project, there, base)
        content = [*given.files.values(), *given.base_content(), *_day(declared, there.source)]
        run = open_run(project, source, content)
        if not _is_whole(run):
            _extract(run, there.source, given, lambda: refuse_changing(project, spec, arrived))
        else:
            _note_unclaimed(run, given.unclaimed)
        note_arrival(project, there.source, run, arrived)
    return run


def _day(written: Source, spec: Source) -> list[FileRecord]:
    """The day of a delivery as far as the run id depends on it: source.yaml is hashed, what a server or a folder says is not."""
    if written.delivery.date == day_of(spec.delivery):
        return []
    day = day_of(spec.delivery).isoformat()
    return [FileRecord(name=f"day {day}", bytes=0, sha256=hashlib.sha256(day.encode()).hexdigest())]


@dataclass(frozen=True)
class _Given:
    """What was delivered: the files of each table, those that name its removed rows, and the base that they change."""

    located: Mapping[str, Sequence[DeliveredFile]]
    removed: Mapping[str, Sequence[DeliveredFile]]
    files: Mapping[str, FileRecord]
    sha256: str
    is_delta: bool = False
    base: RunFolder | None = None
    before: ExtractRecord | None = None
    unclaimed: tuple[str, ...] = ()

    def delivered(self) -> list[DeliveredFile]:
        """Every file of the delivery."""
        return [file for files in (*self.located.values(), *self.removed.values()) for file in files]

    def base_content(self) -> list[FileRecord]:
        """What a delta builds on, as far as the run id depends on it: the snapshot, and the deliveries that it holds."""
        if self.before is None:
            return []
        snapshots = [t.snapshot.model_copy(update={"name": f"base/{t.snapshot.name}"}) for t in self.before.tables]
        links = [FileRecord(name=f"base {n}", bytes=0, sha256=d.sha256) for n, d in enumerate(self.before.chain)]
        return [*snapshots, *links]


def _locate(project: Project, there: Fetched, named: str) -> _Given:
    """The files of the delivery; of a delta with the base. In a delta any file may be missing."""
    spec, delivery = there.source, there.folder
    if spec.delivery.mode == "full":
        if named:
            raise UsageError("a full delivery builds on no run", mend="leave --base out, or declare `mode: delta`")
        located = there.files or locate(project, spec, delivery)
        files = _hashed(located)
        left = () if there.files else tuple(unclaimed(project, spec, files, delivery))
        return _Given(located, {}, files, fingerprint(files.values(), day_of(spec.delivery)), unclaimed=left)
    tables = {name: table.model_copy(update={"optional": True}) for name, table in spec.tables.items()}
    located = locate(project, spec.model_copy(update={"tables": tables}), delivery)
    removed = {name: files for name, files in _removed(project, spec, delivery).items() if files}
    files = _hashed({**located, **{f"removed {name}": found for name, found in removed.items()}})
    left = tuple(unclaimed(project, spec, files, delivery))
    refuse_all_unknown(left, files)
    sha256 = fingerprint(files.values(), day_of(spec.delivery))
    base = find_base(project, spec.source, sha256, named)
    if base is None:
        located = locate(project, spec, delivery)
        return _Given(located, {}, files, sha256, is_delta=True, unclaimed=left)
    before = refuse_unfit(base, spec)
    folder = _folder(spec, before)
    dated = {name: file.model_copy(update={"name": f"{folder}/{name}"}) for name, file in files.items()}
    return _Given(
        located=_placed(folder, located),
        removed=_placed(folder, removed),
        files={file.name: file for file in dated.values()},
        sha256=sha256,
        is_delta=True,
        base=base,
        before=before,
        unclaimed=left,
    )


def _removed(project: Project, spec: Source, delivery: Path | None) -> dict[str, list[DeliveredFile]]:
    """The files that name the removed rows of each table that has such."""
    named = {n: t for n, t in spec.tables.items() if t.removed and t.removed.files}
    tables = {
        n: t.model_copy(update={"files": t.removed and t.removed.files, "optional": True, "removed": None})
        for n, t in named.items()
    }
    return locate(project, spec.model_copy(update={"tables": tables}), delivery) if tables else {}


def _folder(spec: Source, before: ExtractRecord) -> str:
    """What stands before the names of a delta's files: its day, and a number where a file held already has that day.

    A row is known by its file and line, so no two deliveries may have a file of the same name.
    """
    taken = {file.name.split("/")[0] for table in before.tables for file in table.files}
    day = day_of(spec.delivery).isoformat()
    return next(name for name in chain([day], (f"{day}-{n}" for n in count(2))) if name not in taken)


def _placed(folder: str, located: Mapping[str, Sequence[DeliveredFile]]) -> dict[str, list[DeliveredFile]]:
    return {t: [DeliveredFile(f"{folder}/{file.name}", file.path) for file in files] for t, files in located.items()}


def _hashed(located: Mapping[str, Sequence[DeliveredFile]]) -> dict[str, FileRecord]:
    """The record of each delivered file by its name; a file that two tables share is there once."""
    files = {file.name: file for files in located.values() for file in files}
    return {name: file_record(file.path, name) for name, file in sorted(files.items())}


def _is_whole(run: RunFolder) -> bool:
    """True when the run has its record, and the snapshot is still what the record says."""
    path = run.path / "extract.json"
    if not path.is_file():
        return False
    try:
        snapshots = [table.snapshot for table in read_record(path, ExtractRecord).tables]
        return (run.quarantine / "extract.parquet").is_file() and all(
            sha256_of(run.snapshot / snapshot.name) == snapshot.sha256 for snapshot in snapshots
        )
    except OncoweaveError:
        return False


def _note_unclaimed(run: RunFolder, found: tuple[str, ...]) -> None:
    """Keep in the record of a run that is there which files belong to no table now: the run does not depend on them."""
    path = run.path / "extract.json"
    record = read_record(path, ExtractRecord)
    if record.unclaimed != found:
        write_json(path, record.model_copy(update={"unclaimed": found}))


def _extract(run: RunFolder, spec: Source, given: _Given, still_there: Callable[[], None]) -> None:
    """Take the snapshot; `still_there` raises when the delivery changed while it was read, and there is no record then."""
    forget(run.path / "extract.json")
    work = run.path / ".extract.tmp"
    try:
        remove(work)
        make_private_folder(work)
        fhir = _resources(spec.tables, given, work)
        with stage_folder(run, "snapshot") as folder, reader(given.delivered(), work, [folder, work]) as connection:
            taken = side_by_side(connection, list(_tasks(spec.tables, given, fhir, folder, work)))
        tables = tuple(
            _table_record(name, spec.tables[name], snapshot, change, run, given)
            for name, (snapshot, change) in taken.items()
        )
        _quarantine(run, [reject for snapshot, _ in taken.values() for reject in snapshot.rejects], work, given.base)
    finally:
        clear_away(work)
    still_there()
    mode = "delta" if given.is_delta else "full"
    link = DeliveryRecord(mode=mode, date=day_of(spec.delivery), sha256=given.sha256, run_id=run.run_id)
    record = ExtractRecord(
        source=spec.source,
        run_id=run.run_id,
        delivery_date=day_of(spec.delivery),
        tables=tables,
        chain=(*given.before.chain, link) if given.before else (link,),
        unclaimed=given.unclaimed,
        left_out=left_out(given.base, given.before, given.sha256) if given.base and given.before else (),
        resources=fhir.counts,
    )
    write_json(run.path / "extract.json", record)


@dataclass(frozen=True)
class _Resources:
    """The readings of the tables of FHIR, also of the files that name their removed rows, and what became of the resources."""

    given: Mapping[str, Sequence[Reading]]
    removed: Mapping[str, Sequence[Reading]]
    counts: tuple[ResourceCount, ...]


def _resources(tables: Mapping[str, Table], given: _Given, work: Path) -> _Resources:
    """Read the files of FHIR, each once for all tables, and in one thread, since FHIRPath keeps a state for all its callers."""
    of_fhir = {name: table for name, table in tables.items() if isinstance(table, FhirTable)}
    if not of_fhir:
        return _Resources({}, {}, ())
    from oncoweave.engine.fhir.table import read_resources  # FHIRPath takes a second to import

    folders = [make_private_folder(work / f".{name}") for name in ("given", "removed")]
    delivered = read_resources(of_fhir, given.located, folders[0])
    keys = {name: _keys(table) for name, table in of_fhir.items() if given.removed.get(name)}
    gone = read_resources(keys, given.removed, folders[1])
    return _Resources(delivered.tables, gone.tables, delivered.resources)


def _tasks(
    tables: Mapping[str, Table], given: _Given, fhir: _Resources, folder: Path, work: Path
) -> Iterator[Task[tuple[Snapshot, TableChange | None]]]:
    """The tasks of taking the snapshot of each table."""

    def task(name: str, table: Table) -> Task[tuple[Snapshot, TableChange | None]]:
        def take(connection: duckdb.DuckDBPyConnection) -> tuple[Snapshot, TableChange | None]:
            scratch = make_private_folder(work / name)
            taken = _take(connection, name, table, given, fhir, folder / f"{name}.parquet", scratch)
            remove(scratch)
            return taken

        return Task(name, take)

    return (task(name, table) for name, table in tables.items())


def _keys(table: TableT) -> TableT:
    """The table as files have it that name its removed rows: the fields of its key alone, if it has one."""
    fields = {name: table.fields[name] for name in table.row.fields} if table.row.fields else table.fields
    return table.model_copy(update={"fields": fields, "optional": True})


def _take(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: Table,
    given: _Given,
    fhir: _Resources,
    target: Path,
    work: Path,
) -> tuple[Snapshot, TableChange | None]:
    """The snapshot of a table: of the delivery itself without rows marked as gone, or of its base with the changes."""
    marks = table.removed is not None and table.removed.field is not None
    resources = fhir.given.get(name, ())
    if not given.is_delta and not marks:
        return take_snapshot(connection, name, table, given.located[name], target, work, resources), None
    delta = work / "delta"
    make_private_folder(delta)
    given_table = table.model_copy(update={"optional": table.optional or given.base is not None})
    files = given.located[name]
    snapshot = take_snapshot(connection, name, given_table, files, delta / "given.parquet", work, resources)
    removed = None
    if given.removed.get(name):
        removed = delta / "removed.parquet"
        resources = fhir.removed.get(name, ())
        gone = take_snapshot(connection, name, _keys(table), given.removed[name], removed, work, resources)
        snapshot = replace(
            snapshot, rejects=(*snapshot.rejects, *gone.rejects), readings=(*snapshot.readings, *gone.readings)
        )
    if given.base:
        _refuse_unreadable(snapshot.rejects)
    base = given.base.snapshot / target.name if given.base else None
    change = apply_change(Change(table, base, delta / "given.parquet", removed), target, work)
    return replace(snapshot, path=target, rows=change.total), change


def _refuse_unreadable(rejects: Sequence[Reject]) -> None:
    """Raise DataError where a delta has a record that cannot be read: the row that it changes or removes would stay."""
    if rejects:
        first = rejects[0]
        raise DataError(
            f"{first.file}, line {first.line}: {first.reason}; {len(rejects)} records of this delta cannot be read, so that "
            "rows which they change or remove would stay; nothing was changed",
            mend="transfer the files again if they are cut off, or have the records corrected",
        )


def _table_record(
    name: str, table: Table, taken: Snapshot, change: TableChange | None, run: RunFolder, given: _Given
) -> SourceTableRecord:
    files = tuple(
        given.files[reading.file.name].model_copy(update={"rows": reading.records}) for reading in taken.readings
    )
    before = next((t for t in given.before.tables if t.table == name), None) if given.before else None
    quarantined = len(taken.rejects) + (before.quarantined if before else 0)
    columns = dict.fromkeys((*(before.columns if before else ()), *taken.columns))
    return SourceTableRecord(
        table=name,
        columns=tuple(columns),
        records=taken.rows + quarantined,
        rows=taken.rows,
        quarantined=quarantined,
        files=(*(before.files if before else ()), *files),
        snapshot=file_record(run.snapshot / taken.path.name, taken.path.name, taken.rows),
        undeclared=tuple(dict.fromkeys((*(before.undeclared if before else ()), *taken.undeclared))),
        absent=taken.absent if taken.readings or before is None else before.absent,
        key=table.row.fields,
        layout=layout_of(table),
        change=change,
    )


def _quarantine(run: RunFolder, rejects: Sequence[Reject], work: Path, base: RunFolder | None) -> None:
    """Writes quarantine/extract.parquet: file, line, rule, column, reason, and nothing of what stood there.

    What could not be read of the deliveries before is still not read.
    """
    make_private_folder(run.quarantine)
    beside = work / "extract.parquet"
    sql = (
        "SELECT unnest($files) AS file, unnest($lines)::BIGINT AS line, 'extract' AS rule, "
        'CAST(NULL AS VARCHAR) AS "column", unnest($reasons) AS reason'
    )
    parameters: dict[str, object] = {
        "files": [reject.file for reject in rejects],
        "lines": [reject.line for reject in rejects],
        "reasons": [reject.reason for reject in rejects],
    }
    if base is not None:
        sql = f"SELECT * FROM read_parquet($before) UNION ALL {sql}"
        parameters["before"] = str(base.quarantine / "extract.parquet")
    allow = [base.quarantine] if base is not None else []
    with connect(work=work, allow=allow, preserve_insertion_order=True) as connection:
        copy(connection, sql, beside, parameters=parameters)
    beside.rename(run.quarantine / "extract.parquet")

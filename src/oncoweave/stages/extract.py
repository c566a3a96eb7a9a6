"""The first stage: copies a delivery into a snapshot, every field as text, nothing cleaned, nothing lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from oncoweave.engine.connection import connect
from oncoweave.engine.delivery import locate
from oncoweave.engine.parquet import copy
from oncoweave.engine.reading import DeliveredFile, Reject
from oncoweave.engine.snapshot import Snapshot, take_snapshot
from oncoweave.errors import OncoweaveError
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
from oncoweave.records import ExtractRecord, FileRecord, SourceTableRecord
from oncoweave.run_identity import open_run
from oncoweave.spec.load import load_source
from oncoweave.spec.source import Source


def extract(project: Project, source: str, delivery: Path | None = None) -> RunFolder:
    """Takes the snapshot of a delivery and returns its run; a run that has it already is returned as it is.

    `delivery` is a folder to read instead of the one that source.yaml declares. Records that cannot be read
    go to quarantine/extract.parquet with file, line and reason.

    Raises SpecError, UsageError, DataError, SourceUnreachable or EnvironmentFault, before the next stage
    could see anything of it.
    """
    spec, _ = load_source(project, source)
    located = locate(project, spec, delivery)
    delivered = _hashed(located)
    run = open_run(project, source, list(delivered.values()))
    if not _is_whole(run):
        _extract(run, spec, located, delivered)
    return run


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


def _extract(
    run: RunFolder,
    spec: Source,
    located: Mapping[str, Sequence[DeliveredFile]],
    delivered: Mapping[str, FileRecord],
) -> None:
    forget(run.path / "extract.json")
    work = run.path / ".extract.tmp"
    try:
        with stage_folder(run, "snapshot") as folder:
            snapshots = {}
            for name, table in spec.tables.items():
                remove(work)
                make_private_folder(work)
                snapshots[name] = take_snapshot(name, table, located[name], folder / f"{name}.parquet", work)
        tables = tuple(_table_record(name, taken, run, delivered) for name, taken in snapshots.items())
        _quarantine(run, [reject for taken in snapshots.values() for reject in taken.rejects], work)
    finally:
        clear_away(work)
    record = ExtractRecord(source=spec.source, run_id=run.run_id, delivery_date=spec.delivery.date, tables=tables)
    write_json(run.path / "extract.json", record)


def _table_record(name: str, taken: Snapshot, run: RunFolder, delivered: Mapping[str, FileRecord]) -> SourceTableRecord:
    files = tuple(
        delivered[reading.file.name].model_copy(update={"rows": reading.records}) for reading in taken.readings
    )
    return SourceTableRecord(
        table=name,
        columns=taken.columns,
        records=taken.rows + len(taken.rejects),
        rows=taken.rows,
        quarantined=len(taken.rejects),
        files=files,
        snapshot=file_record(run.snapshot / taken.path.name, taken.path.name, taken.rows),
        undeclared=taken.undeclared,
        absent=taken.absent,
    )


def _quarantine(run: RunFolder, rejects: Sequence[Reject], work: Path) -> None:
    """Writes quarantine/extract.parquet: file, line, rule, column, reason, and nothing of what stood there."""
    make_private_folder(run.quarantine)
    beside = work / "extract.parquet"
    sql = (
        "SELECT unnest($files) AS file, unnest($lines)::BIGINT AS line, 'extract' AS rule, "
        'CAST(NULL AS VARCHAR) AS "column", unnest($reasons) AS reason'
    )
    parameters = {
        "files": [reject.file for reject in rejects],
        "lines": [reject.line for reject in rejects],
        "reasons": [reject.reason for reject in rejects],
    }
    with connect(work=work, allow=[], preserve_insertion_order=True) as connection:
        copy(connection, sql, beside, parameters=parameters)
    beside.rename(run.quarantine / "extract.parquet")

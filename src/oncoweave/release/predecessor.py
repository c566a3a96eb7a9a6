"""Finds the run that a delta builds on: the one behind what was last published, unless another is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date

from oncoweave.errors import DataError, EnvironmentFault, UsageError
from oncoweave.files import read_record, sha256_of
from oncoweave.project import Project, RunFolder
from oncoweave.records import DeliveryRecord, ExtractRecord, FileRecord, SourceTableRecord
from oncoweave.release_records import ReleaseManifest
from oncoweave.spec.delivery import day_of
from oncoweave.spec.source import FhirTable, Source, Table

NONE = "none"
"""What --base is given for a delta that is the first delivery."""
_IN_FULL = "deliver in full: `mode: full` in source.yaml, and everything in the delivery"


def fingerprint(files: Iterable[FileRecord], day: date) -> str:
    """A hash of a delivery: of its day, and of its files by name and content.

    A delta of another day is another delivery though its files be the same: what it says may have been undone between.
    """
    lines = [day.isoformat(), *sorted(f"{file.name} {file.sha256}" for file in files)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def layout_of(table: Table) -> str:
    """A hash of how the files of a table are read: of all that decides what its snapshot holds of them."""
    how = table.model_dump(mode="json", include={"format", "encoding", "delimiter", "quote", "skip_lines", "sheet"})
    if isinstance(table, FhirTable):
        how |= {"view": table.definition.model_dump(mode="json"), "modifiers": table.modifier_extensions}
    headers = {name: field.header or name for name, field in table.fields.items()}
    return hashlib.sha256(json.dumps([how, headers], sort_keys=True).encode()).hexdigest()


def find_base(project: Project, source: str, delivery: str, named: str = "") -> RunFolder | None:
    """The run that the delivery with this fingerprint builds on; None for the first.

    `named` is a run id or how it begins, or `none`; without it, the run behind the current release counts. A delivery that the base
    holds already has the base that it had then, so that it is not applied twice.

    Raises UsageError for a named run that is not there, EnvironmentFault for a base whose snapshot is gone.
    """
    run = _named(project, source, named) if named else _published(project, source)
    if run is None:
        return None
    before: str | None = None
    for link in _extracted(run).chain:
        if link.sha256 == delivery:
            return RunFolder(project.runs / source / before) if before else None
        before = link.run_id
    return run


def refuse_unfit(base: RunFolder, spec: Source) -> ExtractRecord:
    """The record of the base, when a delta of `spec` can build on it.

    Raises DataError when the delivery is older than the base; UsageError when source.yaml has other tables, keys or
    fields than when the base was extracted, or reads them in another way; EnvironmentFault when its snapshot is not whole.
    """
    record = _extracted(base)
    if day_of(spec.delivery) < record.delivery_date:
        message = f"the delivery of {day_of(spec.delivery)} is older than that of {record.delivery_date}, which it would change"
        raise DataError(message, mend="correct `delivery.date` in source.yaml, or name the run to build on with --base")
    before = {table.table: table for table in record.tables}
    for name, table in spec.tables.items():
        known = before.get(name)
        if known is None or known.key != table.row.fields:
            what = "is new" if known is None else "had another key"
            raise UsageError(
                f"table `{name}` {what} since run {base.run_id}, on which this delta builds", mend=_IN_FULL
            )
        missing = [f for f, field in table.fields.items() if f not in known.columns and not field.optional]
        if missing:
            message = f"run {base.run_id}, on which this delta builds, has no field `{missing[0]}` in `{name}`"
            raise UsageError(message, mend=_IN_FULL)
        if known.layout != layout_of(table):
            message = f"table `{name}` is read in another way (header, format …) than in run {base.run_id}, on which this delta builds"
            raise UsageError(message, mend=_IN_FULL)
        _refuse_damaged(base, known)
    return record


def left_out(base: RunFolder, before: ExtractRecord, delivery: str) -> tuple[DeliveryRecord, ...]:
    """The deltas of the base's day or later that have been extracted and that the base does not hold; not `delivery`."""
    held = {delivery, *(link.sha256 for link in before.chain)}
    found = {}
    for path in sorted(base.path.parent.glob("*/extract.json")):
        *earlier, last = read_record(path, ExtractRecord).chain or [None]
        if earlier and last and last.sha256 not in held and last.date >= before.delivery_date:
            found[last.sha256] = last
    return tuple(sorted(found.values(), key=lambda link: (link.date, link.sha256)))


def _refuse_damaged(base: RunFolder, table: SourceTableRecord) -> None:
    path = base.snapshot / table.snapshot.name
    if not path.is_file() or sha256_of(path) != table.snapshot.sha256:
        what = "is not what extract wrote" if path.is_file() else "is gone"
        raise EnvironmentFault(f"the snapshot of run {base.run_id}, on which this delta builds, {what}", mend=_IN_FULL)


def _named(project: Project, source: str, named: str) -> RunFolder | None:
    if named == NONE:
        return None
    runs = [
        path.parent for path in (project.runs / source).glob("*/extract.json") if path.parent.name.startswith(named)
    ]
    if len(runs) != 1:
        said = "several runs begin" if runs else "no run begins"
        raise UsageError(f"{said} with `{named}`", mend=f"`oncoweave status` lists the runs; `{NONE}` is for the first")
    return RunFolder(runs[0])


def _published(project: Project, source: str) -> RunFolder | None:
    current = project.releases / source / "current"
    if not current.exists():
        return None
    return RunFolder(project.runs / source / read_record(current / "manifest.json", ReleaseManifest).run_id)


def _extracted(run: RunFolder) -> ExtractRecord:
    path = run.path / "extract.json"
    if not path.is_file():
        raise EnvironmentFault(f"run {run.run_id}, on which this delta builds, is gone", mend=_IN_FULL)
    return read_record(path, ExtractRecord)

"""The date of a delivery that arrived, and what its run says of it; used by extract."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from oncoweave.engine.arrived import Lying, day_of_folder, lying_in
from oncoweave.errors import SourceUnreachable, UsageError
from oncoweave.files import faults, read_record, write_json
from oncoweave.project import Project, RunFolder
from oncoweave.records import ArrivalRecord
from oncoweave.spec.delivery import DatabaseDelivery, FolderDelivery, day_of
from oncoweave.spec.source import Source


def find_arrived(project: Project, spec: Source, delivery: Path | None, day: date | None) -> Lying | None:
    """What lies in the folder of a delivery before it is read; None when it is not one where deliveries arrive."""
    if spec.arrival is not None and spec.arrival.watermark and isinstance(spec.delivery, DatabaseDelivery):
        from oncoweave.engine.servers.watermark import watermark

        return watermark(project, spec)
    if spec.arrival is None or not isinstance(spec.delivery, FolderDelivery):
        return None
    own = project.source_folder(spec.source)
    folder = delivery or own / spec.delivery.path
    meant = day or (spec.delivery.date if delivery is None and spec.arrival.pattern.dated else None)
    with faults(folder):
        return lying_in(spec.arrival, own, folder, meant) if folder.is_dir() else None


def dated(spec: Source, arrived: Lying | None, delivery: Path | None, day: date | None) -> Source:
    """The source with the date of this delivery: as given, else as the folder's name says, else as declared.

    Raises UsageError when files arrive with their days in their names and it is not said which day is meant.
    """
    found = day or (arrived.day if arrived else None)
    if found is None and spec.arrival is not None and delivery is not None:
        found = day_of_folder(spec.arrival, delivery)
        if found is None and spec.arrival.files and spec.arrival.pattern.dated:
            raise UsageError(
                "the files of several days lie in one folder",
                mend=f"say which: `oncoweave extract {spec.source} --date YYYY-MM-DD`",
            )
    if found is None or found == spec.delivery.date:
        return spec
    if isinstance(spec.delivery, DatabaseDelivery) and spec.delivery.date_query:
        raise UsageError("the database says itself of which day it is (`date_query`)", mend="leave --date out")
    return spec.model_copy(update={"delivery": spec.delivery.model_copy(update={"date": found})})


def refuse_changing(project: Project, spec: Source, before: Lying | None) -> None:
    """Raise SourceUnreachable, so that it is tried again, when a delivery changed since `before`: while it was read.

    A database is read in a snapshot of its own; what changes meanwhile is the next delivery.
    """
    if before is None or spec.arrival is None or spec.arrival.watermark:
        return
    after = lying_in(spec.arrival, project.source_folder(spec.source), before.path, before.day)
    if after is None or after.signature(spec.arrival) != before.signature(spec.arrival):
        raise SourceUnreachable(
            f"the delivery {before.name} changed while it was read",
            mend="run it again when it is whole; a `marker` or a longer `settle` under `arrival:` lets it be waited for",
        )


def note_arrival(project: Project, spec: Source, run: RunFolder, before: Lying | None) -> None:
    """Write arrival.json of a run that holds a delivery which arrived; raises as `refuse_changing` does.

    `spec` has the date of the delivery.
    """
    if before is None or before.fault or spec.arrival is None:
        return
    refuse_changing(project, spec, before)
    path = run.path / "arrival.json"
    earlier = read_record(path, ArrivalRecord).signatures if path.is_file() else ()
    signatures = tuple(dict.fromkeys((*earlier, before.signature(spec.arrival))))
    write_json(path, ArrivalRecord(name=before.name, day=day_of(spec.delivery), signatures=signatures))

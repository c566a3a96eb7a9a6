"""Brings a delivery that comes from a server to this machine, so that it can be read as one that lay here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oncoweave.engine.reading import DeliveredFile
from oncoweave.errors import UsageError
from oncoweave.files import clear_away, make_private_folder, remove
from oncoweave.project import Project
from oncoweave.spec.delivery import DatabaseDelivery, DownloadDelivery
from oncoweave.spec.source import Source


@dataclass(frozen=True)
class Fetched:
    """A delivery that is here: its specification, with its day; the folder to look into, if not the declared one; and the
    files of each table, where they need not be looked for."""

    source: Source
    folder: Path | None = None
    files: Mapping[str, list[DeliveredFile]] | None = None


@contextmanager
def fetched(project: Project, source: Source, folder: Path | None) -> Iterator[Fetched]:
    """The delivery of a source, for the time of the block; `folder` is one to look into instead.

    Rows of a database are in a private folder that goes with the block; downloaded files stay in the store. Raises what
    `read_database` and `download` raise, and UsageError for a folder instead of a database.
    """
    delivery = source.delivery
    if isinstance(delivery, DatabaseDelivery):
        if folder is not None:
            raise UsageError("the tables of this source are read from a database", mend="leave --delivery out")
        with _from_database(project, source, delivery) as found:
            yield found
    elif isinstance(delivery, DownloadDelivery) and folder is None:
        from oncoweave.engine.servers.download import download

        yield Fetched(source, download(project, source))
    else:
        yield Fetched(source, folder)


@contextmanager
def _from_database(project: Project, source: Source, delivery: DatabaseDelivery) -> Iterator[Fetched]:
    from oncoweave.engine.servers.database import read_database

    place = project.runs / "deliveries" / f".{source.source}.reading"
    remove(place)
    try:
        rows, work = make_private_folder(place / "rows"), make_private_folder(place / "work")
        found = read_database(project, source, rows, work)
        dated = source.model_copy(update={"delivery": delivery.model_copy(update={"date": found.day})})
        yield Fetched(dated, files=found.files)
    finally:
        clear_away(place)

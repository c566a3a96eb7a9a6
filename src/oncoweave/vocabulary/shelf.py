"""The bundles of a project: what `vocab load` has put on the shelf, and what bundle.json says of each.

A bundle is hashed once, when it is loaded; afterwards its record stands for its files, whose sizes are compared
whenever it is opened.
"""

from __future__ import annotations

from pathlib import Path

from oncoweave.errors import EnvironmentFault
from oncoweave.files import read_record
from oncoweave.project import Project
from oncoweave.record import Record
from oncoweave.records import FileRecord

RECORD = "bundle.json"
STARTER = "starter"
"""The folder of the vocabulary that comes with Oncoweave; its release is `starter-1` or later."""


class BundleRecord(Record):
    """bundle.json: the name of the release, the version that its own VOCABULARY states, its files, and what to know.

    `version` is empty where VOCABULARY has no row 'None'. Nothing in it depends on when or from where it was loaded.
    """

    release: str
    version: str
    files: tuple[FileRecord, ...]
    remarks: tuple[str, ...] = ()

    def rows(self, table: str) -> int:
        """The number of rows of a table; 0 where the bundle does not have it."""
        return next((file.rows or 0 for file in self.files if file.name == f"{table}.parquet"), 0)


def record_of(folder: Path) -> BundleRecord | None:
    """The record of the bundle in `folder`; None for a folder that was not loaded but put there by hand.

    Raises EnvironmentFault when a file is gone, or is not as long as it was when it was loaded.
    """
    if not (folder / RECORD).is_file():
        return None
    record = read_record(folder / RECORD, BundleRecord)
    for file in record.files:
        path = folder / file.name
        if not path.is_file() or path.stat().st_size != file.bytes:
            message = f"{path} is not the file that was loaded"
            raise EnvironmentFault(message, mend=f"remove {folder} and load the release again")
    return record


def loaded(project: Project) -> list[BundleRecord]:
    """The records of the releases that the project has loaded, by name."""
    folders = sorted(path.parent for path in project.vocabularies.glob(f"*/{RECORD}"))
    records = [record_of(folder) for folder in folders if not folder.name.startswith(".")]
    return [record for record in records if record is not None]

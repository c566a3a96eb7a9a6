"""What a release takes back: the resources of FHIR that the release before had and this one has not, as Bulk Data has them deleted.

A person who withdrew, a row that was corrected away: whoever keeps what releases said deletes it by these files. One transaction
Bundle a person, so that nothing of a person stays when one is carried out; what belongs to nobody comes last.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.engine.ndjson import select_members
from oncoweave.engine.parquet import literal
from oncoweave.files import PRIVATE_FILE, faults, file_record
from oncoweave.records import FileRecord
from oncoweave.release.fhir_files import DELETED, FOLDER

LINES = 100_000
"""Bundles in a file."""
OF_NOBODY = 1_000
"""Deletions in a Bundle of what belongs to nobody."""
_BATCH = 10_000


@dataclass(frozen=True)
class Removed:
    """What a release takes back of the release `since`: how many resources, and the files with their names in the release."""

    since: str = ""
    resources: int = 0
    files: tuple[tuple[FileRecord, Path], ...] = ()


def write_removed(
    connection: duckdb.DuckDBPyConnection,
    before: Sequence[tuple[str, Path]],
    now: Sequence[tuple[str, Path]],
    folder: Path,
) -> tuple[int, tuple[tuple[FileRecord, Path], ...]]:
    """Write what `before` has and `now` has not (files of resources, by their type) into `folder`.

    Returns the number of resources, and the files. The order is that of the ids, so that the same two releases give the same bytes.
    """
    sql = f"""SELECT person, type, id FROM ({_resources(before)}) ANTI JOIN ({_resources(now)}) USING (type, id)
        ORDER BY person NULLS LAST, type, id"""
    with without_values("comparing the resources of two releases"):
        found = connection.execute(sql)
    bundles = _bundles(_rows(found))
    files: list[tuple[FileRecord, Path]] = []
    resources = 0
    while first := next(bundles, None):
        record, removed = _write(
            folder / f"{DELETED}.{len(files):03d}.ndjson", chain([first], islice(bundles, LINES - 1))
        )
        files.append((record, folder / Path(record.name).name))
        resources += removed
    return resources, tuple(files)


def _resources(files: Sequence[tuple[str, Path]]) -> str:
    """SQL of all resources: type, id, and the person that each is about, if it is about one."""
    selects = [
        f"SELECT * FROM ({_of_type(type_, [p for t, p in files if t == type_])})"
        for type_ in sorted({t for t, _ in files})
    ]
    nothing = (
        "SELECT CAST(NULL AS VARCHAR) AS type, CAST(NULL AS VARCHAR) AS id, CAST(NULL AS VARCHAR) AS person WHERE false"
    )
    return " UNION ALL ".join(selects) or nothing


def _of_type(type_: str, files: Sequence[Path]) -> str:
    person = "'Patient/' || found[1]" if type_ == "Patient" else "coalesce(found[2], found[3])"
    members = select_members(files, ["$.id", "$.subject.reference", "$.patient.reference"])
    return f"SELECT {literal(type_)} AS type, found[1] AS id, {person} AS person FROM ({members}) WHERE found[1] IS NOT NULL"


def _rows(found: duckdb.DuckDBPyConnection) -> Iterator[tuple[str | None, str, str]]:
    while True:
        with without_values("comparing the resources of two releases"):
            rows = found.fetchmany(_BATCH)
        if not rows:
            return
        yield from rows


def _bundles(rows: Iterable[tuple[str | None, str, str]]) -> Iterator[list[str]]:
    """What each Bundle deletes: all of one person, or some of what belongs to nobody; as `type/id`."""
    for person, group in groupby(rows, key=lambda row: row[0]):
        of_one = (f"{type_}/{id_}" for _, type_, id_ in group)
        while some := list(of_one if person else islice(of_one, OF_NOBODY)):
            yield some


def _write(path: Path, bundles: Iterable[list[str]]) -> tuple[FileRecord, int]:
    """Write a file with a line a Bundle; its record under its name in a release, and the number of resources."""
    lines, resources = 0, 0
    with faults(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with open(handle, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123 - a file that is open already
            for some in bundles:
                entries = [{"request": {"method": "DELETE", "url": url}} for url in some]
                bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
                file.write(json.dumps(bundle, separators=(",", ":")) + "\n")
                lines, resources = lines + 1, resources + len(some)
    return file_record(path, f"{FOLDER}/{path.name}", lines), resources

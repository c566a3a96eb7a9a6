"""The FHIR of a release: its files by name, and the manifest that Bulk Data readers look for, made of the release's own.

fhir/<Type>.<nnn>.ndjson hold the resources, fhir/deleted.<nnn>.ndjson transaction Bundles that delete what the release before
had, fhir/manifest.json is a BulkPublishManifest (HL7 Bulk Data Access 4.0.0-ballot).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.engine.ndjson import select_lines, select_members
from oncoweave.engine.parquet import literal
from oncoweave.errors import OncoweaveError
from oncoweave.fhir.resource_text import ID
from oncoweave.records import FhirFile, FileRecord
from oncoweave.release_records import ReleasedFhir

FOLDER = "fhir"
BULK = f"{FOLDER}/manifest.json"
DELETED = "deleted"
KIND = "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkPublishManifest"
_RESOURCES = re.compile(rf"{FOLDER}/([A-Z][A-Za-z]{{1,63}})\.[0-9]{{3,6}}\.ndjson")
_DELETED = re.compile(rf"{FOLDER}/{DELETED}\.[0-9]{{3,6}}\.ndjson")
_ADDRESS = f"[A-Z][A-Za-z]{{1,63}}/{ID}"


def bulk_manifest(files: Sequence[FhirFile], deleted: Sequence[FileRecord], day: date) -> bytes:
    """fhir/manifest.json. Its addresses are relative to itself, for a release lies in many places; its moment is the delivery's day.

    Each release is all there is, hence an epoch of its own; `epochStartTime` and `error` are for readers of earlier drafts.
    """
    moment = f"{day.isoformat()}T00:00:00Z"
    tree = {
        "manifestType": KIND,
        "epochStartTime": moment,
        "transactionTime": moment,
        "requiresAccessToken": False,
        "outputFormat": "application/fhir+ndjson",
        "output": [{"type": one.type, **_listed(one.file)} for one in files],
        "deleted": [_listed(file) for file in deleted],
        "error": [],
    }
    return (json.dumps(tree, indent=2) + "\n").encode()


def misnamed(fhir: ReleasedFhir) -> Iterator[FileRecord]:
    """The files whose name is not that of what they hold, so that it might lead anywhere."""
    for one in fhir.files:
        match = _RESOURCES.fullmatch(one.file.name)
        if match is None or match.group(1) != one.type:
            yield one.file
    yield from (file for file in fhir.deleted if not _DELETED.fullmatch(file.name))
    if fhir.manifest.name != BULK:
        yield fhir.manifest


def faults_of(
    connection: duckdb.DuckDBPyConnection, release: Path, fhir: ReleasedFhir, faulty: set[str], day: date
) -> Iterator[tuple[str, str]]:
    """What is wrong with the FHIR of a release, by name of the file; files that are `faulty` otherwise are not read."""
    if BULK not in faulty and (release / BULK).read_bytes() != bulk_manifest(fhir.files, fhir.deleted, day):
        yield BULK, "does not say what the release's manifest says"
    whole = [one for one in fhir.files if one.file.name not in faulty]
    for type_ in sorted({one.type for one in whole}):
        yield from _resources(connection, release, [one.file for one in whole if one.type == type_], type_)
    deleted = [file for file in fhir.deleted if file.name not in faulty]
    yield from _deletions(connection, release, deleted, whole)


def _listed(file: FileRecord) -> dict[str, object]:
    return {"url": file.name.removeprefix(f"{FOLDER}/"), "count": file.rows, "fileSize": file.bytes}


def _counts(connection: duckdb.DuckDBPyConnection, lines: str, good: str) -> dict[str, tuple[int, int]]:
    """By the last name of each file: its lines, and those that are good."""
    counted = f"SELECT file, count(*), count(*) FILTER ({good}) FROM ({lines}) GROUP BY file"
    return {Path(name).name: (rows, right) for name, rows, right in connection.execute(counted).fetchall()}


def _miscounted(
    files: Sequence[FileRecord], counts: Mapping[str, tuple[int, int]], called: str, wrong: str
) -> Iterator[tuple[str, str]]:
    """Files with another number of lines than the manifest says, or with lines that are not good."""
    for file in files:
        rows, right = counts.get(Path(file.name).name, (0, 0))
        if rows != file.rows:
            yield file.name, f"has {rows} {called}, the manifest says {file.rows}"
        if right != rows:
            yield file.name, f"{rows - right} of its lines are {wrong}"


def _resources(
    connection: duckdb.DuckDBPyConnection, release: Path, files: Sequence[FileRecord], type_: str
) -> Iterator[tuple[str, str]]:
    """Lines that are no resource of the type, and ids that two resources have."""
    lines = select_members([release / file.name for file in files], ["$.resourceType", "$.id"])
    good = f"found IS NOT NULL AND found[1] = {literal(type_)} AND regexp_full_match(coalesce(found[2], ''), '{ID}')"
    try:
        with without_values(f"reading {type_} resources"):
            counts = _counts(connection, lines, good)
            twice = f"SELECT count(found[2]) - count(DISTINCT found[2]) FROM ({lines})"
            ((more,),) = connection.execute(twice).fetchall()
    except OncoweaveError:
        yield files[0].name, "cannot be read as NDJSON"
        return
    yield from _miscounted(files, counts, "resources", f"no {type_} with an id")
    if more:
        yield files[0].name, f"{more} ids of {type_} stand twice"


def _deletions(
    connection: duckdb.DuckDBPyConnection, release: Path, files: Sequence[FileRecord], whole: Sequence[FhirFile]
) -> Iterator[tuple[str, str]]:
    """Lines that do anything but delete, and resources that are deleted although the release has them."""
    if not files:
        return
    lines = select_lines([release / file.name for file in files])
    asked = "json_extract_string(json, '$.entry[*].request.method')"
    urls = "json_extract_string(json, '$.entry[*].request.url')"
    entries = "json_array_length(json, '$.entry')"
    good = (
        "json IS NOT NULL AND json_extract_string(json, ['$.resourceType', '$.type']) = ['Bundle', 'transaction'] "
        f"AND {entries} > 0 AND len({asked}) = {entries} AND len({urls}) = {entries} "
        f"AND list_distinct({asked}) = ['DELETE'] AND len(list_filter({urls}, u -> NOT regexp_full_match(u, '{_ADDRESS}'))) = 0"
    )
    here = " UNION ALL ".join(
        f"SELECT {literal(f'{one.type}/')} || found[1] AS url FROM ({select_members([release / one.file.name], ['$.id'])})"
        for one in whole
    )
    try:
        with without_values("reading deletions"):
            counts = _counts(connection, lines, good)
            both = f"SELECT count(*) FROM (SELECT unnest({urls}) AS url FROM ({lines})) SEMI JOIN ({here or 'SELECT NULL AS url'}) USING (url)"
            ((kept,),) = connection.execute(both).fetchall()
    except OncoweaveError:
        yield files[0].name, "cannot be read as NDJSON"
        return
    yield from _miscounted(files, counts, "lines", "no Bundles that only delete")
    if kept:
        yield files[0].name, f"deletes {kept} resources that the release has"

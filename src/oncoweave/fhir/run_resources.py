"""Writes what a run has once, beside the resources of its events: a ConceptMap for each concept map, and the Provenance of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from oncoweave.engine.lines import copy_lines
from oncoweave.engine.ndjson import select_members
from oncoweave.fhir.provenance import Origin, select_provenance
from oncoweave.fhir.resource_text import Resource, compact
from oncoweave.fhir.writer import LINES
from oncoweave.files import file_record, write_whole
from oncoweave.records import FhirFile


def write_run_resources(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    of: Origin,
    concept_maps: Sequence[Resource],
    patients: Sequence[FhirFile],
) -> list[FhirFile]:
    """Write ConceptMap and Provenance into the folder of the resources; `patients` are those of the Patients that are there."""
    of = replace(of, concept_maps=tuple(resource["id"] for resource in concept_maps))
    found = _write_concept_maps(folder, concept_maps)
    ids = select_members([folder / one.file.name for one in patients], ["$.id"])
    select = select_provenance(of, f"SELECT CAST(found[1] AS BIGINT) AS id FROM ({ids})")
    for path, lines in copy_lines(connection, select, folder, "Provenance", LINES):
        found.append(FhirFile(type="Provenance", file=file_record(path, path.name, lines)))
    return found


def _write_concept_maps(folder: Path, concept_maps: Sequence[Resource]) -> list[FhirFile]:
    if not concept_maps:
        return []
    path = folder / "ConceptMap.000.ndjson"
    lines = [compact(resource) + "\n" for resource in sorted(concept_maps, key=lambda resource: str(resource["id"]))]
    write_whole(path, "".join(lines).encode())
    return [FhirFile(type="ConceptMap", file=file_record(path, path.name, len(lines)))]

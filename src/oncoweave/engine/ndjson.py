"""Reads NDJSON of FHIR resources as rows: a line a row, by the engine, so that files larger than the memory do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oncoweave.engine.parquet import literal

LONGEST = 64 * 1024 * 1024
"""Bytes of a line that is read; a longer one is a fault."""


def select_lines(files: Sequence[Path]) -> str:
    """SQL of the lines of files of NDJSON: `file` and `json`, which is NULL where a line is no JSON. Blank lines are no rows."""
    if not files:
        return "SELECT CAST(NULL AS VARCHAR) AS file, CAST(NULL AS JSON) AS json WHERE false"
    listed = ", ".join(map(literal, files))
    options = f"maximum_object_size={LONGEST}, ignore_errors=true, filename='file'"
    return f"SELECT file, json FROM read_ndjson_objects([{listed}], {options})"


def select_members(files: Sequence[Path], paths: Sequence[str]) -> str:
    """SQL of the lines of files: `file`, and `found`, the list of the texts that the paths find in the line, or NULL for no JSON."""
    listed = ", ".join(map(literal, paths))
    return f"SELECT file, json_extract_string(json, [{listed}]) AS found FROM ({select_lines(files)})"

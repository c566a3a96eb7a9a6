"""Writes texts as the lines of files: in the order they come, a bounded number in a file."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values

_CHUNK = 1 << 20


def copy_lines(
    connection: duckdb.DuckDBPyConnection, select_sql: str, folder: Path, name: str, most: int
) -> list[tuple[Path, int]]:
    """Writes the one text column of a SELECT to <name>.000.ndjson, .001 … (0600) with at most so many lines each.

    A text must hold no control character, as JSON does not. Returns the files with their numbers of lines; none without a row.
    """
    whole = folder / f".{name}.ndjson"
    options = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01', NULLSTR ''"
    with without_values(f"writing {name}"):
        rows = connection.execute(f"COPY ({select_sql}) TO $target ({options})", {"target": str(whole)}).fetchall()
    lines = int(rows[0][0])
    if not lines:
        whole.unlink()
        return []
    whole.chmod(0o600)
    if lines <= most:
        return [(whole.rename(folder / f"{name}.000.ndjson"), lines)]
    parts = _split(whole, folder, name, most)
    whole.unlink()
    return parts


def _split(whole: Path, folder: Path, name: str, most: int) -> list[tuple[Path, int]]:
    """Copy the file in parts of so many lines, the last with what is left."""
    parts: list[tuple[Path, int]] = []
    with whole.open("rb") as file:
        while block := file.read(_CHUNK):
            if not parts or parts[-1][1] == most:
                parts.append((folder / f"{name}.{len(parts):03d}.ndjson", 0))
                parts[-1][0].touch(0o600)
            path, lines = parts[-1]
            taken = _up_to(block, most - lines)
            file.seek(taken - len(block), os.SEEK_CUR)
            with path.open("ab") as part:
                part.write(block[:taken])
            parts[-1] = (path, lines + block.count(b"\n", 0, taken))
    return parts


def _up_to(block: bytes, lines: int) -> int:
    """Where the block's line of that number ends, or the block does."""
    if block.count(b"\n") <= lines:
        return len(block)
    end = 0
    for _ in range(lines):
        end = block.index(b"\n", end) + 1
    return end

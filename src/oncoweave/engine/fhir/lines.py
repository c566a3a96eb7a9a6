"""The lines of NDJSON files that a run wrote: as SQL over all of them, and one by one; nothing is parsed here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from oncoweave.engine.parquet import literal

LONGEST = 16 * 1024 * 1024
"""Bytes of the longest line that is read; a ConceptMap of 50,000 codes has 10 MB."""
_CHUNK = 1 << 20
_NOTHING = re.compile(rb"\n(?=\n)")


@dataclass(frozen=True)
class Endings:
    """How the lines of a file end: how many there are, how many hold nothing, and whether the last one is whole."""

    lines: int
    blank: int
    whole: bool


def lines_select(paths: Sequence[Path]) -> str:
    """SQL of a SELECT of `line` from all these files (at least one); a line without anything is no row.

    No line is quoted, split or trimmed; no file of JSON holds the sign that would split one.
    """
    files = ", ".join(literal(path) for path in paths)
    return f"""SELECT line FROM read_csv([{files}], columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false,
        delim = '\x01', quote = '', escape = '', nullstr = '\x02', new_line = '\\n', max_line_size = {LONGEST},
        buffer_size = {2 * LONGEST})"""


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file without their ends; one that holds nothing is left out."""
    with path.open("rb") as file:
        for line in file:
            if text := line.rstrip(b"\r\n"):
                yield text


def endings_of(path: Path) -> Endings:
    """How the lines of a file end; read in pieces, however long a line is."""
    lines = blank = 0
    before = b"\n"
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            lines += piece.count(b"\n")
            blank += len(_NOTHING.findall(before + piece))
            before = piece[-1:]
    return Endings(lines, blank, before == b"\n")

"""The rows of a table on their way from a server to Parquet: as quoted text first, then sorted.

A server gives rows in any order. Sorted by the key of the table, then by every column, and each column as text, the same
rows are the same bytes; so the hash of the file is a hash of its content, whatever server, driver or plan it came by.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from oncoweave.engine.connection import connect
from oncoweave.engine.parquet import copy_sorted, identifier
from oncoweave.files import PRIVATE_FILE

SHORTEST_LIMIT = 200_000
MARK = "r"
"""Stands first in every row, so that a row of empty fields is no blank line."""


class RowText:
    """Takes rows, as texts or as PostgreSQL's COPY writes them; use it as a context manager.

    A field is quoted, and a missing one is nothing between two commas. It starts with a header line, for DuckDB takes the
    first line end of a file for that of all records, also one inside quotes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._longest = SHORTEST_LIMIT

    def __enter__(self) -> Self:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PRIVATE_FILE)
        self._file = open(handle, "wb", buffering=1 << 20)  # noqa: PTH123 - of a handle; closed in __exit__
        self._file.write(b"header\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add_copied(self, blocks: Iterable[bytes | bytearray | memoryview]) -> None:
        """Adds blocks of `COPY … (FORMAT csv, FORCE_QUOTE *)`, none of which cuts a row in two."""
        longest, write = self._longest, self._file.write
        for block in blocks:
            write(block)
            longest = max(longest, len(block))
        self._longest = longest

    def add(self, rows: Iterable[Sequence[str | None]]) -> None:
        """Adds rows of texts; raises UnicodeEncodeError for a text that is none."""
        for row in rows:
            fields = ("" if text is None else '"' + text.replace('"', '""') + '"' for text in row)
            line = f'"{MARK}",{",".join(fields)}\n'.encode()
            self._file.write(line)
            self._longest = max(self._longest, len(line))

    def sorted_into(self, target: Path, columns: Sequence[str], key: Sequence[str], work: Path) -> int:
        """Writes the rows to a Parquet file, sorted by `key`, then by all columns; returns their number.

        Memory is that of the engine; it spills to `work`.
        """
        places = [f"c{number}" for number in range(len(columns))]
        types = ", ".join(f"'{place}': 'VARCHAR'" for place in ("mark", *places))
        selected = ", ".join(f"{place} AS {identifier(name)}" for place, name in zip(places, columns, strict=True))
        sql = (
            f"SELECT {selected} FROM read_csv($path, auto_detect = false, header = false, skip = 1, columns = {{{types}}}, "
            "delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, "
            f"max_line_size = {self._longest + 1})"
        )
        order = [*key, *(name for name in columns if name not in key)]
        with connect(work=work, allow=[self._path.parent, target.parent]) as connection:
            return copy_sorted(connection, sql, target, order_by=order, parameters={"path": str(self._path)})

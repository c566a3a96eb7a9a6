"""A temporary copy of a table as text that no reader can misread: every field quoted, its line in front.

It starts with a header line, for DuckDB takes the first line end of a file for that of all records, also
one inside quotes.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from oncoweave.engine.headers import Columns
from oncoweave.engine.parquet import identifier
from oncoweave.engine.reading import DeliveredFile, Reading, Reject

SHORTEST_LIMIT = 2_000_000


class TextCopy:
    """Takes rows one at a time and gives the reading of them; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = 0
        self._longest = SHORTEST_LIMIT

    def __enter__(self) -> Self:
        self._file = self._path.open("w", encoding="utf-8", newline="")
        self._file.write("header\n")
        self._writer = csv.writer(self._file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, line: int, row: Sequence[str]) -> None:
        """Adds the row that starts at `line` of the delivered file."""
        self._writer.writerow([line, *row])
        self._rows += 1
        signs = sum(map(len, row))
        self._longest = max(self._longest, signs * 8)

    def reading(self, file: DeliveredFile, columns: Columns, rejects: Sequence[Reject] = ()) -> Reading:
        """The reading of the rows added, in the order in which they were."""
        sql = self._select(columns.names, "$file AS _file")
        parameters: dict[str, object] = {"path": str(self._path), "file": file.name}
        return Reading(file, columns, self._rows, tuple(rejects), sql, parameters)

    def selected(self, names: Sequence[str]) -> tuple[str, dict[str, object]]:
        """A SELECT of the rows added with its parameters, where the last value of each row is the name of its file."""
        return self._select((*names, "_file")), {"path": str(self._path)}

    def _select(self, names: Sequence[str], *more: str) -> str:
        places = [f"c{i}" for i in range(len(names))]
        types = ", ".join(f"'{place}': 'VARCHAR'" for place in ("line", *places))
        filled = ", ".join(f"'{place}'" for place in places)
        selected = [f"{p} AS {identifier(n)}" for p, n in zip(places, names, strict=True)]
        return (
            f"SELECT {', '.join([*selected, *more])}, CAST(line AS BIGINT) AS _line FROM read_csv($path, "
            f"auto_detect = false, header = false, skip = 1, columns = {{{types}}}, force_not_null = [{filled}], "
            f"delim = ',', quote = '\"', escape = '\"', max_line_size = {self._longest})"
        )

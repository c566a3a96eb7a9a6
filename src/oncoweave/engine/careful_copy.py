"""Reads an irregular delimited file record by record and writes a copy that no reader can misread.

Irregular is a file with quotes in the middle of a field, line ends of several kinds, or very long records.
It takes about ten times the time of DuckDB, and happens to few files.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oncoweave.engine.reading import Reject
from oncoweave.engine.text_copy import TextCopy
from oncoweave.errors import DataError

LONGEST = 16_000_000


@dataclass(frozen=True)
class Body:
    """Where the records of a text start (byte and line), and how many fields each must have."""

    start: int
    first_line: int
    columns: int


class _Lines:
    """The physical lines of a text, one at a time; knows the current line's number and length so far."""

    def __init__(self, text: io.TextIOWrapper, name: str, first_line: int) -> None:
        self._text, self._name = text, name
        self.line = first_line - 1
        self.record: list[str] = []
        self._length = 0

    def start_record(self) -> int:
        """Forgets the lines of the last record; returns the line at which the next starts."""
        self.record, self._length = [], 0
        return self.line + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST)
        if not line:
            raise StopIteration
        self.line += 1
        self.record.append(line)
        self._length += len(line)
        if self._length >= LONGEST:
            raise DataError(
                f"{self._name}, line {self.line - len(self.record) + 1}: a record longer than {LONGEST} characters",
                mend="a quote may not be closed, or the `delimiter`, `quote` or line ends may not be as declared",
            )
        return line


def careful_copy(text: Path, name: str, dialect: dict[str, Any], body: Body, copy: TextCopy) -> list[Reject]:
    """Adds the records of the body to the copy, each with its first line; returns those that are rejected.

    A quote in the middle of an unquoted field is text. A record of the wrong length, or with text behind a
    closing quote, is rejected. Raises DataError, naming the line, where a quote that is not closed has
    swallowed lines: what is a record after it cannot be known.
    """
    rejects: list[Reject] = []
    csv.field_size_limit(LONGEST)
    with text.open("rb") as raw:
        raw.seek(body.start)
        lines = _Lines(io.TextIOWrapper(raw, encoding="utf-8", newline=""), name, body.first_line)
        for line, row, reason in _records(lines, dialect, name, body.columns):
            if reason:
                rejects.append(Reject(name, line, reason))
            else:
                copy.add(line, row)
    return rejects


def _records(lines: _Lines, dialect: dict[str, Any], name: str, columns: int) -> Iterator[tuple[int, list[str], str]]:
    """Each record's first line, its fields, and why it is rejected, if it is."""
    reader = csv.reader(lines, **dialect)
    while True:
        first = lines.start_record()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if len(lines.record) > 1 or "end of data" in str(error):
                opened = first + _open_quote("".join(lines.record), dialect["delimiter"], dialect["quotechar"])
                raise DataError(
                    f"{name}, line {opened}: a quote opens here and is not closed as it should be; the lines after it "
                    "cannot be told apart",
                    mend="correct this line at the source, or declare another `quote` in source.yaml",
                ) from None
            yield first, [], "text behind a closing quote"
            continue
        if not row and columns > 1:
            continue
        row = row or [""]
        wrong = len(row) != columns
        length = "short" if len(row) < columns else "long"
        yield first, row, f"row too {length}: {len(row)} fields, {columns} columns" if wrong else ""


def _open_quote(record: str, delimiter: str, quote: str) -> int:
    """How many lines into the malformed record its faulty quoted field opens."""
    lines, place, at_start = record.splitlines(keepends=True), 0, True
    opened: int | None = None
    for number, line in enumerate(lines):
        place = 0
        while place < len(line):
            sign = line[place]
            if opened is None:
                opened = number if at_start and sign == quote else None
                at_start = sign == delimiter
            elif sign == quote:
                following = line[place + 1 : place + 2]
                if following == quote:
                    place += 1
                elif following in (delimiter, "\r", "\n"):
                    opened = None
                else:
                    return opened
            place += 1
    return opened or 0

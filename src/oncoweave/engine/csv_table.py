"""Reads a delimited text file: by DuckDB where its writing leaves no doubt, else record by record."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oncoweave.engine import headers
from oncoweave.engine.careful_copy import Body, careful_copy
from oncoweave.engine.parquet import identifier
from oncoweave.engine.plain_text import is_packed, plain_text
from oncoweave.engine.reading import DeliveredFile, Reading, Reject
from oncoweave.engine.scan import Layout, Scan, refuse_invalid_utf8, scan
from oncoweave.engine.text_copy import TextCopy
from oncoweave.errors import DataError
from oncoweave.spec.source import CsvTable

HEAD = 4 << 20
MOST_STEPS = 10_000
_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")


@dataclass(frozen=True)
class _Head:
    """What precedes the body: the headers, the bytes and lines before it, and the line end."""

    headers: tuple[str, ...]
    start: int
    lines: int
    line_end: bytes


def read_csv(file: DeliveredFile, table: CsvTable, work: Path, tag: str) -> Reading:
    """The reading of a delimited file; `work` takes temporary copies, `tag` sets its names apart from others'.

    Every column is text, an empty field the empty text. Records of the wrong length are rejected with their
    line; blank lines are no records (in a file of one column they are empty fields).

    Raises DataError where records could be lost or text misread: an empty file, no rows, a wrong header, a
    byte outside the encoding, a broken gzip, a quote that is not closed.
    """
    text = plain_text(file, table.encoding, work / f"{tag}.text")
    head = _head(text, file.name, table)
    columns = headers.match(head.headers, table, file.name)
    found = _scan(text, file, table, head)
    if found.irregular or len(found.firsts) > MOST_STEPS:
        place = Body(head.start, head.lines + 1, len(columns.names))
        with TextCopy(work / f"{tag}.copy") as copy:
            careful_rejects = careful_copy(text, file.name, dialect(table), place, copy)
        reading = copy.reading(file, columns, careful_rejects)
    else:
        body = text if head.lines == 1 else _body(text, head, work / f"{tag}.body")
        rejects = tuple(Reject(file.name, r.line, _wrong_length(r.fields, len(columns.names))) for r in found.ragged)
        sql, parameters = _sql(body, table, columns, found)
        reading = Reading(file, columns, found.rows, rejects, sql, {**parameters, "file": file.name})
    if not reading.records and not table.optional:
        raise DataError(f"{file.name} has a header and no rows", mend="ask the source for the delivery again")
    return reading.tagged(tag)


def _scan(text: Path, file: DeliveredFile, table: CsvTable, head: _Head) -> Scan:
    if not (table.delimiter.isascii() and table.quote.isascii()):
        return Scan(irregular="a delimiter or quoting sign of more than one byte")
    layout = Layout(
        delimiter=table.delimiter.encode(),
        quote=table.quote.encode(),
        line_end=head.line_end,
        columns=len(head.headers),
        start=head.start,
        first_line=head.lines + 1,
    )
    return scan(text, file.name, layout, check_utf8=text == file.path or is_packed(file))


def _head(text: Path, file: str, table: CsvTable) -> _Head:
    with text.open("rb") as stream:
        block = stream.read(HEAD)
    bom = len(_BOM) if block.startswith(_BOM) else 0
    if not block[bom:].strip():
        raise DataError(f"{file} is empty", mend="ask the source for the delivery again")
    lines = _LINE.findall(block, bom)[: table.skip_lines + 1000]
    refuse_invalid_utf8(b"".join(lines[: table.skip_lines + 1]), file, bom, 1)
    reader = csv.reader((line.decode("utf-8", "replace") for line in lines[table.skip_lines :]), **dialect(table))
    try:
        row = next(reader)
    except (csv.Error, StopIteration):
        raise DataError(f"{file}: there is no header in line {table.skip_lines + 1}") from None
    if not row:
        raise DataError(f"{file}: line {table.skip_lines + 1} is blank, where the header is expected")
    count = table.skip_lines + reader.line_num
    last = lines[count - 1]
    end = last[len(last.rstrip(b"\r\n")) :] or b"\n"
    return _Head(tuple(row), bom + sum(map(len, lines[:count])), count, end)


def dialect(table: CsvTable) -> dict[str, Any]:
    """The arguments of Python's csv for the declared dialect."""
    if not table.quote:
        return {"delimiter": table.delimiter, "quoting": csv.QUOTE_NONE, "quotechar": None, "strict": True}
    return {"delimiter": table.delimiter, "quotechar": table.quote, "doublequote": True, "strict": True}


def _body(text: Path, head: _Head, target: Path) -> Path:
    """A copy of the file with one line before the body: DuckDB counts lines to skip in its own way."""
    with text.open("rb") as source, target.open("wb") as copy:
        copy.write(b"header" + head.line_end)
        source.seek(head.start)
        while block := source.read(1 << 20):
            copy.write(block)
    return target


def _wrong_length(fields: int, columns: int) -> str:
    return f"row too {'short' if fields < columns else 'long'}: {fields} fields, {columns} columns"


def _sql(body: Path, table: CsvTable, columns: headers.Columns, found: Scan) -> tuple[str, dict[str, object]]:
    places = [f"c{i}" for i in range(len(columns.names))]
    selected = ", ".join(f"{p} AS {identifier(n)}" for p, n in zip(places, columns.names, strict=True))
    line = f"_number + {_steps(found.firsts, found.offsets)}" if found.rows else "_number"
    numbered = f"SELECT *, row_number() OVER () AS _number FROM {_reader(places, bool(found.ragged))}"
    sql = f"SELECT {selected}, $file AS _file, CAST({line} AS BIGINT) AS _line FROM ({numbered})"
    return sql, {"path": str(body), "delimiter": table.delimiter, "quote": table.quote}


def _reader(places: list[str], rejects: bool) -> str:
    types = ", ".join(f"'{place}': 'VARCHAR'" for place in places)
    names = ", ".join(f"'{place}'" for place in places)
    store = ", store_rejects = true" if rejects else ""
    return (
        f"read_csv($path, auto_detect = false, header = false, skip = 1, columns = {{{types}}}, "
        f"force_not_null = [{names}], delim = $delimiter, quote = $quote, escape = $quote{store})"
    )


def _steps(firsts: list[int], offsets: list[int]) -> str:
    """A step function of the row's number as nested CASEs: a search by halves."""
    if len(offsets) == 1:
        return f"({offsets[0]})"
    half = len(offsets) // 2
    below, above = _steps(firsts[:half], offsets[:half]), _steps(firsts[half:], offsets[half:])
    return f"CASE WHEN _number < {firsts[half]} THEN {below} ELSE {above} END"

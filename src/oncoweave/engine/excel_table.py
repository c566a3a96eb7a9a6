"""Reads one sheet of a workbook: every cell as the text a person would write for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import python_calamine
from python_calamine import CalamineSheet, CalamineWorkbook

from oncoweave.engine import headers
from oncoweave.engine.reading import DeliveredFile, Reading
from oncoweave.engine.text_copy import TextCopy
from oncoweave.errors import DataError, nearest
from oncoweave.spec.source import ExcelTable

Cell = int | float | str | bool | time | date | datetime | timedelta


def read_excel(file: DeliveredFile, table: ExcelTable, work: Path, tag: str) -> Reading:
    """The reading of a sheet; `_line` is the sheet's row. Rows without any content are no records.

    A whole number has no decimals; other numbers are plain decimals. A date is written as ISO, a date with
    time too where it is not midnight; true and false as words. An error of a formula is an empty cell.
    A column without header and content is left out.

    Raises DataError for a file that is no whole workbook, a sheet that is not there, or a wrong header.
    """
    sheet = _sheet(file, table.sheet)
    first = (sheet.start or (0, 0))[0] + 1
    rows = [(line, row) for line, row in enumerate(sheet.iter_rows(), first) if line > table.skip_lines]
    if not rows:
        raise DataError(f"{file.name}: sheet `{table.sheet}` is empty", mend="ask the source for the delivery again")
    used = _used(rows)
    columns = headers.match([text(rows[0][1][place]) for place in used], table, file.name)
    with TextCopy(work / f"{tag}.sheet") as copy:
        for line, row in rows[1:]:
            texts = [text(row[place]) for place in used]
            if any(texts):
                copy.add(line, texts)
    reading = copy.reading(file, columns)
    if not reading.rows and not table.optional:
        raise DataError(f"{file.name}: sheet `{table.sheet}` has a header and no rows")
    return reading.tagged(tag)


def text(cell: Cell) -> str:
    """The canonical text of a cell.

    >>> text(7.0), text(0.1), text(1e-7), text(True), text(date(2020, 1, 2)), text(datetime(2020, 1, 2, 3, 4))
    ('7', '0.1', '0.0000001', 'true', '2020-01-02', '2020-01-02 03:04:00')
    """
    match cell:
        case bool():
            return "true" if cell else "false"
        case float():
            whole = cell.is_integer() and abs(cell) < 1e15
            return str(int(cell)) if whole else format(Decimal(repr(cell)), "f")
        case datetime():
            return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
        case timedelta():
            return format(Decimal(repr(cell.total_seconds() / 86400)), "f")
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


def _sheet(file: DeliveredFile, name: str) -> CalamineSheet:
    try:
        workbook = CalamineWorkbook.from_path(str(file.path))
        if name not in workbook.sheet_names:
            mend = nearest(name, workbook.sheet_names)
            raise DataError(f"{file.name} has no sheet `{name}`", mend=mend)
        return workbook.get_sheet_by_name(name)
    except (python_calamine.CalamineError, OSError):
        raise DataError(
            f"{file.name} is not a whole workbook, or is protected by a password", mend="transfer the file again"
        ) from None


def _used(rows: Sequence[tuple[int, Sequence[Cell]]]) -> list[int]:
    """The places of the columns that have a header or any content."""
    width = len(rows[0][1])
    return [place for place in range(width) if any(text(row[place]) for _, row in rows)]

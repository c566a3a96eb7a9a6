"""Reads a vocabulary as it was delivered: an Athena download (tab-separated, no quotes) or a folder of Parquet.

What is wrong with a file is told with its name and, where it has one, its line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from oncoweave.engine.connection import connect
from oncoweave.engine.parquet import identifier
from oncoweave.errors import DataError
from oncoweave.files import faults
from oncoweave.vocabulary.athena import TABLES, AthenaTable

AGAIN = "download it again from Athena: the file may be cut off or edited"
_HEADER = 1 << 16
_CHUNK = 1 << 23
_DIALECTS = {
    "\t": "delim = '\t', quote = '', escape = '', dateformat = '%Y%m%d'",
    ",": "delim = ',', quote = '\"', escape = '\"', dateformat = '%Y-%m-%d'",
}
"""How the two kinds of text file are read: as Athena writes them, and as spreadsheets and Usagi do."""
_ALWAYS = "header = true, comment = '', nullstr = '', auto_detect = false, strict_mode = true"
_COUNT = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_TYPE = re.compile(r'Error when converting column "(\w+)"')
_LINE = re.compile(r"CSV Error on Line: (\d+)")
_FORMS = {"INTEGER": "a whole number", "DOUBLE": "a number", "VARCHAR": "text"}
_DATES = {"\t": "a date written YYYYMMDD", ",": "a date written YYYY-MM-DD"}


@dataclass(frozen=True)
class DeliveredTable:
    """One table as it was delivered: its file, the columns that the file has, in its order, and the sign between them."""

    table: AthenaTable
    path: Path
    columns: tuple[str, ...]
    sign: str = "\t"

    @property
    def source(self) -> Path:
        """Where the file really lies: DuckDB follows no link out of the folders it is given."""
        return self.path.resolve()

    @property
    def is_text(self) -> bool:
        return self.path.suffix.lower() == ".csv"

    @property
    def select(self) -> str:
        """A SELECT of the CDM's columns with their types; the file is the parameter `$file`."""
        dialect = f"{_ALWAYS}, {_DIALECTS[self.sign]}"
        source = f"read_csv($file, {dialect}, columns = {{{self._types}}})" if self.is_text else "read_parquet($file)"
        names = {column.lower(): column for column in self.columns}
        casts = (
            f"CAST({identifier(names[column])} AS {kind}) AS {identifier(column)}"
            for column, kind in self.table.columns.items()
        )
        return f"SELECT {', '.join(casts)} FROM {source}"

    @property
    def _types(self) -> str:
        return ", ".join(f"'{column}': '{self.table.columns[column.lower()]}'" for column in self.columns)


def tables_in(folder: Path, name: str) -> list[DeliveredTable]:
    """The tables of a download: those of the CSV files if there are any, else those of the Parquet files.

    `name` is what the user calls the download. Raises DataError for a table that is missing, and for a file that does not have the columns of the CDM.
    """
    files = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
    suffix = ".csv" if any(f"{table.name.lower()}.csv" in files for table in TABLES) else ".parquet"
    found = {table.name: files[file] for table in TABLES if (file := f"{table.name.lower()}{suffix}") in files}
    needed = [table for table in TABLES if (table.required if suffix == ".csv" else table.core)]
    missing = [f"{table.name}{suffix}" for table in needed if table.name not in found]
    if missing:
        raise DataError(f"{name} has no {', '.join(missing)}", mend="a download of Athena has it: take all its files")
    return [_delivered(table, found[table.name]) for table in TABLES if table.name in found]


def refuse_cut_off(delivered: DeliveredTable) -> None:
    """Raises DataError for a text file whose last line does not end, as one does that was cut off."""
    with faults(delivered.path), delivered.path.open("rb") as file:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            line = line_ends(delivered.path) + 1
            raise DataError(f"{delivered.path.name}, line {line}: the last line does not end", mend=AGAIN)


def line_ends(path: Path) -> int:
    """How many lines of a file end."""
    with faults(path), path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))


def lines_of(delivered: DeliveredTable, values: Sequence[object], of: Sequence[str] = ()) -> list[int]:
    """The lines of a text file with these values in these columns, or in those of the table's key; none where it is no text."""
    if not delivered.is_text:
        return []
    columns = [column.lower() for column in delivered.columns]
    wanted = {columns.index(c): _written(value) for c, value in zip(of or delivered.table.key, values, strict=True)}
    with faults(delivered.path), delivered.path.open("rb") as file:
        fields = ((number, line.rstrip(b"\r\n").split(delivered.sign.encode())) for number, line in enumerate(file, 1))
        return [n for n, found in fields if all(i < len(found) and found[i] in forms for i, forms in wanted.items())]


def _written(value: object) -> set[bytes]:
    """How a value may stand in a file: a date in either of its forms."""
    text = str(value)
    return {text.encode(), text.replace("-", "").encode()} if isinstance(value, date) else {text.encode()}


def explain(connection: duckdb.DuckDBPyConnection, delivered: DeliveredTable) -> DataError | None:
    """Why a table cannot be read, found by reading it again; None when it can be. A vocabulary holds no patient's value."""
    columns = ", ".join(f"count({identifier(column)})" for column in delivered.table.columns)
    try:
        connection.execute(f"SELECT {columns} FROM ({delivered.select})", {"file": str(delivered.source)}).fetchall()
    except duckdb.Error as error:
        return DataError(_fault(delivered, str(error)), mend=AGAIN)
    return None


def _fault(delivered: DeliveredTable, words: str) -> str:
    line = _LINE.search(words)
    place = f"{delivered.path.name}, line {line[1]}" if line else delivered.path.name
    if match := _COUNT.search(words):
        return f"{place}: {match[2]} columns instead of {match[1]}"
    if match := _TYPE.search(words):
        kind = delivered.table.columns[match[1].lower()]
        return f"{place}: `{match[1]}` is not {_DATES[delivered.sign] if kind == 'DATE' else _FORMS[kind]}"
    if "unicode" in words.lower() or "utf-8" in words.lower():
        return f"{place}: a byte is not UTF-8"
    return f"{place}: {words.splitlines()[0]}"


def text_table(table: AthenaTable, path: Path) -> DeliveredTable:
    """A table of a text file that may be separated by tabs or by commas.

    Raises DataError for a file that does not have the columns of the table.
    """
    sign = "," if len(_header(path, "\t")) == 1 else "\t"
    return _checked(table, path, _header(path, sign), sign)


def _delivered(table: AthenaTable, path: Path) -> DeliveredTable:
    is_text = path.suffix.lower() == ".csv"
    return _checked(table, path, _header(path, "\t") if is_text else _parquet_columns(path), "\t", is_text=is_text)


def _checked(
    table: AthenaTable, path: Path, columns: tuple[str, ...], sign: str, *, is_text: bool = True
) -> DeliveredTable:
    given = [column.lower() for column in columns]
    missing = [column for column in table.columns if column not in given]
    strange = [column for column in given if column not in table.columns] if is_text else []
    if missing or strange or len(set(given)) < len(given):
        wrong = [f"it has no {', '.join(missing)}"] if missing else []
        wrong += [f"`{column[:40]}` is not one of them" for column in strange[:1]]
        message = f"{path.name} does not have the columns of CDM 5.4: {'; '.join(wrong) or 'one is there twice'}"
        raise DataError(message, mend="Oncoweave reads the vocabulary tables of CDM 5, tab-separated as Athena writes")
    return DeliveredTable(table, path, columns, sign)


def _header(path: Path, sign: str) -> tuple[str, ...]:
    with faults(path), path.open("rb") as file:
        line = file.readline(_HEADER)
    if not line:
        raise DataError(f"{path.name} is empty", mend=AGAIN)
    return tuple(line.decode("utf-8-sig", errors="replace").rstrip("\r\n").split(sign))


def _parquet_columns(path: Path) -> tuple[str, ...]:

    sql = "DESCRIBE SELECT * FROM read_parquet(?)"
    source = path.resolve()
    with TemporaryDirectory() as work, connect(work=Path(work), allow=[source.parent]) as connection:
        try:
            return tuple(row[0] for row in connection.execute(sql, [str(source)]).fetchall())
        except duckdb.Error:
            raise DataError(
                f"{path.name} is not a whole Parquet file", mend="it may be cut off: copy it again"
            ) from None

"""Reads a delivered Parquet file of plain columns as text."""

from __future__ import annotations

import duckdb

from oncoweave.engine import headers
from oncoweave.engine.parquet import identifier
from oncoweave.engine.reading import DeliveredFile, Reading
from oncoweave.errors import DataError
from oncoweave.spec.source import ParquetTable, SqlTable

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_AS_WRITTEN = _WHOLE | {"VARCHAR", "BOOLEAN", "DATE", "TIME", "UUID"}


def read_parquet(
    file: DeliveredFile, table: ParquetTable | SqlTable, tag: str, connection: duckdb.DuckDBPyConnection
) -> Reading:
    """The reading of a Parquet file; `_line` is the row's number. NULL stays NULL, and so becomes NaN.

    A whole number in a floating column has no decimals, other numbers are plain decimals; a date is written
    as ISO, a timestamp (of UTC) too, without its time where that is midnight; true and false as words.

    Raises DataError for a file that is no whole Parquet file, for nested or binary columns, a wrong header,
    and a file without rows.
    """
    types, rows = _columns(file, connection)
    columns = headers.match(list(types), table, file.name)
    if not rows and not table.optional:
        raise DataError(f"{file.name} has no rows", mend="ask the source for the delivery again")
    selected = ", ".join(
        f"{_text(header, kind, file.name)} AS {identifier(name)}"
        for (header, kind), name in zip(types.items(), columns.names, strict=True)
    )
    sql = (
        f"SELECT {selected}, $file AS _file, file_row_number + 1 AS _line "
        "FROM read_parquet($path, file_row_number = true)"
    )
    return Reading(file, columns, rows, (), sql, {"path": str(file.path), "file": file.name}).tagged(tag)


def _columns(file: DeliveredFile, connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, str], int]:
    path = str(file.path)
    try:
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path]).fetchall()
        names = connection.execute("SELECT name FROM parquet_schema(?)", [path]).fetchall()
        rows = connection.execute("SELECT num_rows FROM parquet_file_metadata(?)", [path]).fetchall()
    except duckdb.Error:
        raise DataError(
            f"{file.name} is not a whole Parquet file: it is cut off, damaged, or of another format",
            mend="transfer the file again, or correct `format` in source.yaml",
        ) from None
    types = {str(name): str(kind) for name, kind, *_ in described}
    flat = [str(name) for (name,) in names[1:]]
    if len(flat) == len(types) and flat != list(types):
        raise DataError(f"{file.name}: two columns have the same name, or names that differ only in case")
    return types, int(rows[0][0])


def _text(name: str, kind: str, file: str) -> str:
    """The SQL that writes a column as text."""
    column = identifier(name)
    if kind in _AS_WRITTEN or kind.startswith(("DECIMAL", "ENUM")):
        return f"CAST({column} AS VARCHAR)"
    if kind in {"DOUBLE", "FLOAT"}:
        return _number(column)
    if kind.startswith("TIMESTAMP"):
        moment = f"CAST({column} AS TIMESTAMP)"
        midnight = f"{moment} = date_trunc('day', {moment})"
        return f"CASE WHEN {midnight} THEN CAST({moment}::DATE AS VARCHAR) ELSE CAST({moment} AS VARCHAR) END"
    raise DataError(
        f"{file}: column `{name}` is of the type {kind.split('(', maxsplit=1)[0]}, which is not plain text, number or date",
        mend="ask the source for a flat table",
    )


def _number(column: str) -> str:
    """A floating number as plain decimals with all its digits: `7`, `0.1`, `0.0000001`; NaN is NULL."""
    written = f"CAST({column} AS VARCHAR)"
    digits = f"replace(ltrim(split_part({written}, 'e', 1), '-'), '.', '')"
    zeros = f"repeat('0', -TRY_CAST(split_part({written}, 'e', 2) AS INTEGER) - 1)"
    small = f"if({column} < 0, '-', '') || '0.' || {zeros} || {digits}"
    return (
        f"CASE WHEN isnan({column}) THEN NULL "
        f"WHEN {column} = trunc({column}) AND abs({column}) < 1e38 "
        f"THEN coalesce(CAST(TRY_CAST({column} AS HUGEINT) AS VARCHAR), {written}) "
        f"WHEN contains({written}, 'e-') THEN {small} ELSE {written} END"
    )

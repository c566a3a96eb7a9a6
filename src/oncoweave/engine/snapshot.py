"""Copies the files of one source table into one Parquet file, every field as text, and reconciles the counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from oncoweave.engine.connection import connect
from oncoweave.engine.csv_table import read_csv
from oncoweave.engine.excel_table import read_excel
from oncoweave.engine.headers import Columns
from oncoweave.engine.parquet import FAST, copy, identifier
from oncoweave.engine.parquet_table import read_parquet
from oncoweave.engine.reading import DeliveredFile, Reading, Reject
from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError
from oncoweave.files import faults
from oncoweave.spec.source import CsvTable, ExcelTable, FhirTable, ParquetTable, SqlTable, Table


@dataclass(frozen=True)
class Snapshot:
    """The snapshot of one source table: its file, its columns, and the records left out.

    `absent` are the optional fields that at least one file has no column of.
    """

    path: Path
    columns: tuple[str, ...]
    undeclared: tuple[str, ...]
    rows: int
    rejects: tuple[Reject, ...]
    readings: tuple[Reading, ...]
    absent: tuple[str, ...] = ()


def reader(files: Iterable[DeliveredFile], work: Path, targets: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """A connection that takes snapshots of these files to the folders `targets`, and spills to `work`.

    It has one thread: rows that are numbered as they come are read one after the other anyhow, and while a second
    thread did that, the first would wait in a busy loop.
    """
    folders = sorted({file.path.parent for file in files})
    return connect(work=work, allow=[*folders, *targets], preserve_insertion_order=True, threads=1)


def take_snapshot(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: Table,
    files: Sequence[DeliveredFile],
    target: Path,
    work: Path,
    resources: Sequence[Reading] = (),
) -> Snapshot:
    """Writes `target`: the files' rows in name order, all columns as text, `_file`, `_line`.

    An optional field without a column is written as an empty one, a table without a file as one without rows.
    `connection` is a `reader` of the files, `work` an empty folder for temporary ones, `resources` are the readings of a
    table of FHIR, whose files were read for all tables together. Raises DataError when a file
    cannot be read without doubt, and when the rows of the snapshot are not the records of the files less those rejected.
    """
    if isinstance(table, FhirTable):
        readings = list(resources)
    else:
        readings = [_read(file, table, work, f"f{number}", connection) for number, file in enumerate(files)]
    _copy(connection, name, [_completed(reading, table) for reading in readings] or [_no_rows(table)], target)
    _reconcile(connection, readings, target)
    undeclared = {column: None for reading in readings for column in reading.columns.undeclared}
    absent = {column: None for reading in readings for column in reading.columns.absent}
    columns = {column: None for reading in readings for column in reading.columns.names} | absent
    columns = columns or dict.fromkeys(table.fields)
    rejects = tuple(reject for reading in readings for reject in reading.rejects)
    rows = sum(reading.rows for reading in readings)
    return Snapshot(target, tuple(columns), tuple(undeclared), rows, rejects, tuple(readings), tuple(absent))


def _read(
    file: DeliveredFile,
    table: CsvTable | ParquetTable | SqlTable | ExcelTable,
    work: Path,
    tag: str,
    connection: duckdb.DuckDBPyConnection,
) -> Reading:
    with faults(file.path):
        match table:
            case CsvTable():
                reading = read_csv(file, table, work, tag)
            case ParquetTable() | SqlTable():
                reading = read_parquet(file, table, tag, connection)
            case ExcelTable():
                reading = read_excel(file, table, work, tag)
    if reading.rejects and not reading.rows:
        first = reading.rejects[0]
        raise DataError(
            f"{file.name}: none of the {reading.records} records can be read; the first, line {first.line}: "
            f"{first.reason}",
            mend="correct `delimiter`, `quote` or `skip_lines` in source.yaml",
        )
    return reading


def _completed(reading: Reading, table: Table) -> Reading:
    """The reading with an empty column for each optional field that the file lacks: as empty fields are in its format."""
    if not reading.columns.absent:
        return reading
    empty = "CAST(NULL AS VARCHAR)" if isinstance(table, ParquetTable | SqlTable) else "''"
    added = ", ".join(f"{empty} AS {identifier(name)}" for name in reading.columns.absent)
    return replace(reading, sql=f"SELECT *, {added} FROM ({reading.sql})")


def _no_rows(table: Table) -> Reading:
    """The reading of an optional table that the delivery lacks: its declared columns, and no row."""
    columns = ", ".join(f"CAST(NULL AS VARCHAR) AS {identifier(name)}" for name in (*table.fields, "_file"))
    sql = f"SELECT {columns}, CAST(NULL AS BIGINT) AS _line WHERE false"
    return Reading(DeliveredFile(table.place, Path(table.place)), Columns(tuple(table.fields), ()), 0, (), sql)


def _copy(connection: duckdb.DuckDBPyConnection, name: str, readings: Sequence[Reading], target: Path) -> None:
    parameters = {key: value for reading in readings for key, value in reading.parameters.items()}
    sql = " UNION ALL BY NAME ".join(dict.fromkeys(reading.sql for reading in readings))
    try:
        copy(connection, sql, target, parameters=parameters, compression=FAST)
    except EnvironmentFault:
        raise
    except OncoweaveError as error:
        files = ", ".join(reading.file.name for reading in readings[:3])
        raise DataError(f"table `{name}`: {files} cannot be read as declared ({error.message})") from None


def _reconcile(connection: duckdb.DuckDBPyConnection, readings: Sequence[Reading], target: Path) -> None:
    """The second count: rows of the snapshot by file against the records that the scan found."""
    sql = "SELECT _file, count(*) FROM read_parquet(?) GROUP BY _file"
    counted = dict(connection.execute(sql, [str(target)]).fetchall())
    for reading in readings:
        rows = counted.get(reading.file.name, 0)
        if rows != reading.rows:
            raise DataError(
                f"{reading.file.name}: {reading.records} records, of which {len(reading.rejects)} are rejected, but "
                f"{rows} rows were read",
                mend="the file is written in a way that cannot be read without doubt: send it to the maintainers",
            )

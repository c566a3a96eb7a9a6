"""Parquet files and workbook sheets become the same text that a person would write."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from oncoweave.errors import DataError
from oncoweave.spec.source import ExcelTable, ParquetTable
from tests.extract.conftest import Taken, taken

CONTENT: dict[str, Any] = {"files": "*", "row": {"content": True}}


def parquet(folder: Path, select: str, **fields: Any) -> Taken:
    duckdb.connect().execute(f"COPY ({select}) TO '{folder}/made.parquet' (FORMAT parquet)")
    table = ParquetTable.model_validate({"format": "parquet", **CONTENT, "fields": fields})
    return taken(folder, table, {"t.parquet": (folder / "made.parquet").read_bytes()})


def excel(folder: Path, rows: list[list[Any]], content: bytes | None = None, **options: Any) -> Taken:
    book = openpyxl.Workbook()
    book.active.title = "Data"
    for row in rows:
        book.active.append(row)
    book.save(folder / "made.xlsx")
    table = ExcelTable.model_validate({"format": "excel", "sheet": "Data", **CONTENT, **options})
    return taken(folder, table, {"t.xlsx": content or (folder / "made.xlsx").read_bytes()})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1::TINYINT", "1"),
        ("1.50::DECIMAL(9,2)", "1.50"),
        ("7::DOUBLE", "7"),
        ("0.1::FLOAT", "0.1"),
        ("1e-7::DOUBLE", "0.0000001"),
        ("1e16::DOUBLE", "10000000000000000"),
        ("-1.234567890123e-9::DOUBLE", "-0.000000001234567890123"),
        ("-12::DOUBLE", "-12"),
        ("'inf'::DOUBLE", "inf"),
        ("'nan'::DOUBLE", None),
        ("NULL::DOUBLE", None),
        ("'007'", "007"),
        ("true", "true"),
        ("date '2020-01-02'", "2020-01-02"),
        ("timestamp '2020-01-02 00:00:00'", "2020-01-02"),
        ("timestamp '2020-01-02 03:04:05'", "2020-01-02 03:04:05"),
        ("timestamptz '2020-01-02 03:04:05+02'", "2020-01-02 01:04:05"),
        ("''", ""),
    ],
)
def test_a_parquet_value_has_one_text(tmp_path: Path, value: str, text: str | None) -> None:
    assert parquet(tmp_path, f"SELECT {value} AS v, 'x' AS w").rows == [(text, "x", "t.parquet", 1)]


def test_a_parquet_file_keeps_its_order_and_row_numbers(tmp_path: Path) -> None:
    got = parquet(tmp_path, "SELECT range AS n FROM range(300000)", key={"type": "identifier", "header": "n"})
    assert got.columns == ("key",) and got.rows[-1] == ("299999", "t.parquet", 300_000)
    assert got.lines == list(range(1, 300_001))


@pytest.mark.parametrize("value", ["[1]", "{'a': 1}", "'x'::BLOB", "INTERVAL 1 DAY"])
def test_a_nested_or_binary_column_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(DataError, match="column `v` is of the type"):
        parquet(tmp_path, f"SELECT {value} AS v")


def test_a_parquet_file_that_is_not_one_is_refused(tmp_path: Path) -> None:
    table = ParquetTable.model_validate({"format": "parquet", **CONTENT})
    parquet(tmp_path, "SELECT range AS n FROM range(1000)")
    whole = (tmp_path / "made.parquet").read_bytes()
    for content in (b"a,b\n1,2\n", b"", whole[:-5], whole[: len(whole) // 2]):
        with pytest.raises(DataError, match=r"t.parquet is not a whole Parquet file"):
            taken(tmp_path, table, {"t.parquet": content})


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no rows"):
        parquet(tmp_path, "SELECT 1 AS n LIMIT 0")


def test_a_cell_has_one_text_and_the_line_of_its_row(tmp_path: Path) -> None:
    cells = [1, 1.5, "007", True, date(2020, 1, 2), datetime(2020, 1, 2, 3, 4, 5), time(3, 4), None, " x "]
    got = excel(tmp_path, [[f"h{i}" for i in range(9)], [None] * 9, cells])
    expected = ("1", "1.5", "007", "true", "2020-01-02", "2020-01-02 03:04:05", "03:04:00", "", " x ")
    assert got.rows == [(*expected, "t.xlsx", 3)]


def test_rows_before_the_header_are_skipped(tmp_path: Path) -> None:
    got = excel(tmp_path, [["Report"], ["a", "b", None], [1, 2, None]], skip_lines=1)
    assert got.columns == ("a", "b") and got.rows == [("1", "2", "t.xlsx", 3)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", "b"]], "has a header and no rows"),
        ([["a", None], [1, 2]], "blank header in column 2"),
        ([["a", "a"], [1, 2]], "columns 1 and 2 have the same header"),
        ([], "is empty"),
    ],
)
def test_a_faulty_sheet_is_refused(tmp_path: Path, rows: list[list[Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        excel(tmp_path, rows)


def test_a_sheet_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no sheet `Date`") as caught:
        excel(tmp_path, [["a"], [1]], sheet="Date")
    assert caught.value.mend == "did you mean `Data`?"


def test_a_workbook_that_is_not_one_is_refused(tmp_path: Path) -> None:
    excel(tmp_path, [["a"], [1]])
    whole = (tmp_path / "made.xlsx").read_bytes()
    for content in (b"a,b\n1,2\n", whole[:-30], whole[: len(whole) // 2]):
        with pytest.raises(DataError, match=r"t.xlsx is not a whole workbook"):
            excel(tmp_path, [["a"], [1]], content)

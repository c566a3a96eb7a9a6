"""Public files that were made to break CSV readers: each is read whole, or refused with a reason."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from oncoweave.errors import DataError
from tests.extract.conftest import Taken, csv_table, taken

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "csv-torture"
FILES = sorted(DATA.rglob("*.csv"))
OTHER = {
    "frictionless/delimiter.csv": {"delimiter": ";"},
    "frictionless/issue-493.csv": {"delimiter": ";"},
    "frictionless/latin1.csv": {"encoding": "latin-1"},
    "frictionless/table-infer-iso-8859-7.csv": {"encoding": "iso8859-7"},
    "frictionless/accent.csv": {"encoding": "utf-8"},
}
pytestmark = pytest.mark.skipif(not FILES, reason="no ../shared/data/csv-torture beside the checkout")


def read(path: Path, folder: Path) -> Taken:
    options = OTHER.get(path.relative_to(DATA).as_posix(), {})
    return taken(folder, csv_table(**options), {path.name: path.read_bytes()})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_each_record_is_read_or_rejected_or_the_file_is_refused(path: Path, tmp_path: Path) -> None:
    options = OTHER.get(path.relative_to(DATA).as_posix(), {})
    try:
        got = read(path, tmp_path)
    except DataError as refused:
        reason = refused.message
    else:
        reason = ""
    if reason:
        assert path.name in reason
        return
    text = path.read_bytes().decode(options.get("encoding", "utf-8-sig"))
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=options.get("delimiter", ","))
    header = next(reader)
    records = [row or [""] for row in reader if row or len(header) == 1]
    good = [tuple(row) for row in records if len(row) == len(header)]
    assert got.texts == good
    assert len(got.rejects) == len(records) - len(good)


@pytest.mark.parametrize("path", sorted((DATA / "csv-spectrum" / "csvs").glob("*.csv")), ids=lambda path: path.stem)
def test_csv_spectrum_gives_the_expected_rows(path: Path, tmp_path: Path) -> None:
    expected = json.loads((path.parents[1] / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
    got = read(path, tmp_path)
    rows = [dict(zip(got.columns, row, strict=True)) for row in got.texts]
    assert plain(rows) == plain(expected)


def plain(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows with every line end as LF: some expectations were written on another system."""
    return [{key: value.replace("\r\n", "\n") for key, value in row.items()} for row in rows]

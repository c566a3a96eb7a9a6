"""Whatever Python's csv writes in a declared dialect is read back to the letter, each row with its line."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oncoweave.engine import scan as scanner
from tests.extract.conftest import csv_table, taken

SIGNS = st.sampled_from(
    [*"ab ,;|\t\"'\n\r", "\r\n", "é", "漢", "😀", "\x00", '""', "\\", "#", "\u2028", "\x85", "\ufeff"]
)
TEXT = st.lists(SIGNS, max_size=6).map("".join)
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "|", "\t", " ", "é"]),
        "quotechar": st.sampled_from(['"', "'"]),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    }
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, list[list[str]]]:
    columns = draw(st.integers(1, 4))
    return columns, draw(st.lists(st.lists(TEXT, min_size=columns, max_size=columns), min_size=1, max_size=12))


def written(columns: int, rows: list[list[str]], dialect: dict[str, Any]) -> tuple[str, list[int]]:
    """The text, and the line at which each row starts."""
    stream = io.StringIO(newline="")
    if any("\r" in text or "\n" in text for row in rows for text in row):
        dialect = {**dialect, "quoting": csv.QUOTE_ALL}  # Python leaves a lone CR unquoted
    writer = csv.writer(stream, **dialect)
    writer.writerow([f"h{i}" for i in range(columns)])
    lines = []
    for row in rows:
        lines.append(scanner.count_lines(stream.getvalue().encode()) + 1)
        writer.writerow(row)
    return stream.getvalue(), lines


@given(table=tables(), dialect=DIALECTS, last_end=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_written_table_is_read_back_exactly(
    table: tuple[int, list[list[str]]], dialect: dict[str, Any], last_end: bool
) -> None:
    columns, rows = table
    text, lines = written(columns, rows, dialect)
    if not last_end:
        text = text.removesuffix(dialect["lineterminator"])
    spec = csv_table(delimiter=dialect["delimiter"], quote=dialect["quotechar"])
    with tempfile.TemporaryDirectory() as folder:
        got = taken(Path(folder), spec, {"t.csv": text.encode()})
    assert got.texts == [tuple(row) for row in rows]
    assert got.lines == lines
    assert got.rejects == ()


@given(
    st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b"\r\n", b"\r", b" ", b'""', b'","', "é".encode()]), max_size=40)
)
@settings(max_examples=60, deadline=None)
def test_any_text_is_accounted_for_or_refused(pieces: list[bytes]) -> None:
    """Rows and rejects start at lines of their own, in order, and every line with content belongs to one of them."""
    from oncoweave.errors import DataError

    with tempfile.TemporaryDirectory() as folder:
        try:
            got = taken(Path(folder), csv_table(), {"t.csv": b"x,y\n" + b"".join(pieces)})
        except DataError:
            return
    starts = sorted(got.lines + [reject.line for reject in got.rejects])
    assert got.lines == sorted(got.lines) and len(set(starts)) == len(starts)
    content = sum(len("".join(row).replace(" ", "")) for row in got.texts)
    if not got.rejects:
        assert content >= b"".join(pieces).count(b"a")

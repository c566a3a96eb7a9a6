"""The scan counts what Python's csv counts, wherever a block ends, and calls irregular what could be read in two ways."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoweave.engine.scan import Layout, Ragged, Scan, count_lines, scan
from oncoweave.errors import DataError


def scanned(body: bytes, *, columns: int = 2, line_end: bytes = b"\n", block_size: int = 1 << 20) -> Scan:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(b"h,h" + line_end + body)
        layout = Layout(b",", b'"', line_end, columns, len(b"h,h" + line_end), 2)
        return scan(path, "t.csv", layout, block_size=block_size)


def lines(found: Scan) -> list[int]:
    """The line of every accepted row."""
    steps = [*found.firsts, found.rows + 1]
    return [
        n + o for first, after, o in zip(steps, steps[1:], found.offsets, strict=False) for n in range(first, after)
    ]


TEXT = st.text(alphabet='ab,"\n\ré', max_size=8)


@given(
    rows=st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=12),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    block_size=st.sampled_from([1, 7, 64, 1000]),
)
@settings(max_examples=300, deadline=None)
def test_every_record_is_counted_with_its_line(rows: list[list[str]], line_end: str, block_size: int) -> None:
    stream = io.StringIO(newline="")
    starts = []
    for row in rows:
        starts.append(2 + count_lines(stream.getvalue().encode()))
        csv.writer(stream, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerow(row)
    found = scanned(stream.getvalue().encode(), line_end=line_end.encode(), block_size=block_size)
    assert not found.irregular
    assert lines(found) == [line for line, row in zip(starts, rows, strict=True) if len(row) == 2]
    assert found.ragged == [Ragged(line, len(row)) for line, row in zip(starts, rows, strict=True) if len(row) != 2]


def test_blank_lines_are_no_records_but_count_as_lines() -> None:
    found = scanned(b"\n1,2\n\n\n3,4\n\n")
    assert (found.rows, lines(found), found.ragged) == (2, [3, 6], [])


def test_blank_lines_of_a_single_column_are_empty_fields() -> None:
    assert scanned(b"1\n\n2\n", columns=1).rows == 3


@pytest.mark.parametrize(
    ("body", "line_end"),
    [
        (b'1,5" nail\n', b"\n"),
        (b'1,"x"y\n', b"\n"),
        (b'1, "x"\n', b"\n"),
        (b'1,"x" \n', b"\n"),
        (b'1,"x\n2,3\n', b"\n"),
        (b"1,2\r\n3,4\n", b"\n"),
        (b"1,2\n3,4\r\n", b"\r\n"),
        (b"1,2\r3,4\r\n", b"\r\n"),
        (b"1,2\r3,4\n", b"\r"),
        (b'1,"' + b"x\n" * (1 << 20) + b'"\n', b"\n"),
        (b"1," + b"x" * (3 << 20) + b"\n", b"\n"),
    ],
)
def test_what_could_be_read_in_two_ways_is_irregular(body: bytes, line_end: bytes) -> None:
    assert scanned(body, line_end=line_end).irregular


def test_a_byte_that_is_not_utf8_is_named_by_line_and_offset() -> None:
    with pytest.raises(DataError, match=r"line 40002: byte 240009 of the file is not UTF-8"):
        scanned(b"12,34\n" * 40_000 + b"ab,c\xe9\n")

"""Bad delivered text: a faulty row is rejected with its line, a faulty file is refused by name, nothing is lost."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from oncoweave.errors import DataError, OncoweaveError, SpecError
from tests.extract.conftest import Take

AGE = {"fields": {"id": {"type": "identifier"}, "age": {"type": "integer", "header": "Age at diagnosis"}}}


def test_text_stays_as_it_is(take: Take) -> None:
    got = take(b'id,v\n007,1_000\n1e5,"1,5"\n NULL ,NaN\n,""\n#x,N/A\n')
    assert got.texts == [("007", "1_000"), ("1e5", "1,5"), (" NULL ", "NaN"), ("", ""), ("#x", "N/A")]


def test_a_column_has_its_fields_name_and_the_undeclared_their_header(take: Take) -> None:
    got = take(b"Age at diagnosis,id,T Stage \n1,2,3\n", **AGE)
    assert got.columns == ("age", "id", "T Stage ")
    assert got.rows == [("1", "2", "3", "t.csv", 2)]


@pytest.mark.parametrize(
    ("body", "texts", "lines", "rejects"),
    [
        (b"1,2\n3\n4,5\n", [("1", "2"), ("4", "5")], [2, 4], [(3, "row too short: 1 fields, 2 columns")]),
        (b"1,2,3\n4,5\n", [("4", "5")], [3], [(2, "row too long: 3 fields, 2 columns")]),
        (b'"a\nb",2\n3\n4,5\n', [("a\nb", "2"), ("4", "5")], [2, 5], [(4, "row too short: 1 fields, 2 columns")]),
        (b'1,"x"y\n4,5\n', [("4", "5")], [3], [(2, "text behind a closing quote")]),
        (b'1,5" nail\n4,"a ""b"""\n', [("1", '5" nail'), ("4", 'a "b"')], [2, 3], []),
        (b"1,2\r\n3,4\r5,6\n\r\n7,8", [("1", "2"), ("3", "4"), ("5", "6"), ("7", "8")], [2, 3, 4, 6], []),
        (b"1,a\x00b\n", [("1", "a\x00b")], [2], []),
        (b"1, \"2\"\n", [("1", ' "2"')], [2], []),
        (b"1," + b"x" * 10_000_000 + b"\n3,4\n", [("1", "x" * 10_000_000), ("3", "4")], [2, 3], []),
        (b"1," + b"x" * 2_050_000 + b"\n3,4\n", [("1", "x" * 2_050_000), ("3", "4")], [2, 3], []),
        (b'1,"' + b"x\n" * 1_500_000 + b'"\n3,4\n', [("1", "x\n" * 1_500_000), ("3", "4")], [2, 1_500_003], []),
    ],
)  # fmt: skip
def test_a_row_is_read_or_rejected_with_its_line(
    take: Take, body: bytes, texts: list[Any], lines: list[int], rejects: list[Any]
) -> None:
    got = take(b"a,b\n" + body)
    assert got.texts == texts
    assert got.lines == lines
    assert [(reject.line, reject.reason) for reject in got.rejects] == rejects


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_each_kind_of_line_end_is_read(take: Take, line_end: bytes) -> None:
    got = take(line_end.join([b"a,b", b'1,"x\ny"', b"2", b"", b"3,z"]))
    assert got.texts == [("1", "x\ny"), ("3", "z")] and got.lines == [2, 6]
    assert [reject.line for reject in got.rejects] == [4]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, "is empty"),
        (b"\xef\xbb\xbf\n\n", {}, "is empty"),
        (b"id,Age at diagnosis\n", AGE, "has a header and no rows"),
        (b"id,Age at diagnosis", AGE, "has a header and no rows"),
        (b"id,age\n1,2\n", AGE, "no column `Age at diagnosis`, declared as fields.age"),
        (b"id,Age at  diagnosis\n1,2\n", AGE, r"\(there is `Age at  diagnosis`\)"),
        (b"id;Age at diagnosis\n1;2\n", AGE, "no column `id`"),
        (b"a,a\n1,2\n", {}, "columns 1 and 2 have the same header"),
        (b"a,A\n1,2\n", {}, "differ only in case"),
        (b"a,,c\n1,2,3\n", {}, "blank header in column 2"),
        (b"a,_line\n1,2\n", {}, "`_line`, a name that extract uses itself"),
        (b"\na,b\n1,2\n", {}, "line 1 is blank, where the header is expected"),
        (b"a,b\n1,2\n", {"skip_lines": 9}, "no header in line 10"),
        (b"a,b\n1;2\n3;4\n", {}, "none of the 2 records can be read; the first, line 2: row too short"),
        (b"a,b\n1,\xff\n", {}, "line 2: byte 7 of the file is not UTF-8"),
        (b"a,b\xe9\n1,2\n", {}, "line 1: byte 4 of the file is not UTF-8"),
        (b"a,b\n1,\x81\n", {"encoding": "cp1252"}, "line 2: byte 7 is not cp1252"),
        (b"a,b\n1,2\n3,\xc3\xa9\n", {"encoding": "ascii"}, "line 3: byte 11 is not ascii"),
        (b'a,b\n1,"x\n3,4\n5,6\n', {}, "line 2: a quote opens here and is not closed"),
        (b'a,b\n1,"x\n3,"4"\n5,6\n', {}, "line 2: a quote opens here and is not closed"),
        (b'a,b\n1,2\n"3\n4","x\n5,"6"\n', {}, "line 4: a quote opens here and is not closed"),
        (b"a,b\n1,2\n" + b"x" * 17_000_000, {}, "line 3: a record longer than 16000000 characters"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_refused_by_name(take: Take, content: bytes, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        take(content, **options)
    assert "t.csv" in caught.value.message


def test_an_unknown_encoding_is_a_fault_of_the_specification(take: Take) -> None:
    for encoding in ("latin-99", "rot13", "base64"):
        with pytest.raises(SpecError, match=encoding):
            take(b"a\n1\n", encoding=encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "utf-8-sig", "iso8859-15", "utf-32"])
def test_a_declared_encoding_is_honoured(take: Take, encoding: str) -> None:
    assert take('name,b\n"Müller\nß",é\n'.encode(encoding), encoding=encoding).texts == [("Müller\nß", "é")]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-16"])
def test_a_gzip_is_unpacked(take: Take, encoding: str) -> None:
    content = gzip.compress("a,b\n1,ä\n".encode(encoding)) + gzip.compress(
        "2,ö\n".encode(encoding.replace("16", "16-le"))
    )
    assert take(content, name="t.csv.gz", encoding=encoding).texts == [("1", "ä"), ("2", "ö")]


WHOLE = gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)


@pytest.mark.parametrize(
    "content",
    [
        WHOLE[:-9],
        WHOLE[: len(WHOLE) // 2],
        WHOLE + b"garbage",
        WHOLE[:-8] + bytes(4) + WHOLE[-4:],
        b"a,b\n1,2\n",
        WHOLE[:20] + b"\xff\xff" + WHOLE[22:],
    ],
    ids=["cut at the end", "cut in half", "garbage behind", "wrong checksum", "not packed", "flipped bits"],
)
def test_a_broken_gzip_is_refused(take: Take, content: bytes) -> None:
    with pytest.raises(DataError, match=r"t.csv.gz is not a whole gzip file"):
        take(content, name="t.csv.gz")


def test_lines_before_the_header_are_skipped(take: Take) -> None:
    got = take(b'Report "2024\n\na,b\n1,2\n3\n', skip_lines=2)
    assert got.texts == [("1", "2")] and got.lines == [4]
    assert [reject.line for reject in got.rejects] == [5]


def test_a_header_may_span_lines(take: Take) -> None:
    got = take(b'"a\nb",c\n"1\n",2\n3,4\n')
    assert got.columns == ("a\nb", "c") and got.lines == [3, 5]


def test_five_thousand_columns_are_read(take: Take) -> None:
    got = take(",".join(f"c{i}" for i in range(5000)).encode() + b"\n" + b",".join([b"1"] * 5000) + b"\n")
    assert got.texts == [("1",) * 5000]


def test_without_a_quoting_sign_a_quote_is_text(take: Take) -> None:
    assert take(b'a\tb\n1\t"x\n"\t2\n', delimiter="\t", quote="").texts == [("1", '"x'), ('"', "2")]


def test_hostile_headers_and_values_are_text(take: Take) -> None:
    header = "a\"; DROP TABLE x,${x},$path,{{7*7}},%s,😀,'"
    values = ("'; DROP--", "$path", "\u202eabc", "=1+1", "%s", "\\x00", "{{7*7}}")
    got = take(
        (
            header.replace('"', '""').replace('a""', '"a""', 1).replace(" x,", ' x",', 1) + "\n" + ",".join(values)
        ).encode()
    )
    assert got.texts == [values] and got.columns[:3] == ('a"; DROP TABLE x', "${x}", "$path")


def test_no_message_holds_a_value(take: Take) -> None:
    for content in (b'id,v\nMaria,"x\n1,"2"\n', b"Maria,Maria\n1,2\n", b"id,v\nMaria,\xff\n"):
        with pytest.raises(OncoweaveError) as caught:
            take(content, fields={} if content.startswith(b"Maria") else {"id": {"type": "identifier"}})
        assert "Maria" not in caught.value.message + caught.value.mend


def test_many_quoted_line_ends_and_bad_rows_keep_every_line(take: Take) -> None:
    body = [f'{i},"x\ny"' if i % 3 == 0 else f"{i}" if i % 7 == 0 else f"{i},z" for i in range(50_000)]
    expected, line = [], 2
    for i, text in enumerate(body):
        if i % 3 == 0 or i % 7:
            expected.append((str(i), line))
        line += 1 + text.count("\n")
    got = take(("a,b\n" + "\n".join(body)).encode())
    assert [(row[0], row[-1]) for row in got.rows] == expected
    assert len(got.rejects) == sum(1 for i in range(50_000) if i % 3 and i % 7 == 0)

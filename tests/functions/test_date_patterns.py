"""A date pattern reads exactly the dates it describes: as Python does, without the engine's liberties."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from oncoweave.engine.date_patterns import parse_date, read_at_once, read_pattern
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.expressions import Expression, Kind, KindError, column


def read(
    texts: Sequence[str], formats: Sequence[str], first_year: int | None = None
) -> list[tuple[date | None, str | None]]:
    """Date and precision of each text."""
    parsed = parse_date(column("t", Kind.TEXT), formats, first_year)
    precision = parsed.precision or exp.Literal.string("day")
    select = exp.select(exp.alias_(parsed.node, "d"), exp.alias_(precision, "p"))
    sql = to_duckdb(select) + " FROM (SELECT unnest($texts::VARCHAR[]) AS t)"
    return _engine().execute(sql, {"texts": list(texts)}).fetchall()


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def day(text: str, pattern: str, first_year: int | None = None) -> date | None:
    return read([text], [pattern], first_year)[0][0]


CASES = [
    ("14-08-1989", "%d-%m-%Y", None, date(1989, 8, 14)),
    ("4-8-1989", "%d-%m-%Y", None, date(1989, 8, 4)),
    ("  14-08-1989\t", "%d-%m-%Y", None, date(1989, 8, 14)),
    ("19890814", "%Y%m%d", None, date(1989, 8, 14)),
    (" 19890814 ", "%Y%m%d", None, date(1989, 8, 14)),
    ("14Aug1989", "%d%b%Y", None, date(1989, 8, 14)),
    ("14-AUG-1989", "%d-%b-%Y", None, date(1989, 8, 14)),
    ("aug 14, 1989", "%b %d, %Y", None, date(1989, 8, 14)),
    ("2468", "%j%y", 1900, date(1968, 1, 24)),
    ("36668", "%j%y", 1900, date(1968, 12, 31)),
    (" 168 ", "%j%y", 1900, date(1968, 1, 1)),
    ("24/1968", "%j/%Y", None, date(1968, 1, 24)),
    ("1968024", "%Y%j", None, date(1968, 1, 24)),
    ("14/08/89", "%d/%m/%y", 1930, date(1989, 8, 14)),
    ("14/08/29", "%d/%m/%y", 1930, date(2029, 8, 14)),
    ("14/08/30", "%d/%m/%y", 1930, date(1930, 8, 14)),
    ("140889", "%d%m%y", 1930, date(1989, 8, 14)),
    ("890814", "%y%m%d", 1930, date(1989, 8, 14)),
    (" 89-8-14 ", "%y-%m-%d", 1930, date(1989, 8, 14)),
    ("29/02/00", "%d/%m/%y", 2000, date(2000, 2, 29)),
    ("1900-01-01", "%Y-%m-%d", None, date(1900, 1, 1)),
    ("1000-01-01", "%Y-%m-%d", None, date(1000, 1, 1)),
    ("9999-12-31", "%Y-%m-%d", None, date(9999, 12, 31)),
]
REFUSED = [
    ("31.02.2001", "%d.%m.%Y", None),
    ("0000-00-00", "%Y-%m-%d", None),
    ("2001-13-01", "%Y-%m-%d", None),
    ("0999-12-31", "%Y-%m-%d", None),
    ("10000-01-01", "%Y-%m-%d", None),
    ("201-01-01", "%Y-%m-%d", None),
    ("19990900", "%Y%m%d", None),
    ("19999999", "%Y%m%d", None),
    ("99/99/1999", "%d/%m/%Y", None),
    ("1989814", "%Y%m%d", None),
    ("1989814 ", "%Y%m%d", None),
    (" 1989814", "%Y%m%d", None),
    ("1989814\t", "%Y%m%d", None),
    ("1989-08-14 00:00", "%Y-%m-%d", None),
    ("1989-08-14x", "%Y-%m-%d", None),
    ("4Aug1989", "%d%b%Y", None),
    ("14-August-1989", "%d-%b-%Y", None),
    ("29/02/00", "%d/%m/%y", 1900),
    ("14/08/9", "%d/%m/%y", 1930),
    ("14/08/1989", "%d/%m/%y", 1930),
    ("14/8/198", "%d/%m/%y", 1930),
    ("36669", "%j%y", 1900),
    ("36700", "%j%y", 1900),
    ("068", "%j%y", 1900),
    ("68", "%j%y", 1900),
    ("366/2001", "%j/%Y", None),
    ("0/2001", "%j/%Y", None),
    ("infinity", "%d-%m-%Y", None),
    ("-Infinity ", "%Y", None),
    ("\tepoch", "%Y", None),
    ("EPOCH", "%b %Y", None),
    ("infinity", "%Y%m%d", None),
    ("epoch", "%j%y", 1900),
    ("today", "%Y", None),
    ("+1989", "%Y", None),
    ("", "%Y", None),
    ("  ", "%Y%m", None),
    ("\uff11\uff19\uff18\uff19", "%Y", None),
]


@pytest.mark.parametrize(("text", "pattern", "first_year", "value"), CASES)
def test_date_is_read(text: str, pattern: str, first_year: int | None, value: date) -> None:
    assert day(text, pattern, first_year) == value


@pytest.mark.parametrize(("text", "pattern", "first_year"), REFUSED)
def test_text_that_is_no_such_date_is_null(text: str, pattern: str, first_year: int | None) -> None:
    assert day(text, pattern, first_year) is None


def test_precision_follows_the_pattern_that_fits() -> None:
    texts = ["14-08-1989", "08-1989", "1989", "99-99-1989", "x"]
    assert read(texts, ["%d-%m-%Y", "%m-%Y", "%Y"]) == [
        (date(1989, 8, 14), "day"),
        (date(1989, 8, 1), "month"),
        (date(1989, 1, 1), "year"),
        (None, None),
        (None, None),
    ]
    assert read(["1989"], ["%Y"]) == [(date(1989, 1, 1), "year")]
    assert read(["198908", "19890814", "8/1989"], ["%Y%m%d", "%Y%m", "%m/%Y"]) == [
        (date(1989, 8, 1), "month"),
        (date(1989, 8, 14), "day"),
        (date(1989, 8, 1), "month"),
    ]
    assert parse_date("x", ["%d-%m-%Y", "%Y%m%d"]).precision is None


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "%d",
        "%d-%m",
        "%m-%d",
        "%H:%M",
        "%d-%d-%Y",
        "%Y-%y",
        "%d/%Y",
        "%",
        "%%Y",
        "%d.%m.%YT",
        "%j-%m-%Y",
        "%d-%y-%m",
        "x",
    ],
)
def test_pattern_that_is_no_date_is_refused(pattern: str) -> None:
    with pytest.raises(KindError):
        parse_date("x", [pattern], 1900)


def test_two_digit_year_needs_its_hundred_years() -> None:
    with pytest.raises(KindError, match="first_year"):
        parse_date("x", ["%d/%m/%y"])


FOUR_DIGITS = ["%d-%m-%Y", "%Y%m%d", "%Y-%m-%d", "%m/%d/%Y", "%d %b %Y", "%d%b%Y", "%d%m%Y", "%Y%j", "%j.%Y"]
TWO_DIGITS = ["%d-%m-%y", "%y%m%d", "%m/%d/%y", "%d%b%y", "%j%y", "%y-%j"]
DAYS = st.lists(st.dates(date(1000, 1, 1), date(9999, 12, 31)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=15)
@given(days=DAYS)
def test_valid_date_comes_back(days: list[date]) -> None:
    for pattern in FOUR_DIGITS:
        texts = [d.strftime(pattern.replace("%Y", f"{d.year:04}")) for d in days]
        assert read(texts, [pattern]) == [(d, "day") for d in days]


@settings(deadline=None, max_examples=15)
@given(first_year=st.integers(1000, 9899), offsets=st.lists(st.integers(0, 36_523), min_size=1, max_size=30))
def test_valid_date_with_two_digits_comes_back_in_its_hundred_years(first_year: int, offsets: list[int]) -> None:
    days = [date.fromordinal(date(first_year, 1, 1).toordinal() + o) for o in offsets]
    for pattern in TWO_DIGITS:
        assert read([d.strftime(pattern) for d in days], [pattern], first_year) == [(d, "day") for d in days]


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(st.text("0123456789-/ .abJAN\t", max_size=11), min_size=1, max_size=50))
def test_text_is_read_as_its_shape_says_and_not_otherwise(texts: list[str]) -> None:
    for pattern in ["%d-%m-%Y", "%Y%m%d", "%Y", "%d%b%Y", "%m.%Y"]:
        for text, (value, _) in zip(texts, read(texts, [pattern]), strict=True):
            assert value == expected(text, pattern), (text, pattern)


def expected(text: str, pattern: str) -> date | None:
    """What Python makes of a text that has the pattern's shape."""
    if not re.fullmatch(read_pattern(pattern).regex, text):
        return None
    try:
        value = datetime.strptime(text.strip(), pattern).date()
    except ValueError:
        return None
    return value if value.year >= 1000 else None


def test_missing_text_has_neither_date_nor_precision() -> None:
    parsed = parse_date(Expression(Kind.TEXT, exp.Null()), ["%Y", "%d-%m-%Y"])
    assert duckdb.connect().execute("SELECT " + to_duckdb(parsed.node)).fetchall() == [(None,)]


def times(texts: Sequence[str], formats: Sequence[str], first_year: int | None = None) -> list[str]:
    """Date and time of each text as text."""
    parsed = parse_date(column("t", Kind.TEXT), formats, first_year)
    select = exp.select(exp.alias_(parsed.node, "d"), exp.alias_(parsed.time or exp.Null(), "us"))
    sql = f"SELECT d, TIME '00:00' + to_microseconds(us::BIGINT) FROM ({to_duckdb(select)}"
    rows = _engine().execute(sql + " FROM (SELECT unnest($texts::VARCHAR[]) AS t))", {"texts": list(texts)}).fetchall()
    return [f"{day} {time}" if day else "None" for day, time in rows]


TIMED = [
    ("%Y-%m-%dT%H:%M:%SZ", "2019-02-03T10:15:00Z", "2019-02-03 10:15:00"),
    ("%d.%m.%Y %H:%M", "3.2.2019 9:15", "2019-02-03 09:15:00"),
    ("%d.%m.%y %H:%M", " 03.02.19 10:15 ", "2019-02-03 10:15:00"),
    ("%Y%m%d%H%M%S", "20190203101500", "2019-02-03 10:15:00"),
    ("%Y%m%d%H%M%S", "2019020310150", "None"),
    ("%Y-%m-%d %H:%M:%S.%f", "1500-02-03 10:15:00.5", "1500-02-03 10:15:00.500000"),
    ("%Y-%m-%d %H:%M:%S.%f", "1500-02-03 10:15:00.123456789", "1500-02-03 10:15:00.123456"),
    ("%Y-%m-%d %H:%M:%S,%f", "1500-02-03 10:15:00,1234567890", "None"),
    ("%Y-%m-%dT%H:%M:%S%z", "2019-02-03T00:15:00+0130", "2019-02-02 22:45:00"),
    ("%Y-%m-%dT%H:%M:%S%z", "2019-12-31T23:15:00-02", "2020-01-01 01:15:00"),
    ("%Y-%m-%dT%H:%M:%S%z", "2019-02-03T10:15:00Z", "2019-02-03 10:15:00"),
    ("%Y-%m-%dT%H:%M:%S%z", "2019-02-03T10:15:00+15:00", "None"),
    ("%Y-%m-%dT%H:%M:%S%z", "2019-02-03T10:15:00+01:60", "None"),
    ("%Y-%m-%dT%H:%M:%S%z", "9999-12-31T23:15:00-01:00", "None"),
    ("%Y-%m-%dT%H:%M:%SZ", "infinity", "None"),
    ("%Y-%m-%dT%H:%M:%SZ", "2019-02-03", "None"),
    ("%Y-%m-%d", "2019-02-03T10:15:00Z", "None"),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), TIMED)
def test_time_is_read(pattern: str, text: str, expected: str) -> None:
    assert times([text], [pattern], 1930 if "%y" in pattern else None) == [expected]


def test_the_first_pattern_that_fits_tells_the_time() -> None:
    texts = ["20190203", "201902031015", "03.02.2019 10:15", "03.02.2019", "2019"]
    assert times(texts, ["%Y%m%d", "%Y%m%d%H%M", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y"]) == [
        "2019-02-03 None", "2019-02-03 10:15:00", "2019-02-03 10:15:00", "2019-02-03 None", "2019-01-01 None",
    ]  # fmt: skip


MOMENTS = st.lists(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=15)
@given(moments=MOMENTS)
def test_valid_moment_comes_back(moments: list[datetime]) -> None:
    for pattern in ["%Y-%m-%dT%H:%M:%S.%f", "%d%m%Y%H%M%S.%f", "%j/%Y %H:%M:%S.%f"]:
        texts = [m.strftime(pattern.replace("%Y", f"{m.year:04}")) for m in moments]
        assert times(texts, [pattern]) == [f"{m.date()} {m.time()}" for m in moments]


ISO = [
    ("2015-03-01", "2015-03-01", None),
    ("2015-03-01T09:05:07Z", "2015-03-01", "09:05:07"),
    ("2015-03-01T09:05:07", "2015-03-01", "09:05:07"),
    ("2015-03-01 09:05:07", "2015-03-01", "09:05:07"),
    ("2015-03-01T09:05", "2015-03-01", "09:05:00"),
    ("2015-03-01T09:05Z", "2015-03-01", "09:05:00"),
    ("2015-03-01T09:05:07.25Z", "2015-03-01", "09:05:07.250000"),
    ("2015-03-01T09:05:07.123456789", "2015-03-01", "09:05:07.123456"),
    ("2015-03-01T01:05:07+02:00", "2015-02-28", "23:05:07"),
    ("2015-03-01T23:05:07.5-0130", "2015-03-02", "00:35:07.500000"),
    ("2015-03-01 09:05:07.001+00", "2015-03-01", "09:05:07.001000"),
    (" 2015-03-01T09:05 ", "2015-03-01", "09:05:00"),
]
NO_ISO = [
    "2015-02-29", "2015-02-29T09:05:07Z", "2015-03-01T24:00:00Z", "2015-03-01T09:60", "2015-03-01T09:05:60Z", "2015-03-01T9",
    "2015-03-01T", "2015-03-01TZ", "01.03.2015", "2015-03-01T09:05:07.Z", "2015-03-01T09:05:07+15:00", "2015-03-01T09:05:07 UTC",
    "0999-03-01T09:05:07", "9999-12-31T23:59:59-01:00", "2015", "2015-03", "x", "infinity", "epoch", "09:05:07",
]  # fmt: skip


def test_iso_8601_reads_days_and_moments_in_every_common_writing_and_nothing_else() -> None:
    texts = [*(text for text, _, _ in ISO), *NO_ISO]
    parsed = parse_date(column("t", Kind.TEXT), ["ISO 8601"])
    assert parsed.time is not None and parsed.precision is None
    time = to_duckdb(exp.select(exp.alias_(parsed.node, "d"), exp.alias_(parsed.time, "u")))
    sql = f"SELECT CAST(d AS VARCHAR), u FROM ({time} FROM (SELECT unnest($texts::VARCHAR[]) AS t))"
    found = _engine().execute(sql, {"texts": texts}).fetchall()
    times = [
        (day, None if u is None else (datetime.min + timedelta(microseconds=u)).time().isoformat()) for day, u in found
    ]
    assert times[: len(ISO)] == [(day, time) for _, day, time in ISO]
    assert [day for day, _ in times[len(ISO) :]] == [None] * len(NO_ISO)


AT_ONCE = [
    ["ISO 8601"],
    ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"],
    ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"],
    ["%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y", "%Y-%m", "%Y"],
    ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S%z"],
]
NOT_AT_ONCE = [
    ["%Y-%m-%d"],
    ["%Y%m%d%H%M"],
    ["%Y-%m-%dT%H:%M:%S.%f"],
    ["%Y-%m-%d %H", "%Y-%m-%d"],
    ["%Y-%m-%d", "%Y%m%d %H:%M", "%d:%m:%Y"],
]
STRANGE = [
    None,
    "",
    " ",
    "infinity",
    "-epoch",
    "0999-12-31T23:59:59Z",
    "1000-01-01T00:00:00Z",
    "2015-3-1",
    "01.03.2015",
    "2015-03",
    "9999-12-31",
]


@pytest.mark.parametrize("formats", AT_ONCE, ids=" ".join)
def test_day_and_time_that_are_read_at_once_are_those_that_are_read_one_by_one(formats: list[str]) -> None:
    text = column("t", Kind.TEXT)
    moment = read_at_once(text, formats)
    assert moment is not None
    one_by_one, at_once = parse_date(text, formats), parse_date(text, formats, moment=column("m", Kind.INTEGER))
    nodes = [
        n
        for d in (one_by_one, at_once)
        for n in (d.node, d.time, d.precision or exp.Literal.string("day"))
        if n is not None
    ]
    assert len(nodes) == 6
    read_ = to_duckdb(exp.select("t", exp.alias_(moment.node, "m"))) + " FROM (SELECT unnest($texts::VARCHAR[]) AS t)"
    sql = to_duckdb(exp.select(*(exp.alias_(node, f"n{number}") for number, node in enumerate(nodes))))
    texts = [*STRANGE, *(text_ for text_, _, _ in ISO), *NO_ISO]
    found = _engine().execute(f"{sql} FROM ({read_})", {"texts": texts}).fetchall()
    assert [row[3] for row in found] == [row[0] for row in found]
    assert [row[3:] for row in found if row[0]] == [
        row[:3] for row in found if row[0]
    ]  # without a day, a time means nothing
    assert any(row[0] and row[1] for row in found)


@pytest.mark.parametrize("formats", NOT_AT_ONCE, ids=" ".join)
def test_what_cannot_be_read_at_once_is_not(formats: list[str]) -> None:
    assert read_at_once("x", formats) is None

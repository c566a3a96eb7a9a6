"""Functions of the catalogue that no mapping calls: keyed hashes, and the reading of dates and times by pattern."""

from __future__ import annotations

from datetime import date

from oncoweave.engine.expressions import Kind
from oncoweave.engine.signatures import Function, Slot

TEXT, INTEGER, NUMBER, DATE, BOOLEAN = Kind
SAME, QUANTITY, ANY, PATTERN, WORD, WHOLE = Slot

# Dates and times
read_date = Function(
    "read_date", (TEXT, WORD), DATE,
    # DuckDB reads 'infinity' and 'epoch' as 1900-01-01 under every pattern, hence the look at the text. A year below
    # 1000 gives a negative number of days, which is no unsigned one. The reading is named once: CASE computes it again.
    "CASE WHEN ({0} >= '0' AND {0} < ':') OR NOT regexp_matches({0}, '(?i)^\\s*-?(epoch|infinity)\\s*$') THEN "
    "DATE '1000-01-01' + CAST(TRY_CAST(CAST(try_strptime({0}, [{1*}]) AS DATE) - DATE '1000-01-01' AS UINTEGER) AS INTEGER) END",
    "The date that a text holds in the first pattern that fits; use `date_patterns.parse_date`.",
    ((("5.3.2001", "%d.%m.%Y"), date(2001, 3, 5)), (("31.02.2001", "%d.%m.%Y"), None), (("epoch", "%Y"), None),
     ((" 3.2001 ", "%d.%m.%Y", "%m.%Y"), date(2001, 3, 1)), (("1.1.1900", "%d.%m.%Y"), date(1900, 1, 1))),
    variadic=True, internal=True,
)  # fmt: skip
read_time = Function(
    "read_time", (TEXT, WORD), INTEGER,
    "epoch_us(TRY_CAST(try_strptime({0}, [{1*}]) AS TIME))",
    "The microseconds of the day that a text holds in the first pattern that fits; use `date_patterns.parse_date`.",
    ((("5.3.2001 0:01", "%d.%m.%Y %H:%M"), 60_000_000), (("24:00", "%H:%M"), None)),
    variadic=True, internal=True,
)  # fmt: skip
read_moment = Function(
    "read_moment", (TEXT, WORD), INTEGER,
    "CASE WHEN ({0} >= '0' AND {0} < ':') OR NOT regexp_matches({0}, '(?i)^\\s*-?(epoch|infinity)\\s*$') THEN "
    "epoch_us(try_strptime({0}, [{1*}])) END",
    "The microseconds from 1970 to the day and time that a text holds in the first pattern that fits.",
    ((("2.1.1970 0:01", "%d.%m.%Y %H:%M"), 86_460_000_000), (("infinity", "%d.%m.%Y %H:%M"), None)),
    variadic=True, internal=True,
)  # fmt: skip
moment_date = Function(
    "moment_date", (INTEGER,), DATE,
    "CASE WHEN {0} BETWEEN -30610224000000000 AND 253402300799999999 THEN CAST(make_timestamp({0}) AS DATE) END",
    "The day of what `read_moment` read; years below 1000 and above 9999 are none.",
    (((86_460_000_000,), date(1970, 1, 2)), ((-30_610_224_000_000_000,), date(1000, 1, 1)), ((-30_610_224_000_000_001,), None)),
    internal=True,
)  # fmt: skip
moment_time = Function(
    "moment_time", (INTEGER,), INTEGER, "({0} % 86400000000 + 86400000000) % 86400000000",
    "The microseconds of the day of what `read_moment` read.",
    (((86_460_000_000,), 60_000_000), ((-1,), 86_399_999_999)), internal=True,
)  # fmt: skip
_TWO = "[0-9][0-9]"  # in a template, a number in braces stands for an argument
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_ISO = (
    rf"^\s*([0-9]+-{_TWO}-{_TWO}[T ]{_CLOCK})(:[0-5][0-9](?:[.][0-9]{{1,9}})?)? ?"
    r"(Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?\s*$"
)
_PARTS = [f"regexp_extract({{0}}, '{_ISO}', {n})" for n in (1, 2, 3)]
_MOMENT = (
    f"make_timestamp(epoch_us(TRY_CAST({_PARTS[0]} || coalesce(nullif({_PARTS[1]}, ''), ':00') "
    f"|| coalesce(nullif({_PARTS[2]}, ''), 'Z') AS TIMESTAMPTZ)))"
)
"""A day with its time as ISO 8601 has it, in UTC: T or a blank, seconds, their fraction and the offset may be missing."""
day_of_moment = Function(
    "day_of_moment", (TEXT,), DATE,
    f"TRY_CAST(nullif(regexp_extract(CAST({_MOMENT} AS VARCHAR), '^([1-9][0-9]{_TWO}-{_TWO}-{_TWO}) ', 1), '') AS DATE)",
    "The day in UTC of a day with its time, as ISO 8601 has it; use `date_patterns.parse_date`.",
    ((("2001-03-05T01:00:00.5+02:00",), date(2001, 3, 4)), (("2001-03-05 01:00",), date(2001, 3, 5)), (("2001-03-05",), None)),
    internal=True,
)  # fmt: skip
time_of_moment = Function(
    "time_of_moment", (TEXT,), INTEGER, f"epoch_us(CAST({_MOMENT} AS TIME))",
    "The microseconds of the day in UTC, of a day with its time as ISO 8601 has it; use `date_patterns.parse_date`.",
    ((("2001-03-05T01:00:00.5+02:00",), 82_800_500_000), (("2001-03-05 00:01",), 60_000_000), (("2001-03-05T24:00:00Z",), None)),
    internal=True,
)  # fmt: skip
offset_minutes = Function(
    "offset_minutes", (TEXT,), INTEGER,
    "CASE WHEN {0} = 'Z' THEN 0 ELSE TRY(TRY_CAST(left({0}, 1) || '1' AS BIGINT) * (TRY_CAST(substring({0}, 2, 2) AS BIGINT) * 60 "
    "+ coalesce(TRY_CAST(substring(replace({0}, ':', ''), 4) AS BIGINT), 0))) END",
    "How many minutes the clock of a text such as +01:00, -0130, +02 or Z is before UTC.",
    ((("+01:00",), 60), (("-0130",), -90), (("+02",), 120), (("Z",), 0)), internal=True,
)  # fmt: skip
beginning = Function(
    "beginning", (TEXT, WHOLE), TEXT, "left({0}, {1})", "The first characters.", ((("abc", 2), "ab"),), internal=True
)
ending = Function(
    "ending", (TEXT, WHOLE), TEXT, "right({0}, {1})", "The last characters.", ((("abc", 2), "bc"),), internal=True
)
without_ending = Function(
    "without_ending", (TEXT, WHOLE), TEXT, "left({0}, -{1})", "All but the last characters.", ((("abc", 2), "a"),),
    internal=True,
)  # fmt: skip

# Identity
hmac63 = Function(
    "hmac63", (TEXT, TEXT, TEXT), INTEGER,
    "CAST(CAST('0x' || substring(sha256({2} || unhex(sha256({1} || encode({0})))), 1, 16) AS UBIGINT) >> 1 AS BIGINT)",
    "First 63 bits of the HMAC-SHA256 of a text; the key comes as its two padded blocks (parameters).", internal=True,
)  # fmt: skip
keyed63 = Function(
    "keyed63", (TEXT, TEXT), INTEGER,
    "CAST(CAST('0x' || left(sha256({1} || encode({0})), 16) AS UBIGINT) >> 1 AS BIGINT)",
    "First 63 bits of the SHA-256 of a secret of 16 bytes (a parameter) and a text.", internal=True,
)  # fmt: skip
sha256_63 = Function(
    "sha256_63", (TEXT,), INTEGER, "CAST(CAST('0x' || substring(sha256({0}), 1, 16) AS UBIGINT) >> 1 AS BIGINT)",
    "First 63 bits of the SHA-256 of a text.", internal=True,
)  # fmt: skip
xor = Function(
    "xor", (INTEGER, INTEGER), INTEGER, "xor({0}, {1})", "Bitwise exclusive or.", (((6, 3), 5),), internal=True
)

INTERNAL: tuple[Function, ...] = (
    read_date, read_time, read_moment, moment_date, moment_time, day_of_moment, time_of_moment, offset_minutes, beginning, ending, without_ending, hmac63, keyed63, sha256_63, xor,
)  # fmt: skip

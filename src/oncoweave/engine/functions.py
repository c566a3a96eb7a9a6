"""The function catalogue: closed, typed, about sixty functions, one template per engine.

Everything a mapping or a transform can compute is composed of these, so that kinds are checked when the plan is
built, and every engine gives the same answer. The templates avoid what engines do differently (ENGINE notes):
casts of text are guarded, division is in doubles, dates stay dates, sums go through decimals. A value that cannot
be computed (overflow, 31 February) is NULL, never an error. The examples run as conformance tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from oncoweave.engine.expressions import Kind
from oncoweave.engine.internal_functions import INTERNAL
from oncoweave.engine.signatures import Function, Slot

TEXT, INTEGER, NUMBER, DATE, BOOLEAN = Kind
SAME, QUANTITY, ANY, PATTERN, WORD, WHOLE = Slot

# Text
trim = Function("trim", (TEXT,), TEXT, "trim({0})", "Without surrounding blanks.", (((" a b ",), "a b"),))
trimmed = Function(
    "trimmed", (TEXT,), TEXT,
    "CASE WHEN {0} >= '!' AND strlen({0}) = length({0}) AND NOT suffix({0}, ' ') THEN {0} ELSE trim({0}) END",
    "`trim` of a field: a tenth of the cost for a text of ASCII that has no blanks around, as nearly all have.",
    (((" a b ",), "a b"), (("a",), "a"), (("",), ""), (("é ",), "é"), (("a\u00a0",), "a"), (("\ta",), "\ta")), internal=True,
)  # fmt: skip
upper = Function(
    "upper", (TEXT,), TEXT, "CASE WHEN strlen({0}) = length({0}) THEN upper({0}) ELSE translate({0}, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') END",
    "The letters a-z as capitals; other letters stay, so that every engine agrees.",
    ((("c50ß",), "C50ß"), (("c50",), "C50")),
)  # fmt: skip
lower = Function(
    "lower", (TEXT,), TEXT, "CASE WHEN strlen({0}) = length({0}) THEN lower({0}) ELSE translate({0}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') END",
    "The letters A-Z as small letters; other letters stay.", ((("ÉA",), "Éa"),),
)  # fmt: skip
length = Function("length", (TEXT,), INTEGER, "length({0})", "Number of characters.", ((("abc",), 3), (("é",), 1)))
substring = Function(
    "substring", (TEXT, INTEGER, INTEGER), TEXT,
    "substring({0}, least(greatest({1}, 1), 1000000), least(greatest({2}, 0), 1000000))",
    "`length` characters from position `start`, which counts from 1.",
    ((("8500/3", 1, 4), "8500"), (("abc", 2, 9), "bc"), (("abc", 0, 2), "ab")),
)  # fmt: skip
replace = Function(
    "replace", (TEXT, TEXT, TEXT), TEXT, "replace({0}, {1}, {2})", "Every occurrence of a text replaced by another.",
    ((("a.b.c", ".", ""), "abc"),),
)  # fmt: skip
replace_pattern = Function(
    "replace_pattern", (TEXT, PATTERN, WORD), TEXT, "regexp_replace({0}, {1}, {2}, 'g')",
    "Every match of a regular expression replaced.", ((("a  b   c", " +", " "), "a b c"),),
)  # fmt: skip
concat = Function(
    "concat", (TEXT,), TEXT, "({* || })", "The texts joined; NULL if one is NULL.",
    ((("a", "b"), "ab"), (("a", None), None)), variadic=True,
)  # fmt: skip
matches = Function(
    "matches", (TEXT, PATTERN), BOOLEAN, "regexp_full_match({0}, {1})", "Whether the whole text matches a regular expression.",
    ((("C50", "C[0-9]+"), True), (("xC50", "C[0-9]+"), False)),
)  # fmt: skip
contains = Function(
    "contains", (TEXT, TEXT), BOOLEAN, "contains({0}, {1})", "Whether a text holds another, to the letter.",
    ((("pT1", "T"), True), (("pT1", "t"), False)),
)  # fmt: skip
starts_with = Function(
    "starts_with",
    (TEXT, TEXT),
    BOOLEAN,
    "starts_with({0}, {1})",
    "Whether a text starts with another.",
    ((("C50", "C"), True),),
)
extract = Function(
    "extract", (TEXT, PATTERN, WHOLE), TEXT, "nullif(regexp_extract({0}, {1}, {2}), '')",
    "The part of a text that a group of a regular expression matches (group 0: the whole match); NULL without a match.",
    ((("8500/3", "/([0-9])", 1), "3"), (("8500", "/([0-9])", 1), None)), defaults=(0,),
)  # fmt: skip
split_part = Function(
    "split_part", (TEXT, TEXT, INTEGER), TEXT, "nullif(split_part({0}, {1}, greatest({2}, 1)), '')",
    "The n-th part (from 1) of a text cut at a separator; NULL if there is none.",
    ((("20-50", "-", 2), "50"), (("20", "-", 2), None)),
)  # fmt: skip
pad_left = Function(
    "pad_left", (TEXT, WHOLE, WORD), TEXT, "CASE WHEN length({0}) < {1} THEN lpad({0}, {1}, {2}) ELSE {0} END",
    "Filled up on the left to a length; never cut.", ((("7", 3, "0"), "007"), (("1234", 3, "0"), "1234")),
)  # fmt: skip

# Numbers
add = Function("add", (QUANTITY, QUANTITY), QUANTITY, "TRY({0} + {1})", "Sum; NULL on overflow.", (((2, 3), 5),))
subtract = Function("subtract", (QUANTITY, QUANTITY), QUANTITY, "TRY({0} - {1})", "Difference.", (((2, 3), -1),))
multiply = Function(
    "multiply",
    (QUANTITY, QUANTITY),
    QUANTITY,
    "TRY({0} * {1})",
    "Product; NULL on overflow.",
    (((2, 3), 6), ((2**62, 4), None)),
)
divide = Function(
    "divide", (NUMBER, NUMBER), NUMBER, "({0} / nullif({1}, 0))", "Quotient, never cut to whole; NULL when dividing by zero.",
    (((1, 2), 0.5), ((1, 0), None)),
)  # fmt: skip
negate = Function("negate", (QUANTITY,), QUANTITY, "TRY(-{0})", "The opposite number.", (((2,), -2),))
whole_quotient = Function(
    "whole_quotient",
    (INTEGER, INTEGER),
    INTEGER,
    "TRY({0} // nullif({1}, 0))",
    "How often the second goes into the first.",
    (((7, 2), 3),),
)
remainder = Function(
    "remainder",
    (INTEGER, INTEGER),
    INTEGER,
    "TRY({0} % nullif({1}, 0))",
    "What is left after dividing.",
    (((7, 2), 1),),
)
round_ = Function(
    "round", (NUMBER,), INTEGER, "TRY_CAST(round({0}) AS BIGINT)", "Nearest whole number; halves away from zero.",
    (((1.5,), 2), ((2.5,), 3), ((-2.5,), -3)),
)  # fmt: skip
floor = Function(
    "floor", (NUMBER,), INTEGER, "TRY_CAST(floor({0}) AS BIGINT)", "Largest whole number below.", (((-1.5,), -2),)
)
ceiling = Function(
    "ceiling", (NUMBER,), INTEGER, "TRY_CAST(ceil({0}) AS BIGINT)", "Smallest whole number above.", (((1.2,), 2),)
)
round_to = Function(
    "round_to", (NUMBER, WHOLE), NUMBER, "round({0}, {1})", "Rounded to so many decimals.", (((1.25, 1), 1.3),)
)
significant = Function(
    "significant", (NUMBER,), NUMBER,
    "coalesce(round({0}, 11 - TRY_CAST(floor(log10(nullif(abs({0}), 0))) AS INTEGER)), CASE WHEN {0} = 0 THEN 0.0 END)",
    "Rounded to 12 significant digits; NULL for what is no finite number.",
    (((1.8000000000000003,), 1.8), ((0.0,), 0.0), ((-123456789012345.0,), -123456789012000.0)), internal=True,
)  # fmt: skip
absolute = Function("absolute", (QUANTITY,), QUANTITY, "TRY(abs({0}))", "Without its sign.", (((-2,), 2),))
to_integer = Function(
    "to_integer", (TEXT,), INTEGER, "CASE WHEN regexp_full_match({0}, ' *[+-]?[0-9]+ *') THEN TRY_CAST({0} AS BIGINT) END",
    "The whole number that a text holds in plain digits; anything else is NULL ('12.345', '1e3', '0x1F', '1_000').",
    ((("007",), 7), ((" -5 ",), -5), (("12.345",), None), (("1e3",), None), (("0x1F",), None), (("1_000",), None)),
)  # fmt: skip
to_number = Function(
    "to_number", (TEXT,), NUMBER, "CASE WHEN isfinite(TRY_CAST({0} AS DOUBLE)) AND NOT contains({0}, '_') THEN TRY_CAST({0} AS DOUBLE) END",
    "The number that a text holds, with a decimal point; 'inf' and 'nan' are NULL.",
    ((("1.5",), 1.5), (("1e3",), 1000.0), (("inf",), None), (("nan",), None), (("1_000",), None), (("1,5",), None)),
)  # fmt: skip
to_text = Function(
    "to_text", (SAME,), TEXT, "CAST({0} AS VARCHAR)", "As text.", (((7,), "7"), ((date(2001, 1, 31),), "2001-01-31"))
)

# Conditions; the operators of the mapping language compile to these, and logic is three-valued
equal = Function(
    "equal",
    (SAME, SAME),
    BOOLEAN,
    "({0} = {1})",
    "Whether two values are equal.",
    (((1, 1), True), ((1, None), None)),
    internal=True,
)
unequal = Function(
    "unequal", (SAME, SAME), BOOLEAN, "({0} <> {1})", "Whether two values differ.", (((1, 1), False),), internal=True
)
less = Function(
    "less", (SAME, SAME), BOOLEAN, "({0} < {1})", "Whether the first is smaller.", (((1, 2), True),), internal=True
)
at_most = Function(
    "at_most",
    (SAME, SAME),
    BOOLEAN,
    "({0} <= {1})",
    "Whether the first is not larger.",
    (((2, 2), True),),
    internal=True,
)
more = Function(
    "more", (SAME, SAME), BOOLEAN, "({0} > {1})", "Whether the first is larger.", (((1, 2), False),), internal=True
)
at_least = Function(
    "at_least",
    (SAME, SAME),
    BOOLEAN,
    "({0} >= {1})",
    "Whether the first is not smaller.",
    (((2, 2), True),),
    internal=True,
)
between = Function(
    "between", (SAME, SAME, SAME), BOOLEAN, "({0} BETWEEN {1} AND {2})", "Whether a value lies in a range, its ends included.",
    (((1, 1, 2), True),), internal=True,
)  # fmt: skip
is_in = Function(
    "is_in",
    (SAME, SAME),
    BOOLEAN,
    "({0} IN ({1*}))",
    "Whether a value is one of several.",
    ((("a", "b", "a"), True),),
    variadic=True,
    internal=True,
)
is_null = Function(
    "is_null", (ANY,), BOOLEAN, "({0} IS NULL)", "Whether a value is missing.", (((None,), True),), internal=True
)
is_filled = Function(
    "is_filled", (ANY,), BOOLEAN, "({0} IS NOT NULL)", "Whether there is a value.", ((("",), True),), internal=True
)
both = Function(
    "and",
    (BOOLEAN, BOOLEAN),
    BOOLEAN,
    "({* AND })",
    "Whether all conditions hold.",
    (((True, None), None),),
    variadic=True,
    internal=True,
)
either = Function(
    "or",
    (BOOLEAN, BOOLEAN),
    BOOLEAN,
    "({* OR })",
    "Whether one condition holds.",
    (((True, None), True),),
    variadic=True,
    internal=True,
)
negation = Function(
    "not",
    (BOOLEAN,),
    BOOLEAN,
    "(NOT {0})",
    "Whether a condition fails.",
    (((False,), True), ((None,), None)),
    internal=True,
)

# Choice
coalesce = Function(
    "coalesce", (SAME,), SAME, "coalesce({0*})", "The first that is not NULL.", (((None, "a", "b"), "a"),),
    variadic=True, precision="chosen",
)  # fmt: skip
null_if = Function(
    "null_if", (SAME, SAME), SAME, "nullif({0}, {1})", "NULL where the two are equal, else the first.",
    ((("9", "9"), None), (("1", "9"), "1")), precision="kept",
)  # fmt: skip
when = Function(
    "when", (BOOLEAN, SAME, SAME), SAME, "CASE WHEN {0} THEN {1} ELSE {2} END",
    "The second where the condition is true, the third where it is false or NULL.",
    (((True, 1, 2), 1), ((None, 1, 2), 2)), precision="chosen", internal=True,
)  # fmt: skip
least = Function(
    "least",
    (SAME,),
    SAME,
    "least({0*})",
    "The smallest; NULLs are passed over.",
    (((3, None, 2), 2),),
    variadic=True,
    precision="chosen",
)
greatest = Function(
    "greatest", (SAME,), SAME, "greatest({0*})", "The largest; NULLs are passed over.", (((3, None, 2), 3),), variadic=True,
    precision="chosen",
)  # fmt: skip

# Dates
make_date = Function(
    "make_date", (INTEGER, INTEGER, INTEGER), DATE,
    "CASE WHEN {0} BETWEEN 1000 AND 9999 AND {1} BETWEEN 1 AND 12 AND {2} BETWEEN 1 AND 31 THEN TRY(make_date({0}, {1}, {2})) END",
    "The date of a year, month and day; NULL if there is no such day.",
    (((2000, 2, 29), date(2000, 2, 29)), ((1900, 2, 29), None), ((2001, 13, 1), None)),
)  # fmt: skip
year = Function("year", (DATE,), INTEGER, "year({0})", "Year of a date.", (((date(2001, 1, 31),), 2001),))
month = Function(
    "month",
    (DATE,),
    INTEGER,
    "month({0})",
    "Month of a date; NULL if only the year is known.",
    (((date(2001, 1, 31),), 1),),
    needs="month",
)
day = Function(
    "day",
    (DATE,),
    INTEGER,
    "day({0})",
    "Day of a date; NULL if it is not known to the day.",
    (((date(2001, 1, 31),), 31),),
    needs="day",
)
add_days = Function(
    "add_days", (DATE, INTEGER), DATE, "TRY(CAST({0} + to_days(CAST({1} AS INTEGER)) AS DATE))",
    "So many days later; as precise as the date.", (((date(2000, 2, 28), 2), date(2000, 3, 1)),), precision="kept",
)  # fmt: skip
add_months = Function(
    "add_months", (DATE, INTEGER), DATE, "TRY(CAST({0} + to_months(CAST({1} AS INTEGER)) AS DATE))",
    "So many months later; the result is known to the month at best.", (((date(2001, 1, 31), 1), date(2001, 2, 1)),), precision="month",
)  # fmt: skip
add_years = Function(
    "add_years", (DATE, INTEGER), DATE, "TRY(CAST({0} + to_years(CAST({1} AS INTEGER)) AS DATE))",
    "So many years later; the result is known to the year.", (((date(2001, 1, 31), -1), date(2000, 1, 1)),), precision="year",
)  # fmt: skip
days_between = Function(
    "days_between", (DATE, DATE), INTEGER, "date_diff('day', {0}, {1})", "Days from the first date to the second.",
    (((date(2000, 2, 28), date(2000, 3, 1)), 2),),
)  # fmt: skip
months_between = Function(
    "months_between", (DATE, DATE), INTEGER, "date_diff('month', {0}, {1})",
    "Calendar months from the first date's month to the second's; the days do not count.",
    (((date(2000, 1, 31), date(2000, 2, 1)), 1),),
)  # fmt: skip
years_between = Function(
    "years_between", (DATE, DATE), INTEGER, "date_sub('year', {0}, {1})", "Full years from the first date to the second: an age.",
    (((date(2000, 2, 28), date(2001, 2, 27)), 0), ((date(2000, 2, 28), date(2001, 2, 28)), 1)),
)  # fmt: skip
floor_date = Function(
    "floor_date", (DATE, TEXT), DATE, "CAST(date_trunc({1}, {0}) AS DATE)", "First day of the 'month' or 'year'.",
    (((date(2001, 5, 17), "month"), date(2001, 5, 1)),), internal=True,
)  # fmt: skip

# Aggregates
minimum = Function("min", (SAME,), SAME, "min({0})", "The smallest of a group.", aggregate=True, precision="aggregated")
maximum = Function("max", (SAME,), SAME, "max({0})", "The largest of a group.", aggregate=True, precision="aggregated")
sum_ = Function(
    "sum", (NUMBER,), NUMBER, "CAST(sum(TRY_CAST({0} AS DECIMAL(28, 9))) AS DOUBLE)",
    "Sum over a group, to nine decimals: added as decimals, so that the order of the rows does not matter.", aggregate=True,
)  # fmt: skip
count = Function("count", (SAME,), INTEGER, "count({0})", "How many of a group are not NULL.", aggregate=True)
any_ = Function("any", (BOOLEAN,), BOOLEAN, "bool_or({0})", "Whether it holds for a row of the group.", aggregate=True)
all_ = Function(
    "all",
    (BOOLEAN,),
    BOOLEAN,
    "bool_and({0})",
    "Whether it holds for all rows of the group that say so.",
    aggregate=True,
)
first = Function(
    "first", (SAME, ANY), SAME, "first({0} ORDER BY {1* NULLS LAST}, {0}) FILTER (WHERE {0} IS NOT NULL)",
    "The first filled value of a group, in the order of the rule.", aggregate=True, variadic=True, precision="aggregated",
)  # fmt: skip
last = Function(
    "last", (SAME, ANY), SAME, "first({0} ORDER BY {1* DESC NULLS LAST}, {0}) FILTER (WHERE {0} IS NOT NULL)",
    "The last filled value of a group, in the order of the rule.", aggregate=True, variadic=True, precision="aggregated",
)  # fmt: skip
only = Function(
    "only", (SAME,), SAME, "CASE WHEN min({0}) = max({0}) THEN min({0}) END", "The one value of a group; NULL if rows differ or none is filled.",
    aggregate=True, precision="aggregated",
)  # fmt: skip

of_first_row = Function(
    "of_first_row", (SAME, ANY, ANY), SAME, "first({0} ORDER BY {2* NULLS LAST}, {1}, {0}) FILTER (WHERE {1} IS NOT NULL)",
    "What the row tells whose filled second value `first` chooses.", aggregate=True, variadic=True, internal=True,
)  # fmt: skip
of_last_row = Function(
    "of_last_row", (SAME, ANY, ANY), SAME, "first({0} ORDER BY {2* DESC NULLS LAST}, {1}, {0}) FILTER (WHERE {1} IS NOT NULL)",
    "What the row tells whose filled second value `last` chooses.", aggregate=True, variadic=True, internal=True,
)  # fmt: skip

_ALL = (
    trim, trimmed, upper, lower, length, substring, replace, replace_pattern, concat, matches, contains, starts_with,
    extract, split_part, pad_left, add, subtract, multiply, divide, negate, whole_quotient, remainder, round_,
    floor, ceiling, round_to, significant, absolute, to_integer, to_number, to_text, equal, unequal, less, at_most, more,
    at_least, between, is_in, is_null, is_filled, both, either, negation, coalesce, null_if, when, least,
    greatest, make_date, year, month, day, add_days, add_months, add_years, days_between, months_between,
    years_between, floor_date, minimum, maximum, sum_, count, any_, all_, first, last, only,
    of_first_row, of_last_row, *INTERNAL,
)  # fmt: skip
CATALOGUE: Mapping[str, Function] = MappingProxyType({f.name: f for f in _ALL})


def escape_pattern(text: str) -> str:
    """The regular expression that matches this text and no other."""
    return re.escape(text)

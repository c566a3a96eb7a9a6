"""Date patterns: how a source writes its dates, compiled to expressions that are exact and fast.

A pattern is made of %d %m %Y %y %j %b and separators. Where two parts touch (`%Y%m%d`) every part has its full
width, except the day of the year; where signs separate all parts, day and month may have one digit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlglot import exp

from oncoweave.engine.expressions import Expression, Kind, KindError, Value, lift
from oncoweave.engine.signatures import Function, Slot

Precision = Literal["day", "month", "year"]

_PRECISIONS: dict[frozenset[str], Precision] = {
    frozenset("dmY"): "day",
    frozenset("dbY"): "day",
    frozenset("jY"): "day",
    frozenset("mY"): "month",
    frozenset("bY"): "month",
    frozenset("Y"): "year",
}
_WIDTHS = {"d": "[0-9]{2}", "m": "[0-9]{2}", "y": "[0-9]{2}", "Y": "[0-9]{4}", "j": "[0-9]{1,3}", "b": "[A-Za-z]{3}"}
_TOKEN = re.compile(r"%(.?)|([^%])", re.DOTALL)

# DuckDB reads 'infinity' and 'epoch' as 1900-01-01 under every pattern: hence the look at the text of that day.
_READ = "try_strptime({0}, {1})"
_SANE = f"{_READ} >= TIMESTAMP '1000-01-01' AND ({_READ} <> TIMESTAMP '1900-01-01' OR contains({{0}}, '1900'))"
_SHIFT = f"({{3}} + (year({_READ}) - {{3}} + 10000) % 100 - year({_READ}))"
_SHIFTED = f"CAST({_READ} + to_years(CAST({_SHIFT} AS INTEGER)) AS DATE)"
_YY = "TRY_CAST(regexp_extract({0}, {1}, {2}) AS INTEGER)"
_YEAR = f"(CASE WHEN {{4}} > 0 THEN {{4}} + ({_YY} - {{4}} + 10000) % 100 ELSE {_YY} END)"
_NTH_DAY = f"(make_date({_YEAR}, 1, 1) + TRY_CAST(regexp_extract({{0}}, {{1}}, {{3}}) AS INTEGER) - 1)"

read_date = Function(
    "read_date", (Kind.TEXT, Slot.WORD), Kind.DATE,
    f"CASE WHEN {_SANE} THEN CAST({_READ} AS DATE) END",
    "The date written in a pattern whose parts are separated.",
    ((("5.3.2001", "%d.%m.%Y"), date(2001, 3, 5)), (("31.02.2001", "%d.%m.%Y"), None), (("epoch", "%Y"), None)),
    internal=True,
)  # fmt: skip
read_fixed_date = Function(
    "read_fixed_date", (Kind.TEXT, Slot.WORD, Slot.PATTERN), Kind.DATE,
    f"CASE WHEN regexp_full_match({{0}}, {{2}}) AND {_READ} >= TIMESTAMP '1000-01-01' THEN CAST({_READ} AS DATE) END",
    "The date written in a pattern of fixed width.",
    ((("20010305", "%Y%m%d", "[0-9]{8}"), date(2001, 3, 5)), (("2001035", "%Y%m%d", "[0-9]{8}"), None)),
    internal=True,
)  # fmt: skip
read_short_date = Function(
    "read_short_date", (Kind.TEXT, Slot.WORD, Slot.PATTERN, Slot.WHOLE), Kind.DATE,
    f"CASE WHEN regexp_full_match({{0}}, {{2}}) AND day({_SHIFTED}) = day({_READ}) THEN {_SHIFTED} END",
    "The date written with a two-digit year, within the hundred years from a first year.",
    ((("05/03/68", "%d/%m/%y", ".{8}", 1900), date(1968, 3, 5)), (("29/02/00", "%d/%m/%y", ".{8}", 1900), None)),
    internal=True,
)  # fmt: skip
read_day_of_year = Function(
    "read_day_of_year", (Kind.TEXT, Slot.PATTERN, Slot.WHOLE, Slot.WHOLE, Slot.WHOLE), Kind.DATE,
    f"CASE WHEN regexp_full_match({{0}}, {{1}}) AND {_YEAR} >= 1000 AND year({_NTH_DAY}) = {_YEAR} THEN {_NTH_DAY} END",
    "The date written as a year and the day in it: the groups of the year and of the day, and the first year or 0.",
    ((("2468", "([0-9]{1,3})([0-9]{2})", 2, 1, 1900), date(1968, 1, 24)), (("36601", "(...)(..)", 2, 1, 1900), None)),
    internal=True,
)  # fmt: skip


@dataclass(frozen=True)
class DatePattern:
    """A pattern taken apart: its letters in order, and whether its parts touch."""

    text: str
    letters: str
    touching: bool

    @property
    def precision(self) -> Precision:
        """How precisely the pattern tells the date."""
        return _PRECISIONS[frozenset(self.letters.replace("y", "Y"))]

    @property
    def regex(self) -> str:
        """What a text in this pattern looks like, surrounding blanks included; one group a letter."""
        parts = [self._part(letter, sign) for letter, sign in _TOKEN.findall(self.text)]
        return r"\s*" + "".join(parts) + r"\s*"

    def _part(self, letter: str, sign: str) -> str:
        if sign:
            return re.escape(sign)
        free = letter in "dm" and not self.touching
        return f"({'[0-9]{1,2}' if free else _WIDTHS[letter]})"


def read_pattern(text: str) -> DatePattern:
    """Take a pattern apart; KindError says what is wrong with it."""
    letters = "".join(letter for letter, sign in _TOKEN.findall(text) if not sign)
    for letter, sign in _TOKEN.findall(text):
        if not sign and letter not in _WIDTHS:
            raise KindError(f"`%{letter}` is not a part of a date; use %d %m %Y %y %j %b")
        if sign and (sign.isalnum() or not sign.isprintable()):
            raise KindError(f"`{sign}` cannot stand in a date pattern; between the parts only signs and blanks can")
    if len(set(letters)) < len(letters) or frozenset(letters.replace("y", "Y")) not in _PRECISIONS:
        raise KindError(f"`{text}` does not tell a date: use day, month and year; month and year; year; or %j and year")
    return DatePattern(text, letters, re.search("%.%", text) is not None)


def parse_date(text: Value, formats: Sequence[str], first_year: int | None = None) -> Expression:
    """The date that a text holds in one of several patterns, the first that fits; NULL if none does.

    Its precision follows the pattern. `first_year` starts the hundred years of `%y`. Surrounding blanks do not
    matter; 31 February, month 13, 00 for a part and years outside 1000-9999 fit no pattern.
    """
    patterns = [read_pattern(f) for f in formats]
    if not patterns:
        raise KindError("a date needs at least one pattern")
    readings = [_reading(lift(text), p, first_year) for p in patterns]
    node = (
        readings[0].node
        if len(readings) == 1
        else exp.Anonymous(this="coalesce", expressions=[r.node for r in readings])
    )
    return Expression(Kind.DATE, node, _precision(patterns, readings))


def _reading(text: Expression, pattern: DatePattern, first_year: int | None) -> Expression:
    if "y" in pattern.letters and first_year is None:
        raise KindError(f"`{pattern.text}` has a two-digit year: give the first of its hundred years")
    if "j" in pattern.letters:
        groups = [1 + pattern.letters.lower().index("y"), 1 + pattern.letters.index("j")]
        return read_day_of_year(text, pattern.regex, *groups, first_year if "y" in pattern.letters else 0)
    if "y" in pattern.letters:
        return read_short_date(text, pattern.text, pattern.regex, first_year)
    if pattern.touching:
        return read_fixed_date(text, pattern.text, pattern.regex)
    return read_date(text, pattern.text)


def _precision(patterns: list[DatePattern], readings: list[Expression]) -> exp.Expression | None:
    """'day' needs no node; one precision is a literal; else the first reading that is filled tells."""
    names = [p.precision for p in patterns]
    if set(names) == {"day"}:
        return None
    if len(set(names)) == 1:
        return exp.Literal.string(names[0])
    filled = [exp.Not(this=exp.Is(this=r.node.copy(), expression=exp.Null())) for r in readings]
    return exp.Case(ifs=[exp.If(this=f, true=exp.Literal.string(n)) for f, n in zip(filled, names, strict=True)])

"""Date patterns: how a source writes its dates, compiled to expressions that are exact and fast.

A pattern is made of %d %m %Y %y %j %b and separators. Where two parts touch (`%Y%m%d`) every part has its full
width, except the day of the year; where signs separate all parts, day and month may have one digit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from sqlglot import exp

from oncoweave.engine import functions as f
from oncoweave.engine.expressions import Expression, Kind, KindError, Value, lift, null

Precision = Literal["day", "month", "year"]

_PRECISIONS: dict[frozenset[str], Precision] = {
    frozenset("dmY"): "day",
    frozenset("dbY"): "day",
    frozenset("jY"): "day",
    frozenset("mY"): "month",
    frozenset("bY"): "month",
    frozenset("Y"): "year",
}
_LOOKS = {"d": "[0-9]{2}", "m": "[0-9]{2}", "y": "[0-9]{2}", "Y": "[0-9]{4}", "j": "[0-9]{1,3}", "b": "[A-Za-z]{3}"}
_WIDTHS = {"d": 2, "m": 2, "y": 2, "Y": 4, "j": 3, "b": 3}
_TOKEN = re.compile(r"%(.?)|([^%])", re.DOTALL)


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
    def is_plain(self) -> bool:
        """Whether the engine's own reading is exact, and blanks around do no harm."""
        return not self.touching and not set("yj") & set(self.letters)

    @property
    def width(self) -> int:
        """The length of a text with every part at full width."""
        return sum(_WIDTHS[letter] if letter else 1 for letter, _ in _TOKEN.findall(self.text))

    @property
    def regex(self) -> str:
        """What a text in this pattern looks like, surrounding blanks included."""
        parts = [self._part(letter, sign) for letter, sign in _TOKEN.findall(self.text)]
        return r"\s*" + "".join(parts) + r"\s*"

    def _part(self, letter: str, sign: str) -> str:
        if sign:
            return re.escape(sign)
        free = letter in "dm" and not self.touching
        return "[0-9]{1,2}" if free else _LOOKS[letter]


def read_pattern(text: str) -> DatePattern:
    """Take a pattern apart; KindError says what is wrong with it."""
    letters = "".join(letter for letter, sign in _TOKEN.findall(text) if not sign)
    for letter, sign in _TOKEN.findall(text):
        if not sign and letter not in _LOOKS:
            raise KindError(f"`%{letter}` is not a part of a date; use %d %m %Y %y %j %b")
        if sign and (sign.isalnum() or not sign.isprintable()):
            raise KindError(f"`{sign}` cannot stand in a date pattern; between the parts only signs and blanks can")
    parts = letters.replace("y", "Y")
    if len(set(parts)) < len(parts) or frozenset(parts) not in _PRECISIONS:
        raise KindError(f"`{text}` does not tell a date: use day, month and year; month and year; year; or %j and year")
    if "y" in letters and letters.index("y") not in (0, len(letters) - 1):
        raise KindError(f"`{text}`: a two-digit year stands first or last")
    return DatePattern(text, letters, re.search("%.%", text) is not None)


def parse_date(text: Value, formats: Sequence[str], first_year: int | None = None) -> Expression:
    """The date that a text holds in one of several patterns, the first that fits; NULL if none does.

    Its precision follows the pattern. `first_year` starts the hundred years of `%y`. Surrounding blanks do not
    matter; 31 February, month 13, 00 for a part and years outside 1000-9999 fit no pattern.
    """
    patterns = [read_pattern(t) for t in formats]
    if not patterns:
        raise KindError("a date needs at least one pattern")
    given, start = lift(text), _checked(first_year, patterns)
    values, told = [], []
    for plain, group in groupby(patterns, key=lambda p: p.is_plain):
        for members in [list(group)] if plain else [[p] for p in group]:
            values.append(_reading(given, members, start))
            told += [(_reading(given, same, start), p) for p, same in _by_precision(members)]
    node = values[0].node if len(values) == 1 else f.coalesce(*values).node
    return Expression(Kind.DATE, node, _precision(told))


def _checked(first_year: int | None, patterns: list[DatePattern]) -> int:
    if first_year is None and any("y" in p.letters for p in patterns):
        raise KindError("a two-digit year needs `first_year`, the first of its hundred years")
    if first_year is not None and not 1000 <= first_year <= 9900:
        raise KindError("`first_year` must lie between 1000 and 9900")
    return first_year or 0


def _by_precision(members: list[DatePattern]) -> list[tuple[Precision, list[DatePattern]]]:
    found = dict.fromkeys(p.precision for p in members)
    return [(precision, [m for m in members if m.precision == precision]) for precision in found]


def _reading(text: Expression, members: list[DatePattern], first_year: int) -> Expression:
    """The date in several plain patterns, or in one that needs care."""
    pattern = members[0]
    if pattern.is_plain:
        return f.read_date(text, *[p.text for p in members])
    careful = f.when(f.matches(text, pattern.regex), _careful(f.trim(text), pattern, first_year), None)
    return f.when(_is_full(text, pattern), _careful(text, pattern, first_year), careful)


def _is_full(text: Expression, pattern: DatePattern) -> Expression:
    """Whether a text has the pattern's full length and no blanks around: quick to see, and true for most rows."""
    last = f.substring(text, pattern.width, 1)
    return f.both(f.equal(f.length(text), pattern.width), f.at_least(text, "0"), f.at_least(last, "0"))


def _careful(text: Expression, pattern: DatePattern, first_year: int) -> Expression:
    """The date of a text without blanks: years get their century first, days of the year must lie in it."""
    if pattern.touching and pattern.letters[0] == "j":
        text = f.pad_left(text, pattern.width, "0")
    if pattern.letters[-1] == "y":
        short = f.ending(text, 2)
        text = f.concat(f.without_ending(text, 2), _century(short, first_year), short)
    elif pattern.letters[0] == "y":
        text = f.concat(_century(f.beginning(text, 2), first_year), text)
    date = f.read_date(text, pattern.text.replace("%y", "%Y"))
    if "j" not in pattern.letters:
        return date
    year = f.ending(text, 4) if pattern.letters[-1] in "yY" else f.beginning(text, 4)
    return f.when(f.equal(f.to_text(f.year(date)), year), date, None)  # day 366 of a common year is no day


def _century(short: Expression, first_year: int) -> Expression:
    century, rest = divmod(first_year, 100)
    return f.when(f.at_least(short, f"{rest:02}"), f"{century:02}", f"{century + 1:02}")


def _precision(told: list[tuple[Expression, Precision]]) -> exp.Expression | None:
    """'day' needs no node; one precision is a literal; else the first reading that is filled tells."""
    names = [name for _, name in told]
    if set(names) == {"day"}:
        return None
    if len(set(names)) == 1:
        return exp.Literal.string(names[0])
    precision = null(Kind.TEXT)
    for reading, name in reversed(told):
        precision = f.when(f.is_filled(reading), name, precision)
    return precision.node

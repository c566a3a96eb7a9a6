"""Date patterns: how a source writes its dates and times, compiled to expressions that are exact and fast.

A pattern is made of %d %m %Y %y %j %b and separators, and may go on with a time: %H, %M, %S, %f, an offset %z or the
letter Z. Where two parts touch (`%Y%m%d`) every part has its full width, except the day of the year; where signs
separate all parts, a part of two digits may have one. `ISO 8601` stands for a day, or a day and its time, in the ways
that the standard and databases have for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Literal

from sqlglot import exp

from oncoweave.engine import functions as f
from oncoweave.engine import internal_functions
from oncoweave.engine.expressions import Expression, Kind, KindError, Value, lift, null
from oncoweave.engine.signatures import Function

Precision = Literal["day", "month", "year"]

_PRECISIONS: dict[frozenset[str], Precision] = {
    frozenset("dmY"): "day",
    frozenset("dbY"): "day",
    frozenset("jY"): "day",
    frozenset("mY"): "month",
    frozenset("bY"): "month",
    frozenset("Y"): "year",
}
_TIMES = ("H", "HM", "HMS", "HMSf")
_LOOKS = {
    "d": "[0-9]{2}", "m": "[0-9]{2}", "y": "[0-9]{2}", "Y": "[0-9]{4}", "j": "[0-9]{1,3}", "b": "[A-Za-z]{3}",
    "H": "[0-9]{2}", "M": "[0-9]{2}", "S": "[0-9]{2}", "f": "[0-9]{1,6}", "z": "(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)",
}  # fmt: skip
_WIDTHS = {"d": 2, "m": 2, "y": 2, "Y": 4, "j": 3, "b": 3, "H": 2, "M": 2, "S": 2}
_TOKEN = re.compile(r"%(.?)|([^%])", re.DOTALL)
ISO = "ISO 8601"
"""The text that stands for days and moments as ISO 8601, Java and SQL write them; without an offset they are UTC."""
_ISO_QUICK = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d")
"""The most frequent of the ways of ISO 8601, each a pattern of its own: it is read quicker."""
_MARK = ":"
"""What a text with a time has, and one without has not."""
_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class DatePattern:
    """A pattern taken apart: its date, what stands before the time, its time, and whether an offset from UTC follows.

    `iso` is any day with its time of ISO 8601.
    """

    date: str
    between: str = ""
    time: str = ""
    offset: bool = False
    iso: bool = False

    @property
    def text(self) -> str:
        """Date and time as one pattern, without the offset."""
        return self.date + self.between + self.time

    @property
    def letters(self) -> str:
        """The letters of the date, in order."""
        return _letters(self.date)

    @property
    def touching(self) -> bool:
        """Whether two parts of the date touch, or its last part touches the time."""
        return re.search("%.%", self.date) is not None or bool(self.time and not self.between)

    @property
    def precision(self) -> Precision:
        """How precisely the pattern tells the date."""
        return _PRECISIONS[frozenset(self.letters.replace("y", "Y"))]

    @property
    def is_plain(self) -> bool:
        """Whether the engine's own reading is exact, and blanks around do no harm."""
        alone = not self.touching and re.search("%.%", self.time) is None
        return alone and not self.offset and not set("yj") & set(self.letters)

    @property
    def width(self) -> int:
        """The length of a date with every part at full width."""
        return sum(_WIDTHS[letter] if letter else 1 for letter, _ in _TOKEN.findall(self.date))

    @property
    def regex(self) -> str:
        """What a text in this pattern looks like, surrounding blanks included."""
        date = _looks(self.date, touching=self.touching)
        time = _looks(self.clock, touching=re.search("%.%", self.time) is not None)
        finer = "[0-9]{0,3}" if "%f" in self.time else ""  # what is finer than a microsecond is left out
        ending = re.escape(self.time[len(self.clock) :]) + (f"({_LOOKS['z']})" if self.offset else "")
        return rf"\s*({date}){_looks(self.between)}({time}){finer}{ending}\s*"

    @property
    def clock(self) -> str:
        """The time without the Z at its end."""
        return self.time.removesuffix("Z")


def _letters(text: str) -> str:
    return "".join(letter for letter, sign in _TOKEN.findall(text) if not sign)


def _looks(text: str, *, touching: bool = False) -> str:
    """What a text in a part of a pattern looks like."""
    found = ""
    for letter, sign in _TOKEN.findall(text):
        free = letter in _WIDTHS and letter in "dmHMS" and not touching
        found += "[0-9]{1,2}" if free else _LOOKS[letter] if letter else r"\s+" if sign == " " else re.escape(sign)
    return found


def read_patterns(text: str) -> list[DatePattern]:
    """The patterns that one text stands for: several for `ISO 8601`, the quickest first. Raises as `read_pattern`."""
    if text != ISO:
        return [read_pattern(text)]
    return [*map(read_pattern, _ISO_QUICK), DatePattern("%Y-%m-%d", "T", "%H:%M:%S", offset=True, iso=True)]


def read_pattern(text: str) -> DatePattern:
    """Take a pattern apart; KindError says what is wrong with it."""
    tokens = _TOKEN.findall(text)
    for letter, sign in tokens:
        if not sign and letter not in _LOOKS:
            raise KindError(
                f"`%{letter}` is not a part of a date; use %d %m %Y %y %j %b, and %H %M %S %f %z for its time"
            )
        if sign and ((sign.isalnum() and sign not in "TZ") or not sign.isprintable()):
            raise KindError(f"`{sign}` cannot stand in a date pattern; between the parts only signs and blanks can")
    pattern = _split(text)
    parts = pattern.letters.replace("y", "Y")
    if len(set(parts)) < len(parts) or frozenset(parts) not in _PRECISIONS:
        raise KindError(f"`{text}` does not tell a date: use day, month and year; month and year; year; or %j and year")
    if pattern.letters.find("y") not in (-1, 0, len(parts) - 1):
        raise KindError(f"`{text}`: a two-digit year stands first or last in the date")
    _check_time(text, pattern)
    return pattern


def _split(text: str) -> DatePattern:
    """The pattern cut before its first part of a time, and before an offset at its end."""
    offset = text.endswith("%z")
    whole = text.removesuffix("%z")
    time = re.search("%[HMSfz].*", whole, re.DOTALL)
    if time is None:
        return DatePattern(whole, offset=offset)
    date = re.sub("[^%]*$", "", whole[: time.start()])  # up to the last part of the date, less its letter
    date = whole[: len(date) + 1] if date else ""
    return DatePattern(date, whole[len(date) : time.start()], time[0], offset)


def _check_time(text: str, pattern: DatePattern) -> None:
    """KindError unless a time is whole, follows a day, and T and Z stand where ISO 8601 has them."""
    date, between, time = pattern.date, pattern.between, pattern.time
    if not time:
        if pattern.offset or set("TZ") & set(re.sub("%.", "", date)):
            raise KindError(f"`{text}`: T, Z and %z belong to a time, and there is none")
        return
    if _letters(time) not in _TIMES or pattern.precision != "day":
        raise KindError(
            f"`{text}`: after the day comes the time as %H, %H %M, %H %M %S, or %H %M %S and %f, in this order"
        )
    if "%f" in time and not re.search("[.,]%f", time):
        raise KindError(f"`{text}`: before %f, the fraction of a second, stands a point or a comma")
    letters = [re.sub("%.", "", part) for part in (date, between, time)]
    misplaced = letters[2].removesuffix("Z" if time.endswith("Z") and not pattern.offset else "")
    if set("TZ") & set(letters[0] + misplaced) or (between != "T" and set("TZ") & set(between)):
        raise KindError(f"`{text}`: T stands alone between date and time, and Z at the end")


def read_at_once(text: Value, formats: Sequence[str]) -> Expression | None:
    """Day and time of a text as one number, by the first patterns, where these let both be read at once; for `parse_date`."""
    patterns = [pattern for text_ in formats for pattern in read_patterns(text_)]
    quick = _at_once(patterns)
    return _by_mark(lift(text), quick, internal_functions.read_moment) if quick else None


def parse_date(
    text: Value, formats: Sequence[str], first_year: int | None = None, moment: Expression | None = None
) -> Expression:
    """The date that a text holds in one of several patterns, the first that fits; NULL if none does.

    Its precision and its time follow the pattern; a time with an offset (%z) is brought to UTC, and its date with it.
    `first_year` starts the hundred years of `%y`; `moment` is what `read_at_once` gave, if it is known already. Surrounding blanks do not matter; 31 February, month 13, 24:00,
    leap seconds, 00 for a part of a date and years outside 1000-9999 fit no pattern.
    """
    patterns = [pattern for text_ in formats for pattern in read_patterns(text_)]
    if not patterns:
        raise KindError("a date needs at least one pattern")
    given, start = lift(text), _checked(first_year, patterns)
    quick = _at_once(patterns) if moment is not None else []
    values = [internal_functions.moment_date(moment)] if moment is not None else []
    told = [(_reading(given, same, start), p) for p, same in _by_precision(quick)]
    for plain, group in groupby(patterns[len(quick) :], key=lambda p: p.is_plain):
        for members in [list(group)] if plain else [[p] for p in group]:
            values.append(_reading(given, members, start))
            told += [(_reading(given, same, start), p) for p, same in _by_precision(members)]
    node = values[0].node if len(values) == 1 else f.coalesce(*values).node
    return Expression(Kind.DATE, node, _precision(told), _time(given, patterns, start, moment))


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
    if pattern.iso:
        return internal_functions.day_of_moment(text)
    if pattern.is_plain:
        read = _by_mark(text, members, internal_functions.read_date)
        finer = [_timed(text, p, first_year)[0] for p in members if "%f" in p.time]
        return f.coalesce(read, *finer) if finer else read  # the engine's %f has six digits at most
    if pattern.time:
        return _timed(text, pattern, first_year)[0]
    careful = f.when(f.matches(text, pattern.regex), _careful(f.trim(text), pattern, first_year), None)
    return f.when(_is_full(text, pattern), _careful(text, pattern, first_year), careful)


def _by_mark(text: Expression, members: list[DatePattern], read: Function, *, timed: bool = False) -> Expression:
    """The first of several plain patterns that fits; only of those that can: to try one in vain costs ten times what a fit does.

    A colon tells a text with a time from one without, where the dates themselves have none. `timed` leaves the others out.
    """
    with_time = [p.text for p in members if p.time]
    without = [p.text for p in members if not p.time]
    if not (with_time and without and _is_marked(members)):
        return read(text, *(with_time if timed else [p.text for p in members]))
    return f.when(f.contains(text, _MARK), read(text, *with_time), None if timed else read(text, *without))


def _is_marked(patterns: list[DatePattern]) -> bool:
    """Whether a colon tells a text with a time from one without."""
    return all((_MARK in p.text) == bool(p.time) for p in patterns)


def _timed(text: Expression, pattern: DatePattern, first_year: int) -> tuple[Expression, Expression]:
    """Date and time of a text that is taken apart first: parts that touch, a date that needs care, or an offset."""
    shape = f"^{pattern.regex}$"
    date = _reading(f.extract(text, shape, 1), [DatePattern(pattern.date)], first_year)
    time = internal_functions.read_time(f.extract(text, shape, 2), pattern.clock)
    date = f.when(f.is_filled(time), date, None)
    if not pattern.offset:
        return date, time
    ahead = f.multiply(internal_functions.offset_minutes(f.extract(text, shape, 3)), 60_000_000)
    moment = f.subtract(time, ahead)  # of the day that the text names; UTC may be a day before or after it
    days = f.floor(f.divide(moment, _DAY))
    moved = f.add_days(date, days)
    in_calendar = f.between(f.year(moved), 1000, 9999)
    return f.when(in_calendar, moved, None), f.subtract(moment, f.multiply(days, _DAY))


def _time(
    text: Expression, patterns: list[DatePattern], first_year: int, moment: Expression | None
) -> exp.Expression | None:
    """The time by the pattern that gives the date; None where no pattern has one."""
    if not any(p.time for p in patterns):
        return None
    quick = list(takewhile(_is_quick, patterns))
    rest = patterns[len(quick) :]
    if not any(p.time for p in quick) or (rest and not _is_marked(patterns)):
        return _time_of(text, patterns, first_year).node
    # who fits one with a time fits none without
    time = _by_mark(text, quick, internal_functions.read_time, timed=True)
    if moment is not None:
        time = internal_functions.moment_time(moment)
        time = time if all(p.time for p in quick) else f.when(f.contains(text, _MARK), time, None)
    if not rest:
        return time.node
    return f.coalesce(time, f.when(f.contains(text, _MARK), _time_of(text, rest, first_year), None)).node


def _is_quick(pattern: DatePattern) -> bool:
    """Whether the engine reads the time of a pattern as it is, if it has one."""
    return pattern.is_plain and "%f" not in pattern.time


def _at_once(patterns: list[DatePattern]) -> list[DatePattern]:
    """The first patterns, if one reading of the text gives both the day and the time: each has a time, or a colon tells which."""
    quick = list(takewhile(_is_quick, patterns))
    timed = [p for p in quick if p.time]
    alone = len(quick) == len(patterns) or _is_marked(patterns)
    return quick if timed and alone and (len(timed) == len(quick) or _is_marked(quick)) else []


def _time_of(text: Expression, patterns: list[DatePattern], first_year: int) -> Expression:
    """The time by the first pattern that fits, each of which is tried by itself."""
    time = null(Kind.INTEGER)
    for pattern in reversed(patterns):
        if pattern.iso:
            time = f.coalesce(internal_functions.time_of_moment(text), time)
            continue
        own = null(Kind.INTEGER)
        if pattern.time:
            own = _timed(text, pattern, first_year)[1]
        if pattern.time and pattern.is_plain:
            read = internal_functions.read_time(text, pattern.text)
            own = f.coalesce(read, own) if "%f" in pattern.time else read
        time = f.when(f.is_filled(_reading(text, [pattern], first_year)), own, time)
    return time


def _is_full(text: Expression, pattern: DatePattern) -> Expression:
    """Whether a text has the pattern's full length and no blanks around: quick to see, and true for most rows."""
    last = f.substring(text, pattern.width, 1)
    return f.both(f.equal(f.length(text), pattern.width), f.at_least(text, "0"), f.at_least(last, "0"))


def _careful(text: Expression, pattern: DatePattern, first_year: int) -> Expression:
    """The date of a text without blanks: years get their century first, days of the year must lie in it."""
    if pattern.touching and pattern.letters[0] == "j":
        text = f.pad_left(text, pattern.width, "0")
    if pattern.letters[-1] == "y":
        short = internal_functions.ending(text, 2)
        text = f.concat(internal_functions.without_ending(text, 2), _century(short, first_year), short)
    elif pattern.letters[0] == "y":
        text = f.concat(_century(internal_functions.beginning(text, 2), first_year), text)
    date = internal_functions.read_date(text, pattern.text.replace("%y", "%Y"))
    if "j" not in pattern.letters:
        return date
    year = internal_functions.ending(text, 4) if pattern.letters[-1] in "yY" else internal_functions.beginning(text, 4)
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

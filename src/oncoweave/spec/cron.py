"""Finds what is wrong with a cron expression, and where: five fields, as crontab(5) has them."""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class _Field:
    """One of the five fields: what it is called, the numbers it takes, and the names that stand for them."""

    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.first
        return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None


FIELDS = (
    _Field("a minute", 0, 59),
    _Field("an hour", 0, 23),
    _Field("a day of the month", 1, 31),
    _Field("a month", 1, 12, MONTHS),
    _Field("a day of the week", 0, 7, DAYS),
)


def cron_fault(text: str) -> tuple[str, int] | None:
    """What is wrong with a cron expression, and at which character; None when nothing is."""
    words = [(match[0], match.start()) for match in re.finditer(r"\S+", text)]
    if len(words) != len(FIELDS):
        names = ", ".join(field.name.partition(" ")[2] for field in FIELDS)
        return f"a cron expression has five fields ({names}), not {len(words)}", 0
    taken: list[set[int]] = []
    for field, (word, start) in zip(FIELDS, words, strict=True):
        numbers: set[int] = set()
        for item in re.finditer(r"[^,]*", word):
            if item.start() and word[item.start() - 1] != ",":
                continue  # the empty match behind an item
            found = _numbers(field, item[0])
            if isinstance(found, str):
                return found, start + item.start()
            numbers |= found
        taken.append(numbers)
    return _never(words, taken)


def _numbers(field: _Field, item: str) -> set[int] | str:
    """The numbers that an item of a field stands for, or what is wrong with it."""
    parts = re.fullmatch(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\w+))?", item)
    if not parts:
        return f"`{item}` is not {field.name}: a number, a range such as {field.first}-{field.last}, or *"
    star, low, high, step = parts.groups()
    bounds = [field.first, field.last]
    for which, written in ((0, low), (1, high)):
        if written is not None:
            number = field.number(written)
            if number is None or not field.first <= number <= field.last:
                return f"`{written}` is not {field.name} ({field.first} to {field.last})"
            bounds[which] = number
    if step and not (step.isdecimal() and 1 <= int(step) <= field.last):
        return f"`/{step}`: a step is a number from 1 to {field.last}"
    if step and not star and high is None:
        return f"`{item}`: a step needs a range before it, such as */{step}"
    if low is not None and high is None:
        bounds[1] = bounds[0]
    if bounds[0] > bounds[1]:
        return f"`{item}`: the range runs backwards"
    return set(range(bounds[0], bounds[1] + 1, int(step or 1)))


def _never(words: list[tuple[str, int]], taken: list[set[int]]) -> tuple[str, int] | None:
    """That no month has the day; with a day of the week beside it, either of the two is enough."""
    (days, start), months = words[2], taken[3]
    if words[4][0].startswith("*") and min(taken[2]) > max(LONGEST_MONTH[month - 1] for month in months):
        return f"no month that is named has a day {days}, so this would never run", start
    return None

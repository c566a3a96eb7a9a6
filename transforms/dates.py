"""Verbs for dates: days that are put together from parts, ages, spans."""

from __future__ import annotations

from oncoweave.engine import functions as f
from oncoweave.engine.date_patterns import parse_date
from oncoweave.engine.expressions import Date, Integer, Number, Text


def date_of(text: Text, pattern: str, first_year: int = 0) -> Date:
    """The date that a text holds, where `type: date` in source.yaml does not fit: a part of a field, a joined text.

    `first_year` starts the hundred years that a two-digit year (%y) lies in.

    >>> evaluate(date_of("2468", "%j%y", first_year=1900))
    datetime.date(1968, 1, 24)
    """
    return parse_date(text, [pattern], first_year or None)


def partial_date(year: Integer, month: Integer, day: Integer) -> Date:
    """The date of three fields, as precise as they allow: a missing or impossible day gives the month, a missing or
    impossible month the year (registries write 99 or 0 for unknown).

    >>> evaluate(partial_date(2001, 5, 99)), evaluate(partial_date(2001, 99, 99)), evaluate(partial_date(9999, 1, 1))
    (datetime.date(2001, 5, 1), datetime.date(2001, 1, 1), None)
    """
    return f.coalesce(f.when(f.less(year, 9999), f.make_date(year, month, day), None), month_of(year, month))


def month_of(year: Integer, month: Integer) -> Date:
    """The month of two fields, known to the month; to the year if the month is missing or impossible.

    >>> evaluate(month_of(2001, 5)), evaluate(month_of(2001, 99))
    (datetime.date(2001, 5, 1), datetime.date(2001, 1, 1))
    """
    known = f.when(f.less(year, 9999), f.to_text(year), None)
    in_month = f.concat(known, "-", f.pad_left(f.to_text(month), 2, "0"))
    return f.coalesce(parse_date(in_month, ["%Y-%m"]), parse_date(known, ["%Y"]))


def day_of_year(year: Integer, day: Integer) -> Date:
    """The n-th day of a year, from 1; NULL if the year has no such day.

    >>> evaluate(day_of_year(2000, 366)), evaluate(day_of_year(2001, 366))
    (datetime.date(2000, 12, 31), None)
    """
    date = f.add_days(f.make_date(year, 1, 1), f.subtract(day, 1))
    return f.when(f.both(f.at_least(day, 1), f.equal(f.year(date), year)), date, None)


def birth_year(at: Date, age: Integer) -> Integer:
    """The year of birth of someone who was so many full years old on a day; it may be one year too late.

    >>> import datetime
    >>> evaluate(birth_year(f.make_date(2001, 5, 17), 40))
    1961
    """
    return f.subtract(f.year(at), age)


def age(birth: Date, at: Date) -> Integer:
    """Full years from birth to a day.

    >>> evaluate(age(f.make_date(1960, 5, 18), f.make_date(2001, 5, 17)))
    40
    """
    return f.years_between(birth, at)


def months_to_days(months: Number) -> Integer:
    """Months as whole days, a month being 30.4375 days.

    >>> evaluate(months_to_days(12.0))
    365
    """
    return f.round_(f.multiply(months, 30.4375))

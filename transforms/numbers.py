"""Verbs for numbers as sources write them: decimal commas, comparators, ranges."""

from __future__ import annotations

from oncoweave.engine import functions as f
from oncoweave.engine.expressions import Expression, Number, Text
from oncoweave.engine.numerals import parse_number

_SIGNS = "(<=|>=|<|>|=|≤|≥|≦|≧)"
_NUMBER = "[+-]?[0-9]+(?:[.,][0-9]+)?"
_DASH = "\\s*(?:-|–|to|bis)\\s*"


def number_of(text: Text, decimal: str = ",", thousands: str = "") -> Number:
    """The number that a text holds, with these decimal and thousands signs; anything else is NULL.

    >>> evaluate(number_of("1.234,5", thousands="."))
    1234.5
    """
    return parse_number(text, decimal, thousands)


def comparator(text: Text) -> Text:
    """The sign before a number: '<', '<=', '>' or '>='; NULL if there is none, or if it is '='.

    >>> evaluate(comparator("≤ 20")), evaluate(comparator("20"))
    ('<=', None)
    """
    sign = f.extract(text, f"^\\s*{_SIGNS}", 1)
    plain = f.replace_pattern(f.replace_pattern(sign, "[≤≦]", "<="), "[≥≧]", ">=")
    return f.null_if(plain, "=")


def comparand(text: Text) -> Number:
    """The number after a comparator, or the number itself; decimal point or comma.

    >>> evaluate(comparand("<= 20")), evaluate(comparand("0,5"))
    (20.0, 0.5)
    """
    return _number(f.extract(text, f"^\\s*{_SIGNS}?\\s*({_NUMBER})\\s*$", 2))


def lower_bound(text: Text) -> Number:
    """The lower end of '20-50', '>20', '>=20' or '20+'; the number itself if there is no range; NULL for '<20'.

    >>> evaluate(lower_bound("20-50")), evaluate(lower_bound(">20")), evaluate(lower_bound("<20"))
    (20.0, 20.0, None)
    """
    return _number(f.extract(text, f"^\\s*(?:>=|>|≥|≧)?\\s*({_NUMBER})(?:\\s*\\+|{_DASH}{_NUMBER})?\\s*$", 1))


def upper_bound(text: Text) -> Number:
    """The upper end of '20-50', '<50' or '<=50'; the number itself if there is no range; NULL for '>20' and '20+'.

    >>> evaluate(upper_bound("20-50")), evaluate(upper_bound("≤50")), evaluate(upper_bound("20+"))
    (50.0, 50.0, None)
    """
    return _number(f.extract(text, f"^\\s*(?:(?:<=|<|≤|≦)\\s*|{_NUMBER}{_DASH})?({_NUMBER})\\s*$", 1))


def _number(text: Expression) -> Expression:
    return f.to_number(f.replace(text, ",", "."))

"""Numbers as sources write them: decimal commas, thousands signs, digits grouped by threes."""

from __future__ import annotations

import re

from oncoweave.engine.expressions import Expression, KindError, Value
from oncoweave.engine.functions import contains, matches, replace, to_integer, to_number, when


def parse_integer(text: Value, thousands: str = "") -> Expression:
    """The whole number that a text holds in digits, grouped by threes with the thousands sign if one is given."""
    if not thousands:
        return to_integer(text)
    grouped = matches(text, rf" *[+-]?([0-9]{{1,3}}({re.escape(thousands)}[0-9]{{3}})+|[0-9]+) *")
    return when(grouped, to_integer(replace(text, thousands, "")), None)


def parse_number(text: Value, decimal: str = ".", thousands: str = "") -> Expression:
    """The number that a text holds, written with these decimal and thousands signs; anything else is NULL."""
    if decimal not in (".", ",") or decimal == thousands:
        raise KindError("the decimal sign is a point or a comma, and not the thousands sign")
    if thousands:
        digits = rf"([0-9]{{1,3}}({re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
        grouped = matches(text, rf" *[+-]?{digits}({re.escape(decimal)}[0-9]*)? *")
        return when(grouped, to_number(replace(replace(text, thousands, ""), decimal, ".")), None)
    if decimal == ",":
        return when(contains(text, "."), None, to_number(replace(text, ",", ".")))
    return to_number(text)

"""Writes the values that a database driver gives as text, in one way, whatever the driver."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID


def text(value: object) -> str | None:
    """The text of a value; None stays None, and an empty text stays one.

    Numbers are plain decimals with all their digits, dates and times are ISO with a blank between, true and false are words.
    Raises TypeError for what has no one text: bytes, lists, spans of time.

    >>> text(7.0), text(1e-7), text(1e22), text(Decimal("1E+3")), text(Decimal("1.50")), text(float("nan"))
    ('7', '0.0000001', '10000000000000000000000', '1000', '1.50', 'NaN')
    >>> text(True), text(""), text(None), text(date(987, 1, 2)), text(datetime(2020, 1, 2)), text(time(3, 4))
    ('true', '', None, '0987-01-02', '2020-01-02 00:00:00', '03:04:00')
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, UUID)):
        return str(value)
    if isinstance(value, float):
        return _plain(Decimal(repr(value))).removesuffix(".0")
    if isinstance(value, Decimal):
        return _plain(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _plain(number: Decimal) -> str:
    return format(number, "f")

"""Verbs for units: lengths, masses and spans of time."""

from __future__ import annotations

from oncoweave.engine import functions as f
from oncoweave.engine.expressions import KindError, Number

# How many of the smallest unit one unit holds, as numerator and denominator, so that nothing is lost on the way.
_LENGTHS = {"um": (1, 1), "mm": (1_000, 1), "cm": (10_000, 1), "m": (1_000_000, 1), "inch": (25_400, 1)}
_MASSES = {"ug": (1, 1), "mg": (1_000, 1), "g": (10**6, 1), "kg": (10**9, 1), "pound": (453_592_370, 1), "ounce": (28_349_523_125, 1000)}  # fmt: skip
_TIMES = {"day": (1, 1), "week": (7, 1), "month": (487, 16), "year": (1461, 4)}  # a month is a twelfth of 365.25 days


def convert(value: Number, unit: str, to: str) -> Number:
    """A quantity in another unit of the same kind.

    Lengths: um, mm, cm, m, inch. Masses: ug, mg, g, kg, pound, ounce. Spans of time: day, week, month (30.4375
    days), year (365.25 days). Any other pair is an error when the mapping is compiled.

    >>> evaluate(convert(2.5, "cm", "mm")), evaluate(convert(150.0, "pound", "kg")), evaluate(convert(18.0, "month", "year"))
    (25.0, 68.0388555, 1.5)
    """
    for units in (_LENGTHS, _MASSES, _TIMES):
        if unit in units and to in units:
            numerator, denominator = units[unit][0] * units[to][1], units[unit][1] * units[to][0]
            return f.divide(f.multiply(value, float(numerator)), float(denominator))
    known = ", ".join([*_LENGTHS, *_MASSES, *_TIMES])
    raise KindError(f"there is no way from `{unit}` to `{to}`; the units are {known}")

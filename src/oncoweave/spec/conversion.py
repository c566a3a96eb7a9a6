"""The language of `convert:` in a rule or column: values of several units in one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from oncoweave.spec.language import Spec

Text = Annotated[str, StringConstraints(min_length=1)]


class UnitConversion(Spec):
    """One unit for all values: number and range are worked out anew, the source's own texts stay as they are."""

    to: Text = Field(description="The unit that the values are given in; a concept.")
    units: dict[Text, Text] = Field(
        min_length=1,
        description="For each unit, by its code in the source, an expression of `value`: {cm: value * 10, mm: value}, "
        "{F: (value - 32) * 5 / 9, C: value}. Results are rounded to 12 significant digits. A value of another unit stays as it is, and is counted.",
    )

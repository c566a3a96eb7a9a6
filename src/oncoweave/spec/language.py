"""What every specification language is made of: the kind of model, names and spans of time."""

from __future__ import annotations

import datetime
import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Day = datetime.date  # under a name of its own: several models have a key `date`
LABEL = r"^[^\x00-\x1f\x7f]{1,100}$"
Label = Annotated[str, StringConstraints(pattern=LABEL)]
"""A short text on one line."""
FILLED = r"\S"
"""A text that is not blank."""
SCOPE = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$"
"""A table, or a field with its table."""
AT_MOST = r"^([1-9][0-9,]* rows?|[0-9]+(\.[0-9]+)? ?%)$"
"""A number of rows, or a share of them."""
SPAN = r"^[1-9][0-9]{0,3}(s|m|h|d)$"
Span = Annotated[str, StringConstraints(pattern=SPAN)]
"""A span of time: 30s, 5m, 8h, 2d."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Spec(BaseModel):
    """A part of a specification file: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, str_strip_whitespace=False)


def span(text: Span) -> datetime.timedelta:
    """A span of time that is written as `5m`."""
    number, unit = re.fullmatch(r"([0-9]+)(.)", text).groups()  # type: ignore[union-attr]
    return datetime.timedelta(**{_UNITS[unit]: int(number)})

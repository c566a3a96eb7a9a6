"""The language of `thresholds.yaml`: checks that a site has judged otherwise than they ask, each with its reason.

It stands in `expectations/` for all sources of a site, or beside a source's source.yaml for that source. The counts of a
check stay what they are; only what they mean changes, so a run can be judged again without reading its data.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, WithJsonSchema, model_validator

from oncoweave.spec.language import Day, Spec

CHECKS = r"^[A-Za-z0-9_.,/*-]+$"
PERCENT = r"^(off|(100|[0-9]{1,2})(\.[0-9]{1,6})?)$"

Checks = Annotated[str, StringConstraints(pattern=CHECKS)]
"""The id of a check, in which `*` stands for any signs."""
Percent = Annotated[
    str,
    StringConstraints(pattern=PERCENT),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, {"const": "off"}]}),
]
"""A percentage of rows, or `off`."""


class Threshold(Spec):
    """Checks that are judged otherwise than they ask: another threshold, another severity, or not at all."""

    check: Checks = Field(
        description="The id of the check, as the report and `oncoweave check` show it. `*` stands for any signs, so that one entry may name several checks; an entry without `*` wins over one with it, and a later one over an earlier."
    )
    threshold: Percent | None = Field(
        default=None,
        description="Percentage of the rows that may fail (0-100), or `off`: the check is not judged. Of a fatal check it can only be made stricter.",
    )
    severity: Literal["fatal", "convention", "characterization"] | None = Field(
        default=None,
        description="Another severity: fatal stops publication, convention stops it unless waived, characterization informs. A fatal check stays fatal.",
    )
    reason: str = Field(min_length=1, description="Why, for those who read the report.")
    owner: str = Field(min_length=1, description="Who answers for it.")
    expires: Day = Field(
        description="Last day on which it holds (YYYY-MM-DD). After it, what the check itself asks counts again."
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Threshold:
        if self.threshold is None and self.severity is None:
            raise ValueError("give `threshold`, `severity` or both")
        return self


class Thresholds(Spec):
    """thresholds.yaml: the checks that are judged otherwise than they ask."""

    version: Literal[1] = Field(description="Version of this language.")
    thresholds: tuple[Threshold, ...] = Field(description="The checks, and how they are judged.")

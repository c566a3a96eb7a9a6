"""The language of `waivers.yaml`: the failing checks that a site accepts for a while, why, and who answers for it.

Edited by the QA reviewer, by hand or by `oncoweave waive`. It changes no table and no count, only what they are judged to mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from oncoweave.errors import Problem
from oncoweave.spec.document import Document
from oncoweave.spec.explain import is_day, wrong_type
from oncoweave.spec.language import AT_MOST, FILLED, SCOPE, Day, Label, Spec
from oncoweave.spec.thresholds import Checks


class Waiver(Spec):
    """A failing check that is accepted for a while."""

    check: Checks = Field(
        description="The id of the check, as the report and `oncoweave check` show it. `*` stands for any signs, so that one entry may name several checks."
    )
    scope: Annotated[str, StringConstraints(pattern=SCOPE)] = Field(
        default="", description="Only where the check looks at this table or field: `person` or `person.year_of_birth`."
    )
    at_most: Annotated[str, StringConstraints(pattern=AT_MOST)] | None = Field(
        default=None,
        description="How many rows may fail: `120 rows` or `2 %` of those that the check judges; of each check where it names several. Unset only for a check that counts no rows.",
    )
    reason: Annotated[str, StringConstraints(pattern=FILLED, max_length=1000)] = Field(
        description="Why it is accepted. It becomes part of the release: write nothing about a patient into it."
    )
    owner: Annotated[Label, StringConstraints(pattern=FILLED)] = Field(description="Who answers for it.")
    expires: Day = Field(description="The last day on which it counts; from the next day on the check fails again.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if not re.search(r"\w", self.check):
            raise ValueError("`check` must name a check, or a part of its id; a star alone would waive everything")
        if self.at_most and self.at_most.endswith("%") and float(self.at_most[:-1]) > 100:
            raise ValueError("`at_most` is more than all rows")
        return self


class Waivers(Spec):
    """waivers.yaml: the failing checks that are accepted for a while."""

    version: Literal[1] = Field(description="Version of this language.")
    waivers: tuple[Waiver, ...] = Field(description="The waivers.")


def waiver_problems(document: Document) -> Sequence[Problem]:
    """What the model cannot say of the file: a day that is none, and an entry that is there twice."""
    return [*_not_days(document), *_given_twice(document)]


def _not_days(document: Document) -> Iterator[Problem]:
    for loc, value in document.each("waivers", "*", "expires"):
        if isinstance(value, str) and not is_day(value):
            yield wrong_type(document, loc, "a date written YYYY-MM-DD")


def _given_twice(document: Document) -> Iterator[Problem]:
    first: dict[tuple[str, str], int] = {}
    for loc, entry in document.each("waivers", "*"):
        if not isinstance(entry, dict) or not isinstance(entry.get("check"), str):
            continue
        name = (str(entry["check"]), str(entry.get("scope") or ""))
        if name in first:
            there = document.where(("waivers", first[name]), loc)
            message = f"`{name[0]}` is waived twice{f' for `{name[1]}`' if name[1] else ''}"
            mend = f"the first is in {there}; make one of the two"
            yield document.problem("duplicate-waiver", message, (*loc, "check"), help=mend)
        first.setdefault(name, int(loc[-1]))

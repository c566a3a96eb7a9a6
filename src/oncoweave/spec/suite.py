"""The language of `expectations/*.yaml`: what must hold for a table of the release, and how bad it is if not.

Edited by the QA reviewer. A parameter is kept as the text that was written; `quality` turns it into the
type that the expectation takes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from oncoweave.spec.language import Name, Spec

ParameterText = Annotated[str, StringConstraints()]
CheckId = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_]*(\.[a-z0-9_]+)*)?$", max_length=150)]
Context = Literal["verification", "validation"]


class ExpectationSpec(Spec):
    """One expectation of a suite."""

    expect: Name = Field(
        description="Name of the expectation: Great Expectations' own in snake case, or one of Oncoweave's."
    )
    parameters: dict[Name, ParameterText | tuple[ParameterText, ...]] = Field(
        default_factory=dict, description="Its parameters by name: a value or a list of values."
    )
    id: CheckId = Field(
        default="",
        description="Name of this check in waivers, results and history, after the suite's name and a dot; made of field and expectation if unset.",
    )
    mostly: float | None = Field(
        default=None, ge=0, le=1, description="Share of the rows that must meet it (0-1); all of them if unset."
    )
    severity: Literal["fatal", "convention", "characterization"] = Field(
        description="fatal: nothing is published when it fails; convention: a warning; characterization: for information."
    )
    category: Literal["conformance", "completeness", "plausibility"] = Field(
        description="What it looks at (Kahn framework): form, presence or truth of the values."
    )
    context: Context = Field(
        default="verification",
        description="verification: the data agree with themselves and the model; validation: they agree with something outside them (Kahn framework).",
    )
    why: str = Field(min_length=1, description="Why it must hold; printed in the report.")
    owner: str = Field(default="", description="Who answers for it.")
    since: str = Field(default="", description="Since when it holds: a date (YYYY-MM-DD) or a version.")


class Suite(Spec):
    """A suite: the expectations of one target table."""

    version: Literal[1] = Field(description="Version of this language.")
    suite: Name = Field(description="Name of the suite, unique in the project.")
    table: Name = Field(description="The target table, as the CDM names it: person, condition_occurrence …")
    description: str = Field(default="", description="What the suite is about, for people.")
    expectations: tuple[ExpectationSpec, ...] = Field(min_length=1, description="The expectations.")

"""The language of `expectations/*.yaml`: what must hold for a table of the release, and how bad it is if not.

Edited by the QA reviewer. A parameter is kept as the text that was written; `quality` turns it into the
type that the expectation takes.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from oncoweave.spec.language import Label, Name, Spec

PARAMETER = r"^[a-z][A-Za-z0-9_]*$"
ParameterName = Annotated[str, StringConstraints(pattern=PARAMETER)]
ParameterText = Annotated[str, StringConstraints()]
CHECK_ID = r"^([a-z][a-z0-9_]*(\.[a-z0-9_]+)*)?$"
CheckId = Annotated[str, StringConstraints(pattern=CHECK_ID, max_length=150)]
Context = Literal["verification", "validation"]
SINCE = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]+(\.[0-9]+)*)?$"
Since = Annotated[str, StringConstraints(pattern=SINCE)]


class ExpectationSpec(Spec):
    """One expectation of a suite."""

    expect: Name = Field(
        description="Name of the expectation: Great Expectations' own in snake case, or one of Oncoweave's."
    )
    parameters: dict[ParameterName, ParameterText | tuple[ParameterText, ...]] = Field(
        default_factory=dict, description="Its parameters by name: a value or a list of values."
    )
    where: str = Field(
        default="",
        description="Which rows are judged, as an expression over the table's fields (`value_as_number > 0 and unit_concept_id = 8588`); the others count as if they were not there.",
    )
    id: CheckId = Field(
        default="",
        description="Name of this check in waivers, results and history, after the suite's name and a dot; made of field and expectation if unset.",
    )
    mostly: float | None = Field(
        default=None, ge=0, le=1, description="Share of the rows that must meet it (0-1); all of them if unset."
    )
    severity: Literal["fatal", "convention", "characterization"] = Field(
        description="fatal: nothing is published when it fails; convention: nothing is published unless it is waived or a person accepts it; characterization: for information."
    )
    category: Literal["conformance", "completeness", "plausibility"] = Field(
        description="What it looks at (Kahn framework): form, presence or truth of the values."
    )
    context: Context = Field(
        default="verification",
        description="verification: the data agree with themselves and the model; validation: they agree with something outside them (Kahn framework).",
    )
    why: str = Field(min_length=1, description="Why it must hold; printed in the report.")
    owner: Label | Literal[""] = Field(default="", description="Who answers for it; the suite's `owners` if unset.")
    since: Since = Field(
        default="", description="Since when it holds: a date (YYYY-MM-DD) or a version; the suite's `since` if unset."
    )


class Owners(Spec):
    """Who answers for a check, by its severity: a role or a person."""

    fatal: Label = Field(description="Who mends what stops a release: usually who writes the mapping.")
    convention: Label = Field(description="Who asks the source whether its data are right: usually the data steward.")
    characterization: Label = Field(description="Who judges what the figures mean: usually the QA reviewer.")


class Suite(Spec):
    """A suite: the expectations of one target table, or of one source table as it was delivered."""

    version: Literal[1] = Field(description="Version of this language.")
    suite: Name = Field(description="Name of the suite, unique in the project.")
    table: Name | None = Field(
        default=None,
        description="The target table, as the CDM names it: person, condition_occurrence … Or give `snapshot`.",
    )
    snapshot: Name | None = Field(
        default=None,
        description="The source table, as source.yaml names it: its declared fields as delivered. In a suite of one source.",
    )
    description: str = Field(default="", description="What the suite is about, for people.")
    owners: Owners | None = Field(
        default=None, description="Who answers for the expectations that name no owner of their own."
    )
    since: Since = Field(
        default="", description="Since when the expectations hold that do not say it: a date (YYYY-MM-DD) or a version."
    )
    expectations: tuple[ExpectationSpec, ...] = Field(min_length=1, description="The expectations.")

    @model_validator(mode="after")
    def _table_or_snapshot(self) -> Self:
        if (self.table is None) == (self.snapshot is None):
            raise ValueError("give either `table` or `snapshot`")
        return self

    def told(self, spec: ExpectationSpec) -> ExpectationSpec:
        """An expectation of the suite with the owner and the time that hold for it."""
        owner = spec.owner or (getattr(self.owners, spec.severity) if self.owners else "")
        return spec.model_copy(update={"owner": owner, "since": spec.since or self.since})


JUDGED = frozenset(("mostly", "severity", "category", "context", "why", "owner", "since"))
"""The keys of an expectation that say what its counts mean: by them a run can be judged again without reading its data."""
TELLING = frozenset(("description", "owners", "since"))
"""The keys of a suite that do the same."""

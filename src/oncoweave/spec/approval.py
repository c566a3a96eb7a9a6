"""The key `approval:` of `source.yaml`: who looks at a run before it is published."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from oncoweave.spec.language import Label, Span, Spec


class Approval(Spec):
    """What somebody has to say before a run of the source is published."""

    role: Label = Field(
        default="QA reviewer",
        description="In which role one approves, as the release states it: QA reviewer, data manager, custodian.",
    )
    by: tuple[Label, ...] = Field(
        default=(),
        min_length=1,
        max_length=50,
        description="Who may answer: the names by which they log in to Airflow, or give with --by on the command line. Everybody who may answer in Airflow if unset.",
    )
    within: Span | None = Field(
        default=None,
        description="How long an answer is waited for: 30m, 8h, 3d. Then the run is not published, and is marked as expired; it can still be signed later. Without end if unset.",
    )
    four_eyes: bool = Field(
        default=False,
        description="true: nobody may approve a run that they started themselves. A run that the schedule started was started by nobody.",
    )

    needed: bool = Field(
        default=True,
        description="false: nobody looks at a run of this source, and Airflow publishes one that passes at once. With no other key.",
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if not self.needed and self.model_fields_set - {"needed"}:
            raise ValueError("with `needed: false` nobody is asked, so give no other key")
        if len(set(self.by)) != len(self.by):
            raise ValueError("`by` names somebody twice")
        return self

"""The language of `expectations/trends.yaml`: what must hold of a run as a whole, beside what suites ask of its tables.

How the delivery compares with the last one, what the mapping made of it, and how the release changed. Edited by the QA
reviewer; which checks there are is the catalogue of `quality.run_checks`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from oncoweave.spec.language import Name, Spec

Share = Annotated[float, Field(ge=0, le=1)]
RunCheckId = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_]*)?$", max_length=60)]


class RunCheckSpec(Spec):
    """One check of a run, at one threshold; the same check may stand twice with another threshold and severity."""

    check: Name = Field(description="Name of the check, from the list in the reference.")
    id: RunCheckId = Field(
        default="",
        description="Its name in waivers, results and history; the name of the check if unset. Needed where a check stands twice.",
    )
    at_most: Share = Field(description="The share (0-1) that is tolerated: 0.05 is 5 in 100; more than that fails.")
    fewest: int | None = Field(
        default=None,
        ge=1,
        description="Below this number a share is not judged, since one more or less would decide; that of the file if unset.",
    )
    severity: Literal["fatal", "convention", "characterization"] = Field(
        description="fatal: nothing is published when it fails; convention: not unless it is waived; characterization: for information."
    )
    why: str = Field(min_length=1, description="Why it must hold; printed in the report.")
    owner: str = Field(default="", description="Who answers for it.")
    since: str = Field(default="", description="Since when it holds: a date (YYYY-MM-DD) or a version.")


class Trends(Spec):
    """trends.yaml: the checks of a run as a whole."""

    version: Literal[1] = Field(description="Version of this language.")
    fewest: int = Field(
        default=50, ge=1, description="Below this number of rows a share is not judged, but called not applicable."
    )
    checks: tuple[RunCheckSpec, ...] = Field(description="The checks.")

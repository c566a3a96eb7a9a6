"""mapping.yaml, `observation_periods:`: how the time of observation follows from the events."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from oncoweave.spec.language import Name, Spec

ConceptText = Annotated[str, StringConstraints(min_length=1)]


class ObservationPeriods(Spec):
    """How the time in which a person was observed follows from the events, where no rule `observation_period` tells it."""

    rule: Literal["registry", "ehr"] = Field(
        default="registry",
        description="registry: from the first to the last event. ehr: also to 60 days after it, but not beyond 60 days after "
        "death or the delivery, not before birth; 548 days without an event end a period.",
    )
    without: tuple[Name, ...] = Field(
        default=(),
        description="Rules whose dates tell of no observation, such as a history of illness or a diagnosis made elsewhere.",
    )
    system_start: date | None = Field(
        default=None, description="First day of the record system, before which nobody is observed; with `ehr` only."
    )
    type: ConceptText | None = Field(
        default=None, description="Type concept of the periods; that of the persons if unset."
    )

"""What every record is made of that a stage or a person leaves in the folder of a run."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A part of a manifest: frozen and strict."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

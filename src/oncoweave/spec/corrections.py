"""The language of `corrections.yaml`: known errors of a source, mended before the rules read its rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from oncoweave.spec.language import Name, Spec
from oncoweave.spec.rule import Expr


class Correction(Spec):
    """A known error of the source, mended before the rules read it; a run fails when it matches no row."""

    table: Name = Field(description="The source table.")
    where: Expr = Field(description="Condition that finds the row.")
    set: dict[Name, str] = Field(min_length=1, description="New text by field, written as the source writes it.")
    because: str = Field(description="Why, and who confirmed it.")
    rows: int = Field(default=1, ge=1, description="How many rows it must match.")


class Corrections(Spec):
    """corrections.yaml: the known errors of a source."""

    version: Literal[1] = Field(description="Version of this language.")
    corrections: tuple[Correction, ...] = Field(description="The corrections.")

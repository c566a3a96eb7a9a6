"""The language of `examples:` in the mapping: rows that are given, and what the mapping must make of them."""

from __future__ import annotations

from pydantic import Field

from oncoweave.spec.language import Name, Spec

Cell = str | None


class Example(Spec):
    """Rows that are given, and rows that the mapping must make of them; run by `oncoweave lint`."""

    name: str = Field(description="What the example shows.")
    given: dict[Name, tuple[dict[str, Cell], ...]] = Field(
        description="Rows by source table; fields left out are empty."
    )
    expect: dict[Name, tuple[dict[str, Cell], ...]] = Field(
        description="Rows by target table: as many as the mapping makes, in any order; only the named columns are compared."
    )

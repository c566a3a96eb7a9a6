"""The language of `joins:` in the mapping: which source tables look into which others."""

from __future__ import annotations

from pydantic import Field

from oncoweave.spec.language import Name, Spec


class Join(Spec):
    """Each row of a source table finds at most one row of another, whose fields its rules read as `table.field`."""

    from_: Name = Field(alias="from", description="The source table whose rules want to read fields of another.")
    to: Name = Field(description="The source table that is looked into.")
    by: dict[Name, Name] = Field(
        min_length=1,
        description="Fields of `from`, each with the field of `to` that holds the same text; together the latter identify a row of `to`.",
    )
    as_: Name | None = Field(
        default=None,
        alias="as",
        description="The name before the dot, where a table is joined twice; that of the table if unset.",
    )
    person: bool = Field(
        default=False, description="true: a row of `from` is about the person of the row that it finds."
    )

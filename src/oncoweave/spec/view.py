"""The language of a view: HL7's SQL on FHIR ViewDefinition (https://sql-on-fhir.org, v2), one table made of resources.

A view is written as its authors write it, in JSON or YAML; its descriptive keys (url, title, contact …) are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from oncoweave.spec.language import Spec

ColumnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Resource = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]+$", max_length=64)]


class ViewPart(Spec):
    """A part of a view; it may carry what every element of FHIR may: an id and extensions."""

    id: str = Field(default="", description="FHIR's id of the element; not used.")
    extension: tuple[dict[str, Any], ...] = Field(default=(), description="Extensions of the element; not used.")


class ViewColumn(ViewPart):
    """One column of the table."""

    name: ColumnName = Field(description="Name of the column.")
    path: Path = Field(description="FHIRPath to its value, from where the select stands.")
    type: str = Field(default="", description="FHIR type of the value; for people.")
    collection: bool = Field(
        default=False, description="true: the path may find several values, written as a JSON list."
    )
    description: str = Field(default="", description="What the column means, for people.")
    tag: tuple[dict[str, Any], ...] = Field(default=(), description="Hints for other tools; not used.")


class ViewSelect(ViewPart):
    """Columns, and how many rows they make."""

    column: tuple[ViewColumn, ...] = Field(default=(), description="The columns.")
    select: tuple[ViewSelect, ...] = Field(default=(), description="Further columns, beside these.")
    for_each: Path | None = Field(
        default=None, alias="forEach", description="FHIRPath to the elements that make a row each; none makes no row."
    )
    for_each_or_null: Path | None = Field(
        default=None, alias="forEachOrNull", description="As forEach, but none makes one row with nothing in it."
    )
    repeat: tuple[Path, ...] = Field(
        default=(), description="FHIRPaths that are followed again and again from what they find; each find is a row."
    )
    union_all: tuple[ViewSelect, ...] = Field(
        default=(),
        alias="unionAll",
        description="Selects with the same columns, whose rows are put one under the other.",
    )

    @model_validator(mode="after")
    def _one_way_to_rows(self) -> Self:
        if sum((self.for_each is not None, self.for_each_or_null is not None, bool(self.repeat))) > 1:
            raise ValueError("give one of `forEach`, `forEachOrNull` and `repeat`")
        names = [tuple(part.columns()) for part in self.union_all]
        if any(other != names[0] for other in names):
            raise ValueError("the selects of `unionAll` need the same columns in the same order")
        return self

    def columns(self) -> Iterator[str]:
        """The names of its columns in their order."""
        yield from (column.name for column in self.column)
        for part in (*self.select, *self.union_all[:1]):
            yield from part.columns()

    def paths(self) -> Iterator[str]:
        """Every FHIRPath in it."""
        yield from (path for path in (self.for_each, self.for_each_or_null) if path is not None)
        yield from self.repeat
        yield from (column.path for column in self.column)
        for part in (*self.select, *self.union_all):
            yield from part.paths()


class ViewWhere(ViewPart):
    """A condition: a resource for which it is not true makes no row."""

    path: Path = Field(description="FHIRPath that gives true or false.")
    description: str = Field(default="", description="What it leaves out, for people.")


class ViewConstant(Spec):
    """A value that paths name as %name."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] = Field(description="Its name.")

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        if len([key for key in self.model_extra or {} if key.startswith("value")]) != 1:
            raise ValueError("give one value, as `valueString: …` or `valueInteger: …`")
        return self

    @property
    def value(self) -> str | int | float | bool:
        """The value by the type that its key names."""
        key, value = next((k, v) for k, v in (self.model_extra or {}).items() if k.startswith("value"))
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]  # JSON has types of its own
        if key == "valueBoolean":
            return value == "true"
        if key in ("valueInteger", "valuePositiveInt", "valueUnsignedInt"):
            return int(value)
        return float(value) if key == "valueDecimal" else value


class View(Spec):
    """A ViewDefinition: which resources it reads, and the table that it makes of them."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    resource_type: Literal["ViewDefinition"] = Field(
        default="ViewDefinition", alias="resourceType", description="Says that the file is a view; may be left out."
    )
    resource: Resource = Field(description="The type of the resources it reads.")
    constant: tuple[ViewConstant, ...] = Field(default=(), description="Values that paths name as %name.")
    where: tuple[ViewWhere, ...] = Field(default=(), description="Conditions that a resource must meet, all of them.")
    select: tuple[ViewSelect, ...] = Field(min_length=1, description="The columns, and how many rows they make.")

    @model_validator(mode="after")
    def _columns_once(self) -> Self:
        names = self.columns
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the column `{twice[0]}` is there twice")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the table's columns in their order."""
        return tuple(name for part in self.select for name in part.columns())

    @property
    def constants(self) -> dict[str, str | int | float | bool]:
        """The values that paths name, by name."""
        return {constant.name: constant.value for constant in self.constant}

    def paths(self) -> Iterator[str]:
        """Every FHIRPath in it."""
        yield from (where.path for where in self.where)
        for part in self.select:
            yield from part.paths()

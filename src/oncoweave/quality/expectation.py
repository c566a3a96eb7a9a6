"""What an expectation is: its parameters, its meaning, and for ours the SQL condition over a table's rows.

In the SQL, `r` is the row that is judged. `$name` stands for a parameter: a column becomes `r."name"`, a table
or field a quoted name, texts a list of literals. The relations named `check_…` are made in `relations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ParameterKind = Literal[
    "column", "columns", "table", "table_name", "field", "text", "texts", "integer", "flag", "bound", "values"
]  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One parameter: `bound` and `values` are read as the type of the column."""

    kind: ParameterKind
    doc: str
    required: bool = True


@dataclass(frozen=True)
class RowSql:
    """A condition over the rows of a table.

    `evaluated` says which rows are judged, `unexpected` which of these fail (unknown counts as failing); `joins` must keep one row a row.
    `rows` replaces the table where rows must first be compared with each other.
    """

    unexpected: str
    evaluated: str = "true"
    joins: str = ""
    rows: str = "SELECT * FROM batch"


@dataclass(frozen=True)
class Definition:
    """One expectation of the catalogue."""

    name: str
    doc: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sql: RowSql | None = None
    failing: RowSql | None = None
    mostly: bool = True

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that must be given."""
        return tuple(name for name, parameter in self.parameters.items() if parameter.required)


COLUMN = Parameter("column", "The target field.")
CONCEPT = Parameter("column", "The target field that holds the concept id.")
DATE = Parameter("column", "The target field that holds the date.")
DOMAINS = Parameter("texts", "domain_id as OMOP spells it, one or more.")
EVENT = Parameter("column", "The field that holds the id of the row pointed at.")
FIELD_CONCEPT = Parameter("column", "The field that holds the concept of the field pointed at.")

CONCEPT_JOIN = "LEFT JOIN check_concept AS c ON c.concept_id = $column"
"""Joins the concept that the field holds, as `c`."""


def of_great_expectations(
    name: str, doc: str, failing: str | RowSql | None = None, *, mostly: bool = True, **parameters: Parameter
) -> Definition:
    """An expectation of Great Expectations; `failing` is the condition by which we find the keys of the rows."""
    condition = RowSql(failing) if isinstance(failing, str) else failing
    return Definition(name, doc, parameters, failing=condition, mostly=mostly)


def ours(name: str, doc: str, sql: RowSql, *, mostly: bool = True, **parameters: Parameter) -> Definition:
    """An expectation of ours; the same condition finds the keys of the rows that fail."""
    return Definition(name, doc, parameters, sql=sql, failing=sql, mostly=mostly)

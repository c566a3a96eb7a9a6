"""What an expectation is: its parameters, its meaning, and for ours the SQL condition over a table's rows.

In the SQL, `r` is the row that is judged. `$name` stands for a parameter: a column becomes `r."name"`, a table
or field a quoted name, texts a list of literals. The relations named `check_…` are made in `relations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ParameterKind = Literal[
    "column", "columns", "table", "table_name", "field", "text", "texts", "integer", "number", "flag", "bound", "values",
    "condition", "pattern", "patterns",
]  # fmt: skip
MANY: frozenset[ParameterKind] = frozenset({"columns", "texts", "values", "patterns"})
"""The kinds that are lists."""


@dataclass(frozen=True)
class Parameter:
    """One parameter: `bound` and `values` are read as the type of the column, a `condition` as an expression over the
    table's fields, a `pattern` as a regular expression.

    `absent` is the SQL that stands for it where it may be left out; `choices` are the only texts that it takes, if any.
    """

    kind: ParameterKind
    doc: str
    required: bool = True
    absent: str = "NULL"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowSql:
    """A condition over the rows of a table.

    `evaluated` says which rows are judged, `unexpected` which of these fail (unknown counts as failing); `joins` must keep one row a row,
    or may leave out rows that are not judged.
    `rows` replaces the table where rows must first be compared with each other.
    """

    unexpected: str
    evaluated: str = "true"
    joins: str = ""
    rows: str = "SELECT * FROM batch"


@dataclass(frozen=True)
class Definition:
    """One expectation of the catalogue.

    `mostly` and `where` say whether an entry may have the key; `tells_value` that its result is a value of the field, so
    that it is refused for fields that hold patients' values.
    """

    name: str
    doc: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sql: RowSql | None = None
    failing: RowSql | None = None
    mostly: bool = True
    where: bool = True
    tells_value: bool = False

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


def ours(name: str, doc: str, sql: RowSql, *, mostly: bool = True, **parameters: Parameter) -> Definition:
    """An expectation of ours; the same condition finds the keys of the rows that fail."""
    return Definition(name, doc, parameters, sql=sql, failing=sql, mostly=mostly)

"""What running a DQD check gives: how many rows fail of how many, or why it did not run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """The counts of one check; both are None when it did not run, and `error` or `absent` says why.

    `error` is the type of the exception, never its text. `absent` is the table, or table.field, that is not there: the
    check's own, or another that it needs (`concept_ancestor`). `table_empty` and `field_empty` are those of the check;
    of measureConditionEraCompleteness, which judges conditions, the table is CONDITION_OCCURRENCE.
    """

    violated: int | None = None
    denominator: int | None = None
    error: str = ""
    absent: str = ""
    table_empty: bool = False
    field_empty: bool = False

"""What the readers of source files have in common: a reading of one file, ready to be copied to a snapshot."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from oncoweave.engine.headers import Columns


@dataclass(frozen=True)
class DeliveredFile:
    """One file of a delivery: its name inside the delivery, and where it lies now."""

    name: str
    path: Path


@dataclass(frozen=True)
class Reject:
    """A record that cannot be read: where it is and why, never what it holds."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True)
class Reading:
    """One file, ready to be read: a SELECT of its columns as text, `_file` and `_line`, in file order.

    `rows` is how many rows the SELECT must return; `parameters` are its named parameters. Several files may have the same
    SELECT, which gives the rows of all of them.
    """

    file: DeliveredFile
    columns: Columns
    rows: int
    rejects: tuple[Reject, ...]
    sql: str
    parameters: dict[str, object] = field(default_factory=dict)

    @property
    def records(self) -> int:
        return self.rows + len(self.rejects)

    def tagged(self, tag: str) -> Reading:
        """The same reading with parameters that are unique among several."""
        sql = re.sub(r"\$([a-z]+)", rf"$\1_{tag}", self.sql)
        return replace(self, sql=sql, parameters={f"{k}_{tag}": v for k, v in self.parameters.items()})

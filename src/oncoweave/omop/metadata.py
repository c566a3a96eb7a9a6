"""The rows of METADATA: what a data set rests on, and what its users must know of how it was made.

OMOP asks an ETL to document imputed dates, and to say which software and vocabulary made the data. No concept for
any of it exists, so that the concepts are 0; nothing here comes from a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from oncoweave.records import ReleasedText


@dataclass(frozen=True)
class MetadataRow:
    """One row: its name, which is unique, and its value as text, as number, or both."""

    name: str
    text: str | None = None
    number: float | None = None

    @property
    def id(self) -> int:
        """The row's id: the first 63 bits of the SHA-256 of its name, so that it stays from run to run."""
        return int.from_bytes(hashlib.sha256(f"metadata\x1f{self.name}".encode()).digest()[:8], "big") >> 1


@dataclass(frozen=True)
class Made:
    """What a data set was made of: `rests_on` names software, hashes and vocabulary; the rest is what the run counted."""

    rests_on: Mapping[str, str]
    origin: tuple[date, str] | None
    imputed: Mapping[str, Mapping[str, int]]
    truncated: Mapping[str, int]
    released: Iterable[ReleasedText]
    rows: Mapping[str, int]


def metadata_rows(made: Made) -> list[MetadataRow]:
    """The rows, in the order of their names."""
    found = [MetadataRow(name, value) for name, value in made.rests_on.items()]
    if made.origin:
        found.append(MetadataRow("synthetic origin of dates", f"{made.origin[0]}: {made.origin[1]}"))
    for field, by_precision in made.imputed.items():
        table, _, which = field.partition(".")
        known = ", ".join(f"{rows} known to the {precision}" for precision, rows in sorted(by_precision.items()))
        share = sum(by_precision.values()) / made.rows[table]
        found.append(MetadataRow(f"share of imputed dates: {table}, {which}", known, share))
    for field, rows in made.truncated.items():
        share = rows / made.rows[field.partition(".")[0]]
        found.append(MetadataRow(f"share of truncated texts: {field}", f"{rows} rows", share))
    return sorted([*found, *_released(list(made.released))], key=lambda row: row.name)


def _released(released: list[ReleasedText]) -> list[MetadataRow]:
    """Free text that the mapping lets leave the site: of how many notes, and why. A check looks for these rows."""
    found = []
    for what in ("text", "title"):
        of = [entry for entry in released if what in entry.what]
        if of:
            why = "; ".join(dict.fromkeys(entry.because for entry in of))
            found.append(MetadataRow(f"released note_{what}", why, sum(entry.notes for entry in of)))
    return found

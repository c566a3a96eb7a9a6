"""What became of the resources of a FHIR delivery, by their type: in a table, or left out and why, by extract and by each rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oncoweave.records import ExtractRecord, LedgerEntry, MapRecord

MOST = 4
"""How many types a sentence names."""
NO_RESOURCE = "no resource"


@dataclass(frozen=True)
class LeftOut:
    """How many resources (or rows of a `rule`) are left out for a reason."""

    verdict: Literal["quarantined", "excluded"]
    reason: str
    many: int
    rule: str = ""


@dataclass(frozen=True)
class ResourceLine:
    """Resources of one type: how many were delivered, in which tables how many are, and what was left out."""

    type: str
    delivered: int
    taken: int
    tables: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


def resource_lines(extracted: ExtractRecord, mapped: MapRecord) -> list[ResourceLine]:
    """One line for each type, the types that are in a table first."""
    lines = [
        ResourceLine(
            type=count.type or NO_RESOURCE,
            delivered=count.resources,
            taken=count.resources - count.left_out,
            tables=count.tables,
            left_out=(
                *(LeftOut(*reason) for reason in count.reasons),
                *(one for entry in mapped.ledger if entry.table in count.tables for one in _of_rule(entry)),
            ),
        )
        for count in extracted.resources
    ]
    return sorted(lines, key=lambda line: (not line.tables, line.type))


def _of_rule(entry: LedgerEntry) -> list[LeftOut]:
    return [LeftOut(*reason, rule=entry.name) for reason in entry.reasons]


def told_of_resources(extracted: ExtractRecord) -> str:
    """One sentence on the resources that are in no table; empty where there are none."""
    counts = sorted(extracted.resources, key=lambda count: (-count.left_out, count.type))
    named = [f"{count.type or NO_RESOURCE} {count.left_out:,}" for count in counts if count.left_out]
    if not named:
        return ""
    many = sum(count.left_out for count in counts)
    more = [f"{len(named) - MOST} more types"] if len(named) > MOST else []
    whole = sum(count.resources for count in counts)
    return (
        f"of {whole:,} resources of FHIR {many:,} are in no table: {', '.join([*named[:MOST], *more])}; extract.json and the "
        "page of the run count them by type and reason"
    )

"""The ledger as a table: per rule, rows read = mapped + quarantined + excluded, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from oncoweave.cli.output import table

if TYPE_CHECKING:
    from oncoweave.records import LedgerEntry

HEAD = ("rule", "read", "mapped", "quarantined", "excluded", "events", "unmapped")


def print_ledger(entries: Iterable[LedgerEntry]) -> None:
    """Print the ledger, then the reasons for the rows that were held back or left out."""
    lines = list(entries)
    table("Ledger", HEAD, [(e.name, e.read, e.mapped, e.quarantined, e.excluded, e.events, e.unmapped) for e in lines])
    reasons = [(e.name, outcome, reason, rows) for e in lines for outcome, reason, rows in e.reasons]
    table("Not mapped", ("rule", "outcome", "reason", "rows"), reasons)

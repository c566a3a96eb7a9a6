"""The ledger as a table: per rule, rows read = mapped + quarantined + excluded, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from oncoweave.cli.output import table

if TYPE_CHECKING:
    from oncoweave.records import FhirRecord, LedgerEntry

HEAD = ("rule", "read", "mapped", "quarantined", "excluded", "events", "unmapped")


def print_ledger(entries: Iterable[LedgerEntry]) -> None:
    """Print the ledger, then the reasons for the rows that were held back or left out."""
    lines = list(entries)
    table("Ledger", HEAD, [(e.name, e.read, e.mapped, e.quarantined, e.excluded, e.events, e.unmapped) for e in lines])
    reasons = [(e.name, outcome, reason, rows) for e in lines for outcome, reason, rows in e.reasons]
    table("Not mapped", ("rule", "outcome", "reason", "rows"), reasons)


def print_fhir(record: FhirRecord) -> None:
    """Print what there is of FHIR by type, the profiles that resources claim, and why others do not, or why there is no resource."""
    resources: Counter[str] = Counter()
    for file in record.files:
        resources[file.type] += file.file.rows or 0
    table(f"FHIR resources, profile set {record.profiles}", ("type", "resources"), sorted(resources.items()))
    claims = [(_short(claim.profile), claim.reason, claim.resources) for claim in record.claims]
    table("Profiles claimed", ("profile", "resources"), [(name, n) for name, reason, n in claims if not reason])
    table("Profiles not claimed", ("profile", "reason", "resources"), [claim for claim in claims if claim[1]])
    left_out = [(entry.target, entry.fact, entry.reason, entry.events) for entry in record.left_out]
    table("Not in FHIR", ("table", "fact", "reason", "events"), left_out)


def _short(profile: str) -> str:
    return profile.rpartition("/")[2]

"""The page of a run: its recap, the ledger by rule, what is unmapped, and what the run rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oncoweave.records import CheckRecord, ExtractRecord, MapRecord
from oncoweave.report.banners import Banner, of_the_verdict
from oncoweave.report.page import render
from oncoweave.report.recap import RunSummary, notes_of
from oncoweave.report.unmapped import SMALL_CELL, UnmappedCodes
from oncoweave.run_identity import Identity


def run_page(
    summary: RunSummary,
    records: tuple[Identity, ExtractRecord, MapRecord, CheckRecord],
    codes: UnmappedCodes,
    signoff: Banner,
    pages: Sequence[Mapping[str, object]],
) -> str:
    """The page; no clock and no path in it."""
    identity, extracted, mapped, checked = records
    return render(
        "run.html",
        run=summary,
        release=summary.release.name if summary.release else "",
        verdict=of_the_verdict(checked),
        signoff=signoff,
        pages=pages,
        quality_file="report.html",
        notes=notes_of(summary),
        chain=extracted.chain,
        tables=extracted.tables,
        ledger=mapped.ledger,
        filled=[(name, rows) for name, rows in summary.events.items() if rows],
        empty=[name for name, rows in summary.events.items() if not rows],
        codes=codes,
        limit=SMALL_CELL,
        provenance=_provenance(identity, mapped),
    )


def _provenance(identity: Identity, mapped: MapRecord) -> list[tuple[str, str]]:
    return [
        ("Software", identity.software),
        ("Code, SHA-256", identity.code_sha256),
        ("Mapping, SHA-256", identity.mapping_sha256),
        ("Plan, SHA-256", mapped.plan_sha256),
        ("Vocabulary", mapped.vocabulary),
        ("Pseudonymisation domain", identity.domain),
        ("Key id", identity.key_id),
    ]

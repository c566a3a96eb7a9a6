"""The page of a run: its recap, and the ledger rule by rule with the reasons. What it means is in the quality report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oncoweave.report.banners import of_the_verdict
from oncoweave.report.exclusions import resource_lines
from oncoweave.report.material import Material
from oncoweave.report.page import render
from oncoweave.report.recap import RunSummary, notes_of


def run_page(summary: RunSummary, of: Material, pages: Sequence[Mapping[str, object]]) -> str:
    """The page; no clock and no path in it."""
    return render(
        "run.html",
        run=summary,
        release=summary.release.name if summary.release else "",
        verdict=of_the_verdict(of.checked, accepted=of.is_accepted),
        signoff=of.signoff,
        pages=pages,
        quality_file="report.html",
        notes=notes_of(summary),
        chain=of.extracted.chain,
        tables=of.extracted.tables,
        resources=resource_lines(of.extracted, of.mapped),
        ledger=of.mapped.ledger,
    )

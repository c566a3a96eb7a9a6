"""Judges a run by its results: what they mean for publication. Reads counts, never data, so that it can judge again.

A failing fatal check stops publication. A failing convention stops it too, unless an entry of waivers.yaml lets it pass or
a person signs the run off knowing it. A check that could not run has failed. A characterization informs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal

from oncoweave.decisions import Accepted
from oncoweave.records import SEVERITIES, CheckRecord, ExpectationResult, Severity

if TYPE_CHECKING:
    from oncoweave.quality.overrides import Override
    from oncoweave.quality.waivers import FiledWaiver

_SLACK = 1e-6
"""Rows by which a share may be missed: 0.95 and its like are no exact numbers."""


def judge(
    facts: Sequence[ExpectationResult],
    thresholds: Sequence[Override] = (),
    waivers: Sequence[FiledWaiver] = (),
    today: date = date.max,
) -> CheckRecord:
    """The record of a run by what its checks counted: success, what thresholds.yaml and waivers.yaml say, and the verdict.

    `facts` may be results that were judged before: what was judged of them is taken back first. `today` decides what has
    expired; no other clock is in it.
    """
    # Whoever asks how a run stands imports this module, and reads no specification.
    from oncoweave.quality.overrides import overridden
    from oncoweave.quality.waivers import waived

    own = [fact.model_copy(update={"waiver": None, "lapsed": ""}) for fact in facts]
    counted = [r.model_copy(update={"success": _succeeds(r)}) for r in overridden(own, thresholds, today)]
    results, idle = waived(counted, waivers, today)
    return CheckRecord(
        verdict=verdict(results),
        results=tuple(results),
        open={severity: len(open_failures(results, severity)) for severity in SEVERITIES},
        waived=sum(1 for result in results if result.waiver),
        idle_waivers=tuple(idle),
    )


def verdict(results: Sequence[ExpectationResult]) -> Literal["pass", "fail"]:
    """`fail` when a fatal check is open, or a convention, or when nothing was checked at all."""
    if not results:
        return "fail"
    return "fail" if open_failures(results, "fatal") or open_failures(results, "convention") else "pass"


def open_failures(results: Iterable[ExpectationResult], severity: Severity) -> list[ExpectationResult]:
    """The checks of a severity that failed or could not run, and that no waiver lets pass; a fatal one is never waived."""
    failed = (result for result in results if result.severity == severity and not result.success)
    return [result for result in failed if severity == "fatal" or result.waiver is None]


def may_be_accepted(checked: CheckRecord) -> bool:
    """Whether nothing but open conventions, which a person may accept, keeps a run from being published."""
    if checked.verdict == "pass":
        return True
    return not open_failures(checked.results, "fatal") and bool(open_failures(checked.results, "convention"))


def expired_since(results: Iterable[ExpectationResult], today: date) -> list[ExpectationResult]:
    """The results that are let pass by a waiver that has expired since they were judged."""
    return [result for result in results if result.waiver is not None and result.waiver.expires < today]


def accepted(results: Iterable[ExpectationResult]) -> tuple[Accepted, ...]:
    """The failing conventions, open and waived, that whoever approves a run accepts; by the id of the check."""
    failed = [result for result in results if result.severity == "convention" and not result.success]
    found = {
        r.check: Accepted(check=r.check, unexpected=r.unexpected, evaluated=r.evaluated, waived=r.waiver is not None)
        for r in failed
    }
    return tuple(found[check] for check in sorted(found))


def _succeeds(fact: ExpectationResult) -> bool:
    """Whether so few rows fail that the check is met; of a check that counts no rows, what it found itself."""
    if fact.error is not None:
        return False
    if fact.not_applicable or fact.unexpected is None or fact.evaluated is None:
        return fact.success
    return fact.unexpected <= (1 - (1.0 if fact.mostly is None else fact.mostly)) * fact.evaluated + _SLACK

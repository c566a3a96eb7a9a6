"""A validation result in words: where it looks, what must hold, what was found, what was allowed, and what to do about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from oncoweave.quality.definitions import CATALOGUE
from oncoweave.quality.dqd.catalogue import catalogue, kinds
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.queries import query as dqd_query
from oncoweave.quality.fhir.conformance import KEPT
from oncoweave.quality.run_checks.catalogue import OF_A_RUN, RUN_CHECKS
from oncoweave.records import ExpectationResult, Severity
from oncoweave.report.banners import Tone
from oncoweave.report.earlier import NO_TREND, Trend
from oncoweave.report.language import N_, _, limit, ngettext, number, percent

Outcome = Literal["failed", "could not run", "waived", "passed", "not applicable"]
OUTCOMES: Mapping[Outcome, str] = MappingProxyType(
    {
        "failed": N_("Failed"),
        "could not run": N_("Could not run"),
        "waived": N_("Waived"),
        "passed": N_("Passed"),
        "not applicable": N_("Not applicable"),
    }
)
TONES: Mapping[Severity, Tone] = MappingProxyType({"fatal": "bad", "convention": "warn", "characterization": "calm"})
ORIGINS: Mapping[str, str] = MappingProxyType(
    {
        "suite": N_("Suites of this project"),
        "dqd": N_("OHDSI Data Quality Dashboard"),
        "source": N_("Checks of the delivery"),
        "mapping": N_("Checks of the mapping"),
        "trend": N_("Comparison with earlier runs"),
    }
)
_SAID = (N_("fatal"), N_("convention"), N_("characterization"), N_("conformance"), N_("completeness"),
         N_("plausibility"), N_("verification"), N_("validation"), N_("expired"), N_("exceeded"), N_("unused"))  # fmt: skip
"""Words of the records that are translated where they are shown."""


@dataclass(frozen=True)
class CheckView:
    """One result as the report shows it; `query` says how it was asked, where that is known."""

    result: ExpectationResult
    place: str
    about: str
    meaning: str
    outcome: Outcome
    tone: Tone
    found: str
    allowed: str
    trend: Trend
    query: str

    @property
    def anchor(self) -> str:
        """The id of the check on the page."""
        return f"check-{hashlib.sha256(name_of(self.result).encode()).hexdigest()[:12]}"

    @property
    def is_bad(self) -> bool:
        """Whether it failed, waived or not."""
        return self.outcome in ("failed", "could not run", "waived")

    @property
    def is_for_information(self) -> bool:
        """Whether nothing follows from it for publication."""
        return self.result.severity == "characterization"

    @property
    def what_to_do(self) -> str:
        """What somebody does about it who answers for it."""
        if self.outcome == "could not run":
            return _("Find out why it cannot be run: until then nobody knows whether it holds, so it counts as failed.")
        if self.outcome == "waived":
            return _("Nothing until the waiver expires, or more rows fail than it lets pass.")
        if self.result.severity == "fatal":
            return _("Mend the delivery or the mapping, and run again: it can be neither waived nor signed away.")
        if self.result.severity == "convention":
            return _("Mend it. If it is expected here, waive it for a while, or sign the run off knowing it.")
        return _("Nothing has to follow. Say so to those who will use the data, if a study may need it.")

    @property
    def commands(self) -> list[str]:
        """What to call on site, after the name of the source is filled in: for the failing rows, and to let it pass."""
        name = self.result.check
        if not name or self.outcome == "could not run":
            return []
        kept = self.result.origin in ("suite", "dqd") or self.result.expectation in KEPT
        rows = [f"oncoweave failing {{source}} {name} --rows"] if kept else []
        if self.result.severity == "convention" and self.outcome == "failed":
            return [*rows, f"oncoweave waive {{source}} {name} --reason … --owner … --until YYYY-MM-DD"]
        return rows

    @property
    def is_open(self) -> bool:
        """Whether it failed and nobody let it pass."""
        return self.outcome in ("failed", "could not run")


def view(result: ExpectationResult, trend: Trend = NO_TREND, query: str = "", hidden_below: int = 0) -> CheckView:
    """A result in words; counts from 1 to `hidden_below` - 1 are not told."""
    return CheckView(
        result=result,
        place=place_of(result),
        about=_about(result),
        meaning=meaning_of(result),
        outcome=_outcome(result),
        tone=TONES[result.severity],
        found=_found(result, hidden_below),
        allowed=_allowed(result),
        trend=trend,
        query=query,
    )


def name_of(result: ExpectationResult) -> str:
    """What names a check from run to run; those of old records have no id."""
    return result.check or f"{result.suite}.{result.column or ''}.{result.expectation}"


def place_of(result: ExpectationResult) -> str:
    """Where a check looks: the target field or table, and for a check of the whole run what its id says after the origin."""
    if result.origin in OF_A_RUN:
        return result.check.partition(".")[2] or result.check
    return f"{result.table}.{result.column}" if result.column else result.table


def meaning_of(result: ExpectationResult) -> str:
    """What must hold, as the reference of its kind says it."""
    if result.origin == "dqd":
        return result.why
    return reference_of(result.expectation) or result.expectation.replace("_", " ")


def reference_of(expectation: str) -> str:
    """The reference text of a kind of check; empty where there is none."""
    if (definition := CATALOGUE.get(expectation)) is not None:
        return _(definition.doc)
    if (of_run := RUN_CHECKS.get(expectation)) is not None:
        judged, bad = (*of_run.counts, "")[:2]
        return _("{doc} Judged: {judged}; failing: {failing}.").format(doc=_(of_run.doc), judged=judged, failing=bad)
    return kind.in_general if (kind := kinds().get(expectation)) else ""


def query_of(result: ExpectationResult, known: Mapping[str, str]) -> str:
    """How a failing check was asked; `known` are the queries that the check stage wrote down. Empty where it is not known."""
    if result.origin != "dqd":
        return known.get(result.check, "")
    check = _dqd_checks().get(result.check) or _dqd_checks().get(result.check.removeprefix("dqd."))
    return dqd_query(check) if check else ""


@cache
def _dqd_checks() -> Mapping[str, DqdCheck]:
    return {check.id: check for check in catalogue()}


def rank(check: CheckView) -> tuple[int, int, int, str]:
    """Fatal before convention before the rest; what could not run first, then by rows."""
    severity = list(TONES).index(check.result.severity)
    return severity, int(check.outcome != "could not run"), -(check.result.unexpected or 0), name_of(check.result)


def _about(result: ExpectationResult) -> str:
    """What tells checks of one place apart: what must hold, and the concept and unit where it is about one."""
    if result.origin in OF_A_RUN:
        return ""
    what = result.expectation
    if result.concept is None:
        return what
    concept = _("concept {id}").format(id=result.concept)
    unit = [_("unit {id}").format(id=result.unit)] if result.unit else []
    return ", ".join([what, concept, *unit])


def _outcome(result: ExpectationResult) -> Outcome:
    if not result.success and result.waiver is not None and result.severity != "fatal":
        return "waived"
    if result.error is not None:
        return "could not run"
    if not result.success:
        return "failed"
    return "not applicable" if result.not_applicable else "passed"


def _found(result: ExpectationResult, hidden_below: int) -> str:
    if result.unexpected is None:
        rows = result.evaluated
        return _("not told") if rows is None else ngettext("{count} row in all", "{count} rows in all", rows)
    if 0 < result.unexpected < hidden_below:
        return _("fewer than {limit} rows fail").format(limit=hidden_below)
    share = f" ({percent(result.unexpected / result.evaluated)})" if result.evaluated else ""
    text = ngettext("{count} of {all} judged fails", "{count} of {all} judged fail", result.unexpected)
    return text.format(all=number(result.evaluated or 0)) + share


def _allowed(result: ExpectationResult) -> str:
    if result.unexpected is None:
        return _("as the check says")
    if result.mostly is None or result.mostly == 1:
        return _("none may fail")
    return _("at most {share} may fail").format(share=limit(1 - result.mostly))

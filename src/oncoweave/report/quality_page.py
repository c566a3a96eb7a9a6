"""The quality page: what the checks found, what it means for publication, and what failed first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Literal

from oncoweave.quality.definitions import CATALOGUE
from oncoweave.records import CheckRecord, ExpectationResult, ExtractRecord
from oncoweave.report.banners import Banner, Tone, of_the_verdict
from oncoweave.report.page import render

Outcome = Literal["failed", "could not run", "passed", "not applicable"]

SEVERITIES: Mapping[str, str] = MappingProxyType(
    {
        "fatal": "Nothing is published when one fails",
        "convention": "A warning: the OMOP conventions ask for it",
        "characterization": "For information: what a study can use",
    }
)
CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "conformance": "The form of the values: types, keys, vocabularies",
        "completeness": "Whether values are there",
        "plausibility": "Whether values can be true",
    }
)
_TONES: Mapping[str, Tone] = MappingProxyType({"fatal": "bad", "convention": "warn", "characterization": "calm"})


@dataclass(frozen=True)
class CheckView:
    """A validation result in words."""

    suite: str
    place: str
    expectation: str
    meaning: str
    severity: str
    category: str
    outcome: Outcome
    tone: Tone
    evaluated: int | None
    unexpected: int | None
    found: str
    allowed: str
    most: str
    why: str
    owner: str
    error: str | None


@dataclass(frozen=True)
class Tally:
    """How the checks of one severity or category came out; `judged` leaves out those without a row to judge."""

    name: str
    meaning: str
    failed: int
    error: int
    passed: int
    idle: int

    @property
    def judged(self) -> int:
        return self.failed + self.error + self.passed

    @property
    def share(self) -> float:
        return self.passed / self.judged


@dataclass(frozen=True)
class SuiteView:
    """The checks of a suite, those that failed first."""

    name: str
    checks: Sequence[CheckView]
    failed: int


def quality_page(
    extracted: ExtractRecord, checked: CheckRecord, signoff: Banner, pages: Sequence[Mapping[str, object]]
) -> str:
    """The page; no clock and no path in it."""
    checks = [view(result) for result in checked.results]
    return render(
        "quality.html",
        source=extracted.source,
        run_id=extracted.run_id,
        delivery_date=extracted.delivery_date,
        verdict=of_the_verdict(checked),
        signoff=signoff,
        pages=pages,
        severities=_tallies(checks, SEVERITIES, lambda check: check.severity),
        categories=_tallies(checks, CATEGORIES, lambda check: check.category),
        failing=sorted((check for check in checks if _is_bad(check)), key=_rank),
        suites=list(_suites(checks)),
    )


def view(result: ExpectationResult) -> CheckView:
    """A validation result as the page shows it."""
    definition = CATALOGUE.get(result.expectation)
    return CheckView(
        suite=result.suite,
        place=f"{result.table}.{result.column}" if result.column else result.table,
        expectation=result.expectation,
        meaning=definition.doc if definition else result.expectation.replace("_", " "),
        severity=result.severity,
        category=result.category,
        outcome=_outcome(result),
        tone=_TONES[result.severity],
        evaluated=result.evaluated,
        unexpected=result.unexpected,
        found=_found(result),
        allowed=_allowed(result),
        most="none" if result.mostly is None else f"{(1 - result.mostly) * 100:.3g} %",
        why=result.why,
        owner=result.owner,
        error=result.error,
    )


def _outcome(result: ExpectationResult) -> Outcome:
    if result.error is not None:
        return "could not run"
    if not result.success:
        return "failed"
    return "not applicable" if result.not_applicable else "passed"


def _found(result: ExpectationResult) -> str:
    if result.unexpected is None:
        return f"{result.evaluated:,} rows in the table" if result.evaluated is not None else "not told"
    share = f" ({result.unexpected / result.evaluated * 100:.3g} %)" if result.evaluated else ""
    return f"{result.unexpected:,} of {result.evaluated or 0:,} judged fail{share}"


def _allowed(result: ExpectationResult) -> str:
    if result.unexpected is None:
        return "as the suite says"
    return "none may fail" if result.mostly is None else f"at most {(1 - result.mostly) * 100:.3g} % may fail"


def _is_bad(check: CheckView) -> bool:
    return check.outcome in ("failed", "could not run")


def _rank(check: CheckView) -> tuple[int, int, int, str, str, str]:
    """Fatal before convention before the rest; what could not run first, then by rows."""
    could_run = int(check.error is None)
    severity = list(SEVERITIES).index(check.severity)
    return severity, could_run, -(check.unexpected or 0), check.suite, check.place, check.expectation


def _tallies(checks: Iterable[CheckView], names: Mapping[str, str], of: Callable[[CheckView], str]) -> list[Tally]:
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    for check in checks:
        outcomes[of(check)].append(check.outcome)
    order: tuple[Outcome, ...] = ("failed", "could not run", "passed", "not applicable")
    return [Tally(name, names[name], *(found.count(kind) for kind in order)) for name, found in outcomes.items()]


def _suites(checks: Iterable[CheckView]) -> Iterable[SuiteView]:
    for name, group in groupby(sorted(checks, key=lambda check: check.suite), key=lambda check: check.suite):
        of_suite = sorted(group, key=lambda check: not _is_bad(check))
        yield SuiteView(name, of_suite, sum(map(_is_bad, of_suite)))

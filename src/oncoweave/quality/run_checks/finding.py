"""What was counted for a check at one place, and how it becomes a result by the thresholds of trends.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from oncoweave.quality.run_checks.catalogue import OF_A_RUN, RUN_CHECKS
from oncoweave.records import ExpectationResult
from oncoweave.spec.trends import RunCheckSpec, Trends

NOTHING = "there is nothing to judge"
TOO_FEW = "to judge: one more or less would decide"


@dataclass(frozen=True)
class Finding:
    """The counts of a check at one place; `place` are names, never values. `not_applicable` is why nothing was counted."""

    check: str
    place: tuple[str, ...]
    table: str
    evaluated: int | None = None
    unexpected: int | None = None
    column: str | None = None
    not_applicable: str = ""
    error: str | None = None
    concept: int | None = None
    unit: str = ""


def beyond(now: int, of: int, before: int, of_before: int) -> int:
    """How many of `of` are more than the share before lets expect, rounded in favour of what is judged."""
    return max(0, now - -(-before * of // of_before)) if of_before else 0


def results(trends: Trends, findings: Iterable[Finding]) -> list[ExpectationResult]:
    """One result for each check of trends.yaml and place, in its order and by place; `check` of each is unique."""
    by_check: dict[str, list[Finding]] = {}
    for finding in findings:
        by_check.setdefault(finding.check, []).append(finding)
    return [result for spec in trends.checks for result in _results(spec, trends, by_check.get(spec.check, []))]


def told_by(
    trends: Trends, facts: Iterable[ExpectationResult], anew: Iterable[Finding] = ()
) -> list[ExpectationResult]:
    """The results of a run with those of this kind judged by `trends` as it is now, by the same counts; the others as they are.

    What was counted `anew` stands for what was counted of the same check at the same place.

    They stand where the first of them stood, so that an unchanged file changes nothing.
    """
    before: list[ExpectationResult] = []
    after: list[ExpectationResult] = []
    findings: dict[tuple[str, tuple[str, ...]], Finding] = {}
    for fact in facts:
        if fact.origin in OF_A_RUN:
            finding = _finding(fact)
            findings[finding.check, finding.place] = finding
        else:
            (after if findings else before).append(fact)
    findings.update({(finding.check, finding.place): finding for finding in anew})
    return [*before, *results(trends, findings.values()), *after]


def _finding(fact: ExpectationResult) -> Finding:
    """What was counted for a result: why it was not judged stays, unless there was too little of it."""
    why_not = "" if fact.not_applicable == NOTHING or fact.not_applicable.endswith(TOO_FEW) else fact.not_applicable
    _, _, *place = fact.check.split(".")
    return Finding(
        fact.expectation, tuple(place), fact.table, fact.evaluated, fact.unexpected, fact.column, why_not, fact.error,
        fact.concept, fact.unit,
    )  # fmt: skip


def _results(spec: RunCheckSpec, trends: Trends, findings: list[Finding]) -> Iterator[ExpectationResult]:
    check = RUN_CHECKS[spec.check]
    fewest = (spec.fewest or trends.fewest) if check.of_share else 1
    mostly = round(1 - spec.at_most, 9)
    for finding in sorted(findings, key=lambda f: f.place):
        why_not = finding.not_applicable or (None if finding.error else _too_few(finding, fewest)) or ""
        counted = not (why_not or finding.error)
        share = (finding.unexpected or 0) / finding.evaluated if counted and finding.evaluated else 0.0
        yield ExpectationResult(
            check=".".join((check.origin, spec.id or spec.check, *finding.place)),
            origin=check.origin,
            suite=check.origin,
            table=finding.table,
            expectation=spec.check,
            column=finding.column,
            concept=finding.concept,
            unit=finding.unit,
            severity=spec.severity,
            category=check.category,
            context=check.context,
            why=spec.why,
            owner=spec.owner,
            since=spec.since,
            success=finding.error is None and 1 - share >= mostly - 1e-12,
            error=finding.error,
            not_applicable=why_not,
            evaluated=finding.evaluated,
            unexpected=finding.unexpected,
            mostly=mostly,
        )


def _too_few(finding: Finding, fewest: int) -> str:
    evaluated = finding.evaluated or 0
    if not evaluated:
        return NOTHING
    return f"fewer than {fewest} {TOO_FEW}" if evaluated < fewest else ""

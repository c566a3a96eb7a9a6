"""Checks of a release against the one before: rows, facts without a concept, and the other checks, by the history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from oncoweave.quality.history import HistoryRow, Kind, Series
from oncoweave.quality.run_checks.finding import Finding, beyond
from oncoweave.quality.run_checks.mapping import rule_place
from oncoweave.quality.run_checks.previous import NO_EARLIER, Previous
from oncoweave.records import ALL_FACTS, ExpectationResult, MapRecord

NEW_RULE = "the run before had no such rule"


def findings(
    previous: Previous | None, history: Series, mapped: MapRecord, results: Sequence[ExpectationResult]
) -> Iterator[Finding]:
    """How the tables, rules and checks of a run fared against the run before; `results` are those of the tables."""

    def before(kind: Kind) -> Mapping[str, HistoryRow]:
        return history.at(previous.run_id, kind) if previous else {}

    yield from _tables(mapped, before("table"), first=previous is None)
    yield from _unmapped(mapped, before("rule"), first=previous is None)
    yield from _checks(results, before("check"), first=previous is None)


def _tables(mapped: MapRecord, before: Mapping[str, HistoryRow], *, first: bool) -> Iterator[Finding]:
    for file in mapped.tables:
        name = file.name.removesuffix(".parquet")
        known = before.get(name)
        if known is None:
            why = NO_EARLIER if first else "the run before had no such table"
            yield Finding("rows_dropped", (name,), name, not_applicable=why)
        else:
            rows = known.evaluated or 0
            yield Finding("rows_dropped", (name,), name, rows, max(0, rows - (file.rows or 0)))


def _unmapped(mapped: MapRecord, before: Mapping[str, HistoryRow], *, first: bool) -> Iterator[Finding]:
    """By rule, and over the rules that both runs have: a new rule of a variable without a concept is no jump."""
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for entry in mapped.ledger:
        place = rule_place(entry)
        known = before.get(entry.name)
        if known is None:
            why = NO_EARLIER if first else NEW_RULE
            yield Finding("rule_unmapped_jumped", place, entry.table, column=entry.column, not_applicable=why)
            counts = (0, 0, 0, 0)
        else:
            counts = (entry.events, entry.unmapped, known.evaluated or 0, known.unexpected or 0)
            yield Finding("rule_unmapped_jumped", place, entry.table, *_jump(*counts), entry.column)
        for fact in (entry.fact, ALL_FACTS):
            totals[fact] = [total + one for total, one in zip(totals[fact], counts, strict=True)]
    for fact, (events, unmapped, events_before, unmapped_before) in totals.items():
        if events_before:
            yield Finding("unmapped_jumped", (fact,), "", *_jump(events, unmapped, events_before, unmapped_before))
        else:
            why = NO_EARLIER if first else "the run before had no such facts"
            yield Finding("unmapped_jumped", (fact,), "", not_applicable=why)


def _jump(events: int, unmapped: int, events_before: int, unmapped_before: int) -> tuple[int, int]:
    if not events_before:
        return 0, 0
    return events, beyond(unmapped, events, unmapped_before, events_before)


def _checks(
    results: Sequence[ExpectationResult], before: Mapping[str, HistoryRow], *, first: bool
) -> Iterator[Finding]:
    """By suite: checks that fail anew, and failing rows beyond the share before."""
    by_suite: dict[str, list[tuple[ExpectationResult, HistoryRow]]] = defaultdict(list)
    for result in results:
        both = by_suite[result.suite]
        known = before.get(result.check)
        if known and not known.not_applicable and not result.not_applicable:
            both.append((result, known))
    for suite, both in sorted(by_suite.items()):
        if not both:
            why = NO_EARLIER if first else "the run before judged none of these checks"
            yield from (Finding(c, (suite,), "", not_applicable=why) for c in ("checks_failing_anew", "check_worsened"))
            continue
        passed = [result for result, known in both if known.success]
        yield Finding("checks_failing_anew", (suite,), "", len(passed), sum(not result.success for result in passed))
        counted = [
            (r, k)
            for r, k in both
            if r.evaluated and r.unexpected is not None and k.evaluated and k.unexpected is not None
        ]
        worse = sum(
            beyond(r.unexpected or 0, r.evaluated or 0, k.unexpected or 0, k.evaluated or 0) for r, k in counted
        )
        yield Finding("check_worsened", (suite,), "", sum(r.evaluated or 0 for r, _ in counted), worse)

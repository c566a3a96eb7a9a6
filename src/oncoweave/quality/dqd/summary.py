"""What a release says of the DQD checks: their counts and the failing ones in its manifest, all of them in dqd.json.

A hub verifies that the two say the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from oncoweave.quality.dqd.viewer import overview
from oncoweave.records import DqdCounts, ExpectationResult

_TOP = (
    "startTimestamp", "endTimestamp", "executionTime", "executionTimeSeconds", "CheckResults", "Metadata", "Overview",
)  # fmt: skip
_STATES = ("passed", "failed", "notApplicable", "isError")


def dqd_counts(results: Iterable[ExpectationResult]) -> DqdCounts:
    """How many DQD checks passed, failed, had nothing to judge, or could not run."""
    states = [_state(result) for result in results if result.origin == "dqd"]
    return DqdCounts(total=len(states), **{name: states.count(name) for name in set(states)})


def for_the_manifest(results: Iterable[ExpectationResult]) -> tuple[ExpectationResult, ...]:
    """The results that a manifest lists: of DQD those alone that failed or could not run; dqd.json has the others."""
    return tuple(result for result in results if result.origin != "dqd" or not result.success)


def findings(content: bytes, counts: DqdCounts | None) -> Iterator[str]:
    """What is wrong with a dqd.json: its form, sums that do not add up, or other counts than the manifest's."""
    try:
        whole = json.loads(content)
        results = whole["CheckResults"]
        found = overview(results)
        stated = {name: value for name, (value,) in whole["Overview"].items()}
        states = [[name for name in _STATES if one[name] == 1] for one in results]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        yield "is not the result file of OHDSI's Data Quality Dashboard"
        return
    if tuple(whole) != _TOP or any(len(state) != 1 for state in states):
        yield "is not the result file of OHDSI's Data Quality Dashboard"
    if found != stated:
        yield "its overview is not the sum of its results"
    if counts != _counted(states):
        yield "its counts are not those of the manifest"


def _counted(states: list[list[Any]]) -> DqdCounts:
    names = [state[0] for state in states if len(state) == 1]
    return DqdCounts(
        total=len(states),
        passed=names.count("passed"),
        failed=names.count("failed"),
        not_applicable=names.count("notApplicable"),
        errors=names.count("isError"),
    )


def _state(result: ExpectationResult) -> str:
    if result.not_applicable:
        return "not_applicable"
    if result.error is not None:
        return "errors"
    return "passed" if result.success else "failed"

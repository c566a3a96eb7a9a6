"""Judges a run by its results: what they mean for publication. Reads counts, never data, so that it can judge again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from oncoweave.records import ExpectationResult


def verdict(results: Sequence[ExpectationResult]) -> Literal["pass", "fail"]:
    """`fail` when a fatal expectation failed or could not be run, or when nothing was checked at all."""
    if not results:
        return "fail"
    return "fail" if any(r.severity == "fatal" and not r.success for r in results) else "pass"

"""What each check counts and what to do when it fails, in words: for docs/checks and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import cast

from oncoweave.spec.yaml_tree import read_package_file


@dataclass(frozen=True)
class Explanation:
    """`judged` is the denominator and `fails` the numerator (of DQD checks: in their own description), `mend` where to look.

    `example` is an entry for a check that the standard suites do not use: its `table` and `parameters`.
    """

    judged: str
    fails: str
    mend: str
    example: Mapping[str, object] = field(default_factory=dict)


@cache
def explanations() -> Mapping[str, Explanation]:
    """By the name of the expectation, or of the kind of DQD check."""
    entries = read_package_file("oncoweave.quality", "explanations.yaml").items()
    return MappingProxyType({name: _explanation(cast("dict[str, object]", entry)) for name, entry in entries})


def _explanation(entry: Mapping[str, object]) -> Explanation:
    example = cast("Mapping[str, object]", entry.get("example", {}))
    return Explanation(str(entry["judged"]), str(entry.get("fails", "")), str(entry["mend"]), example)

"""How the checks came out, counted apart: by Kahn category and context, by severity, and by where they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from oncoweave.report.check_views import ORIGINS, OUTCOMES, CheckView, Outcome
from oncoweave.report.language import N_, _

SEVERITIES: Mapping[str, str] = MappingProxyType(
    {
        "fatal": N_("Nothing is published when one fails"),
        "convention": N_("The OMOP conventions ask for it: mended, waived or signed for"),
        "characterization": N_("For information: what a study can use"),
    }
)
CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "conformance": N_("The form of the values: types, keys, vocabularies"),
        "completeness": N_("Whether values are there"),
        "plausibility": N_("Whether values can be true"),
    }
)
CONTEXTS: Mapping[str, str] = MappingProxyType(
    {
        "verification": N_("against the data themselves and the model"),
        "validation": N_("against something outside them"),
    }
)


@dataclass(frozen=True)
class Tally:
    """How some checks came out; what is not applicable is in no denominator."""

    counts: Mapping[Outcome, int]

    def of(self, outcome: Outcome) -> int:
        """How many came out so."""
        return self.counts.get(outcome, 0)

    @property
    def judged(self) -> int:
        """All but those that found nothing to judge."""
        return sum(self.counts.values()) - self.of("not applicable")

    @property
    def share(self) -> float:
        """Passed of judged."""
        return self.of("passed") / self.judged

    @property
    def parts(self) -> list[tuple[str, float, float]]:
        """The bar of the judged: class, start and width in percent, in the order of the outcomes that ask for something."""
        found, start = [], 0.0
        for outcome, name in _BAR.items():
            width = 100 * self.of(outcome) / self.judged if self.judged else 0
            if width:
                found.append((name, round(start, 2), round(width, 2)))
            start += width
        return found

    @property
    def told(self) -> list[tuple[Outcome, str, int]]:
        """The outcomes that occur, besides passed: outcome, its name for people, how many."""
        return [(outcome, _(name), self.of(outcome)) for outcome, name in OUTCOMES.items()
                if outcome != "passed" and self.of(outcome)]  # fmt: skip


_BAR: Mapping[Outcome, str] = MappingProxyType(
    {"passed": "is-passed", "waived": "is-waived", "could not run": "is-error", "failed": "is-failed"}
)


@dataclass(frozen=True)
class Row:
    """A row of a table of tallies: the name and what it means, and a tally for each column."""

    name: str
    meaning: str
    cells: Sequence[Tally]


def by_category_and_context(checks: Sequence[CheckView]) -> list[Row]:
    """The Kahn matrix: a row for each category and one for all, a column for each context and one for all."""
    rows = []
    for category, meaning in (*CATEGORIES.items(), ("", "")):
        of_row = [check for check in checks if category in ("", check.result.category)]
        cells = [tally(c for c in of_row if c.result.context == context) for context in CONTEXTS]
        rows.append(Row(category, meaning, (*cells, tally(of_row))))
    return rows


def by_severity(checks: Sequence[CheckView]) -> list[Row]:
    """One row for each severity."""
    return _by(checks, SEVERITIES, lambda check: check.result.severity)


def by_origin(checks: Sequence[CheckView]) -> list[Row]:
    """One row for each origin that has checks."""
    return [row for row in _by(checks, ORIGINS, lambda check: check.result.origin) if row.cells[0].counts]


def tally(checks: Iterable[CheckView]) -> Tally:
    """The checks, counted by outcome."""
    return Tally(Counter(check.outcome for check in checks))


def _by(checks: Sequence[CheckView], names: Mapping[str, str], of: Callable[[CheckView], str]) -> list[Row]:
    return [Row(name, meaning, [tally(c for c in checks if of(c) == name)]) for name, meaning in names.items()]

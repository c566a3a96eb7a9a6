"""What a site tolerates: thresholds.yaml found wrong before a run, and applied to the counts of one.

`overridden` is what `judge` calls: it changes what counts mean, never the counts, and starts from what a check itself asks,
so that a record can be judged again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from oncoweave.content import THRESHOLDS, judgement_files
from oncoweave.errors import Problem, SpecError, nearest
from oncoweave.project import Project
from oncoweave.quality.compilation import known_checks
from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.records import AppliedThreshold, ExpectationResult, OwnTerms
from oncoweave.spec.document import Document
from oncoweave.spec.load import load_each, load_thresholds
from oncoweave.spec.thresholds import Threshold

OFF = "off"
NAMED = ("suite", "dqd")
"""Where the checks come from that an entry can name."""


@dataclass(frozen=True)
class Override:
    """One entry of a thresholds.yaml, and the file it stands in."""

    entry: Threshold
    file: str

    @property
    def is_pattern(self) -> bool:
        """Whether it may name several checks."""
        return "*" in self.entry.check

    def names(self, check: str) -> bool:
        """Whether it names that check."""
        return fnmatchcase(check, self.entry.check) if self.is_pattern else check == self.entry.check


def overrides(project: Project, source: str) -> list[Override]:
    """The entries for `source`: the site's, then the source's own.

    Raises SpecError with the problems of all its files.
    """
    found, problems = _filed(project, source)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise SpecError(f"the thresholds of `{source}` are wrong", problems=errors)
    return found


def overridden(facts: Sequence[ExpectationResult], entries: Sequence[Override], today: date) -> list[ExpectationResult]:
    """The results with the terms that `entries` set on `today`; any that were set before are taken back first."""
    return [_applied(own, _chosen(own, entries), today) for own in map(as_it_asks, facts)]


def lint_thresholds(project: Project, source: str, today: date | None = None) -> list[Problem]:
    """Every problem of the thresholds of `source`; an entry that has expired by `today` is a warning."""
    return _filed(project, source, today)[1]


def _filed(project: Project, source: str, today: date | None = None) -> tuple[list[Override], list[Problem]]:
    """The entries for `source`, and what is wrong with them and their files."""
    paths = judgement_files(project, source, THRESHOLDS)
    files, problems = load_each(paths, project.root, load_thresholds)
    known = known_terms(project, source) if files else {}
    found: list[Override] = []
    for spec, document in files:
        for number, entry in enumerate(Override(entry, document.name) for entry in spec.thresholds):
            found.append(entry)
            problems += _entry_problems(entry, document, number, known, today)
    return found, problems


def known_terms(project: Project, source: str) -> Mapping[str, OwnTerms]:
    """What every check that can be named asks, by its id."""
    found = {check.id: OwnTerms(severity=check.severity, mostly=check.mostly, counts=True) for check in catalogue()}
    for check in known_checks(project, source):
        mostly = check.spec.mostly if check.spec.mostly is not None else 1.0
        found[check.id] = OwnTerms(severity=check.spec.severity, mostly=mostly, counts=check.definition.mostly)
    return found


def _entry_problems(
    entry: Override, document: Document, number: int, known: Mapping[str, OwnTerms], today: date | None
) -> Iterator[Problem]:
    place = ("thresholds", number)
    named = [check for check in known if entry.names(check)]
    if not named:
        plain = entry.entry.check.replace("*", "")
        message = (
            f"there is no check `{entry.entry.check}`"
            if not entry.is_pattern
            else f"no check has an id like `{entry.entry.check}`"
        )
        yield document.problem("unknown-check", message, (*place, "check"), help=_near(plain, known))
        return
    loosened = [check for check in named if _loosens(entry.entry, known[check])]
    if loosened:
        key = "threshold" if entry.entry.threshold is not None else "severity"
        others = f" and {len(loosened) - 1} more" if len(loosened) > 1 else ""
        message = f"`{loosened[0]}`{others} is fatal: it can be made stricter, not let pass"
        mend = "mend the data or the mapping; name the checks that are meant without it"
        yield document.problem("loosened-fatal", message, (*place, key), help=mend)
    uncounted = [check for check in named if not known[check].counts]
    if uncounted and not entry.is_pattern and entry.entry.threshold not in (None, OFF):
        message = f"`{uncounted[0]}` holds or does not: it counts no rows that a threshold could be a share of"
        yield document.problem("no-threshold", message, (*place, "threshold"), help="write `off`, or another severity")
    if today and entry.entry.expires < today:
        message = "this entry has expired: what the checks themselves ask counts again"
        yield document.problem(
            "expired", message, (*place, "expires"), help="remove it, or give it a new date", severity="warning"
        )


def _near(name: str, known: Iterable[str]) -> str:
    """The nearest id; a list of the first of thousands would help nobody."""
    told = nearest(name, known)
    return told if told.startswith("did you mean") else "`oncoweave check --json` lists the ids of all checks"


def _loosens(entry: Threshold, own: OwnTerms) -> bool:
    if own.severity != "fatal":
        return False
    if entry.severity not in (None, "fatal") or entry.threshold == OFF:
        return True
    return entry.threshold is not None and _mostly(entry.threshold) < (1.0 if own.mostly is None else own.mostly)


def _chosen(fact: ExpectationResult, entries: Sequence[Override]) -> Override | None:
    """The entry that holds for a check: one that names it alone, else a pattern; of several the last."""
    named = [entry for entry in entries if fact.origin in NAMED and entry.names(fact.check)]
    return max(enumerate(named), key=lambda one: (not one[1].is_pattern, one[0]))[1] if named else None


def as_it_asks(result: ExpectationResult) -> ExpectationResult:
    """The result with what a threshold of the site set taken back."""
    applied = result.override
    if applied is None:
        return result
    own = applied.own
    return result.model_copy(
        update={
            "override": None, "mostly": own.mostly, "severity": own.severity, "success": own.success,
            "not_applicable": own.not_applicable,
        }
    )  # fmt: skip


def _applied(fact: ExpectationResult, override: Override | None, today: date) -> ExpectationResult:
    if override is None:
        return fact
    entry = override.entry
    own = OwnTerms(
        severity=fact.severity, mostly=fact.mostly, success=fact.success, not_applicable=fact.not_applicable,
        counts=fact.unexpected is not None,
    )  # fmt: skip
    applied = AppliedThreshold(
        threshold=entry.threshold,
        severity=entry.severity,
        reason=entry.reason,
        owner=entry.owner,
        expires=entry.expires,
        file=override.file,
        expired=entry.expires < today,
        own=own,
    )
    update: dict[str, object] = {"override": applied}
    if not applied.expired and not _loosens(entry, own):
        update |= _terms(entry, fact)
    return fact.model_copy(update=update)


def _terms(entry: Threshold, fact: ExpectationResult) -> dict[str, object]:
    update: dict[str, object] = {"severity": entry.severity or fact.severity}
    if entry.threshold == OFF:
        update |= {"not_applicable": f"not judged here: {entry.reason}", "success": True}
    elif entry.threshold is not None and fact.unexpected is not None:
        update["mostly"] = _mostly(entry.threshold)
    return update


def _mostly(threshold: str) -> float:
    return 1 - float(threshold) / 100

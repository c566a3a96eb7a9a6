"""The two things that every page says first: the verdict of the checks, and how the run stands with those who sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord, ExpectationResult, ReleaseManifest

Tone = Literal["good", "bad", "warn", "calm"]


@dataclass(frozen=True)
class Banner:
    """A statement in a coloured field: its title says it without the colour."""

    tone: Tone
    title: str
    meaning: str


def of_the_verdict(checked: CheckRecord) -> Banner:
    """What the checks mean for publication."""
    fatal, convention, told = (failed(checked.results, name) for name in ("fatal", "convention", "characterization"))
    others = f"{_checks(convention, 'convention')} and {_checks(told, 'characterization')} failed"
    if not checked.results:
        return Banner("bad", "Nothing was checked", "A run that was not checked is not published.")
    if checked.verdict == "fail":
        return Banner("bad", "Did not pass", f"{_checks(fatal, 'fatal')} failed, so nothing is published; {others}.")
    if convention:
        return Banner("warn", "Passed, with warnings", f"No fatal check failed; {others}. It may be published.")
    return Banner(
        "good", "Passed", f"No fatal and no convention check failed; {_checks(told, 'characterization')} did."
    )


def failed(results: Sequence[ExpectationResult], severity: str) -> int:
    """How many checks of a severity failed or could not be run."""
    return sum(1 for result in results if result.severity == severity and not result.success)


def _checks(count: int, kind: str) -> str:
    return f"{count or 'no'} {kind} check{'' if count == 1 else 's'}"


def of_the_run(run: RunFolder, project: Project) -> Banner:
    """How a run stands with those who sign."""
    return Banner("calm", "Not signed off", "Nobody has signed this run.")


def of_the_release(manifest: ReleaseManifest) -> Banner:
    """Who let the release be published, as its manifest says."""
    return Banner("calm", "Not signed off", "Nobody has signed this release.")

"""The two things that every page says first: the verdict of the checks, and how the run stands with those who sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from oncoweave.errors import OncoweaveError
from oncoweave.project import Project, RunFolder
from oncoweave.quality.judge import open_failures
from oncoweave.records import SEVERITIES, CheckRecord, ExpectationResult, ReleaseManifest
from oncoweave.release.question import is_open, read_question
from oncoweave.release.signoff import LONGEST_COMMENT, standing_by, told
from oncoweave.spec.load import load_source

Tone = Literal["good", "bad", "warn", "calm"]
_STANDINGS: Mapping[str, tuple[Tone, str]] = MappingProxyType(
    {
        "not needed": ("calm", "Not signed off"),
        "open failures": ("bad", "Conventions fail, and nobody accepted it"),
        "waiting": ("warn", "Waits for an approval"),
        "approved": ("good", "Approved"),
        "auto-approved": ("warn", "Auto-approved: nobody looked"),
        "rejected": ("bad", "Rejected"),
        "expired": ("bad", "Expired: nobody answered in time"),
        "superseded": ("warn", "Superseded"),
        "void": ("warn", "The sign-off is void"),
        "not accepted": ("warn", "The sign-off does not count"),
    }
)


@dataclass(frozen=True)
class Banner:
    """A statement in a coloured field: its title says it without the colour."""

    tone: Tone
    title: str
    meaning: str


def of_the_verdict(checked: CheckRecord) -> Banner:
    """What the checks mean for publication."""
    if not checked.results:
        return Banner("bad", "Nothing was checked", "A run that was not checked is not published.")
    fatal, convention, told = (len(open_failures(checked.results, severity)) for severity in SEVERITIES)
    waived = sum(1 for result in checked.results if result.waiver and result.severity == "convention")
    others = f"{_checks(told, 'characterization')} failed, for information"
    if fatal:
        conventions = f"{_checks(convention, 'convention')} and {_checks(told, 'characterization')} failed"
        return Banner(
            "bad", "Did not pass", f"{_checks(fatal, 'fatal')} failed, so nothing is published; {conventions}."
        )
    if convention:
        meaning = f"{_checks(convention, 'convention')} failed without a waiver, so nothing is published unless somebody accepts "
        return Banner("bad", "Did not pass", f"{meaning}it by name; {others}.")
    if waived:
        return Banner(
            "warn",
            "Passed, with waivers",
            f"{_checks(waived, 'convention')} failed and {'is' if waived == 1 else 'are'} waived; {others}.",
        )
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
    try:
        spec, _ = load_source(project, run.source)
        stands = standing_by(run, spec)
    except OncoweaveError as error:
        return Banner("warn", "It cannot be told who signed", error.message)
    if stands.signoff is None and stands.lets_pass:
        return Banner("calm", "Not signed off", "Nobody has signed this run, and source.yaml does not ask for it.")
    tone, title = _STANDINGS[stands.state]
    why = stands.why or "source.yaml asks for an approval, and nobody has decided."
    return Banner(tone, title, why + (_asked(run) if stands.asks else ""))


def _asked(run: RunFolder) -> str:
    """That Airflow asks for an approval, until when, and why the last answer was not accepted."""
    question = read_question(run)
    if question is None or not is_open(run, question):
        return ""
    until = f", and waits until {question.until:%Y-%m-%d %H:%M} UTC" if question.until else ""
    asked = f" Airflow asks since {question.asked_at:%Y-%m-%d %H:%M} UTC{until}."
    if not question.refused:
        return asked
    last = question.refused[-1]
    who = f" of {last.by.name}" if last.by else ""
    return f"{asked} The last answer{who}, at {last.at:%H:%M} UTC, was not accepted: {last.why}."


def of_the_release(manifest: ReleaseManifest) -> Banner:
    """Who let the release be published, as its manifest says."""
    if manifest.signoff is None:
        return Banner("calm", "Not signed off", "Nobody has signed this release; its source does not ask for it.")
    tone, title = _STANDINGS[manifest.signoff.decision]
    return Banner(tone, title, told(manifest.signoff, longest=LONGEST_COMMENT))

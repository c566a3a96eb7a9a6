"""The two things that every page says first: the verdict of the checks, and how the run stands with those who sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from oncoweave.errors import OncoweaveError
from oncoweave.project import Project, RunFolder
from oncoweave.quality.judge import open_failures
from oncoweave.records import SEVERITIES, CheckRecord, ExpectationResult
from oncoweave.release.question import is_open, read_question
from oncoweave.release.signoff import LONGEST_COMMENT, NOT_NEEDED, Standing, standing_by, told
from oncoweave.release_records import ReleaseManifest
from oncoweave.report.language import N_, _, ngettext
from oncoweave.spec.load import load_source

Tone = Literal["good", "bad", "warn", "calm"]
_STANDINGS: Mapping[str, tuple[Tone, str]] = MappingProxyType(
    {
        "not needed": ("calm", N_("Not signed off")),
        "open failures": ("bad", N_("Conventions fail, and nobody accepted it")),
        "waiting": ("warn", N_("Waits for an approval")),
        "approved": ("good", N_("Approved")),
        "auto-approved": ("warn", N_("Auto-approved: nobody looked")),
        "rejected": ("bad", N_("Rejected")),
        "expired": ("bad", N_("Expired: nobody answered in time")),
        "superseded": ("warn", N_("Superseded")),
        "void": ("warn", N_("The sign-off is void")),
        "not accepted": ("warn", N_("The sign-off does not count")),
    }
)


_SAID = (N_("approved"), N_("auto-approved"))
"""Words of the records that are translated where they are shown."""


@dataclass(frozen=True)
class Banner:
    """A statement in a coloured field: its title says it without the colour."""

    tone: Tone
    title: str
    meaning: str


def of_the_verdict(checked: CheckRecord, *, accepted: bool = False) -> Banner:
    """What the checks mean for publication; `accepted`, where somebody signed who knew the conventions that fail."""
    if not checked.results:
        return Banner("bad", _("Nothing was checked"), _("A run that was not checked is not published."))
    fatal, convention, told = (len(open_failures(checked.results, severity)) for severity in SEVERITIES)
    waived = sum(1 for result in checked.results if result.waiver and result.severity == "convention")
    others = [_waived(waived)] if waived else []
    others += [_informing(told)] if told else []
    if fatal:
        first = [_fatal(fatal), *([_convention(convention)] if convention else [])]
        return Banner("bad", _("Did not pass"), " ".join([*first, *others]))
    if convention and accepted:
        by_name = _("Whoever approved the run accepted that by name, so it may be published.")
        return Banner(
            "warn", _("Accepted, though conventions fail"), " ".join([_convention(convention), by_name, *others])
        )
    if convention:
        accept = _("Nothing is published unless it is mended or waived, or somebody accepts it by name.")
        return Banner("bad", _("Did not pass"), " ".join([_convention(convention), accept, *others]))
    if waived:
        passed = _("No check failed that stops publication and is not waived.")
        return Banner("warn", _("Passed, with waivers"), " ".join([passed, *others]))
    return Banner("good", _("Passed"), " ".join([_("No fatal and no convention check failed."), *others]))


def failed(results: Sequence[ExpectationResult], severity: str) -> int:
    """How many checks of a severity failed or could not be run."""
    return sum(1 for result in results if result.severity == severity and not result.success)


def _fatal(count: int) -> str:
    return ngettext(
        "{count} fatal check failed, so nothing is published.",
        "{count} fatal checks failed, so nothing is published.",
        count,
    )


def _convention(count: int) -> str:
    return ngettext(
        "{count} check of a convention failed without a waiver.",
        "{count} checks of conventions failed without a waiver.",
        count,
    )


def _waived(count: int) -> str:
    return ngettext("{count} failing check is waived.", "{count} failing checks are waived.", count)


def _informing(count: int) -> str:
    return ngettext("{count} check failed for information.", "{count} checks failed for information.", count)


def of_the_run(run: RunFolder, project: Project) -> Banner:
    """How a run stands with those who sign."""
    return standing_and_banner(run, project)[1]


def standing_and_banner(run: RunFolder, project: Project) -> tuple[Standing, Banner]:
    """How a run stands with those who sign, as source.yaml says now; nothing is asked for where that is broken."""
    try:
        spec, _document = load_source(project, run.source)
        stands = standing_by(run, spec)
    except OncoweaveError as error:
        return NOT_NEEDED, Banner("warn", _("It cannot be told who signed"), error.message)
    return stands, of_the_standing(stands, _asked(run) if stands.asks else "")


def of_the_standing(stands: Standing, asked: str = "") -> Banner:
    """How a run stands with those who sign; `asked` says since when Airflow asks."""
    if stands.signoff is None and stands.lets_pass:
        meaning = _("Nobody has signed this run, and source.yaml does not ask for it.")
        return Banner("calm", _("Not signed off"), meaning)
    tone, title = _STANDINGS[stands.state]
    why = stands.why or _("source.yaml asks for an approval, and nobody has decided.")
    return Banner(tone, _(title), why + asked)


def _asked(run: RunFolder) -> str:
    """That Airflow asks for an approval, until when, and why the last answer was not accepted."""
    question = read_question(run)
    if question is None or not is_open(run, question):
        return ""
    asked = " " + _("Airflow asks since {when} UTC.").format(when=f"{question.asked_at:%Y-%m-%d %H:%M}")
    if question.until:
        asked += " " + _("It waits until {when} UTC.").format(when=f"{question.until:%Y-%m-%d %H:%M}")
    if not question.refused:
        return asked
    last = question.refused[-1]
    refused = _("The last answer, at {when} UTC, was not accepted: {why}.")
    if last.by:
        refused = _("The last answer of {who}, at {when} UTC, was not accepted: {why}.")
    return f"{asked} {refused.format(who=last.by.name if last.by else '', when=f'{last.at:%H:%M}', why=last.why)}"


def of_the_release(manifest: ReleaseManifest) -> Banner:
    """Who let the release be published, as its manifest says."""
    if manifest.signoff is None:
        meaning = _("Nobody has signed this release; its source does not ask for it.")
        return Banner("calm", _("Not signed off"), meaning)
    tone, title = _STANDINGS[manifest.signoff.decision]
    return Banner(tone, _(title), told(manifest.signoff, longest=LONGEST_COMMENT))

"""The waivers of a source: waivers.yaml found wrong before a run, and laid over what failed in one.

A waiver that has expired, that names fewer rows than fail, or that names nothing that fails lets nothing pass, and is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal

from oncoweave.content import WAIVERS, judgement_files
from oncoweave.errors import Problem, SpecError, nearest
from oncoweave.project import Project
from oncoweave.quality.overrides import known_terms
from oncoweave.quality.run_checks.catalogue import OF_A_RUN, RUN_CHECKS
from oncoweave.quality.run_checks.compilation import run_check_specs
from oncoweave.records import AppliedWaiver, ExpectationResult, IdleWaiver, Severity
from oncoweave.spec.document import Document
from oncoweave.spec.load import load_each, load_waivers
from oncoweave.spec.waivers import Waiver

Lapse = Literal["expired", "exceeded"]


@dataclass(frozen=True)
class FiledWaiver:
    """One entry of a waivers.yaml, and the file it stands in."""

    entry: Waiver
    file: str

    def covers(self, result: ExpectationResult) -> bool:
        """Whether it is about the check of a result, and about the table or field that the check looks at."""
        return bool(covered_by(self.entry.check, self.entry.scope, (result,)))

    def lapsed(self, result: ExpectationResult, today: date) -> tuple[Lapse, str] | None:
        """Why it does not let a failing check pass that it covers; None when it does."""
        if today > self.entry.expires:
            return "expired", f"the waiver of {self.entry.owner} expired on {self.entry.expires}"
        told = _beyond(self.entry.at_most, result)
        return ("exceeded", told) if told else None


def covered_by(check: str, scope: str, results: Iterable[ExpectationResult]) -> list[ExpectationResult]:
    """The results of the checks that a pattern names, where they look at the table or field of a scope ("" for any)."""
    table, _, field = scope.partition(".")
    there = (r for r in results if table in ("", r.table) and field in ("", r.column))
    return [result for result in there if fnmatchcase(result.check, check)]


def waivers(project: Project, source: str) -> list[FiledWaiver]:
    """The waivers for `source`: its own, then the site's; raises SpecError with the problems of all files."""
    paths = reversed(judgement_files(project, source, WAIVERS))
    files, problems = load_each(paths, project.root, load_waivers)
    if problems:
        raise SpecError(f"the waivers of `{source}` are wrong", problems=sorted(problems))
    return [FiledWaiver(entry, document.name) for spec, document in files for entry in spec.waivers]


def waived(
    results: Sequence[ExpectationResult], entries: Sequence[FiledWaiver], today: date
) -> tuple[list[ExpectationResult], list[IdleWaiver]]:
    """The results with the waivers that let them pass on `today`, or why one does not; and the waivers that let nothing pass."""
    judged = [_judged(result, [entry for entry in entries if entry.covers(result)], today) for result in results]
    return judged, [idle for entry in entries if (idle := _idle(entry, judged, today))]


def lint_waivers(project: Project, source: str) -> list[Problem]:
    """Every problem of the waivers of `source`."""
    files, problems = load_each(judgement_files(project, source, WAIVERS), project.root, load_waivers)
    known = _severities(project, source) if files else {}
    for spec, document in files:
        for number, entry in enumerate(spec.waivers):
            problems += _entry_problems(entry, document, number, known)
    return problems


def _severities(project: Project, source: str) -> dict[str, Severity]:
    """The severity of every check by its id; of a check of the whole run by what its id begins with."""
    found = {check: own.severity for check, own in known_terms(project, source).items()}
    with suppress(SpecError):  # lint tells it of trends.yaml itself
        for spec in run_check_specs(project, source).checks:
            found[f"{RUN_CHECKS[spec.check].origin}.{spec.id or spec.check}"] = spec.severity
    return found


def _entry_problems(entry: Waiver, document: Document, number: int, known: Mapping[str, Severity]) -> Iterator[Problem]:
    place, begins = ("waivers", number, "check"), ".".join(entry.check.split(".")[:2])
    of_run = entry.check.split(".")[0] in OF_A_RUN
    named = [check for check in known if fnmatchcase(check, begins if of_run else entry.check)]
    if not named:
        near = nearest(begins if of_run else entry.check.replace("*", ""), known)
        mend = (
            near if near.startswith("did you mean") else "`oncoweave check SOURCE --json` tells the ids of all checks"
        )
        yield document.problem("unknown-check", f"there is no check `{entry.check}`", place, help=mend)
    elif all(known[check] == "fatal" for check in named):
        message = f"`{entry.check}` is fatal: it cannot be waived"
        yield document.problem("waived-fatal", message, place, help="mend the mapping or the delivery")


def _judged(result: ExpectationResult, entries: Sequence[FiledWaiver], today: date) -> ExpectationResult:
    """The result with the first waiver that lets it pass, else with what is wrong with the first that would."""
    if result.success or result.severity == "fatal" or not entries:
        return result
    lapses = [entry.lapsed(result, today) for entry in entries]
    for filed, lapse in zip(entries, lapses, strict=True):
        if lapse is None:
            own = filed.entry
            applied = AppliedWaiver(
                reason=own.reason, owner=own.owner, expires=own.expires, at_most=own.at_most or "", file=filed.file
            )
            return result.model_copy(update={"waiver": applied})
    told = next(lapse[1] for lapse in lapses if lapse)
    return result.model_copy(update={"lapsed": told})


def _idle(filed: FiledWaiver, judged: Iterable[ExpectationResult], today: date) -> IdleWaiver | None:
    """Why a waiver lets nothing pass; None when it does let something pass."""
    covered = [result for result in judged if filed.covers(result)]
    if any(
        result.waiver
        and (result.waiver.file, result.waiver.reason) == (filed.file, filed.entry.reason)
        and filed.lapsed(result, today) is None
        for result in covered
    ):
        return None
    failing = [result for result in covered if not result.success]
    lapses = [lapse for result in failing if result.severity != "fatal" and (lapse := filed.lapsed(result, today))]
    state, told = lapses[0] if lapses else ("unused", _unused(filed, covered, failing))
    entry = filed.entry
    return IdleWaiver(
        check=entry.check,
        scope=entry.scope,
        state=state,
        told=told,
        owner=entry.owner,
        expires=entry.expires,
        file=filed.file,
    )


def _unused(filed: FiledWaiver, covered: Sequence[ExpectationResult], failing: Sequence[ExpectationResult]) -> str:
    if not covered:
        return "this run has no such check"
    if not failing:
        return "nothing of what it waives fails: remove it"
    if all(result.severity == "fatal" for result in failing):
        return "what fails of it is fatal, and cannot be waived"
    return "another waiver lets the same pass: remove one of the two"


def _beyond(at_most: str | None, result: ExpectationResult) -> str:
    """In which way more fails than a waiver names; empty when not."""
    if result.unexpected is None:
        return "the waiver names a number of rows, and the check counted none: leave out `at_most`" if at_most else ""
    if at_most is None:
        return f"{result.unexpected:,} rows fail, and the waiver has no `at_most`"
    if at_most.endswith("%"):
        share = 100 * result.unexpected / result.evaluated if result.evaluated else 100.0
        over = share > float(at_most[:-1])
        return f"{share:.3g} % of the rows fail, and the waiver lets at most {at_most} pass" if over else ""
    over = result.unexpected > int(at_most.split()[0].replace(",", ""))
    return f"{result.unexpected:,} rows fail, and the waiver lets at most {at_most} pass" if over else ""

"""What a reviewer is told of a candidate before they answer, in Markdown: counts and names, never a patient's value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from oncoweave.decisions import Question
from oncoweave.errors import OncoweaveError
from oncoweave.files import read_record
from oncoweave.orchestration.markdown import plain, table
from oncoweave.project import Project, RunFolder
from oncoweave.quality.failures_since import new_failures
from oncoweave.quality.judge import open_failures
from oncoweave.records import SEVERITIES, CheckRecord, ExpectationResult, MapRecord
from oncoweave.release.signoff import read_signoff, starters, told
from oncoweave.release_records import ReleaseManifest
from oncoweave.report.recap import RunSummary, notes_of, summary
from oncoweave.spec.approval import Approval
from oncoweave.spec.source import Source

MOST_CHECKS = 15
"""How many failed checks are listed."""


def subject(spec: Source, run: RunFolder) -> str:
    """The question in one line."""
    numbers = summary(run, None)
    return f"Publish {spec.source}, delivery of {numbers.delivery_date}? {numbers.persons:,} persons (run {run.run_id[:12]})"


def body(project: Project, run: RunFolder, spec: Source, question: Question, report: str = "") -> str:
    """What there is to know; `report` is the address of the quality report, on the same server or with https."""
    approval = spec.airflow_approval or Approval()
    numbers, current = summary(run, None), current_release(project, spec.source)
    mapped = read_record(run.path / "map.json", MapRecord)
    checked = read_record(run.path / "check.json", CheckRecord)
    parts = [
        *_earlier(run),
        f"**{plain(spec.title)}** ({plain(spec.holder)}), delivery of {numbers.delivery_date}, run `{run.run_id}`",
        *_checks(checked, report, new_failures(project, run) or ()),
        _numbers(numbers, mapped, current),
        _tables(mapped, current),
        *_notes(numbers),
        _terms(approval, question, starters(run)),
    ]
    return "\n\n".join(part for part in parts if part)


def current_release(project: Project, source: str) -> ReleaseManifest | None:
    """The manifest of what is published now; None where nothing is, or it cannot be read."""
    path = project.releases / source / "current" / "manifest.json"
    try:
        return read_record(path, ReleaseManifest) if path.is_file() else None
    except OncoweaveError:
        return None


def _earlier(run: RunFolder) -> Iterator[str]:
    """What somebody decided about this run before."""
    signed = read_signoff(run)
    if signed:
        yield f"> Decided before: {plain(told(signed), 600)}"


def _numbers(numbers: RunSummary, mapped: MapRecord, current: ReleaseManifest | None) -> str:
    before_rows = sum(file.rows or 0 for file in current.tables) if current else None
    rows = [
        ("persons", numbers.persons, current.persons if current else None),
        ("rows of all tables", sum(file.rows or 0 for file in mapped.tables), before_rows),
    ]
    release = f"current release ({current.delivery_date})" if current else "current release"
    lines = [(name, f"{now:,}", _count(before), _change(now, before)) for name, now, before in rows]
    before = (
        _unmapped(sum(e.unmapped for e in current.ledger), sum(e.mapped for e in current.ledger)) if current else "–"
    )
    lines.append(("unmapped (concept 0)", _unmapped(numbers.unmapped, numbers.mapped), before, ""))
    lines.append(
        ("quarantined", f"{numbers.quarantined:,}", _held(current), _change(numbers.quarantined, _held_rows(current)))
    )
    return table(("", "this run", release, "change"), lines)


def _checks(checked: CheckRecord, report: str, new: Sequence[str]) -> Iterator[str]:
    """What failed, the open conventions first, for whoever approves accepts them; then what is waived or for information."""
    link = f" [Quality report]({report})" if report else ""
    open_, failed = open_failures(checked.results, "convention"), [r for r in checked.results if not r.success]
    if open_:
        rows = sum(result.unexpected or 0 for result in open_)
        yield (
            f"**{len(open_):,} convention check{'s fail' if len(open_) > 1 else ' fails'} ({rows:,} rows).** To approve is to "
            f"accept this: your sign-off and the release name each of them.{link}"
        )
        yield from _listed(open_, new)
        link = ""
    counts = ", ".join(_of_severity(severity, failed) for severity in SEVERITIES)
    passed = "passed" if checked.verdict == "pass" else "**did not pass**"
    met = f"{len(checked.results) - len(failed):,} of {len(checked.results):,} met"
    yield f"**Checks: {passed}**, {met}. Failed: {counts}; {checked.waived:,} waived.{link}"
    others = [result for result in failed if result not in open_]
    yield from _listed(sorted(others, key=lambda result: SEVERITIES.index(result.severity)), new)


def _listed(failed: Sequence[ExpectationResult], new: Sequence[str]) -> Iterator[str]:
    """The first of the failed checks as a table."""
    rows = [(_what(r), r.severity, _count(r.unexpected), _remark(r, new)) for r in failed[:MOST_CHECKS]]
    yield table(("failed check", "severity", "rows", ""), rows)
    if len(failed) > MOST_CHECKS:
        yield f"… and {len(failed) - MOST_CHECKS:,} more"


def _remark(result: ExpectationResult, new: Sequence[str]) -> str:
    """Whether it is waived, why a waiver does not count, or that it did not fail in the last delivery."""
    if result.waiver:
        return f"waived until {result.waiver.expires} by {plain(result.waiver.owner)}"
    said = [plain(result.lapsed)] if result.lapsed else []
    return ", ".join([*(["new"] if result.check in new else []), *said])


def _of_severity(severity: str, failed: list[ExpectationResult]) -> str:
    found = [result for result in failed if result.severity == severity]
    rows = sum(result.unexpected or 0 for result in found)
    return f"{len(found):,} {severity}" + (f" ({rows:,} rows)" if rows else "")


def _what(result: ExpectationResult) -> str:
    where = f"{result.table}.{result.column}" if result.column else result.table
    return f"{plain(where)}: {plain(result.error or result.why)}"


def _tables(mapped: MapRecord, current: ReleaseManifest | None) -> str:
    now = {file.name.removesuffix(".parquet"): file.rows or 0 for file in mapped.tables}
    before: Mapping[str, int] = {}
    if current:
        before = {f.name.removeprefix("omop/").removesuffix(".parquet"): f.rows or 0 for f in current.tables}
    names = sorted(name for name in {*now, *before} if now.get(name) or before.get(name))
    rows = [
        (plain(name), f"{now.get(name, 0):,}", _count(before.get(name)), _change(now.get(name, 0), before.get(name)))
        for name in names
    ]
    return table(("table", "rows", "in the current release", "change"), rows)


def _notes(numbers: RunSummary) -> Iterator[str]:
    notes = notes_of(numbers)
    if notes:
        yield "**Notes**"
        yield "\n".join(f"- {plain(note, 600)}" for note in notes)


def _terms(approval: Approval, question: Question, people: tuple[str, ...]) -> str:
    """Until when, in which role and by whom it is answered."""
    parts = [f"You answer as **{plain(approval.role)}**."]
    if question.until:
        parts.append(f"Without an answer by {question.until:%Y-%m-%d %H:%M} UTC it is not published.")
    if approval.four_eyes:
        who = ", ".join(plain(name) for name in people)
        parts.append(
            f"Four eyes: {who} started this run, and may not approve it." if who else "Nobody started this run."
        )
    parts.append("Your name and your comment become part of the release: write nothing about a patient.")
    parts.append(
        "If you are asked again, your answer was not accepted: the log of the last attempt and the quality report say why."
    )
    return " ".join(parts)


def _held_rows(current: ReleaseManifest | None) -> int | None:
    return sum(entry.quarantined for entry in current.ledger) if current else None


def _held(current: ReleaseManifest | None) -> str:
    return _count(_held_rows(current))


def _unmapped(unmapped: int, mapped: int) -> str:
    share = f" ({100 * unmapped / mapped:.1f} %)" if mapped else ""
    return f"{unmapped:,}{share}"


def _count(rows: int | None) -> str:
    return "–" if rows is None else f"{rows:,}"


def _change(now: int, before: int | None) -> str:
    if before is None:
        return "new"
    share = f" ({100 * (now - before) / before:+.1f} %)" if before and now != before else ""
    return f"{now - before:+,}{share}" if now != before else "="

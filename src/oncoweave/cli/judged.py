"""How the results of a run look in the terminal: the verdict first, then what is open, what is waived, and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from oncoweave.project import RunFolder
    from oncoweave.records import CheckRecord, ExpectationResult, IdleWaiver

MOST = 15
"""How many checks of a group are listed."""
_WIDEST = 100


def tell_results(run: RunFolder, checked: CheckRecord) -> None:
    """Print the verdict of a checked run and everything that a reviewer has to know of it."""
    from oncoweave.quality.judge import open_failures

    click.secho(_verdict(run, checked), bold=True)
    click.echo(f"  {_counts(checked)}\n")
    fatal, convention, told = (
        open_failures(checked.results, "fatal"),
        open_failures(checked.results, "convention"),
        open_failures(checked.results, "characterization"),
    )
    _group("Fatal: they stop publication, and nothing but a mend lets them pass", fatal)
    tell_conventions(checked)
    if told:
        names = ", ".join(f"{r.check} ({_failed(r)})" for r in _worst_first(told)[:MOST])
        more = f", and {len(told) - MOST} more" if len(told) > MOST else ""
        click.secho("For information: characterizations that are not met", bold=True)
        click.echo(_wrapped(names + more, "  ") + "\n")
    _idle(checked.idle_waivers)
    if fatal or convention:
        click.echo(_next(run, fatal, convention))


def tell_conventions(checked: CheckRecord) -> None:
    """Print the conventions that fail: those that are open, and those that are waived with what the waiver says."""
    from oncoweave.quality.judge import open_failures

    _group(
        "Open conventions: they stop publication unless waived or accepted",
        open_failures(checked.results, "convention"),
    )
    _group("Waived", [result for result in checked.results if result.waiver])


def tell_fhir(run: RunFolder, steps: Sequence[str]) -> None:
    """Print what was checked of the FHIR of a run, by type; the last of the `steps` says how fast."""
    from oncoweave.cli.output import table
    from oncoweave.quality.evidence import read_evidence

    told = read_evidence(run).fhir
    assert told is not None
    head = ("type", "resources", "validated", "refused")
    table(
        f"FHIR R4, profiles `{told.profiles}`",
        head,
        [(t.type, t.resources, t.validated, t.refused) for t in told.types],
    )
    if steps:
        click.echo(f"  {steps[-1]}")


def _verdict(run: RunFolder, checked: CheckRecord) -> str:
    failing = {name: number for name, number in checked.open.items() if number and name != "characterization"}
    if checked.verdict == "pass":
        told = "passed" + (f", with {checked.waived} waived" if checked.waived else "")
    elif not checked.results:
        told = "did not pass: nothing was checked"
    else:
        told = "did not pass: " + " and ".join(_open(name, n) for name, n in failing.items())
    return f"{run.source}, run {run.run_id[:12]}: {told}"


def _open(severity: str, number: int) -> str:
    return f"{number:,} fatal" if severity == "fatal" else f"{number:,} open convention{'s' if number > 1 else ''}"


def _counts(checked: CheckRecord) -> str:
    """How many checks came out how; those that judged nothing are no success."""
    results = checked.results
    idle = sum(1 for r in results if r.success and r.not_applicable)
    met = sum(1 for r in results if r.success) - idle
    broken = sum(1 for r in results if r.error is not None)
    parts = [f"{met:,} met", f"{idle:,} with nothing to judge", f"{len(results) - met - idle:,} not met"]
    told = f" ({broken:,} could not run)" if broken else ""
    return f"{len(results):,} checks: {', '.join(parts)}{told}"


def _group(title: str, results: Sequence[ExpectationResult]) -> None:
    if not results:
        return
    click.secho(title, bold=True)
    for result in _worst_first(results)[:MOST]:
        click.echo(f"  {result.check}")
        click.echo(_wrapped(f"{_failed(result)}. {result.why}", "    "))
        if note := _note(result):
            click.secho(_wrapped(note, "    "), dim=True)
    if len(results) > MOST:
        click.echo(f"  … and {len(results) - MOST:,} more; --json lists all")
    click.echo()


def _worst_first(results: Iterable[ExpectationResult]) -> list[ExpectationResult]:
    return sorted(results, key=lambda r: (r.error is None, -(r.unexpected or 0), r.check))


def _failed(result: ExpectationResult) -> str:
    if result.error is not None:
        return f"could not run: {result.error}"
    if result.unexpected is None:
        return "not met"
    return f"{result.unexpected:,} of {result.evaluated or 0:,} rows fail"


def _note(result: ExpectationResult) -> str:
    """What waivers say of a failing check."""
    if (waiver := result.waiver) is not None:
        bound = f" for at most {waiver.at_most}" if waiver.at_most else ""
        return f"waived{bound} until {waiver.expires} by {waiver.owner}: {waiver.reason} ({waiver.file})"
    return f"not waived any more: {result.lapsed}" if result.lapsed else ""


def _idle(idle: Sequence[IdleWaiver]) -> None:
    if not idle:
        return
    click.secho("Waivers that let nothing pass", bold=True)
    for waiver in idle:
        scope = f", {waiver.scope}" if waiver.scope else ""
        click.echo(_wrapped(f"{waiver.check}{scope} ({waiver.file}): {waiver.told}", "  "))
    click.echo()


def _next(run: RunFolder, fatal: Sequence[ExpectationResult], convention: Sequence[ExpectationResult]) -> str:
    first = _worst_first(fatal or convention)[0].check
    lines = [f"  = which rows: oncoweave failing {run.source} {first} --rows"]
    if convention and not fatal:
        waived = _worst_first(convention)[0].check
        lines.append(f"  = accept for a while: oncoweave waive {run.source} {waived} --reason … --owner … --until …")
        lines.append(
            f"  = accept this run: oncoweave signoff {run.source} {run.run_id[:12]} --approve --role … --comment …"
        )
    return "\n".join(lines)


def _wrapped(text: str, margin: str) -> str:
    width = max(min(shutil.get_terminal_size().columns, _WIDEST), 40)
    return click.wrap_text(text, width, initial_indent=margin, subsequent_indent=margin)

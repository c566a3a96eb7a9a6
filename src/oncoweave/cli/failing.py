"""`oncoweave failing`: which rows fail a check, for use on site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from oncoweave.project import RunFolder
    from oncoweave.quality.failing import FailingRow
    from oncoweave.records import CheckRecord, ExpectationResult


@click.command(
    short_help="List failing checks, and the rows that fail one.",
    epilog="\b\nExamples:\n  oncoweave failing gbsg\n  oncoweave failing gbsg death.death_date.dates_not_before_birth\n"
    "  oncoweave failing gbsg death.death_date.dates_not_before_birth --rows",
)
@options.source
@click.argument("check", required=False)
@click.option(
    "--rows", "places", is_flag=True, help="Also the rule, the source file and the line that each row comes from."
)
@click.option(
    "--most", default=50, show_default=True, type=click.IntRange(1), metavar="N", help="How many rows are shown."
)
@options.project
@options.run_id
@options.machine
def failing(
    *, source: str, check: str | None, places: bool, most: int, folder: Path | None, run_id: str | None, machine: bool
) -> None:
    """List the failing checks of a run of SOURCE; of CHECK (its id), the keys of the rows that fail it.

    For use on site: keys are pseudonyms, and with --rows they lead to the patient's line in the delivery. Nothing of it is in a
    release or on a page.
    """
    from oncoweave.files import read_record
    from oncoweave.records import CheckRecord

    run = options.run_of(options.project_at(folder), source, run_id)
    checked = read_record(run.path / "check.json", CheckRecord)
    if check is None:
        _list_checks(run, checked, machine=machine)
    else:
        _list_rows(run, _result(checked, check), most, places=places, machine=machine)


def _list_checks(run: RunFolder, checked: CheckRecord, *, machine: bool) -> None:
    from oncoweave.cli.output import print_json, table
    from oncoweave.records import SEVERITIES

    failed = [result for result in checked.results if not result.success]
    failed.sort(key=lambda r: (SEVERITIES.index(r.severity), -(r.unexpected or 0), r.check))
    if machine:
        print_json({"source": run.source, "run_id": run.run_id, "failing": failed})
        return
    rows = [(r.severity, "waived" if r.waiver else "open", r.unexpected, r.evaluated, r.check) for r in failed]
    table(f"{run.source}, run {run.run_id[:12]}: failing checks", ("severity", "", "rows", "of", "check"), rows)
    if not failed:
        click.echo(f"{run.source}, run {run.run_id[:12]}: no check fails")


def _result(checked: CheckRecord, check: str) -> ExpectationResult:
    from oncoweave.errors import UsageError, nearest

    found = next((result for result in checked.results if result.check == check), None)
    if found is None:
        failed = [result.check for result in checked.results if not result.success]
        raise UsageError(f"there is no check `{check}` in this run", mend=nearest(check, failed or [""]))
    return found


def _list_rows(run: RunFolder, result: ExpectationResult, most: int, *, places: bool, machine: bool) -> None:
    from oncoweave.cli.output import print_json, table
    from oncoweave.quality.failing import failing_rows

    if result.expectation.startswith("fhir_"):
        _list_resources(run, result, most, machine=machine)
        return
    found = failing_rows(run, result.check, most, places=places)
    rows, kept = found or ([], 0)
    if machine:
        print_json({"check": result.check, "unexpected": result.unexpected, "kept": kept, "rows": rows})
        return
    if result.error is not None:
        click.echo(f"{result.check} could not run: {result.error}")
        return
    counted = "" if result.unexpected is None else f": {result.unexpected:,} of {result.evaluated or 0:,} rows fail"
    click.secho(f"{result.check}{counted}", bold=True)
    if found is None:
        click.echo(_why_none(result))
        return
    head = ("table", "key", "rule", "file", "line") if places else ("table", "key")
    table("", head, [_cells(row, places=places) for row in rows])
    click.echo(_how_many(len(rows), kept, result.unexpected))


def _list_resources(run: RunFolder, result: ExpectationResult, most: int, *, machine: bool) -> None:
    """The FHIR resources that fail a check, each fault of one in a line of its own."""
    from oncoweave.cli.output import print_json, table
    from oncoweave.quality.fhir.failing import failing_resources

    rows, kept = failing_resources(run, result.expectation, result.table, most) or ([], 0)
    if machine:
        print_json({"check": result.check, "unexpected": result.unexpected, "kept": kept, "resources": rows})
        return
    click.secho(f"{result.check}: {result.unexpected or 0:,} of {result.evaluated or 0:,} fail", bold=True)
    if result.unexpected and not kept:
        click.echo("No ids are kept: the check counts lines, references or rows, and no resources.")
        return
    table(
        "",
        ("type", "id", "element", "problem"),
        [(r.type, r.id or None, r.element or None, r.problem or None) for r in rows],
    )
    click.echo(_how_many(len(rows), kept, result.unexpected) if kept else "No resource fails it.")


def _cells(row: FailingRow, *, places: bool) -> tuple[str | int | None, ...]:
    """The key as text: a number with thousands signs could not be looked up."""
    cells = (row.table, str(row.key))
    line = None if row.line is None else str(row.line)
    return (*cells, row.rule or None, row.file or None, line) if places else cells


def _how_many(shown: int, kept: int, unexpected: int | None) -> str:
    from oncoweave.quality.conditions import KEYS_A_CHECK

    told = f"{shown:,} of {kept:,} rows shown" + ("; --most N shows more" if shown < kept else "")
    if kept >= KEYS_A_CHECK:
        told += f"; of {unexpected or kept:,} that fail, {KEYS_A_CHECK:,} keys at most are kept for a check"
    return told


def _why_none(result: ExpectationResult) -> str:
    if result.unexpected == 0:
        return "No row fails it."
    return (
        "No keys are kept: the check looks at a whole table, its rows have no key of their own, or it fails only since it is\n"
        "judged more strictly; `oncoweave check --again` keeps them in the last case."
    )

"""`oncoweave waive`: somebody accepts a failing check for a while."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from oncoweave.project import RunFolder
    from oncoweave.records import ExpectationResult
    from oncoweave.spec.waivers import Waiver


@click.command(
    short_help="Accept a failing check for a while.",
    epilog='\b\nExamples:\n  oncoweave waive gbsg death.unique --reason "asked for" --owner QA --until 2027-03-31\n'
    "  oncoweave waive gbsg 'death.*' --at-most '2 %' --reason \"old assays\" --owner QA --until 2027-01-31",
)
@options.source
@click.argument("check")
@click.option(
    "--reason", required=True, metavar="TEXT", help="Why; it becomes part of the release: nothing about a patient."
)
@click.option("--owner", required=True, metavar="NAME", help="Who answers for it.")
@click.option(
    "--until",
    required=True,
    metavar="YYYY-MM-DD",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The last day on which it counts.",
)
@click.option("--at-most", metavar="BOUND", help="`120 rows` or `2 %`; else as many rows as fail now.")
@click.option("--scope", default="", metavar="TABLE[.FIELD]", help="Only where the check looks at this table or field.")
@options.project
@options.run_id
@options.machine
def waive(  # noqa: PLR0913  one parameter for each option
    *,
    source: str,
    check: str,
    reason: str,
    owner: str,
    until: date,
    at_most: str | None,
    scope: str,
    folder: Path | None,
    run_id: str | None,
    machine: bool,
) -> None:
    """Accept CHECK (its id, or a pattern with `*`), which fails in the last run of SOURCE, until a day.

    Writes an entry into waivers.yaml beside source.yaml, renews the one that is there for the same check and scope, and judges
    the run again. Nothing waives a fatal check.
    """
    from oncoweave import run as stages
    from oncoweave.cli.judged import tell_results
    from oncoweave.cli.output import print_json

    project = options.project_at(folder)
    run = options.run_of(project, source, run_id)
    entry = _entry(run, (check, scope), at_most, (reason, owner), until)
    record = stages.waive(run, project, entry)
    if machine:
        print_json(record)
    else:
        tell_results(run, record)


def _entry(run: RunFolder, named: tuple[str, str], at_most: str | None, words: tuple[str, str], until: date) -> Waiver:
    """The entry, as far as the options say; what fails now bounds it where they say nothing."""
    from pydantic import ValidationError

    from oncoweave.errors import UsageError
    from oncoweave.release.plain_words import one_line
    from oncoweave.spec.waivers import Waiver

    day = date(until.year, until.month, until.day)
    if day < date.today():
        raise UsageError(
            f"{day} is over: a waiver that has expired lets nothing pass", mend="give a later day with --until"
        )
    check, scope = named
    failing = _failing(run, check, scope)
    keys = {
        "check": check,
        "scope": scope,
        "at_most": at_most or _bound(failing),
        "reason": one_line(words[0], 1000, "the reason"),
        "owner": one_line(words[1], 100, "the owner"),
        "expires": day,
    }
    try:
        return Waiver.model_validate({name: value for name, value in keys.items() if value not in (None, "")})
    except ValidationError as error:
        named_keys = ", ".join(f"`{first[0]}`" for e in error.errors() if (first := e["loc"])) or "the entry"
        forms = "a bound is `120 rows` or `2 %`, a scope `person` or `person.year_of_birth`; reason and owner must say something"
        raise UsageError(f"{named_keys} cannot be written so", mend=forms) from None


def _failing(run: RunFolder, check: str, scope: str) -> list[ExpectationResult]:
    """The failing checks that the pattern names; raises UsageError when none of them can be waived."""
    from oncoweave.errors import UsageError, nearest
    from oncoweave.files import read_record
    from oncoweave.quality.waivers import covered_by
    from oncoweave.records import CheckRecord

    results = read_record(run.path / "check.json", CheckRecord).results
    covered = covered_by(check, scope, results)
    failing = [result for result in covered if not result.success]
    open_ = [result for result in failing if result.severity != "fatal"]
    if open_:
        return open_
    others = nearest(check, (r.check for r in results if not r.success and r.severity != "fatal"))
    if not covered:
        raise UsageError(f"run {run.run_id[:12]} of `{run.source}` has no check `{check}`", mend=others)
    if failing:
        raise UsageError(f"`{check}` is fatal: it cannot be waived", mend="mend the mapping or the delivery")
    raise UsageError(f"`{check}` does not fail: there is nothing to waive", mend=others)


def _bound(failing: list[ExpectationResult]) -> str | None:
    most = max((result.unexpected or 0 for result in failing), default=0)
    return f"{most} row{'' if most == 1 else 's'}" if most else None

"""`oncoweave signoff`: somebody says whether a checked run may be published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from oncoweave.decisions import Accepted
    from oncoweave.project import Project, RunFolder
    from oncoweave.release.signoff import Standing


@click.command(
    short_help="Approve or reject a checked run.",
    epilog='\b\nExamples:\n  oncoweave signoff gbsg --reject --comment "stage is missing for half of the persons"\n'
    '  oncoweave signoff gbsg 3f2a --approve --role "QA reviewer" --comment "compared with the annual report"\n'
    "  oncoweave signoff gbsg",
)
@options.source
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--approve", "decision", flag_value="approved", help="The run may be published.")
@click.option("--reject", "decision", flag_value="rejected", help="The run must not be published.")
@click.option("--role", default="", metavar="ROLE", help="In which role you sign; else the one that source.yaml names.")
@click.option(
    "--comment",
    default="",
    metavar="TEXT",
    help="Why. It becomes part of the release: write nothing about a patient into it.",
)
@click.option("--by", default="", metavar="NAME", help="Who signs; else your log-in on this machine.")
@options.project
@options.machine
def signoff(  # noqa: PLR0913  one parameter for each option
    *,
    source: str,
    run_id: str | None,
    decision: str | None,
    role: str,
    comment: str,
    by: str,
    folder: Path | None,
    machine: bool,
) -> None:
    """Approve or reject a run of SOURCE (the one extracted last, or RUN); without either, tell how it stands.

    Approving accepts the conventions that fail in it, open or waived: they are listed, and the release names them. A run in
    which a fatal check fails cannot be approved.

    The decision is bound to the results and tables as they are now: when these change, it is void. A later decision counts,
    the earlier ones are kept. Approving publishes nothing yet: `oncoweave publish` does.
    """
    from oncoweave.cli.output import print_json

    project = options.project_at(folder)
    run = options.run_of(project, source, run_id)
    if decision:
        _sign(project, run, decision, (role, comment, by))
    stands = _standing(project, run)
    if machine:
        print_json({"source": source, "run_id": run.run_id, "approval": stands, "accepts": _to_accept(run)})
    else:
        _tell(run, stands)


def _sign(project: Project, run: RunFolder, decision: str, texts: tuple[str, str, str]) -> None:
    """Write the decision down."""
    from oncoweave import run as stages
    from oncoweave.decisions import Person
    from oncoweave.errors import UsageError
    from oncoweave.release.signoff import Answer
    from oncoweave.spec.load import load_source

    role, comment, by = texts
    approval = load_source(project, run.source)[0].required_approval
    role = role or (approval.role if approval else "")
    if not role.strip():
        raise UsageError("in which role is it signed?", mend='say it with --role, as `--role "QA reviewer"`')
    who = by or options.login()
    answer = Answer(
        "approved" if decision == "approved" else "rejected", Person(id=who, name=who), role, comment, "command line"
    )
    stages.signoff(run, project, answer)


def _standing(project: Project, run: RunFolder) -> Standing:
    from oncoweave import run as stages
    from oncoweave.errors import DataError

    if not (run.path / "check.json").is_file():
        raise DataError(f"run {run.run_id} of `{run.source}` has not been checked", mend="run `oncoweave check` first")
    return stages.approval_of(run, project)


def _to_accept(run: RunFolder) -> tuple[Accepted, ...]:
    """The failing conventions that an approval accepts: open ones by name, and waived ones."""
    from oncoweave.files import read_record
    from oncoweave.quality.judge import accepted
    from oncoweave.records import CheckRecord

    return accepted(read_record(run.path / "check.json", CheckRecord).results)


def _tell(run: RunFolder, stands: Standing) -> None:
    from oncoweave.cli.judged import tell_conventions
    from oncoweave.files import read_record
    from oncoweave.records import CheckRecord
    from oncoweave.release.signoff import told

    tell_conventions(read_record(run.path / "check.json", CheckRecord))
    click.echo(f"{run.source}, run {run.run_id}: {stands.state}")
    decisions = [] if stands.signoff is None else [stands.signoff, *reversed(stands.signoff.history)]
    for decision in decisions:
        click.echo(f"  {told(decision)}")
    if stands.lets_pass:
        click.echo(f"  = `oncoweave publish {run.source} --run {run.run_id[:12]}` publishes it")

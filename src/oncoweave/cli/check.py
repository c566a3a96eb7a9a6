"""`oncoweave check`: the third stage by hand."""

from __future__ import annotations

from pathlib import Path

import click

from oncoweave.cli import options


@click.command(
    short_help="Judge the tables by the suites.",
    epilog="\b\nExamples:\n  oncoweave check gbsg\n  oncoweave check gbsg --json",
)
@options.source
@options.project
@options.run_id
@options.machine
def check(source: str, folder: Path | None, run_id: str | None, machine: bool) -> int:
    """Judge the OMOP tables of SOURCE by the expectation suites; exit code 3 when a fatal one fails."""
    from oncoweave import run as stages
    from oncoweave.cli.output import print_json, table
    from oncoweave.cli.progress import progress

    project = options.project_at(folder)
    run = options.run_of(project, source, run_id)
    with progress(1) as tell:
        tell(f"{source}: check")
        record = stages.check(run, project)
    if machine:
        print_json(record)
        return 0 if record.verdict == "pass" else 3
    failed = [r for r in record.results if not r.success]
    rows = [(r.severity, r.table, r.column or "", r.expectation, r.unexpected, r.why) for r in failed]
    table("Failed expectations", ("severity", "table", "column", "expectation", "rows", "why"), rows)
    click.echo(
        f"{source}: {record.verdict}, {len(record.results) - len(failed)} of {len(record.results)} expectations met"
    )
    return 0 if record.verdict == "pass" else 3

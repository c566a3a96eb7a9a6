"""`oncoweave map`: the second stage by hand."""

from __future__ import annotations

from pathlib import Path

import click

from oncoweave.cli import options


@click.command(
    name="map",
    short_help="Turn a snapshot into OMOP tables.",
    epilog="\b\nExamples:\n  oncoweave map gbsg\n  oncoweave map gbsg --run 3f2a --json",
)
@options.source
@options.project
@options.run_id
@options.machine
def map(source: str, folder: Path | None, run_id: str | None, machine: bool) -> None:  # noqa: A001  the verb's name
    """Turn the snapshot of SOURCE into events, OMOP tables and, where its mapping says `fhir:`, resources; print the ledger."""
    from oncoweave import run as stages
    from oncoweave.cli.ledger import print_fhir, print_ledger
    from oncoweave.cli.output import print_json, table
    from oncoweave.cli.progress import progress

    project = options.project_at(folder)
    run = options.run_of(project, source, run_id)
    with progress(1) as tell:
        tell(f"{source}: map")
        record = stages.map(run, project)
    if machine:
        print_json(record)
        return
    print_ledger(record.ledger)
    table("Records per OMOP table", ("table", "records"), sorted(record.events.items()))
    if record.fhir:
        print_fhir(record.fhir)
    for warning in record.warnings:
        click.echo(f"note: {warning}")

"""`oncoweave extract`: the first stage by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from oncoweave.cli import options


@click.command(
    short_help="Copy a delivery into a snapshot.",
    epilog="\b\nExamples:\n  oncoweave extract gbsg\n  oncoweave extract gbsg --delivery /media/usb/2024-03",
)
@options.source
@options.project
@options.delivery
@options.day
@options.base
@options.machine
def extract(
    source: str, folder: Path | None, delivery: Path | None, day: date | None, base: str, machine: bool
) -> None:
    """Copy a delivery of SOURCE into an immutable, hashed snapshot; every field as text, nothing cleaned."""
    from oncoweave import run as stages
    from oncoweave.cli.output import print_json, shown, table
    from oncoweave.cli.progress import progress
    from oncoweave.files import read_record
    from oncoweave.records import ExtractRecord

    with progress(1) as tell:
        tell(f"{source}: extract")
        run = stages.extract(options.project_at(folder), source, delivery, base, options.login(), day)
    record = read_record(run.path / "extract.json", ExtractRecord)
    if machine:
        print_json(record)
        return
    rows = [(t.table, len(t.files), t.records, t.rows, t.quarantined) for t in record.tables]
    table(f"{source}, delivery of {record.delivery_date}", ("table", "files", "records", "rows", "quarantined"), rows)
    for change in stages.changes(record):
        click.echo(change)
    click.echo(f"run {run.run_id} in {shown(run.path)}")

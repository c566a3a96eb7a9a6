"""`oncoweave publish`: the last stage by hand."""

from __future__ import annotations

from pathlib import Path

import click

from oncoweave.cli import options


@click.command(
    short_help="Make a release of a checked run.",
    epilog="\b\nExamples:\n  oncoweave publish gbsg\n  oncoweave publish gbsg --run 3f2a --json",
)
@options.source
@options.project
@options.run_id
@options.machine
def publish(source: str, folder: Path | None, run_id: str | None, machine: bool) -> None:
    """Publish the checked tables of SOURCE as one immutable release, and point `current` to it."""
    from oncoweave import run as stages
    from oncoweave.cli.output import print_json, shown

    project = options.project_at(folder)
    release = stages.publish(options.run_of(project, source, run_id), project)
    if machine:
        print_json({"source": source, "release": release})
    else:
        click.echo(shown(release))

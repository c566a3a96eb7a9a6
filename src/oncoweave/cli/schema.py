"""`oncoweave schema`: the JSON Schemas by which a YAML editor completes and checks."""

from __future__ import annotations

from pathlib import Path

import click

from oncoweave.cli import options


@click.command(short_help="Write JSON Schemas for YAML editors.", epilog="\b\nExample:\n  oncoweave schema")
@options.project
@options.machine
def schema(folder: Path | None, machine: bool) -> None:
    """Write the JSON Schemas of the YAML languages into .schema/ of the project."""
    from oncoweave.cli.output import print_json, shown
    from oncoweave.quality.suite_schema import suite_schema
    from oncoweave.spec.schema import write_schemas

    written = write_schemas(options.project_at(folder).root / ".schema", {"suite": suite_schema})
    if machine:
        print_json({"schemas": written})
    else:
        click.echo("\n".join(shown(path) for path in written))

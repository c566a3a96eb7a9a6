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
        click.echo(_fhir(release), err=True, nl=False)


def _fhir(release: Path) -> str:
    """What the release holds of FHIR, and what it takes back; nothing where it holds none."""
    from oncoweave.files import read_record
    from oncoweave.release_records import ReleaseManifest

    fhir = read_record(release / "manifest.json", ReleaseManifest).fhir
    if fhir is None:
        return ""
    size = sum(file.bytes for file in fhir.all_files) / 1_000_000
    told = f"FHIR R4 ({fhir.profiles}): {sum(fhir.resources.values()):,} resources in {len(fhir.files)} files, {size:,.1f} MB"
    if not fhir.since:
        return f"{told}\n"
    return f"{told}; {fhir.removed:,} resources of {fhir.since} are gone, fhir/manifest.json says so under `deleted`\n"

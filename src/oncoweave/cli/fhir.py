"""`oncoweave fhir`: what is made of FHIR beside runs and releases, when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from oncoweave.cli import options

to = click.option(
    "--to", "target", metavar="FOLDER", type=click.Path(path_type=Path), help="The folder, which is not there yet."
)


@click.group(
    short_help="Write a Bundle a patient, or concept maps, as FHIR.",
    epilog="\b\nExamples:\n  oncoweave fhir bundles gbsg --to handover\n  oncoweave fhir concept-maps gbsg",
)
def fhir() -> None:
    """Make what runs and releases do not hold: a Bundle for each patient, and the concept maps of a source as ConceptMaps.

    The resources themselves are in every run and release whose mapping says `fhir:`.
    """


@fhir.command(
    short_help="Write one Bundle for each patient.",
    epilog="\b\nExamples:\n  oncoweave fhir bundles gbsg --to handover\n"
    "  oncoweave fhir bundles gbsg --run 3f2a --patient 6165683472062484",
)
@options.source
@options.project
@click.option(
    "--run", "run_id", metavar="RUN_ID", help="A run, published or not; else the current release is what is written."
)
@to
@click.option(
    "--patient", "patients", type=int, multiple=True, metavar="ID", help="Only this person_id; may be repeated."
)
@click.option("--ndjson", is_flag=True, help="All Bundles as the lines of one file, instead of a file for each.")
@click.option(
    "--address", default="", metavar="URL", help="Where the resources are said to lie (the start of fullUrl)."
)
@options.machine
def bundles(
    source: str, folder: Path | None, run_id: str | None, target: Path | None, machine: bool, **how: Any
) -> None:
    """Write a collection Bundle for each patient of SOURCE: the Patient, all that refers to it, and where it comes from.

    Without --to they lie in the folder of the run, in `bundles`. Folder and files are private: they hold the data of persons,
    pseudonymised as in a release.
    """
    from oncoweave import run as stages
    from oncoweave.cli.output import print_json, shown

    project = options.project_at(folder)
    run = options.run_of(project, source, run_id) if run_id else None
    made = stages.write_bundles(project, source, run, target, **how)
    if machine:
        print_json({"source": source, **made.__dict__})
        return
    click.echo(shown(made.folder))
    click.echo(f"{made.bundles:,} Bundles with {made.resources:,} resources", err=True)


@fhir.command(
    name="concept-maps",
    short_help="Write a source's concept maps as ConceptMaps.",
    epilog="\b\nExamples:\n  oncoweave fhir concept-maps gbsg\n  oncoweave fhir concept-maps gbsg --to maps",
)
@options.source
@options.project
@to
def concept_maps(source: str, folder: Path | None, target: Path | None) -> None:
    """Print the concept maps that the mapping of SOURCE uses as ConceptMap resources, one a line; --to writes a file for each.

    They come from the specification: no run is needed, and no data are read. What nobody reviewed has its code only.
    """
    from oncoweave.cli.output import shown
    from oncoweave.fhir.concept_maps import concept_maps_of, write_concept_maps
    from oncoweave.fhir.resource_text import compact

    found = concept_maps_of(options.project_at(folder), source)
    if target is None:
        for resource in found:
            click.echo(compact(resource))
        return
    for path in write_concept_maps(found, target):
        click.echo(shown(path))

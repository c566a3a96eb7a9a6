"""`oncoweave check`: the third stage by hand."""

from __future__ import annotations

from pathlib import Path

import click

from oncoweave.cli import options


@click.command(
    short_help="Judge the tables by the suites.",
    epilog="\b\nExamples:\n  oncoweave check gbsg\n  oncoweave check gbsg --again\n  oncoweave check gbsg --fhir\n"
    "  oncoweave check gbsg --data-docs docs\n"
    "  oncoweave check gbsg --json",
)
@options.source
@options.project
@options.run_id
@click.option("--again", is_flag=True, help="Run the checks of a checked run once more, rather than judge it again.")
@click.option(
    "--fhir", is_flag=True, help="Validate every FHIR resource of the run, not only some of each type and profile."
)
@click.option(
    "--data-docs",
    "docs",
    default=None,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write Great Expectations' Data Docs of the suites into DIR: pages for use on site, without any network.",
)
@options.machine
def check(
    *, source: str, folder: Path | None, run_id: str | None, again: bool, fhir: bool, docs: Path | None, machine: bool
) -> int:
    """Judge the OMOP tables of SOURCE by the expectation suites; exit code 3 when the run does not pass.

    A run that has been checked is judged again, in a second and without reading its data, by the severities and shares of the
    suites, the thresholds and the waivers as they are now. A sign-off of other results is void then. With --fhir, its FHIR
    is checked anew, all of it: some fifty thousand resources a second.
    """
    from oncoweave import run as stages
    from oncoweave.cli.judged import tell_fhir, tell_results
    from oncoweave.cli.output import print_json, shown
    from oncoweave.cli.progress import progress

    project = options.project_at(folder)
    run = options.run_of(project, source, run_id)
    steps: list[str] = []
    with progress(1) as tell:

        def step(text: str) -> None:
            steps.append(text)
            tell(text)

        tell(f"{source}: check")
        record = stages.check(run, project, again=again, fhir=fhir, tell=step)
        index = stages.data_docs(run, project, docs) if docs else None
    if machine:
        print_json(record)
    else:
        tell_results(run, record)
        if fhir:
            tell_fhir(run, steps)
        if index:
            click.echo(f"Data Docs: {shown(index)}")
    return 0 if record.verdict == "pass" else 3

"""`oncoweave report`: the pages of a run."""

from __future__ import annotations

from pathlib import Path

import click

from oncoweave.cli import options


@click.command(
    short_help="Write the pages of a run.",
    epilog="\b\nExamples:\n  oncoweave report gbsg\n  oncoweave report gbsg 3f2a --open\n  oncoweave report gbsg --language de",
)
@options.source
@click.argument("run_id", required=False, metavar="[RUN]")
@options.project
@click.option(
    "--language",
    default="",
    metavar="CODE",
    help="Language of the pages: en, de; else $ONCOWEAVE_LANGUAGE, else source.yaml.",
)
@click.option("--open", "show", is_flag=True, help="Open the quality report in the browser.")
@options.machine
def report(*, source: str, run_id: str | None, folder: Path | None, language: str, show: bool, machine: bool) -> None:
    """Write the recap, the quality report and the release page of a RUN of SOURCE (the last one if not given) anew, and
    print where they lie.

    Each is one HTML file that needs no network. `check` and `publish` write them too.
    """
    from oncoweave.cli.output import print_json, shown
    from oncoweave.report.write import PAGES, QUALITY, write_pages

    project = options.project_at(folder)
    run = options.run_of(project, source, run_id)
    pages = write_pages(run, project, language)
    if machine:
        print_json({"source": source, "run_id": run.run_id, "pages": pages})
    else:
        for page in pages:
            click.echo(f"{PAGES[page.name] + ':':16}{shown(page)}")
    if show:
        click.launch((run.path / QUALITY).as_uri())

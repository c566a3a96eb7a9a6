"""The arguments and options that verbs share, so that one thing is spelt one way in all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from oncoweave.project import Project, RunFolder

source = click.argument("source")

project = click.option(
    "--project",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the project; else $ONCOWEAVE_PROJECT, else the current folder.",
)

delivery = click.option(
    "--delivery",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True),
    help="Folder with the delivered files; else where source.yaml says.",
)

day = click.option(
    "--date",
    "day",
    metavar="YYYY-MM-DD",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=lambda _context, _option, given: given.date() if given else None,
    help="The delivery's date; else as the folder's name says (`arrival:` in source.yaml), else as source.yaml says.",
)

base = click.option(
    "--base",
    default="",
    metavar="RUN_ID|none",
    help="The run that a delta builds on (its id or how it begins); else what was last published. none: nothing.",
)

run_id = click.option("--run", "run_id", metavar="RUN_ID", help="The run; else the one extracted last.")

machine = click.option("--json", "machine", is_flag=True, help="Print the result as JSON.")


def login() -> str:
    """The log-in of the person at this machine; empty where there is none."""
    from getpass import getuser

    try:
        return getuser()
    except (KeyError, OSError):
        return ""


def project_at(folder: Path | None) -> Project:
    """The project that the call is about."""
    from oncoweave.project import Project

    return Project.at(folder)


def run_of(project: Project, source: str, run_id: str | None) -> RunFolder:
    """The run with this id (or how it begins), else the run of the source that was extracted last."""
    from oncoweave.errors import UsageError, nearest

    project.source_folder(source)
    runs = runs_of(project, source)
    if not runs:
        raise UsageError(f"`{source}` has no run yet", mend=f"run `oncoweave extract {source}` first")
    found = [run for run in runs if run.run_id.startswith(run_id or "")]
    if not found or (run_id and len(found) > 1):
        said = "several runs begin" if found else "no run begins"
        raise UsageError(f"{said} with `{run_id}`", mend=nearest(run_id or "", (run.run_id for run in runs)))
    return found[-1]


def runs_of(project: Project, source: str) -> list[RunFolder]:
    """The runs of a source that have been extracted, the last one last."""
    from oncoweave.project import RunFolder

    records = (project.runs / source).glob("*/extract.json")
    return [RunFolder(record.parent) for record in sorted(records, key=lambda record: record.stat().st_mtime_ns)]

"""`oncoweave status`: what there is, per source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from oncoweave.project import Project
    from oncoweave.release.status import SourceStatus


@click.command(
    short_help="List sources, runs and releases.",
    epilog="\b\nExamples:\n  oncoweave status\n  oncoweave status --project /srv/registry --json",
)
@options.project
@options.machine
def status(folder: Path | None, machine: bool) -> None:
    """List the sources with their runs, the last run's stages and verdict, and the current release."""
    from oncoweave.cli.output import print_json, shown, table
    from oncoweave.project import HOW_A_SOURCE
    from oncoweave.release.status import status as sources_of

    project = options.project_at(folder)
    states = [state_of(project, source) for source in sources_of(project)]
    if machine:
        print_json({"project": project.root, "sources": states})
        return
    rows = [(s.source, s.runs, s.last_run, " ".join(s.stages) or None, s.verdict, s.current) for s in states]
    head = ("source", "runs", "last run", "stages done", "verdict", "current release")
    table(f"Project {shown(project.root)}", head, rows)
    if not rows:
        click.echo(f"no source in {project.root}: {HOW_A_SOURCE}")


@dataclass(frozen=True)
class State:
    """A source: how many runs it has, the last one with its stages and verdict, its releases and the current one."""

    source: str
    runs: int
    last_run: str | None
    stages: tuple[str, ...]
    verdict: str | None
    releases: tuple[str, ...]
    current: str | None


def state_of(project: Project, source: SourceStatus) -> State:
    """What the list tells of a source."""
    from oncoweave.files import read_record
    from oncoweave.records import CheckRecord

    runs = options.runs_of(project, source.source)
    last = runs[-1] if runs else None
    stages = next((run.done for run in source.runs if last and run.run_id == last.run_id), ())
    judged = last is not None and (last.path / "check.json").is_file()
    verdict = read_record(last.path / "check.json", CheckRecord).verdict if last and judged else None
    return State(
        source.source, len(runs), last.run_id if last else None, stages, verdict, source.releases, source.current
    )

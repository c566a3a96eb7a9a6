"""`oncoweave status`: what there is, per source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oncoweave.project import Project, RunFolder
    from oncoweave.records import DeliveryRecord
    from oncoweave.release.status import SourceStatus


@click.command(
    short_help="List sources, runs and releases.",
    epilog="\b\nExamples:\n  oncoweave status\n  oncoweave status --project /srv/registry --json",
)
@options.project
@options.machine
def status(folder: Path | None, machine: bool) -> None:
    """List the sources with their runs, the last run's deliveries, stages and verdict, and the current release."""
    from oncoweave.cli.output import print_json, shown, table
    from oncoweave.project import HOW_A_SOURCE
    from oncoweave.release.status import status as sources_of

    project = options.project_at(folder)
    states = [state_of(project, source) for source in sources_of(project)]
    if machine:
        print_json({"project": project.root, "sources": states})
        return
    rows = [
        (
            s.source,
            s.runs,
            s.last_run,
            _told(s.deliveries),
            " ".join(s.stages) or None,
            s.verdict,
            s.approval,
            s.current,
        )
        for s in states
    ]
    head = ("source", "runs", "last run", "deliveries in it", "stages done", "verdict", "approval", "current release")
    table(f"Project {shown(project.root)}", head, rows)
    if not rows:
        click.echo(f"no source in {project.root}: {HOW_A_SOURCE}")


@dataclass(frozen=True)
class State:
    """A source: how many runs it has, the last one with the deliveries that it holds, its stages, verdict and approval, its
    releases and the current one. `decision` tells the last run's approval or rejection."""

    source: str
    runs: int
    last_run: str | None
    deliveries: tuple[DeliveryRecord, ...]
    stages: tuple[str, ...]
    verdict: str | None
    approval: str | None
    decision: str | None
    releases: tuple[str, ...]
    current: str | None


def state_of(project: Project, source: SourceStatus) -> State:
    """What the list tells of a source."""
    from oncoweave.files import read_record
    from oncoweave.records import CheckRecord, ExtractRecord

    runs = options.runs_of(project, source.source)
    last = runs[-1] if runs else None
    stages = next((run.done for run in source.runs if last and run.run_id == last.run_id), ())
    judged = last is not None and (last.path / "check.json").is_file()
    verdict = read_record(last.path / "check.json", CheckRecord).verdict if last and judged else None
    held = read_record(last.path / "extract.json", ExtractRecord).chain if last else ()
    run_id = last.run_id if last else None
    approval, decision = _approval(project, last) if last and judged else (None, None)
    return State(
        source.source, len(runs), run_id, held, stages, verdict, approval, decision, source.releases, source.current
    )


def _approval(project: Project, run: RunFolder) -> tuple[str | None, str | None]:
    """How a checked run stands with those who approve it, and the decision in one line; nothing where it cannot be told."""
    from oncoweave.errors import OncoweaveError
    from oncoweave.run import approval_of

    try:
        stands = approval_of(run, project)
    except OncoweaveError:
        return None, None  # lint tells what is wrong with source.yaml
    return (None if stands.state == "not needed" else stands.state), stands.why or None


def _told(deliveries: Sequence[DeliveryRecord]) -> str | None:
    """The deliveries that a run holds: the first, and how many deltas up to which day."""
    if not deliveries:
        return None
    first, *deltas = deliveries
    more = f" + {len(deltas)} delta{'s' if len(deltas) > 1 else ''} to {deltas[-1].date}" if deltas else ""
    return f"{first.mode} {first.date}{more}"

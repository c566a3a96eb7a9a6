"""`oncoweave arrivals`: what lies where deliveries arrive, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oncoweave.errors import OncoweaveError
    from oncoweave.orchestration.arrivals import Survey
    from oncoweave.project import Project


@click.command(
    short_help="List the deliveries that have arrived.",
    epilog="\b\nExamples:\n  oncoweave arrivals\n  oncoweave arrivals gbsg --json",
)
@click.argument("source", required=False)
@options.project
@options.machine
def arrivals(source: str | None, folder: Path | None, machine: bool) -> int:
    """List what lies where deliveries arrive, of SOURCE or of every source that has `arrival:` in its source.yaml.

    complete: whole and new, taken next. growing: somebody may still be writing. waiting: for its marker, or for the
    delivery before it. claimed: a pipeline is reading it. taken: a run holds it. failed: it cannot be taken as it is.
    refused: not a delivery, or not to be taken by itself. Nothing is read and nothing is changed.
    """
    from oncoweave.cli.failure import as_tree, tell
    from oncoweave.cli.output import print_json, table

    project = options.project_at(folder)
    if source:
        project.source_folder(source)
    found, failed = _surveys(project, [source] if source else None)
    if machine:
        failures = [{"source": name, **as_tree(error)} for name, error in failed]
        print_json({"sources": [{"source": s.source, "arrived": s.arrived} for s in found], "failures": failures})
    else:
        for one in found:
            rows = [(a.name, a.state, a.files, _size(a.bytes), a.run_id[:12] or None, a.reason) for a in one.arrived]
            table(f"{one.source}", ("delivery", "state", "files", "size", "run", "why"), rows)
            if not rows:
                click.echo(f"{one.source}: nothing has arrived yet\n")
        if not found and not failed:
            click.echo("no source says where deliveries arrive (`arrival:` in source.yaml)")
    for name, error in failed:
        click.echo(f"{name}:", err=True)
        tell(error)
    return failed[0][1].exit_code if failed else 0


def _surveys(project: Project, named: list[str] | None) -> tuple[list[Survey], list[tuple[str, OncoweaveError]]]:
    """The survey of each source, and what kept one from being made."""
    import time

    from oncoweave.errors import OncoweaveError
    from oncoweave.orchestration.arrivals import Moment, survey

    found: list[Survey] = []
    failed: list[tuple[str, OncoweaveError]] = []
    for source in named or _with_arrivals(project, failed):
        try:
            found.append(survey(project, source, Moment(time.time())))
        except OncoweaveError as error:
            failed.append((source, error))
    return found, failed


def _with_arrivals(project: Project, failed: list[tuple[str, OncoweaveError]]) -> Iterator[str]:
    """The sources that say where deliveries arrive."""
    from oncoweave.errors import OncoweaveError
    from oncoweave.spec.load import load_source

    for source in project.sources():
        try:
            if load_source(project, source)[0].arrival:
                yield source
        except OncoweaveError as error:
            failed.append((source, error))


def _size(size: int) -> str:
    """A size in the unit in which it is easiest read."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size = size // 1000
    return f"{size:,} GB"

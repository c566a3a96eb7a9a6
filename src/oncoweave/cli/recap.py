"""The recap at the end of every run: what came in, what became of it, and where the release lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from oncoweave.cli.failure import as_tree, tell
from oncoweave.cli.options import login
from oncoweave.cli.output import Cell, print_json, shown, table
from oncoweave.cli.progress import progress
from oncoweave.errors import OncoweaveError

if TYPE_CHECKING:
    from oncoweave.project import Project
    from oncoweave.report.recap import RunSummary

STAGES = 4
LINE = 100
NO_RELEASE = "- (a candidate: it waits for an approval)"
ROWS = MappingProxyType(
    {"source": "source", "rows in": "records", "rule rows": "read"}
    | {name: name for name in ("mapped", "quarantined", "excluded", "unmapped", "persons", "verdict")}
)
"""The columns of the recap and the fields of the summary that they show."""
READING = "rule rows: once for each rule (and column) that reads the row; = mapped + quarantined + excluded"


def run_all(
    project: Project,
    sources: Sequence[str],
    *,
    delivery: Path | None = None,
    base: str = "",
    auto_approve: bool = False,
    machine: bool = False,
) -> int:
    """Run the sources one after the other and print the recap; the exit code is that of the first that failed."""
    done, failed = run_each(project, sources, delivery, base, auto_approve=auto_approve)
    if machine:
        print_json({"runs": done, "failures": [{"source": source, **as_tree(error)} for source, error in failed]})
    else:
        recap(done)
    for source, error in failed:
        click.echo(f"{source}:", err=True)
        tell(error)
    return failed[0][1].exit_code if failed else 0


def run_each(
    project: Project, sources: Sequence[str], delivery: Path | None, base: str = "", *, auto_approve: bool = False
) -> tuple[list[RunSummary], list[tuple[str, OncoweaveError]]]:
    """What came of each source; the failure of one does not keep the next from running."""
    from oncoweave.run import run

    done: list[RunSummary] = []
    failed: list[tuple[str, OncoweaveError]] = []
    with progress(STAGES * len(sources)) as tell_step:
        for source in sources:
            try:
                told = _of(source, tell_step)
                done.append(
                    run(project, source, delivery, base=base, by=login(), auto_approve=auto_approve, progress=told)
                )
            except OncoweaveError as error:
                failed.append((source, error))
    return done, failed


def _of(source: str, tell_step: Callable[[str], None]) -> Callable[[str], None]:
    return lambda stage: tell_step(f"{source}: {stage}")


def recap(runs: Sequence[RunSummary]) -> None:
    """Print the recap of finished runs."""
    if not runs:
        return
    click.echo()
    table("Rows", tuple(ROWS), [tuple(getattr(run, field) for field in ROWS.values()) for run in runs])
    click.secho(f"  {READING}\n", dim=True)
    table("Records per OMOP table", ("table", *(r.source for r in runs)), _events(runs))
    types = sorted({type_ for run in runs for type_ in run.fhir})
    resources = [(type_, *(run.fhir.get(type_) for run in runs)) for type_ in types]
    table("FHIR resources", ("type", *(r.source for r in runs)), resources)
    _print_notes(runs)
    table("Releases", ("source", "folder"), [(r.source, shown(r.release) if r.release else NO_RELEASE) for r in runs])


def _events(runs: Sequence[RunSummary]) -> Iterable[tuple[Cell, ...]]:
    names = sorted({name for run in runs for name in run.events})
    return [(name, *(run.events.get(name) for run in runs)) for name in names]


def _print_notes(runs: Sequence[RunSummary]) -> None:
    from oncoweave.report.recap import notes_of

    notes = [(run.source, note) for run in runs for note in notes_of(run)]
    if not notes:
        return
    click.secho("Notes", bold=True)
    width = max(len(source) for source, _ in notes)
    told: set[str] = set()
    for source, note in notes:
        margin = "" if source in told else source
        told.add(source)
        lines = click.wrap_text(note, LINE - width - 6).splitlines()
        click.echo(f"  {margin:<{width}}  - " + f"\n{'':{width + 6}}".join(lines))
    click.echo()

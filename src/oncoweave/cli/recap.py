"""The recap at the end of every run: what came in, what became of it, and where the release lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from oncoweave.cli.failure import as_tree, tell
from oncoweave.cli.output import Cell, print_json, shown, table
from oncoweave.cli.progress import progress
from oncoweave.errors import OncoweaveError

if TYPE_CHECKING:
    from oncoweave.project import Project
    from oncoweave.records import DerivedTable
    from oncoweave.run import RunSummary

STAGES = 4
LINE = 100
REASONS = 4
ROWS = MappingProxyType(
    {"source": "source", "rows in": "records", "rule rows": "read"}
    | {name: name for name in ("mapped", "quarantined", "excluded", "unmapped", "persons", "verdict")}
)
"""The columns of the recap and the fields of the summary that they show."""
READING = "rule rows: once for each rule (and column) that reads the row; = mapped + quarantined + excluded"


def run_all(
    project: Project, sources: Sequence[str], *, delivery: Path | None = None, base: str = "", machine: bool = False
) -> int:
    """Run the sources one after the other and print the recap; the exit code is that of the first that failed."""
    done, failed = run_each(project, sources, delivery, base)
    if machine:
        print_json({"runs": done, "failures": [{"source": source, **as_tree(error)} for source, error in failed]})
    else:
        recap(done)
    for source, error in failed:
        click.echo(f"{source}:", err=True)
        tell(error)
    return failed[0][1].exit_code if failed else 0


def run_each(
    project: Project, sources: Sequence[str], delivery: Path | None, base: str = ""
) -> tuple[list[RunSummary], list[tuple[str, OncoweaveError]]]:
    """What came of each source; the failure of one does not keep the next from running."""
    from oncoweave.run import run

    done: list[RunSummary] = []
    failed: list[tuple[str, OncoweaveError]] = []
    with progress(STAGES * len(sources)) as tell_step:
        for source in sources:
            try:
                done.append(run(project, source, delivery, base=base, progress=_of(source, tell_step)))
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
    _print_notes(runs)
    table("Releases", ("source", "folder"), [(r.source, shown(r.release) if r.release else "-") for r in runs])


def _events(runs: Sequence[RunSummary]) -> Iterable[tuple[Cell, ...]]:
    names = sorted({name for run in runs for name in run.events})
    return [(name, *(run.events.get(name) for run in runs)) for name in names]


def _print_notes(runs: Sequence[RunSummary]) -> None:
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


def notes_of(run: RunSummary) -> list[str]:
    """What a reader of the release must know."""
    notes = list(run.warnings)
    if run.repeated:
        notes.append(f"run {run.run_id} had been done with the same inputs; nothing was done again")
    if run.unreadable:
        notes.append(f"{run.unreadable:,} records could not be read; quarantine/extract.parquet of the run tells why")
    if run.quarantined:
        notes.append(_held(run))
    if run.unmapped:
        notes.append(f"{run.unmapped:,} rule rows have no approved concept and carry concept 0")
    if run.unconfirmed_concepts:
        ids = ", ".join(map(str, run.unconfirmed_concepts))
        notes.append(f"concepts that wait for an Athena release to confirm them: {ids}")
    partial = _imputed(run, "month", "year")
    if partial:
        notes.append(f"dates known to the month or year only, for which a day stands (`imputation:`): {partial}")
    ongoing = _imputed(run, "ongoing")
    if ongoing:
        notes.append(f"visits that had not ended end on the day of the delivery (`without_end:`): {ongoing}")
    notes += [note for derived in run.derived if (note := told_of(derived))]
    if run.synthetic_origin:
        notes.append(f"dates count from a synthetic origin, {run.synthetic_origin[0]}: {run.synthetic_origin[1]}")
    for free in run.released_text:
        what = " and ".join(free.what)
        notes.append(
            f"free text leaves the site: {what} of {free.notes:,} notes (`{free.rule}`), because {free.because}"
        )
    return notes


def _imputed(run: RunSummary, *precisions: str) -> str:
    """How many days of each date stand for something of these precisions; not of births."""
    counted = {field: sum(n.get(p, 0) for p in precisions) for field, n in run.imputed.items()}
    return ", ".join(f"{field} {rows:,}" for field, rows in counted.items() if rows and not field.startswith("person."))


def told_of(table: DerivedTable) -> str:
    """Rows that a derived table could not use, by reason; empty where there are none."""
    if table.lacks:
        told = table.left_out[0][0] if table.left_out else ""
        return f"{table.table} is empty: {told}" if told else ""
    told = ", ".join(f"{reason} ({rows:,})" for reason, rows in (*table.left_out, *table.remarks))
    return f"{table.table}, made of {table.read:,} rows of {table.source}: {told}" if told else ""


def _held(run: RunSummary) -> str:
    """How many rule rows are quarantined, the most frequent reasons, and where each row is told."""
    most = [f"{reason} ({rows:,})" for reason, rows in list(run.reasons.items())[:REASONS]]
    more = [f"{len(run.reasons) - REASONS} more reasons"] if len(run.reasons) > REASONS else []
    return (
        f"{run.quarantined:,} rule rows are quarantined: {', '.join(most + more)}; `oncoweave explain {run.source}` "
        "counts them by rule, quarantine/map.parquet of the run names file and line"
    )

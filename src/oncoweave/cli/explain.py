"""`oncoweave explain`: what a mapping does, and what it did last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from oncoweave.project import Project
    from oncoweave.records import LedgerEntry


@click.command(
    short_help="Show a mapping's plan and ledger.",
    epilog="\b\nExamples:\n  oncoweave explain gbsg\n  oncoweave explain gbsg findings --sql",
)
@options.source
@click.argument("rule", required=False)
@options.project
@options.run_id
@click.option("--sql", is_flag=True, help="With the SQL that runs.")
@options.machine
def explain(source: str, rule: str | None, folder: Path | None, run_id: str | None, sql: bool, machine: bool) -> None:
    """Print the plan that the mapping of SOURCE compiles to (of one RULE), and the ledger of its last run."""
    from oncoweave.cli.ledger import print_ledger
    from oncoweave.cli.output import print_json
    from oncoweave.compiler import explain as plan_of

    project = options.project_at(folder)
    plan = plan_of(project, source, rule, sql=sql)
    entries = [entry for entry in last_ledger(project, source, run_id) if rule in (None, entry.rule)]
    if machine:
        print_json({"source": source, "plan": plan, "ledger": entries})
        return
    click.echo(plan)
    print_ledger(entries)


def last_ledger(project: Project, source: str, run_id: str | None) -> tuple[LedgerEntry, ...]:
    """The ledger of the run asked for, else of the last one; empty when nothing has been mapped yet."""
    from oncoweave.files import read_record
    from oncoweave.records import MapRecord

    if run_id is None and not options.runs_of(project, source):
        return ()
    record = options.run_of(project, source, run_id).path / "map.json"
    return read_record(record, MapRecord).ledger if record.is_file() else ()

"""`oncoweave run`: the four stages of one or more sources, in order."""

from __future__ import annotations

from pathlib import Path

import click

from oncoweave.cli import options


@click.command(
    short_help="Extract, map, check and publish.",
    epilog="\b\nExamples:\n  oncoweave run gbsg\n  oncoweave run gbsg colon --project /srv/registry --json\n"
    "  oncoweave run gbsg --delivery /media/usb/2024-03",
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…")
@options.project
@options.delivery
@options.base
@click.option(
    "--auto-approve",
    is_flag=True,
    help="For the demo's public cohorts only: publish though nobody looked; the release says so.",
)
@options.machine
def run(
    sources: tuple[str, ...], folder: Path | None, delivery: Path | None, base: str, auto_approve: bool, machine: bool
) -> int:
    """Extract, map, check and publish each SOURCE, and end with a recap.

    What an earlier run with the same delivery, mapping, vocabulary and code has finished is not done again. Where source.yaml
    asks for an approval, it ends before publish, with a candidate, and tells how to sign.
    """
    from oncoweave.cli.recap import run_all
    from oncoweave.errors import UsageError

    if (delivery or base) and len(sources) > 1:
        raise UsageError("a delivery belongs to one source", mend="run the sources one by one")
    project = options.project_at(folder)
    for source in sources:
        project.source_folder(source)
    return run_all(project, sources, delivery=delivery, base=base, auto_approve=auto_approve, machine=machine)

"""`oncoweave lint`: everything that can be found wrong without data."""

from __future__ import annotations

from pathlib import Path

import click

from oncoweave.cli import options
from oncoweave.cli.failure import colourful


@click.command(
    short_help="Check specifications without data.",
    epilog="\b\nExamples:\n  oncoweave lint\n  oncoweave lint gbsg --json",
)
@click.argument("sources", nargs=-1, metavar="[SOURCE]…")
@options.project
@options.machine
def lint(sources: tuple[str, ...], folder: Path | None, machine: bool) -> int:
    """Check the specifications of each SOURCE (of all, if none is named) without reading data.

    Names, types, options, expressions, concept maps and concept ids, and the worked examples: all problems at
    once, each with its file, line and mend. Warnings do not fail. Of the sources that come with Oncoweave, one whose
    vocabulary release is not loaded is only warned of, unless it is named.
    """
    from dataclasses import asdict

    from oncoweave.cli.output import print_json
    from oncoweave.content import standard
    from oncoweave.lint import lint as problems_of
    from oncoweave.project import HOW_A_SOURCE
    from oncoweave.spec.render import render

    project = options.project_at(folder)
    names = list(sources) or project.sources()
    asked = bool(sources) or project.root != standard()
    # A fault of a suite is every source's fault, and is told once.
    problems = list(dict.fromkeys(problem for name in names for problem in problems_of(project, name, asked=asked)))
    errors = sum(problem.severity == "error" for problem in problems)
    if machine:
        print_json({"sources": names, "errors": errors, "problems": [asdict(problem) for problem in problems]})
        return 2 if errors else 0
    if problems:
        click.echo(render(problems, color=colourful()))
    if not names:
        click.echo(f"no source in {project.root}: {HOW_A_SOURCE}")
        return 0
    counted = f"{_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}"
    click.echo(f"{_count(len(names), 'source')} checked: {counted}")
    return 2 if errors else 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""`oncoweave demo`: three real cohorts from raw file to published release."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from oncoweave.project import Project

FOLDER = "oncoweave-demo"


@click.command(
    short_help="Harmonise three real cohorts.",
    epilog="\b\nExamples:\n  oncoweave demo\n  oncoweave demo --project /tmp/try --json",
)
@click.option(
    "--project",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the demo's project, made if need be; else the checkout, else ./oncoweave-demo.",
)
@options.machine
def demo(folder: Path | None, machine: bool) -> int:
    """Harmonise three real cohorts, fetched from the Python package index.

    Runs in the project given, in a checkout, or in the new folder ./oncoweave-demo; makes a pseudonym key of its
    own there. Each source is extracted, mapped, checked and published; the recap says what came of it.
    """
    from oncoweave.cli.recap import run_all

    project = demo_project(folder)
    set_demo_key(project)
    return run_all(project, demo_sources(), auto_approve=True, machine=machine)


def demo_sources() -> list[str]:
    """The names of the demo's sources: those whose delivery can be fetched, so that nobody has to bring it."""
    from oncoweave import content
    from oncoweave.project import Project
    from oncoweave.spec.load import load_source

    standard = Project.at(content.standard())
    return [name for name in standard.sources() if load_source(standard, name)[0].delivery.by == "wheel"]


def demo_project(folder: Path | None) -> Project:
    """The project in which the demo runs, with the demo's sources in it."""
    from oncoweave import content
    from oncoweave.project import Project

    here = Path.cwd() == content.standard()
    project = Project.at(folder or (Path() if here else Path(FOLDER)))
    if project.root != content.standard():
        for name in demo_sources():
            target = project.root / "mappings" / "sources" / name
            if not target.exists():
                shutil.copytree(content.demo_sources() / name, target)
    return project


def set_demo_key(project: Project) -> None:
    """Let the process use the demo's own key, unless a key is set."""
    from oncoweave.privacy.pseudonym import KEY, KEY_FILE, demo_key

    if not (os.environ.get(KEY) or os.environ.get(KEY_FILE)):
        os.environ[KEY_FILE] = str(demo_key(project))

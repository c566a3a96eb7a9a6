"""`oncoweave vocab`: the releases of the vocabulary, loaded, looked at and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from oncoweave.vocabulary.load import Loaded


@click.group(
    short_help="Load and look at the vocabulary.",
    epilog="\b\nExamples:\n  oncoweave vocab load vocabulary_download_v5.zip\n  oncoweave vocab list",
)
def vocab() -> None:
    """Load releases of the OMOP vocabulary from Athena's downloads, look codes up, and compare two releases."""


@vocab.command(
    short_help="Load a download of Athena.",
    epilog="\b\nExamples:\n  oncoweave vocab load vocabulary_download_v5.zip\n"
    "  oncoweave vocab load excerpts/ --release 'v5.0 27-AUG-25'",
)
@click.argument("download", metavar="DIR|ZIP", type=click.Path(path_type=Path, exists=True))
@click.option("--release", default="", metavar="NAME", help="Its name; else what its table VOCABULARY says.")
@click.option("--accept-gaps", is_flag=True, help="Load it although its tables do not fit together.")
@options.project
@options.machine
def load(download: Path, release: str, accept_gaps: bool, folder: Path | None, machine: bool) -> None:
    """Load DIR or ZIP, a download of Athena as it comes (or a folder of Parquet), as a release of the vocabulary.

    It is read as it is: tab-separated, without quotes. A file that is cut off, missing or of another CDM stops it,
    and the releases that are there stay as they are. A mapping names its release with `vocabulary:`.
    """
    from oncoweave.cli.output import print_json
    from oncoweave.cli.progress import progress
    from oncoweave.vocabulary.athena import TABLES
    from oncoweave.vocabulary.load import load as load_release

    project = options.project_at(folder)
    with progress(len(TABLES) + 2) as tell:
        loaded = load_release(project, download, release, accept_gaps=accept_gaps, tell=tell)
    if machine:
        print_json({"folder": loaded.folder, "already": loaded.already, "bundle": loaded.record})
        return
    _tell_loaded(loaded)


def _tell_loaded(loaded: Loaded) -> None:
    from oncoweave.cli.output import shown, table

    record = loaded.record
    rows = [(file.name.removesuffix(".parquet"), file.rows, f"{file.bytes / 1e6:,.1f}") for file in record.files]
    table(f"Release {record.release}", ("table", "rows", "MB"), rows)
    for remark in record.remarks:
        click.echo(f"note: {remark}")
    was = "was loaded before, with the same content" if loaded.already else "is loaded"
    click.echo(f"{record.release} {was}: {shown(loaded.folder)}")
    click.echo(f"a mapping uses it with `vocabulary: {record.release}`")

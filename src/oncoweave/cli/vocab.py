"""`oncoweave vocab`: the releases of the vocabulary, loaded, looked at and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oncoweave.compiler.concept_uses import Touched, Use
    from oncoweave.vocabulary.bundle import ConceptRow
    from oncoweave.vocabulary.load import Loaded
    from oncoweave.vocabulary.overview import ConceptView


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
@click.option(
    "--custom",
    default=None,
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with concepts of your own and a source_to_concept_map.",
)
@click.option("--accept-gaps", is_flag=True, help="Load it although its tables do not fit together.")
@options.project
@options.machine
def load(
    download: Path, release: str, custom: Path | None, accept_gaps: bool, folder: Path | None, machine: bool
) -> None:
    """Load DIR or ZIP, a download of Athena as it comes (or a folder of Parquet), as a release of the vocabulary.

    It is read as it is: tab-separated, without quotes. A file that is cut off, missing or of another CDM stops it,
    and the releases that are there stay as they are. A mapping names its release with `vocabulary:`. What you add with
    --custom stands in files named as Athena's: CONCEPT.csv, CONCEPT_RELATIONSHIP.csv, SOURCE_TO_CONCEPT_MAP.csv.
    """
    from oncoweave.cli.output import print_json
    from oncoweave.cli.progress import progress
    from oncoweave.vocabulary.athena import TABLES
    from oncoweave.vocabulary.load import load as load_release

    project = options.project_at(folder)
    with progress(len(TABLES) + 3) as tell:
        loaded = load_release(project, download, release, custom=custom, accept_gaps=accept_gaps, tell=tell)
    if machine:
        print_json({"folder": loaded.folder, "already": loaded.already, "bundle": loaded.record})
        return
    _tell_loaded(loaded)


@vocab.command(
    name="list",
    short_help="List the releases.",
    epilog="\b\nExamples:\n  oncoweave vocab list\n  oncoweave vocab list --json",
)
@options.project
@options.machine
def list_(folder: Path | None, machine: bool) -> None:
    """List the releases that a mapping can name, and the sources whose mappings name them."""
    from oncoweave.cli.output import print_json, table
    from oncoweave.vocabulary.overview import releases

    found = releases(options.project_at(folder))
    if machine:
        print_json({"releases": found})
        return
    rows = [
        (r.release, r.version or None, r.concepts, _megabytes(r.bytes), ", ".join(r.sources) or None) for r in found
    ]
    table("Releases of the vocabulary", ("release", "states itself", "concepts", "MB", "used by"), rows)


@vocab.command(
    short_help="Show a code or concept.",
    epilog="\b\nExamples:\n  oncoweave vocab show 4162253\n  oncoweave vocab show c509 --release 'v5.0 27-AUG-25'",
)
@click.argument("code", metavar="CODE|ID")
@click.option("--release", default="", metavar="NAME", help="The release; else the one that the mappings use.")
@options.project
@options.machine
def show(code: str, release: str, folder: Path | None, machine: bool) -> None:
    """Show the concepts with that CODE (in any spelling) or ID: what they are, if they are valid, what they map to."""
    from oncoweave.cli.output import print_json
    from oncoweave.vocabulary.overview import chosen, view

    bundle = chosen(options.project_at(folder), release)
    found = view(bundle, code)
    if machine:
        print_json({"release": bundle.release, "concepts": found})
        return
    for one in found:
        _tell_concept(one)


@vocab.command(
    short_help="Compare two releases.",
    epilog="\b\nExamples:\n  oncoweave vocab diff 'v5.0 30-AUG-24' 'v5.0 27-AUG-25'\n  oncoweave vocab diff a b --json",
)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@options.project
@options.machine
def diff(before: str, after: str, folder: Path | None, machine: bool) -> None:
    """Show what changed from release A to release B of the concepts that the project's mappings and concept maps name.

    Domain, standard flag, validity, targets, name: each with the codes that lead to the concept and the number of
    events of each source's last run that hold it. Without a change that touches the project, it says so.
    """
    from oncoweave.cli.output import print_json
    from oncoweave.compiler.concept_uses import touched
    from oncoweave.vocabulary.bundle import open_listed

    project = options.project_at(folder)
    found = touched(project, open_listed(project, before), open_listed(project, after))
    if machine:
        print_json({"before": before, "after": after, "changes": found})
        return
    _tell_changes(found, before, after)


def _tell_changes(found: Sequence[Touched], before: str, after: str) -> None:
    from oncoweave.cli.output import table

    rows = [_change_row(one) for one in found]
    head = ("id", "code", "name", "what", before, after, "named in", "events")
    table(f"Changes from {before} to {after} that touch the project", head, rows)
    concepts = len({t.change.concept_id for t in found})
    click.echo(f"{concepts} concept{'' if concepts == 1 else 's'} of the project changed")


def _change_row(one: Touched) -> tuple[str | int | None, ...]:
    change = one.change
    named = list(dict.fromkeys(_place(use) for use in one.uses))
    places = ", ".join(named[:2]) + (f" and {len(named) - 2} more" if len(named) > 2 else "")
    code = f"{change.vocabulary_id} {change.concept_code}"
    head = (str(change.concept_id), code, change.concept_name, change.what, change.before or None, change.after or None)
    return (*head, places or None, sum(one.events.values()))


def _place(use: Use) -> str:
    return f"{use.source}/{use.file}" + (f" `{use.code}`" if use.code else "")


def _tell_concept(one: ConceptView) -> None:
    from oncoweave.cli.output import table

    concept = one.concept
    standard = {"S": "standard", "C": "classification"}.get(concept.standard_concept, "not standard")
    reason = f", not valid ({concept.invalid_reason})" if concept.invalid_reason else ""
    click.secho(f"{concept.concept_id} |{concept.concept_name}|", bold=True)
    click.echo(f"  {concept.vocabulary_id} {concept.concept_code}, {concept.concept_class_id or 'no class'}")
    days = f", {one.valid_start_date} to {one.valid_end_date}" if one.valid_start_date else ""
    click.echo(f"  domain {concept.domain_id}, {standard}{reason}{days}")
    kinds = (("maps to", one.maps_to), ("with value", one.values), ("mapped from", one.mapped_from))
    head = ("relationship", "id", "vocabulary", "code", "name", "domain")
    table("", head, [row for kind, concepts in kinds for row in _concept_rows(kind, concepts)])
    if not one.maps_to:
        click.echo("  maps to no standard concept\n")


def _concept_rows(kind: str, concepts: Sequence[ConceptRow]) -> list[tuple[str, ...]]:
    return [(kind, str(c.concept_id), c.vocabulary_id, c.concept_code, c.concept_name, c.domain_id) for c in concepts]


def _megabytes(size: int | None) -> str | None:
    return None if size is None else f"{size / 1e6:,.1f}"


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

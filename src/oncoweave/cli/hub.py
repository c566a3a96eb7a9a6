"""`oncoweave hub`: the side of a hub, which takes in the releases of many sources and compares them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oncoweave.cli import options

if TYPE_CHECKING:
    from oncoweave.hub.place import Place

_META = "DIR|s3://BUCKET/FOLDER"
into = click.option(
    "--into", "where", envvar="ONCOWEAVE_HUB", required=True, metavar=_META, help="The hub; else $ONCOWEAVE_HUB."
)
of = click.option(
    "--hub", "where", envvar="ONCOWEAVE_HUB", required=True, metavar=_META, help="The hub; else $ONCOWEAVE_HUB."
)
connection = click.option(
    "--connection",
    envvar="ONCOWEAVE_HUB_CONNECTION",
    metavar="NAME",
    help="The connection with the login of the bucket (ONCOWEAVE_CONNECTION_<NAME>); else the system's own settings.",
)


@click.group(
    short_help="Take releases into a hub, and compare its sources.",
    epilog="\b\nExamples:\n  oncoweave hub take releases/gbsg/current --into /srv/hub\n  oncoweave hub compare --hub /srv/hub",
)
def hub() -> None:
    """Take releases into a hub: a folder or an S3 bucket. A release is there whole and verified, or it is not there."""


@hub.command(
    short_help="Take a release in.",
    epilog="\b\nExamples:\n  oncoweave hub take releases/gbsg/current --into /srv/hub\n"
    "  oncoweave hub take /mnt/usb/gbsg/2024-01-31-0123456789ab --into s3://hub/cancer --signed",
)
@click.argument("release", type=click.Path(path_type=Path, exists=True, file_okay=False))
@into
@connection
@click.option("--signed", is_flag=True, help="Refuse what no person has signed off.")
@click.option(
    "--smallest",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="The least count of persons or records that is told in the catalogue and the comparison.",
)
@options.machine
def take(release: Path, where: str, connection: str | None, signed: bool, smallest: int, machine: bool) -> None:
    """Verify RELEASE (its folder), take it into the hub, and make catalogue and comparison anew.

    It is verified where it lies and again as it was copied. What is tampered with, cut off, or another release than that of
    its name in the hub, is refused (exit code 3); the hub keeps the reason. Taking the same release again changes nothing.
    `current` of a source never goes back to an older delivery.
    """
    from oncoweave.cli.output import print_json
    from oncoweave.hub.intake import Policy
    from oncoweave.hub.intake import take as take_in
    from oncoweave.hub.refresh import refresh

    place = _place(where, connection)
    taken = take_in(release.resolve(), place, Policy(signed=signed, smallest=smallest))
    refresh(place)
    if machine:
        print_json(taken)
        return
    done = "taken in" if taken.outcome == "taken" else "there already, as it was"
    fhir = f", {taken.resources:,} FHIR resources" if taken.resources else ""
    click.echo(f"{taken.source} {taken.release_id}: {done}; {taken.persons:,} persons, {taken.rows:,} rows{fhir}")
    if not taken.is_current:
        click.echo(f"`current` of {taken.source} names a newer delivery, or one of the day that came later; it stays")
    click.echo(f"catalogue.json and comparison.html of {place.shown} are up to date")


@hub.command(
    name="list",
    short_help="List what the hub has, and what it refused.",
    epilog="\b\nExamples:\n  oncoweave hub list --hub /srv/hub\n  oncoweave hub list --hub s3://hub/cancer --json",
)
@of
@connection
@options.machine
def list_(where: str, connection: str | None, machine: bool) -> None:
    """List the releases of the hub, the current one of each source, and those that were refused, with the reasons."""
    from oncoweave.cli.output import print_json, table
    from oncoweave.hub.intake import refusals
    from oncoweave.hub.refresh import listed

    place = _place(where, connection)
    found, refused = listed(place), refusals(place)
    if machine:
        releases = [{"current": one.is_current, **one.facts.model_dump(mode="json")} for one in found]
        print_json({"hub": place.shown, "releases": releases, "refused": refused})
        return
    head = ("source", "release", "current", "persons", "signed", "vocabulary")
    rows = [
        (f.source, f.release_id, "yes" if one.is_current else None, f.persons, f.signed, f.vocabulary)
        for one in found
        for f in (one.facts,)
    ]
    table(f"Hub {place.shown}", head, rows)
    if not rows:
        click.echo(f"{place.shown} has taken no release in yet")
    table("Refused", ("source", "release", "why"), [(r.source, r.release_id, "; ".join(r.findings)) for r in refused])


@hub.command(
    short_help="Compare the sources of the hub.",
    epilog="\b\nExamples:\n  oncoweave hub compare --hub /srv/hub\n  oncoweave hub compare --hub /srv/hub --json",
)
@of
@connection
@options.machine
def compare(where: str, connection: str | None, machine: bool) -> None:
    """Compare the sources by their current releases: persons, rows, years, sexes, and what has no concept.

    Small counts are left out (-). comparison.html, .csv and .json in the hub hold the same and the commonest concepts.
    """
    from oncoweave.cli.output import print_json, table
    from oncoweave.hub.refresh import refresh

    compared = refresh(_place(where, connection))
    if machine:
        print_json({"sources": compared})
        return
    rows = [
        (f.source, f.release_id, f.persons, f.sex.get("female"), f.sex.get("male"), _years(f.years)) for f in compared
    ]
    table("Sources", ("source", "release", "persons", "female", "male", "years"), rows)
    tables = sorted({one.table for f in compared for one in f.tables})
    told = {(f.source, one.table): one for f in compared for one in f.tables}
    records = [(n, *((told[f.source, n].records if (f.source, n) in told else 0) for f in compared)) for n in tables]
    table("Records", ("table", *(f.source for f in compared)), records)
    shares = [
        (n, *(_share(told[f.source, n].unmapped_share) if (f.source, n) in told else None for f in compared))
        for n in tables
    ]
    table("Without a concept", ("table", *(f.source for f in compared)), shares)
    types = sorted({type_ for f in compared if f.fhir for type_ in f.fhir.resources})
    resources = [(n, *(f.fhir.resources.get(n, 0) if f.fhir else 0 for f in compared)) for n in types]
    table("FHIR resources", ("type", *(f.source for f in compared)), resources)
    if not compared:
        click.echo("the hub has taken no release in yet")


def _place(where: str, connection: str | None) -> Place:
    from oncoweave.hub.bucket import open_place

    return open_place(where, connection)


def _years(years: tuple[int, int] | None) -> str | None:
    return f"{years[0]}-{years[1]}" if years else None


def _share(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"

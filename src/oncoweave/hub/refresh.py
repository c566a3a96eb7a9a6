"""Makes the catalogue and the comparison of a hub anew, of what it has taken in; the same releases give the same bytes."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from oncoweave.errors import EnvironmentFault
from oncoweave.hub.catalogue import catalogue
from oncoweave.hub.comparison import as_csv, as_json, as_page
from oncoweave.hub.facts import Facts
from oncoweave.hub.place import Place, taken

FILES = ("catalogue.json", "comparison.json", "comparison.csv", "comparison.html")


@dataclass(frozen=True)
class Listed:
    """A release that a hub has, and whether `current` of its source names it."""

    facts: Facts
    is_current: bool


def listed(place: Place) -> list[Listed]:
    """Every release that a hub has, by source and release; not one whose intake was broken off before it was counted."""
    found = []
    current: dict[str, str | None] = {}
    for source, release_id in taken(place):
        if source not in current:
            current[source] = place.current(source)
        facts = _facts(place, source, release_id)
        found += [Listed(facts, current[source] == release_id)] if facts else []
    return found


def compared(place: Place) -> list[Facts]:
    """What may be told of the current release of each source, by its name."""
    return [one.facts for one in listed(place) if one.is_current]


def refresh(place: Place) -> list[Facts]:
    """Write catalogue.json, comparison.json, comparison.csv and comparison.html; what is compared."""
    releases = listed(place)
    current = [one.facts for one in releases if one.is_current]
    by_source: dict[str, list[str]] = {}
    for one in releases:
        by_source.setdefault(one.facts.source, []).append(one.facts.release_id)
    contents = (catalogue(current, by_source), as_json(current), as_csv(current), as_page(current))
    for name, content in zip(FILES, contents, strict=True):
        if place.read(name) != content:
            place.write(name, content)
    return current


def _facts(place: Place, source: str, release_id: str) -> Facts | None:
    name = f"facts/{source}/{release_id}.json"
    content = place.read(name)
    if content is None:
        return None
    try:
        return Facts.model_validate_json(content)
    except ValidationError:
        mend = "remove it, and take the release in again"
        raise EnvironmentFault(f"{name} of {place.shown} is damaged", mend=mend) from None

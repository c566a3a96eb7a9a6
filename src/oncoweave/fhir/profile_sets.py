"""Profile sets: what `fhir:` of a mapping adds to the resources that every set has.

An overlay adds elements to the resources of a type, for all events or for those of some kinds or that meet a condition; of the
overlays that match an event, the first is taken. See `template` for what elements are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from oncoweave.fhir.joined import JoinedFact
from oncoweave.fhir.template import Elements, merged
from oncoweave.records import EventFile


@dataclass(frozen=True)
class Route:
    """Events of a CDM table that become resources of a type: all, or of some kinds, or that meet a condition (SQL as of a leaf).

    Of the routes of a table the first that matches an event is taken, and every one that is `also` one. A route without a type
    leaves its events out, with a `reason`.
    """

    target: str
    type: str
    elements: Elements = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    where: str = ""
    also: bool = False
    reason: str = ""
    profile: str = ""
    """What its resources claim where no overlay is laid over them."""


@dataclass(frozen=True)
class Requirement:
    """What an event must have for its resource to claim a profile (SQL as of a leaf), and the reason where it does not."""

    sql: str
    reason: str


@dataclass(frozen=True, eq=False)
class Overlay:
    """What a profile set lays over the resources of a type that come from such events; `profile` goes into meta.profile.

    It tells of the events that meet `where`, and is laid over those of them that meet every requirement too.
    """

    type: str
    elements: Elements = field(default_factory=dict)
    profile: str = ""
    kinds: frozenset[str] = frozenset()
    where: str = ""
    requires: tuple[Requirement, ...] = ()
    further: tuple[str, ...] = ()
    """Profiles that its resources meet as well."""

    @property
    def profiles(self) -> tuple[str, ...]:
        """All profiles that its resources claim."""
        return (self.profile, *self.further) if self.profile else ()

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions of an event that this is laid over."""
        return tuple(sql for sql in (self.where, *(r.sql for r in self.requires)) if sql)

    def over(self, elements: Elements) -> Elements:
        """The elements with what this adds."""
        laid = merged(elements, self.elements)
        assert isinstance(laid, Mapping)
        return claiming(laid, self.profiles)


def claiming(elements: Elements, profiles: Sequence[str]) -> Elements:
    """The elements of a resource that claims these profiles."""
    if not profiles:
        return elements
    first = {name: elements[name] for name in ("resourceType", "id")}
    return {**first, "meta": {"profile": list(profiles)}, **elements}


@dataclass(frozen=True)
class ProfileSet:
    """A profile set: its overlays, routes that come before those of every set, further lookups of concepts and facts of other events.

    `make_tables` makes what those facts are read from, once for a run: of a connection, the folder and the files of the events, and
    the concepts' ancestors where the vocabulary has them.
    """

    name: str
    overlays: tuple[Overlay, ...] = ()
    routes: tuple[Route, ...] = ()
    lookups: Mapping[str, str] = field(default_factory=dict)
    joined: Mapping[str, JoinedFact] = field(default_factory=dict)
    make_tables: Callable[[duckdb.DuckDBPyConnection, Path, Sequence[EventFile], Path | None], None] | None = None

    @property
    def profiles(self) -> tuple[str, ...]:
        """All profiles that a resource may claim."""
        of_routes = {route.profile for route in self.routes if route.profile}
        return tuple(sorted(of_routes.union(*(overlay.profiles for overlay in self.overlays))))

"""Profile sets: what `fhir:` of a mapping adds to the resources that every set has.

An overlay adds elements to the resources of a type, for all events or for those of some kinds or that meet a condition; of the
overlays that match an event, the first is taken. See `template` for what elements are made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oncoweave.fhir.template import Elements, merged


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


@dataclass(frozen=True)
class Overlay:
    """What a profile set lays over the resources of a type that come from such events; `profile` goes into meta.profile."""

    type: str
    elements: Elements = field(default_factory=dict)
    profile: str = ""
    kinds: frozenset[str] = frozenset()
    where: str = ""

    def over(self, elements: Elements) -> Elements:
        """The elements with what this adds."""
        meta: Elements = {"meta": {"profile": [self.profile]}} if self.profile else {}
        laid = merged(merged(elements, meta), self.elements)
        assert isinstance(laid, Mapping)
        return laid


@dataclass(frozen=True)
class ProfileSet:
    """A profile set: its overlays, routes that come before those of every set, and further lookups of concepts."""

    name: str
    overlays: tuple[Overlay, ...] = ()
    routes: tuple[Route, ...] = ()
    lookups: Mapping[str, str] = field(default_factory=dict)


def profile_set(name: str) -> ProfileSet:
    """The profile set that a mapping names."""
    return _SETS[name]


_SETS = {name: ProfileSet(name) for name in ("base", "mcode", "eu-cancer")}

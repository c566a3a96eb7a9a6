"""Which resource an event of a file becomes: the alternatives that a file has, and the condition of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oncoweave.engine.parquet import literal
from oncoweave.fhir.profile_sets import Overlay, ProfileSet, Route, claiming
from oncoweave.fhir.resources import ROUTES
from oncoweave.fhir.template import Elements
from oncoweave.records import EventFile

OTHERWISE = "FHIR has no resource for it here"


@dataclass(frozen=True)
class Alternative:
    """What an event that meets `where` (SQL as of a leaf) becomes: a resource of a type, or without a type nothing, for a reason."""

    where: str
    target: str
    type: str
    elements: Elements
    reason: str
    profiles: tuple[str, ...] = ()
    passed_over: tuple[Overlay, ...] = ()
    """The overlays with requirements that come before."""


Choice = Sequence[Alternative]
"""Alternatives of which an event is the first that it meets."""


def choices(file: EventFile, profiles: ProfileSet) -> list[Choice]:
    """The choice that each event of a file is counted in, and those of its further resources."""
    kind = str(file.constants.get("kind") or "")
    routes = [
        route
        for route in (*profiles.routes, *ROUTES)
        if route.target in file.targets and (not route.kinds or kind in route.kinds)
    ]
    chosen = [a for route in routes if not route.also for a in _alternatives(route, kind, profiles.overlays)]
    rest = [Alternative(f"target = {literal(t)}", t, "", {}, OTHERWISE) for t in file.targets]
    return [[*chosen, *rest], *(_alternatives(r, kind, profiles.overlays) for r in routes if r.also)]


def _alternatives(route: Route, kind: str, overlays: Iterable[Overlay]) -> list[Alternative]:
    """The alternatives of a route: with each overlay of its type that the kind of fact has, and without any."""
    of = [o for o in overlays if o.type == route.type and (not o.kinds or kind in o.kinds)] if route.type else []
    table = f"target = {literal(route.target)}"

    def alternative(
        conditions: Sequence[str], elements: Elements, profiles: tuple[str, ...], before: Sequence[Overlay]
    ) -> Alternative:
        where = " AND ".join(f"({condition})" for condition in (table, route.where, *conditions) if condition)
        passed_over = tuple(overlay for overlay in before if overlay.requires)
        return Alternative(where, route.target, route.type, elements, route.reason, profiles, passed_over)

    own = (route.profile,) if route.profile else ()
    laid = [alternative(o.conditions, o.over(route.elements), o.profiles, of[:n]) for n, o in enumerate(of)]
    return [*laid, alternative([], claiming(route.elements, own), own, of)]

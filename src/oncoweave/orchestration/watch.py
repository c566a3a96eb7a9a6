"""What a watcher of arrivals says and when: the oldest delivery that is whole and new, again while nobody takes it.

A scheduler may lose one of two events that come close together, or be told while it stands still. So an event only
wakes: what is there to take is told by the disk, and what was not taken is announced again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oncoweave.orchestration.arrivals import Arrived, Sighting, Survey

AGAIN = 15 * 60.0
"""Seconds after which a delivery that nobody took is announced again."""


@dataclass(frozen=True)
class Watched:
    """What a watcher remembers from look to look: what it saw, when it announced which delivery, and what it told."""

    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    announced: Mapping[str, float] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)


def watched(before: Watched, survey: Survey, now: float) -> tuple[Watched, Arrived | None, list[str]]:
    """What to remember, the delivery to announce if there is one, and lines for the log about what has changed."""
    chosen = survey.next
    key = f"{chosen.name} {chosen.signature}" if chosen else ""
    due = chosen is not None and now - before.announced.get(key, float("-inf")) >= AGAIN
    announced = {**before.announced, key: now} if due else before.announced
    states = {one.name: one.state if one.state == "growing" else f"{one.state} {one.reason}" for one in survey.arrived}
    lines = [
        f"{survey.source}, delivery {one.name}: {one.state}{', ' if one.reason else ''}{one.reason}"
        for one in survey.arrived
        if before.told.get(one.name) != states[one.name]
    ]
    lines += [f"{survey.source}, delivery {name}: no longer there" for name in before.told if name not in states]
    return Watched(survey.sightings, announced, states), chosen if due else None, lines


def payload_of(source: str, arrived: Arrived) -> dict[str, Any]:
    """What an event says of a delivery: where it lies, its day, how much it is; no name of a file, nothing of its content."""
    return {
        "source": source,
        "delivery": arrived.name,
        "path": str(arrived.path),
        "day": arrived.day.isoformat() if arrived.day else None,
        "files": arrived.files,
        "bytes": arrived.bytes,
        "signature": arrived.signature,
    }

"""What has arrived: which deliveries are whole and new, which are still being written, which are not taken and why.

`judge` decides from what lies there, what was taken and what the clock says; it reads nothing. `survey` gathers these for
a source. A delivery is known by its name and a signature of its files, so one that is replaced is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from oncoweave.engine.arrived import Entry, Lying, look
from oncoweave.errors import UsageError
from oncoweave.orchestration.taken import Claim, History, history
from oncoweave.project import Project
from oncoweave.spec.arrival import SETTLE, Arrival
from oncoweave.spec.language import span
from oncoweave.spec.load import load_source

State = Literal["complete", "growing", "waiting", "taken", "claimed", "failed", "refused"]
UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".inprogress")
"""How names end that programs give to a file while they write it."""


@dataclass(frozen=True)
class Sighting:
    """When a delivery was first seen as it is now (seconds of the looker's own clock), and a hash of how it is."""

    pulse: str
    since: float


@dataclass(frozen=True)
class Arrived:
    """A delivery and its state; `complete` is whole and new. `reason` says why it is not, in words; `run_id` what took it."""

    name: str
    path: Path
    day: date | None
    state: State
    reason: str = ""
    files: int = 0
    bytes: int = 0
    signature: str = ""
    run_id: str = ""


@dataclass(frozen=True)
class Moment:
    """Now, in seconds since 1970, and what an earlier look saw of each delivery by its name.

    Without an earlier look (`seen` is None) the clock of the file system tells how long a delivery has been still.
    """

    now: float
    seen: Mapping[str, Sighting] | None = None


@dataclass(frozen=True)
class Survey:
    """All that lies where deliveries of a source arrive, the oldest first, and what the next look must know of it."""

    source: str
    arrived: tuple[Arrived, ...]
    sightings: Mapping[str, Sighting] = field(default_factory=dict)

    @property
    def next(self) -> Arrived | None:
        """The oldest delivery that is whole and new."""
        return next((one for one in self.arrived if one.state == "complete"), None)


def survey(project: Project, source: str, moment: Moment) -> Survey:
    """What has arrived for a source.

    Raises UsageError when its source.yaml has no `arrival:`, SpecError when it is wrong, SourceUnreachable when the
    folder cannot be read, EnvironmentFault when the record of what was taken is damaged.
    """
    spec, _ = load_source(project, source)
    if spec.arrival is None:
        raise UsageError(f"`{source}` does not say where deliveries arrive", mend="give `arrival:` in its source.yaml")
    return survey_of(project, source, spec.arrival, moment, in_order=spec.delivery.mode == "delta")


def survey_of(project: Project, source: str, arrival: Arrival, moment: Moment, *, in_order: bool = False) -> Survey:
    """What has arrived, by the keys of `arrival`; `in_order`: a delivery waits until the one before it is published."""
    lying = _lying(project, source, arrival)
    before = history(project, source)
    sightings = {one.name: _sighting(one, moment) for one in lying}
    arrived = judge(lying, arrival, before, replace(moment, seen=None if moment.seen is None else sightings))
    if in_order:
        arrived = _in_order(arrived, arrival, before)
    return Survey(source, tuple(arrived), sightings)


def _lying(project: Project, source: str, arrival: Arrival) -> list[Lying]:
    if arrival.watermark is None:
        return look(arrival, project.root / "mappings" / "sources" / source)
    from oncoweave.engine.servers.watermark import watermark

    return [watermark(project, load_source(project, source)[0])]


def judge(lying: Sequence[Lying], arrival: Arrival, before: History, moment: Moment) -> list[Arrived]:
    """The state of each delivery that lies there, in their order."""
    return [_judged(one, arrival, before, moment) for one in lying]


def _in_order(arrived: Sequence[Arrived], arrival: Arrival, before: History) -> list[Arrived]:
    """Lets no delivery pass one before it: each holds changes only, and builds on what the one before it left."""
    held = f"it builds on run {before.pending}, which is not published yet" if before.pending else ""
    ordered = []
    for one in arrived:
        waits = one.state == "complete" and held
        ordered.append(replace(one, state="waiting", reason=held) if waits else one)
        if not held and _holds_up(one, arrival, before):
            held = f"it builds on the delivery {one.name}, which is not taken yet"
    return ordered


def _holds_up(one: Arrived, arrival: Arrival, before: History) -> bool:
    """Whether those after it must wait: it is not taken, and may be yet."""
    if one.state == "taken" or one.day is None or (arrival.since and one.day < arrival.since):
        return False
    return one.state != "refused" or before.newest is None or one.day > before.newest


def _sighting(lying: Lying, moment: Moment) -> Sighting:
    earlier = (moment.seen or {}).get(lying.name)
    unchanged = earlier is not None and earlier.pulse == lying.pulse and earlier.since <= moment.now
    return earlier if earlier and unchanged else Sighting(lying.pulse, moment.now)


def _judged(lying: Lying, arrival: Arrival, before: History, moment: Moment) -> Arrived:
    files = lying.files(arrival)
    signature = lying.signature(arrival)
    arrived = Arrived(
        lying.name,
        lying.path,
        lying.day,
        "complete",
        files=len(files),
        bytes=sum(entry.bytes for entry in files),
        signature=signature,
    )
    state, reason = _unfit(lying, arrival, moment)
    known = None if state else before.of(lying.name, lying.day, signature)
    if known and not (isinstance(known, Claim) and known.has_lapsed(moment.now)):
        return _known(arrived, known)
    if not state:
        state, reason = _late(lying, arrival, before)
    if not state:
        state, reason = _unfinished(lying, files, arrival, moment)
    return replace(arrived, state=state or "complete", reason=reason)


def _known(arrived: Arrived, known: Claim | str) -> Arrived:
    if isinstance(known, str):
        return replace(arrived, state="taken", run_id=known)
    if known.error:
        return replace(arrived, state="failed", reason=known.error)
    return replace(arrived, state="claimed", reason=f"{known.by} is reading it, since {known.since:%Y-%m-%d %H:%M} UTC")


def _unfit(lying: Lying, arrival: Arrival, moment: Moment) -> tuple[State | None, str]:
    """What keeps it from being a delivery at all."""
    if lying.fault:
        return "refused", lying.fault
    if not lying.files(arrival):
        marked = any(entry.name == arrival.marker for entry in lying.entries)
        return "refused", f"there is {arrival.marker}, but no file" if marked else "there is no file in it"
    if lying.day and lying.day > datetime.fromtimestamp(moment.now, UTC).date() + timedelta(days=1):
        return "refused", "its day has not come yet"
    if lying.day and arrival.since and lying.day < arrival.since:
        return "refused", f"it is from before {arrival.since} (`since` in source.yaml)"
    return None, ""


def _late(lying: Lying, arrival: Arrival, before: History) -> tuple[State | None, str]:
    """A delivery that is older than the last one is left to people: its release would replace a newer one."""
    if not (arrival.pattern.dated and lying.day and before.newest and lying.day < before.newest):
        return None, ""
    what = "was changed after it was taken, and" if before.knows(lying.name) else "came late:"
    return "refused", f"it {what} the delivery of {before.newest} has been taken; to have it, run it by hand"


def _unfinished(lying: Lying, files: Sequence[Entry], arrival: Arrival, moment: Moment) -> tuple[State | None, str]:
    """What shows that somebody may still be writing."""
    marker = next((entry for entry in lying.entries if entry.name == arrival.marker), None)
    if arrival.marker and marker is None:
        return "waiting", f"there is no {arrival.marker} yet"
    unfinished = next((e.name for e in lying.entries if e.name.lower().endswith(UNFINISHED)), None)
    if unfinished:
        return "growing", f"{unfinished} is still being written, by its name"
    still = arrival.still
    newer = marker and next((entry.name for entry in files if entry.modified > marker.modified), None)
    if newer and not still:
        still = span(SETTLE).total_seconds()
    if not still:
        return None, ""
    quiet, skewed = _quiet(lying, moment)
    if quiet >= still:
        return None, ""
    why = f"{newer} is newer than {arrival.marker}; " if newer else ""
    ahead = "; the clock of its file system is ahead" if skewed else ""
    return (
        "growing",
        f"{why}it changed {max(quiet, 0):.0f} s ago; it is taken when it has been still for {still:.0f} s{ahead}",
    )


def _quiet(lying: Lying, moment: Moment) -> tuple[float, bool]:
    """For how many seconds nothing has changed, and whether the file system's clock is ahead of ours."""
    latest = max(entry.changed for entry in lying.entries) / 1e9
    if moment.seen is not None:
        return moment.now - moment.seen[lying.name].since, False
    return moment.now - latest, latest > moment.now

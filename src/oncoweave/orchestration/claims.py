"""Lets a pipeline run take the next delivery: under a lock, the same one for as often as it asks, never one twice."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from oncoweave.errors import DataError
from oncoweave.files import patient_lock, write_json
from oncoweave.orchestration.arrivals import Arrived, Moment, survey
from oncoweave.orchestration.taken import Claim, ClaimsRecord, claims, claims_file, instant
from oncoweave.project import Project

PATIENCE = 4.75
"""Seconds to wait for another one that looks at the claims."""
Known = tuple[str, str]
"""A delivery's name and its signature: two deliveries may hold the same."""
KEPT = 200
"""Claims that are kept: what they led to is told by the runs."""


def claim(project: Project, source: str, by: str, announced: Collection[Known] | None, now: float) -> Arrived | None:
    """The delivery that the pipeline run `by` is to read: the oldest of those announced that nobody took; None: there is none.

    `announced` are names and signatures of deliveries that a watcher saw whole; None, where people ask: any that is whole now, else
    the newest that was taken, once more. A run that asks again gets what it got.
    Raises what `survey` raises, and EnvironmentFault when the lock is held for long.
    """
    with _claims_lock(project, source):
        before = claims(project, source)
        mine = next((one for one in before.claims if one.by == by), None)
        found = survey(project, source, Moment(now))
        if mine is not None:
            return next(
                (one for one in found.arrived if (one.name, one.signature) == (mine.name, mine.signature)), None
            )
        chosen = _free(found.arrived, announced)
        if chosen is not None:
            taken = Claim(name=chosen.name, signature=chosen.signature, by=by, since=instant(now))
            _write(project, source, (*before.claims, taken))
        elif announced is None:
            return next((one for one in reversed(found.arrived) if one.state == "taken"), None)
        return chosen


@contextmanager
def set_aside_when_faulty(project: Project, source: str, by: str) -> Iterator[None]:
    """Note that the data of what `by` claimed are at fault, where the block says so: it is not announced again as it is."""
    try:
        yield
    except DataError as error:
        set_aside(project, source, by, error.message)
        raise


def set_aside(project: Project, source: str, by: str, error: str) -> None:
    """Note that what the pipeline run `by` claimed cannot be taken as it is; it is tried again when its files change."""
    with _claims_lock(project, source):
        before = claims(project, source).claims
        noted = tuple(one.model_copy(update={"error": error}) if one.by == by else one for one in before)
        _write(project, source, noted)


def _free(arrived: Sequence[Arrived], announced: Collection[Known] | None) -> Arrived | None:
    """The oldest that may be taken; one that a watcher saw being still for long enough need not be looked at for so long again."""
    if announced is None:
        return next((one for one in arrived if one.state == "complete"), None)
    free = (one for one in arrived if one.state in ("complete", "growing") and (one.name, one.signature) in announced)
    return next(free, None)


def _write(project: Project, source: str, found: tuple[Claim, ...]) -> None:
    write_json(claims_file(project, source), ClaimsRecord(claims=found[-KEPT:]))


@contextmanager
def _claims_lock(project: Project, source: str) -> Iterator[None]:
    """The lock on the claims of a source, waited for: it is held for as long as it takes to look."""
    path = project.runs / source / ".arrivals.lock"
    with patient_lock(path, f"arrivals of {source}", patience=PATIENCE, pause=0.25):
        yield

"""Which deliveries were taken: by the runs that there are, and by the claims of pipelines that are reading one.

A run says in its arrival.json which delivery it holds. A claim in runs/<source>/arrivals.json says which pipeline run
reads which delivery, so that a task that is tried again gets the same one, and two pipeline runs never get one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from oncoweave.errors import EnvironmentFault
from oncoweave.files import faults, read_record
from oncoweave.project import Project, RunFolder
from oncoweave.quality.judge import may_be_accepted
from oncoweave.record import Record
from oncoweave.records import ArrivalRecord, CheckRecord
from oncoweave.release.signoff import read_signoff
from oncoweave.spec.load import load_source

CLAIM_LASTS = 24 * 3600.0
"""Seconds after which a claim that led to no run is void: its pipeline run was given up."""

GIVEN_UP = ("rejected", "superseded")
"""Decisions after which a run is waited for no longer."""


class Claim(Record):
    """A pipeline run (`by`) that reads a delivery; `error` says why it failed where trying again would not help."""

    name: str
    signature: str
    by: str
    since: datetime
    error: str = ""

    def has_lapsed(self, now: float) -> bool:
        """Whether nobody is to be waited for any more."""
        return not self.error and now - self.since.timestamp() > CLAIM_LASTS


class ClaimsRecord(Record):
    """runs/<source>/arrivals.json: the claims on deliveries of a source, the oldest first."""

    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class History:
    """What was taken before: the run of each (delivery, signature), the days of runs that name none, and the claims.

    `newest` is the day of the newest delivery that a run holds. `pending` is the run of the last delivery when it may
    still become a release.
    """

    runs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    days: Mapping[date, str] = field(default_factory=dict)
    claims: Sequence[Claim] = ()
    newest: date | None = None
    pending: str = ""

    def of(self, name: str, day: date | None, signature: str) -> Claim | str | None:
        """The run that holds a delivery, else the claim on it, else None."""
        run = self.runs.get((name, signature))
        if run is None and not self.knows(name) and day is not None:
            run = self.days.get(day)
        if run is not None:
            return run
        found = [claim for claim in self.claims if (claim.name, claim.signature) == (name, signature)]
        return found[-1] if found else None

    def knows(self, name: str) -> bool:
        """Whether a run holds a delivery of that name, as it is now or as it was."""
        return any(known == name for known, _ in self.runs)


def history(project: Project, source: str) -> History:
    """What was taken of a source before. Raises EnvironmentFault when a record is damaged or cannot be read."""
    place = project.runs / source
    runs: dict[tuple[str, str], str] = {}
    days: dict[date, str] = {}
    newest: tuple[date, int, str] | None = None
    with faults(place):
        records = sorted(place.glob("*/extract.json"))
        for path in records:
            run, written = path.parent, path.stat().st_mtime_ns
            arrival = run / "arrival.json"
            if arrival.is_file():
                held = _arrival(arrival, arrival.stat().st_mtime_ns)
                runs |= {(held.name, signature): run.name for signature in held.signatures}
                day = held.day
            else:
                day = _day(path, written)
                days[day] = run.name
            newest = max(newest or (date.min, 0, ""), (day, written, run.name))
    pending = newest[2] if newest and _may_be_published(project, source, newest[2]) else ""
    return History(runs, days, claims(project, source).claims, newest[0] if newest else None, pending)


def claims(project: Project, source: str) -> ClaimsRecord:
    """The claims on deliveries of a source; none where there is no such file."""
    path = claims_file(project, source)
    return read_record(path, ClaimsRecord) if path.is_file() else ClaimsRecord()


def claims_file(project: Project, source: str) -> Path:
    """The file of the claims of a source."""
    return project.runs / source / "arrivals.json"


def instant(now: float) -> datetime:
    """A moment in seconds since 1970 as a time in UTC, without fractions."""
    return datetime.fromtimestamp(int(now), UTC)


def _may_be_published(project: Project, source: str, run_id: str) -> bool:
    """Whether a run has no release yet and may get one: it was not found wanting, and nobody rejected it."""
    if any((project.releases / source).glob(f"*-{run_id[:12]}")):
        return False
    run = RunFolder(project.runs / source / run_id)
    checked = run.path / "check.json"
    if checked.is_file() and not _may_pass(project, source, read_record(checked, CheckRecord)):
        return False
    signoff = read_signoff(run)
    return signoff is None or signoff.decision not in GIVEN_UP


def _may_pass(project: Project, source: str, checked: CheckRecord) -> bool:
    """Whether a run passed, or somebody is asked who may accept what failed."""
    if checked.verdict == "pass":
        return True
    return may_be_accepted(checked) and load_source(project, source)[0].airflow_approval is not None


@lru_cache(maxsize=4096)
def _arrival(path: Path, written: int) -> ArrivalRecord:
    return read_record(path, ArrivalRecord)


@lru_cache(maxsize=4096)
def _day(path: Path, written: int) -> date:
    """The delivery date of a run; its record is large, so only that is read of it, once."""
    try:
        return date.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["delivery_date"])
    except (ValueError, KeyError, TypeError):
        raise EnvironmentFault(f"{path} is not a valid record", mend="remove it and run its stage again") from None

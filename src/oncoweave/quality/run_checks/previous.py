"""Finds the run that a run is compared with: the last published one of an earlier delivery, else the last checked one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from oncoweave.project import Project, RunFolder
from oncoweave.quality.history import Series

NO_EARLIER = "there is no earlier delivery to compare with"
REMOVED = "the run of the last delivery has been removed"
_RELEASE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})-([0-9a-f]{12})")


@dataclass(frozen=True)
class Previous:
    """The run of the last delivery; `folder` is None where it has been removed, and only the history tells of it."""

    run_id: str
    day: date
    folder: RunFolder | None


def find_previous(project: Project, run: RunFolder, day: date, history: Series) -> Previous | None:
    """The run that `run`, of a delivery of `day`, is compared with; None for the first.

    Runs of the same day are not compared: they are the same delivery, mapped otherwise. A sample is compared with nothing.
    """
    if run.is_sample:
        return None
    known = {row.run_id: row.delivery_date for row in history.runs if row.run_id != run.run_id}
    for begins, of_day in _published(project, run.source, day):
        run_id = next((name for name in sorted(known) if name.startswith(begins)), None)
        if run_id is not None:
            return _previous(project, run.source, run_id, of_day)
    earlier = [(of_day, run_id) for run_id, of_day in known.items() if of_day < day]
    return _previous(project, run.source, *max(earlier)[::-1]) if earlier else None


def _published(project: Project, source: str, day: date) -> list[tuple[str, date]]:
    """How the run ids of the releases of earlier days begin, the latest first; of one day the current release comes first."""
    place = project.releases / source
    if not place.is_dir():
        return []
    current = (place / "current").resolve().name
    found = []
    for folder in place.iterdir():
        named = _RELEASE.fullmatch(folder.name)
        if named and not folder.is_symlink() and (of_day := date.fromisoformat(named[1])) < day:
            found.append((of_day, folder.name == current, named[2]))
    return [(begins, of_day) for of_day, _, begins in sorted(found, reverse=True)]


def _previous(project: Project, source: str, run_id: str, day: date) -> Previous:
    folder = RunFolder(project.runs / source / run_id)
    there = all((folder.path / f"{stage}.json").is_file() for stage in ("extract", "map", "check"))
    return Previous(run_id, day, folder if there else None)

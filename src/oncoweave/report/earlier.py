"""What came before a run: the release that it would follow, and how each check fared from delivery to delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from oncoweave.errors import OncoweaveError
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.quality.history import HistoryRow, Series, series
from oncoweave.records import ExtractRecord
from oncoweave.release.verify import MANIFEST
from oncoweave.release_records import ReleaseManifest
from oncoweave.report.language import percent
from oncoweave.run_identity import Identity, read_identity

LONGEST = 24
"""How many deliveries a trend shows."""


@dataclass(frozen=True)
class Before:
    """The release that a run follows: its manifest, and what its run rested on where that is still known."""

    release: ReleaseManifest
    identity: Identity | None


@dataclass(frozen=True)
class Trend:
    """How a check fared: the failing share of each delivery at which it judged something, the last one this run's.

    `since` is the first delivery of those at which it has failed without a break up to this one; None when that is unknown.
    `is_new` says that it did not fail at the delivery before.
    """

    shares: Sequence[float]
    since: date | None
    is_new: bool

    @property
    def line(self) -> str:
        """The points of the line in a field of 100 by 20."""
        if len(self.shares) < 2:
            return ""
        step, most = 100 / (len(self.shares) - 1), max(self.shares) or 1
        return " ".join(f"{round(n * step, 1):g},{round(18 - 16 * s / most, 1):g}" for n, s in enumerate(self.shares))

    @property
    def last(self) -> tuple[str, str]:
        """Where the line ends."""
        x, y = self.line.split()[-1].split(",")
        return x, y

    @property
    def told(self) -> str:
        """The line in words."""
        return ", ".join(percent(share) for share in self.shares)

    @property
    def recent(self) -> str:
        """The last shares, in words."""
        return " → ".join(percent(share) for share in self.shares[-3:])


NO_TREND = Trend((), None, False)


@dataclass(frozen=True)
class History:
    """The runs that count, the earliest delivery first and this run last, and what was counted in them."""

    runs: Sequence[str]
    counted: Series

    def of(self, check: str) -> Trend:
        """How a check fared up to this run."""
        by_run = {row.run_id: row for row in self.counted.of("check").get(check, ())}
        rows = [by_run[run] for run in self.runs if run in by_run]
        if not rows or rows[-1].run_id != self.runs[-1]:
            return NO_TREND
        failing = _trailing(rows)
        shares = tuple((row.unexpected or 0) / row.evaluated for row in rows if row.evaluated)
        return Trend(shares, failing[0].delivery_date if failing else None, len(failing) == 1 and len(self.runs) > 1)


def history_of(run: RunFolder, project: Project) -> History:
    """The history of the source up to `run`: of each earlier delivery the run that was published, else one of them."""
    counted = series(project, run.source)
    own = next((row.delivery_date for row in counted.runs if row.run_id == run.run_id), None)
    published = {path.parent.name[-12:] for path in (project.releases / run.source).glob(f"*/{MANIFEST}")}
    chosen: dict[date, str] = {}
    for row in counted.runs:
        if own and row.delivery_date < own and (row.run_id[:12] in published or row.delivery_date not in chosen):
            chosen[row.delivery_date] = row.run_id
    return History((*list(chosen.values())[-LONGEST + 1 :], run.run_id), counted)


def release_before(run: RunFolder, project: Project) -> Before | None:
    """The release that `run` follows: the current one, or the one before where the current one is its own."""
    delivered = read_record(run.path / "extract.json", ExtractRecord).delivery_date
    place = project.releases / run.source
    others = [
        path
        for path in place.glob(f"*/{MANIFEST}")
        if not path.parent.is_symlink() and path.parent.name[-12:] != run.run_id[:12]
    ]
    current = place / "current" / MANIFEST
    if current.is_file() and current.parent.readlink().name[-12:] != run.run_id[:12]:
        return _read(current, project)
    earlier = [path for path in others if path.parent.name[:10] <= delivered.isoformat()]
    last = max(earlier, key=lambda path: (path.parent.name[:10], path.stat().st_mtime_ns), default=None)
    return _read(last, project) if last else None


def _trailing(rows: Sequence[HistoryRow]) -> list[HistoryRow]:
    """The last rows that failed without a break."""
    found: list[HistoryRow] = []
    for row in reversed(rows):
        if row.success or row.success is None:
            break
        found.insert(0, row)
    return found


def _read(manifest: Path, project: Project) -> Before | None:
    """What is known of a release; None where its manifest is of another version and cannot be read."""
    try:
        release = read_record(manifest, ReleaseManifest)
    except OncoweaveError:
        return None
    try:
        identity = read_identity(RunFolder(project.runs / release.source / release.run_id))
    except OncoweaveError:
        identity = None
    return Before(release, identity)

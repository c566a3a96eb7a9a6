"""What candidates and releases tell those who wait for them: ids, counts and hashes, never a value."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from oncoweave.files import read_record, sha256_of
from oncoweave.project import RUN_ID, Project, RunFolder
from oncoweave.release_records import ReleaseManifest
from oncoweave.run import published

Told = dict[str, JsonValue]


def candidate_event(manifest: ReleaseManifest, triggered_by: str | None) -> Told:
    """What the candidate of a run tells: the run, who triggered it, the delivery, how much there is, and the verdict."""
    return {
        "run_id": manifest.run_id,
        "triggered_by": triggered_by,
        "delivery": manifest.delivery_date.isoformat(),
        "persons": manifest.persons,
        "rows": _rows(manifest),
        "verdict": manifest.verdict,
    }


def release_event(release: Path) -> Told:
    """What a release tells; `sha256` is that of its manifest, which names the hash of every file."""
    manifest = read_record(release / "manifest.json", ReleaseManifest)
    return {
        "run_id": manifest.run_id,
        "release_id": manifest.release_id,
        "rows": _rows(manifest),
        "persons": manifest.persons,
        "sha256": sha256_of(release / "manifest.json"),
        "verdict": manifest.verdict,
    }


def is_current(run: RunFolder, project: Project) -> bool:
    """Whether the run is published, and its release is what `current` points to: then nobody need look at it again."""
    release = published(run, project)
    return release is not None and (release.parent / "current").resolve() == release.resolve()


def run_ids(events: Iterable[Any]) -> list[str]:
    """The runs that candidate events name, each once, in the order in which they last came: the newest last.

    An event that names none, as one of another asset or one that somebody made by hand, is passed over.
    """
    ordered = sorted(events, key=lambda event: event.timestamp)
    named = [(event.extra or {}).get("run_id") for event in ordered]
    runs = [run_id for run_id in named if isinstance(run_id, str) and RUN_ID.fullmatch(run_id)]
    return list(dict.fromkeys(reversed(runs)))[::-1]


def _rows(manifest: ReleaseManifest) -> int:
    return sum(file.rows or 0 for file in manifest.tables)

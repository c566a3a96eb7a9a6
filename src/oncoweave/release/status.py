"""Lists what there is: per source its runs with the stages they have done, and its releases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oncoweave.project import Project

STAGES = ("extract", "map", "check")


@dataclass(frozen=True)
class RunStatus:
    """A run: the stages whose record it has, in order, and the name of its release, if it is published."""

    run_id: str
    done: tuple[str, ...]
    release: str | None


@dataclass(frozen=True)
class SourceStatus:
    """A source: its runs by id, its releases by name, and the one that `current` points to."""

    source: str
    runs: tuple[RunStatus, ...]
    releases: tuple[str, ...]
    current: str | None


def status(project: Project) -> list[SourceStatus]:
    """The state of every source that the project maps, has run or has published; by name."""
    run = [name for name in _folders(project.runs) if any((project.runs / name).glob("*/identity.json"))]
    names = {*project.sources(), *run, *_folders(project.releases)}
    return [_source(project, name) for name in sorted(names)]


def _source(project: Project, source: str) -> SourceStatus:
    place = project.releases / source
    releases, current = tuple(_folders(place)), place / "current"
    runs = tuple(_run(project.runs / source / run_id, releases) for run_id in _folders(project.runs / source))
    return SourceStatus(source, runs, releases, current.readlink().name if current.is_symlink() else None)


def _run(path: Path, releases: tuple[str, ...]) -> RunStatus:
    done = tuple(stage for stage in STAGES if (path / f"{stage}.json").is_file())
    published = (release for release in releases if release.endswith(f"-{path.name[:12]}"))
    return RunStatus(path.name, done, next(published, None))


def _folders(place: Path) -> list[str]:
    if not place.is_dir():
        return []
    return sorted(p.name for p in place.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))

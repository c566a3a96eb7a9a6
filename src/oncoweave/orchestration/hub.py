"""Which hub the releases of a project go to, and which of them it does not have yet."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oncoweave.errors import UsageError
from oncoweave.hub.intake import SMALLEST, Policy, digest_of, refusals
from oncoweave.hub.place import RELEASE_ID, Place, taken
from oncoweave.project import SOURCE_NAME, Project

HUB, CONNECTION = "ONCOWEAVE_HUB", "ONCOWEAVE_HUB_CONNECTION"
SIGNED, LEAST = "ONCOWEAVE_HUB_SIGNED", "ONCOWEAVE_HUB_SMALLEST"


@dataclass(frozen=True)
class HubSettings:
    """Where the hub is, the connection with its login, and what it asks of a release; all by environment."""

    where: str
    connection: str | None
    policy: Policy


def hub_settings() -> HubSettings:
    """The hub of this environment. Raises UsageError when there is none, or a setting is not as it must be."""
    where = os.environ.get(HUB, "").strip()
    if not where:
        raise UsageError("nobody has said where the hub is", mend=f"set {HUB} to a folder or to s3://bucket/folder")
    signed, smallest = os.environ.get(SIGNED, ""), os.environ.get(LEAST, "") or str(SMALLEST)
    if signed not in ("", "0", "1"):
        raise UsageError(f"{SIGNED} is neither 1 nor 0", mend=f"{SIGNED}=1: only releases that somebody signed off")
    if not smallest.isdecimal() or not 1 <= int(smallest) <= 1000:
        raise UsageError(f"{LEAST} is no number from 1 to 1000", mend=f"{LEAST}=5 is usual")
    policy = Policy(signed=signed == "1", smallest=int(smallest))
    return HubSettings(where, os.environ.get(CONNECTION) or None, policy)


def missing(project: Project, place: Place, *, again: bool = False) -> list[str]:
    """The releases of a project that the hub does not have, as `source/release_id`, the oldest delivery first.

    One that was refused is not asked for again as it is, unless `again`.
    """
    there = set(taken(place))
    refused = set() if again else {(r.source, r.release_id, r.sha256) for r in refusals(place)}
    found = [
        (source, folder)
        for source, folder in _published(project)
        if (source, folder.name) not in there and (source, folder.name, digest_of(folder)) not in refused
    ]
    return [f"{source}/{folder.name}" for source, folder in sorted(found, key=lambda one: (one[1].name, one[0]))]


def not_there(place: Place, wanted: Iterable[str]) -> list[str]:
    """Those of the releases that the hub does not have after all."""
    there = {f"{source}/{release_id}" for source, release_id in taken(place)}
    return [name for name in wanted if name not in there]


def folder_of(project: Project, name: str) -> Path:
    """The folder of a release, by `source/release_id`; raises UsageError for another kind of name."""
    source, _, release_id = name.partition("/")
    if not SOURCE_NAME.fullmatch(source) or not RELEASE_ID.fullmatch(release_id):
        raise UsageError("this is no name of a release", mend="write source/release_id")
    return project.releases / source / release_id


def _published(project: Project) -> list[tuple[str, Path]]:
    """Every release of the project; links and what is being written are none."""
    folders = project.releases.glob("*/*") if project.releases.is_dir() else []
    return [
        (folder.parent.name, folder)
        for folder in folders
        if RELEASE_ID.fullmatch(folder.name) and SOURCE_NAME.fullmatch(folder.parent.name) and not folder.is_symlink()
    ]

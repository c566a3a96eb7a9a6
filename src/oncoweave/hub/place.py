"""Where a hub keeps what it took: a folder here, a bucket in `bucket`. A release is there whole, or it is not there.

Under the hub: releases/<source>/<release_id>/, facts/<source>/<release_id>.json, refused/<name>.json, catalogue.json and the
comparison.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from oncoweave.errors import EnvironmentFault, UsageError
from oncoweave.files import clear_away, faults, patient_lock, remove, sync, sync_tree, write_whole
from oncoweave.project import SOURCE_NAME
from oncoweave.release.package import FILE, FOLDER, switch
from oncoweave.release.verify import MANIFEST

RELEASE_ID = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9a-f]{12}")
PATIENCE = 600
"""Seconds to wait for another intake into the same folder."""


class Place(Protocol):
    """What an intake needs of the place of a hub; names are relative to it, with `/`."""

    @property
    def shown(self) -> str:
        """The place as people see it."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content of a file; None when it is not there."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file, so that the old or the new content is there."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names of all files below a folder, in order, relative to the hub."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A folder of this machine to fill and verify, gone when the block ends, while nobody else takes anything in here."""
        ...

    def commit(self, filled: Path, name: str) -> None:
        """Let the folder be there under its name, whole, in one step; a name that is there already is refused."""
        ...

    def point(self, source: str, release_id: str) -> None:
        """Let `current` of a source name a release."""
        ...

    def current(self, source: str) -> str | None:
        """The release that `current` of a source names."""
        ...


def release_name(source: str, release_id: str) -> str:
    """The name of a release's folder within a hub.

    Raises UsageError for what cannot be a source or a release, so that no name leads anywhere else.
    """
    if not SOURCE_NAME.fullmatch(source) or not RELEASE_ID.fullmatch(release_id):
        raise UsageError(f"`{source[:40]}`, `{release_id[:40]}` is no name of a source and of a release")
    return f"releases/{source}/{release_id}"


def taken(place: Place) -> list[tuple[str, str]]:
    """The releases that a hub has, as source and release id, in order."""
    found = (name.split("/") for name in place.names("releases"))
    return sorted((parts[1], parts[2]) for parts in found if len(parts) == 4 and parts[3] == MANIFEST)


class FolderPlace:
    """A hub in a folder of this machine, or one that is mounted here."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @property
    def shown(self) -> str:
        return str(self.root)

    def read(self, name: str) -> bytes | None:
        path = self.root / name
        with faults(path):
            return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        self._make(path.parent)
        write_whole(path, content, FILE)

    def names(self, folder: str) -> list[str]:
        with faults(self.root / folder):
            found = [Path(at) / name for at, _, names in os.walk(self.root / folder) for name in names]
        files = (path for path in found if not path.is_symlink())
        return sorted(path.relative_to(self.root).as_posix() for path in files)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        self._make(self.root)
        path = self.root / ".locks" / "intake.lock"
        with patient_lock(path, "take a release into the hub", patience=PATIENCE, pause=0.2):
            for stray in self.root.glob(".tmp-*"):
                remove(stray)
            folder = self.root / f".tmp-{os.getpid()}"
            with faults(folder):
                folder.mkdir()
                folder.chmod(FOLDER)
            try:
                yield folder
            finally:
                clear_away(folder)

    def commit(self, filled: Path, name: str) -> None:
        target = self.root / name
        self._make(target.parent)
        if target.exists():
            raise EnvironmentFault(f"{target} is there already")
        with faults(target):
            sync_tree(filled)
            filled.rename(target)
            sync(target.parent)

    def point(self, source: str, release_id: str) -> None:
        switch(self.root / "releases" / source / "current", release_id)

    def current(self, source: str) -> str | None:
        link = self.root / "releases" / source / "current"
        return link.readlink().name if link.is_symlink() else None

    def _make(self, folder: Path) -> None:
        with faults(folder):
            missing = [path for path in (folder, *folder.parents) if not path.exists()]
            for path in reversed(missing):
                path.mkdir(mode=FOLDER, exist_ok=True)
                path.chmod(FOLDER)

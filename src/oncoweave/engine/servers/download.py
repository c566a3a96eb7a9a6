"""Fetches the files of a delivery from a server into the private store: each whole and as promised, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from time import monotonic

from oncoweave.engine.delivery import LARGEST, fits
from oncoweave.engine.servers.checksums import MOST_BYTES, read_checksums
from oncoweave.engine.servers.transports import Remote, Stamp, is_inside, remote
from oncoweave.errors import DataError, EnvironmentFault, SourceUnreachable
from oncoweave.files import PRIVATE_FILE, clear_away, faults, make_private_folder, remove, sha256_of
from oncoweave.project import Project
from oncoweave.spec.delivery import DownloadDelivery
from oncoweave.spec.source import FileTable, Source

MOST_FILES = 10_000
SLOWEST = 10_000
"""Bytes a second, below which a server is given up."""
_AGAIN = "wait until the source has finished writing, then try again"


def download(project: Project, source: Source) -> Path:
    """The folder in the store with the delivery's files that the tables name, under their own names, and no others.

    A file that is there with the promised checksum is not fetched again.

    Raises SourceUnreachable when the server cannot be reached, breaks off, or a file changes while it is read;
    EnvironmentFault when a file is not what its checksum promises, or the server not the one that it should be; DataError
    for a listing with names that lead out of the folder, too many or too large files, or a file without its checksum.
    """
    delivery = source.delivery
    assert isinstance(delivery, DownloadDelivery)
    store = make_private_folder(project.runs / "deliveries" / source.source)
    beside = store / ".fetching"
    remove(beside)
    try:
        with remote(delivery) as folder:
            make_private_folder(beside)
            promised = _promised(folder, delivery)
            before = _wanted(folder, source, promised)
            fetch = _Fetch(folder, store / "files", beside, promised)
            for name, stamp in sorted(before.items()):
                fetch.take(name, stamp)
            if _wanted(folder, source, promised) != before:
                raise SourceUnreachable(
                    f"{folder.about}: files came, went or changed while they were read", mend=_AGAIN
                )
        _keep_only(store / "files", before)
    finally:
        clear_away(beside)
    return store / "files"


def _promised(folder: Remote, delivery: DownloadDelivery) -> dict[str, str] | None:
    """The checksum of each file, None when nothing is promised."""
    if delivery.checksums is None:
        return dict(delivery.sha256) or None
    stamp = folder.stamp(delivery.checksums)
    if stamp is None:
        raise SourceUnreachable(f"{folder.about}: there is no {delivery.checksums} yet", mend=_AGAIN)
    content = b""
    for block in folder.blocks(delivery.checksums, stamp):
        content += block
        if len(content) > MOST_BYTES:
            raise DataError(f"{delivery.checksums} is larger than any list of checksums")
    return read_checksums(content, delivery.checksums)


def _wanted(folder: Remote, source: Source, promised: Mapping[str, str] | None) -> dict[str, Stamp]:
    """The files that the tables name, and what the server says of each now."""
    patterns = list(_patterns(source))
    if folder.lists:
        depth = max(len(PurePosixPath(pattern).parts) for pattern in patterns)
        listed = folder.names(depth)
        _refuse_outside(listed, folder)
        return {name: stamp for name, stamp in listed.items() if any(fits(name, pattern) for pattern in patterns)}
    names = [name for name in promised or () if any(fits(name, pattern) for pattern in patterns)]
    names = names if promised is not None else patterns
    _refuse_outside(names, folder)
    stamps = ((name, folder.stamp(name)) for name in dict.fromkeys(names))
    return {name: stamp for name, stamp in stamps if stamp is not None}


def _patterns(source: Source) -> Iterable[str]:
    for table in source.tables.values():
        assert isinstance(table, FileTable)
        yield table.files
        if table.removed and table.removed.files:
            yield table.removed.files


def _refuse_outside(names: Collection[str], folder: Remote) -> None:
    """Raise DataError for a name that leads out of the folder (it is not shown: a server may say anything), or too many."""
    if len(names) > MOST_FILES:
        raise DataError(f"{folder.about} lists more than {MOST_FILES:,} files: is `delivery.url` the right folder?")
    if not all(map(is_inside, names)):
        raise DataError(
            f"{folder.about} lists a file whose name leads out of the folder, or cannot be one", mend="tell the source"
        )


@dataclass(frozen=True)
class _Fetch:
    """The fetching of the files of one delivery."""

    folder: Remote
    store: Path
    beside: Path
    promised: Mapping[str, str] | None

    def take(self, name: str, stamp: Stamp) -> None:
        """Puts one file into the store, whole and private, under its name."""
        target = self.store / name
        promised = self._promise(name, stamp)
        if promised and target.is_file() and sha256_of(target) == promised:
            return
        arrived = self.beside / "file"
        sha256 = self._read(name, stamp, arrived)
        if promised and sha256 != promised:
            raise EnvironmentFault(
                f"{name} is not what its checksum promises (its SHA-256 differs); it was not taken",
                mend="fetch it again if the transfer failed; else the source has to say which of the two is right",
            )
        if self.folder.stamp(name) != stamp:
            raise SourceUnreachable(f"{name} changed while it was read; it was not taken", mend=_AGAIN)
        make_private_folder(target.parent)
        with faults(target):
            arrived.rename(target)

    def _promise(self, name: str, stamp: Stamp) -> str | None:
        if self.promised is None:
            if stamp.size is None:
                mend = "give its checksum: `checksums` or `sha256` under `delivery`"
                raise DataError(
                    f"{name}: the server does not say how large it is, so that a part could pass for it", mend=mend
                )
            return None
        if name not in self.promised:
            raise DataError(
                f"{name} is there, but has no checksum", mend="ask the source for a whole list of checksums"
            )
        return self.promised[name]

    def _read(self, name: str, stamp: Stamp, target: Path) -> str:
        """Writes a file's bytes to `target`; returns their SHA-256."""
        if (stamp.size or 0) > LARGEST:
            raise DataError(f"{name} has {stamp.size:,} bytes, more than the {LARGEST:,} that are taken")
        digest, size, started = hashlib.sha256(), 0, monotonic()
        with faults(target):
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PRIVATE_FILE)
        with open(handle, "wb") as file:  # noqa: PTH123 - of a handle
            for block in self.folder.blocks(name, stamp):
                size += len(block)
                if size > (LARGEST if stamp.size is None else stamp.size):
                    raise SourceUnreachable(f"{name} is larger than the server said", mend=_AGAIN)
                if monotonic() - started > 60 + size / SLOWEST:
                    raise SourceUnreachable(f"{name} comes too slowly", mend="try again when the line is free")
                digest.update(block)
                with faults(target):
                    file.write(block)
            with faults(target):
                file.flush()
                os.fsync(handle)
        if stamp.size is not None and size != stamp.size:
            raise SourceUnreachable(
                f"{name} broke off: {size:,} of {stamp.size:,} bytes came; it was not taken", mend="try again"
            )
        return digest.hexdigest()


def _keep_only(folder: Path, names: Collection[str]) -> None:
    """Removes from the store what an earlier delivery had, and this one has not."""
    make_private_folder(folder)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(folder).as_posix() not in names:
            remove(path)
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()

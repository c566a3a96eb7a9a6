"""Looks at the folder where deliveries arrive: what lies there, how large it is and when it changed; opens no file."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path

from oncoweave.errors import SourceUnreachable
from oncoweave.spec.arrival import Arrival, Pattern

MOST = 10_000
"""Files of one delivery; a folder with more is not a delivery but a mistake."""


_EFFECTIVE = os.access in os.supports_effective_ids


@dataclass(frozen=True, order=True)
class Entry:
    """One file or folder of a delivery: its name within it, its size, when its content and when anything of it changed.

    Times are nanoseconds by the clock of the file system; the second cannot be set by a copying program.
    """

    name: str
    bytes: int
    modified: int
    changed: int
    is_folder: bool = False

    @property
    def is_hidden(self) -> bool:
        return any(part.startswith(".") for part in self.name.split("/"))


@dataclass(frozen=True)
class Lying:
    """What lies where a delivery may be: its name below the watched folder, its folder, its day, and what is in it.

    `fault` says why it cannot be a delivery, in words. `entries` of files by pattern are those of one day.
    """

    name: str
    path: Path
    day: date | None
    entries: tuple[Entry, ...] = ()
    fault: str = ""

    def files(self, arrival: Arrival) -> list[Entry]:
        """The files that count: neither hidden nor the marker."""
        return [e for e in self.entries if not e.is_folder and not e.is_hidden and e.name != arrival.marker]

    def signature(self, arrival: Arrival) -> str:
        """A hash of the names, sizes and times of the files that count: another one, and it is another delivery."""
        return _hash_of((entry.name, entry.bytes, entry.modified) for entry in self.files(arrival))

    @property
    def pulse(self) -> str:
        """A hash of everything there, hidden files and folders too: while it changes, somebody is writing."""
        return _hash_of((e.name, e.bytes, e.modified, e.changed) for e in self.entries)


def look(arrival: Arrival, source_folder: Path) -> list[Lying]:
    """Everything that lies in the watched folder, in the order of its days; hidden names are passed over.

    Raises SourceUnreachable when the folder is not there or does not let itself be read.
    """
    root = root_of(arrival, source_folder)
    pattern = arrival.pattern
    try:
        found = _files(arrival, pattern, root) if arrival.files else list(_folders(pattern, root, ()))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise SourceUnreachable(
            f"{root}, where deliveries arrive, cannot be read: {reason}",
            mend="look at the network folder and its rights, and at `arrival` in source.yaml",
        ) from None
    return sorted(found, key=lambda lying: (lying.day or date.max, lying.name))


def lying_in(arrival: Arrival, source_folder: Path, folder: Path, day: date | None = None) -> Lying | None:
    """What lies in a folder that is given by hand, as the watched one would show it; None when it is none of those.

    `day` tells which files are meant, where those of several days lie in one folder.
    """
    root = root_of(arrival, source_folder)
    if arrival.files is not None:
        if folder.resolve() != root or (day is None and arrival.pattern.dated):
            return None
        return next((one for one in _files(arrival, arrival.pattern, root) if day in (None, one.day)), None)
    resolved = folder.resolve()
    if not resolved.is_relative_to(root):
        return None
    name = resolved.relative_to(root).as_posix()
    found = arrival.pattern.day_of(name)
    return _lying(name, resolved, found) if found else None


def day_of_folder(arrival: Arrival, folder: Path) -> date | None:
    """The day that the last parts of a folder's path name by the pattern, wherever the folder lies."""
    pattern = arrival.pattern
    if arrival.folder is None:
        return None
    return pattern.day_of(Path(*folder.absolute().parts[-len(pattern.parts) :]).as_posix())


def root_of(arrival: Arrival, source_folder: Path) -> Path:
    """The folder that is watched."""
    return (source_folder / arrival.pattern.root).resolve()


def _folders(pattern: Pattern, folder: Path, above: tuple[str, ...]) -> Iterator[Lying]:
    """The folders below that fit the pattern, each with what is in it; those that do not, with the reason."""
    with os.scandir(folder) as children:
        entries = sorted(children, key=lambda child: child.name)
    for child in entries:
        parts = (*above, child.name)
        name, path = "/".join(parts), Path(child.path)
        if child.name.startswith("."):
            continue
        day = pattern.day_of(name)
        if not pattern.fits(parts) or (len(parts) == len(pattern.parts) and day is None):
            yield Lying(name, path, None, fault=f"its name is no day as {'/'.join(pattern.parts)}")
        elif child.is_symlink():
            yield Lying(name, path, day, fault="it is a link; a delivery is a folder of its own")
        elif not child.is_dir(follow_symlinks=False):
            yield Lying(name, path, day, fault="it is a file, not a folder")
        elif day is not None:
            yield _lying(name, path, day)
        else:
            yield from _below(pattern, path, parts)


def _below(pattern: Pattern, path: Path, parts: tuple[str, ...]) -> Iterator[Lying]:
    try:
        yield from list(_folders(pattern, path, parts))
    except PermissionError:
        yield Lying("/".join(parts), path, None, fault="it may not be read")


def _lying(name: str, path: Path, day: date | None) -> Lying:
    entries: list[Entry] = []
    fault = _walk(path, path, entries) or ""
    here = path.stat()
    entries.append(Entry(".", 0, here.st_mtime_ns, here.st_ctime_ns, is_folder=True))
    return Lying(name, path, day, tuple(sorted(entries)), fault)


def _walk(root: Path, folder: Path, into: list[Entry]) -> str | None:
    """Collects what is below a folder; returns what is wrong with it. What vanishes meanwhile is not there."""
    shown = folder.relative_to(root).as_posix() if folder != root else "it"
    try:
        with os.scandir(folder) as children:
            entries = sorted(children, key=lambda child: child.name)
    except PermissionError:
        return f"{shown} may not be read"
    for child in entries:
        if len(into) >= MOST:
            return f"it holds more than {MOST:,} files"
        name = Path(child.path).relative_to(root).as_posix()
        try:
            fault = _entry(root, child, name, into)
        except FileNotFoundError:
            fault = f"{name} is a link to nothing" if child.is_symlink() else None
        if fault:
            return fault
    return None


def _entry(root: Path, child: os.DirEntry[str], name: str, into: list[Entry]) -> str | None:
    if child.is_symlink() and not Path(child.path).resolve().is_relative_to(root):
        return f"{name} is a link that leads out of it"
    found = child.stat()
    if stat.S_ISDIR(found.st_mode):
        if child.is_symlink():
            return f"{name} is a link to a folder"
        into.append(Entry(name, 0, found.st_mtime_ns, found.st_ctime_ns, is_folder=True))
        return _walk(root, Path(child.path), into)
    if not stat.S_ISREG(found.st_mode):
        return f"{name} is neither a file nor a folder"
    into.append(Entry(name, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return None if os.access(child.path, os.R_OK, effective_ids=_EFFECTIVE) else f"{name} may not be read"


def _files(arrival: Arrival, pattern: Pattern, root: Path) -> list[Lying]:
    """The files of the watched folder that fit the pattern, those of one day together; with the marker."""
    entries: list[Entry] = []
    faults: dict[str, str] = {}
    with os.scandir(root) as children:
        for child in children:
            if pattern.fits((child.name,)) or child.name == arrival.marker:
                faults |= _file(root, child, entries)
    marker = [entry for entry in entries if entry.name == arrival.marker]
    fitting = sorted(((pattern.day_of(e.name), e) for e in entries if e.name != arrival.marker), key=_by_day)
    if not pattern.dated:
        return _undated(pattern, root, [e for _, e in fitting], marker, faults)
    found = []
    for day, group in groupby(fitting, key=lambda pair: pair[0]):
        of_day = [entry for _, entry in group]
        name = pattern.parts[-1] if day is None else day.isoformat()
        fault = next((faults[e.name] for e in of_day if e.name in faults), "" if day else "a name is no day")
        found.append(Lying(name, root, day, tuple(sorted([*of_day, *marker])), fault))
    return found


def _file(root: Path, child: os.DirEntry[str], into: list[Entry]) -> dict[str, str]:
    """Collects a file of the watched folder; what is wrong with it by its name."""
    if child.is_dir():
        return {}
    try:
        fault = _entry(root, child, child.name, into)
    except FileNotFoundError:
        fault = f"{child.name} is a link to nothing" if child.is_symlink() else None
    if fault and all(entry.name != child.name for entry in into):
        into.append(Entry(child.name, 0, 0, 0))
    return {child.name: fault} if fault else {}


def _by_day(pair: tuple[date | None, Entry]) -> tuple[date, str]:
    return pair[0] or date.max, pair[1].name


def _undated(
    pattern: Pattern, root: Path, files: Sequence[Entry], marker: Sequence[Entry], faults: dict[str, str]
) -> list[Lying]:
    if not files and not marker:
        return []
    newest = max((entry.modified for entry in files), default=0)
    day = datetime.fromtimestamp(newest // 1_000_000_000, UTC).date() if files else None
    return [Lying(pattern.parts[-1], root, day, tuple(sorted([*files, *marker])), next(iter(faults.values()), ""))]


def _hash_of(lines: Iterator[tuple[object, ...]] | Sequence[tuple[object, ...]]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(repr(line).encode())
    return digest.hexdigest()

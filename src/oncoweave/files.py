"""Files that are whole or absent: hashes, records, stage folders and locks; used by every stage.

Nothing here trusts the umask, and nothing is visible under its own name before it is on the disk.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from oncoweave.errors import EnvironmentFault, LockHeld, UsageError
from oncoweave.project import RunFolder
from oncoweave.record import Record
from oncoweave.records import FileRecord

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
_CHUNK = 1 << 20

AnyRecord = TypeVar("AnyRecord", bound=Record)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with faults(path), path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def file_record(path: Path, name: str, rows: int | None = None) -> FileRecord:
    """The record of a file under `name`: its size and hash, and its rows where it is a table."""
    with faults(path):
        size = path.stat().st_size
    return FileRecord(name=name, bytes=size, sha256=sha256_of(path), rows=rows)


def write_json(path: Path, record: Record, mode: int = PRIVATE_FILE) -> None:
    """Write a record so that `path` holds the old or the new one, never a part: beside, fsync, rename."""
    write_whole(path, (record.model_dump_json(indent=2) + "\n").encode(), mode)


def write_whole(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a file of mode `mode` so that `path` holds the old or the new content, never a part.

    A file that holds the content already is left as it is.
    """
    if _holds(path, content, mode):
        return
    beside = path.with_name(f".{path.name}.tmp")
    with faults(path):
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
            with open(handle, "wb") as file:
                os.fchmod(handle, mode)
                file.write(content)
                file.flush()
                os.fsync(handle)
            os.rename(beside, path)
        except BaseException:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        sync(path.parent)


def _holds(path: Path, content: bytes, mode: int) -> bool:
    with faults(path):
        try:
            there = path.lstat()
            return stat.S_ISREG(there.st_mode) and stat.S_IMODE(there.st_mode) == mode and path.read_bytes() == content
        except FileNotFoundError:
            return False


def read_record(path: Path, type_: type[AnyRecord]) -> AnyRecord:
    """The record in `path`.

    Raises UsageError when it is not there (its stage has not run), EnvironmentFault when it is not whole.
    """
    if not path.is_file():
        raise UsageError(f"there is no {path}", mend=f"run `oncoweave {path.stem}` first")
    with faults(path):
        text = path.read_text(encoding="utf-8")
    try:
        return type_.model_validate_json(text)
    except ValidationError as error:
        raise EnvironmentFault(
            f"{path} is not a valid {type_.__name__}: {error.error_count()} faults",
            mend="it was edited or written by another version; remove it and run its stage again",
        ) from None


def forget(path: Path) -> None:
    """Remove a stage's record before the stage is done again: without its record, a stage counts as not done."""
    with faults(path):
        path.unlink(missing_ok=True)
        sync(path.parent)


def make_private_folder(path: Path) -> Path:
    """Make `path` and its missing parents, each 0700 whatever the umask; `path` itself is tightened if it is there."""
    with faults(path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            folder.chmod(PRIVATE_FOLDER)
        path.chmod(PRIVATE_FOLDER)
    return path


@contextmanager
def stage_folder(run: RunFolder, name: str) -> Iterator[Path]:
    """A temporary folder that becomes `<run>/<name>` when the block ends well, and nothing when it does not.

    What a killed run left behind is removed first. A folder `name` that exists already is replaced: call
    `forget` on the stage's record before, for a folder without a record is not whole.
    """
    make_private_folder(run.path)
    target, beside, old = run.path / name, run.path / f".{name}.tmp", run.path / f".{name}.old.tmp"
    remove(beside)
    remove(old)
    try:
        yield make_private_folder(beside)
        with faults(target):
            sync_tree(beside)
            if target.exists():
                os.rename(target, old)
            os.rename(beside, target)
            sync(run.path)
    finally:
        clear_away(beside, old)


@contextmanager
def work_folder(run: RunFolder, name: str) -> Iterator[Path]:
    """A private folder for what a stage spills, gone when the block ends; a killed run's is removed first."""
    folder = run.path / f".{name}.work.tmp"
    remove(folder)
    try:
        yield make_private_folder(folder)
    finally:
        clear_away(folder)


def clear_away(*paths: Path) -> None:
    """Remove what must not be left over, all of it; where the disk fails once, try again, then tell."""
    failed: EnvironmentFault | None = None
    for path in paths:
        try:
            remove(path)
        except EnvironmentFault as fault:
            failed = fault
            remove(path)
    if failed:
        raise failed


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; nothing when it is not there. Links are not followed."""
    with faults(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring one file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Bring a folder with all it holds to the disk, deepest first."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if not path.is_symlink():
            sync(path)
    sync(folder)


@contextmanager
def lock(path: Path, purpose: str, run: str = "") -> Iterator[None]:
    """Hold the lock file `path` while the block runs; the lock of a dead process is free by itself.

    Raises EnvironmentFault naming the holder when another process has it.
    """
    make_private_folder(path.parent)
    with faults(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        _take(handle, path, purpose)
        with faults(path):
            _write_holder(handle, purpose, run)
        yield
    finally:
        os.close(handle)


@contextmanager
def patient_lock(path: Path, purpose: str, run: str = "", *, patience: float, pause: float) -> Iterator[None]:
    """The same lock, waited for: `patience` seconds at most, looking every `pause` seconds.

    Raises LockHeld when it cannot be had until then, and at once EnvironmentFault for a disk that fails.
    """
    end = time.monotonic() + patience
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(lock(path, purpose, run))
                break
            except LockHeld:
                if time.monotonic() > end:
                    raise
                time.sleep(pause)
        yield


def _take(handle: int, path: Path, purpose: str) -> None:
    with faults(path):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeld(
                f"`{purpose}` cannot start: {_holder(handle)} holds {path}",
                mend="wait until it has finished, or stop it; the lock goes with the process",
            ) from None


def _write_holder(handle: int, purpose: str, run: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": now, "purpose": purpose, "run": run}
    os.fchmod(handle, PRIVATE_FILE)
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(holder).encode(), 0)


def _holder(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        run = f" (run {holder['run']})" if holder["run"] else ""
        return f"`{holder['purpose']}`{run}, process {holder['pid']} on {holder['host']} since {holder['since']},"
    except (ValueError, KeyError, TypeError):
        return "another process"


_MENDS = {
    errno.ENOSPC: ("no space left on the disk", "free some space, or move the folder to a larger disk"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or ask for a larger quota"),
    errno.EFBIG: ("the file is too large", "raise the limit on file sizes, or choose another disk"),
    errno.EACCES: ("permission denied", "give this user the right to read and write there"),
    errno.EPERM: ("operation not permitted", "give this user the right to read and write there"),
    errno.EROFS: ("the file system is read-only", "choose another folder, or mount it writable"),
    errno.ENAMETOOLONG: ("the path is too long", "choose a folder with a shorter path"),
    errno.ENOTDIR: ("a part of the path is not a folder", "choose another folder"),
    errno.ENOENT: ("it is not there", "another program may have removed it; run the stage again"),
    errno.ENOLCK: ("the file system knows no locks", "choose a folder on a local disk"),
}

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EIO}


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into an EnvironmentFault that names the path and the mend."""
    try:
        yield
    except OSError as error:
        what, mend = _MENDS.get(error.errno or 0, (os.strerror(error.errno or 0), "look at the disk and its rights"))
        raise EnvironmentFault(f"{error.filename or path}: {what}", mend=mend) from error


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Like `faults`, for a block of any length: only what a disk or its rights do to it, not a file that is not there."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        with faults(path):
            raise

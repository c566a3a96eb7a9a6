"""Unpacks the tables of a zipped download, and refuses an archive that could do harm."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from oncoweave.errors import DataError, EnvironmentFault
from oncoweave.files import faults

MOST_PACKED = 100
"""Text packs ten to one; above this an archive is taken for a bomb."""
SMALL = 10_000_000
"""Bytes up to which a file may be packed as it likes."""
_CHUNK = 1 << 20


def unpack(archive: Path, target: Path, wanted: Collection[str]) -> None:
    """Writes the files named in `wanted` (whatever their case and folder) into the folder `target`.

    Raises DataError for an archive that is damaged or encrypted, that has a link or a path out of its folder, that
    packs more than a text can be packed, or names a file twice; EnvironmentFault when the disk is too small.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [info for info in opened.infolist() if not info.is_dir()]
            for info in members:
                _refuse(info, archive.name)
            chosen = [info for info in members if _base(info).lower() in {name.lower() for name in wanted}]
            _refuse_repeated(chosen, archive.name)
            _refuse_small_disk(chosen, target)
            for info in chosen:
                _write(opened, info, target / _base(info))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        reason = "it may be cut off" if not zipfile.is_zipfile(archive) else str(error)
        raise DataError(f"{archive.name} cannot be unpacked: {reason}", mend="download it again") from None


def _base(info: zipfile.ZipInfo) -> str:
    return PurePosixPath(info.filename).name


def _refuse(info: zipfile.ZipInfo, archive: str) -> None:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    ratio = info.file_size / max(info.compress_size, 1)
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        fault = "leads out of the archive's folder"
    elif stat.S_ISLNK(info.external_attr >> 16):
        fault = "is a link"
    elif info.flag_bits & 0x1:
        fault = "is encrypted"
    elif ratio > MOST_PACKED and info.file_size > SMALL:
        fault = f"is packed {ratio:,.0f} to one, which no table is"
    else:
        return
    raise DataError(f"{archive}: `{info.filename}` {fault}; nothing was unpacked", mend="download it again from Athena")


def _refuse_repeated(chosen: Sequence[zipfile.ZipInfo], archive: str) -> None:
    names = [_base(info).lower() for info in chosen]
    twice = sorted({_base(info) for info in chosen if names.count(_base(info).lower()) > 1})
    if twice:
        raise DataError(f"{archive} has {', '.join(twice)} more than once", mend="download it again from Athena")


def _refuse_small_disk(chosen: Sequence[zipfile.ZipInfo], target: Path) -> None:
    needed, free = sum(info.file_size for info in chosen), shutil.disk_usage(target).free
    if needed > free:
        message = f"{target}: unpacking takes {needed / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free"
        raise EnvironmentFault(message, mend="free some space, or move ONCOWEAVE_VOCABULARIES to a larger disk")


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Copies one file; zipfile itself stops at the size that the archive states, and compares the checksum."""
    with faults(target), opened.open(info) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, _CHUNK)

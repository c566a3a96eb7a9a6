"""Writes the pages of a run into its folder: the recap, the quality report and, once it is published, the release.

The records of the run's stages decide every byte, so that writing again changes nothing that is as it should be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from oncoweave.files import forget, read_record, write_whole
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord, ExtractRecord, MapRecord, ReleaseManifest
from oncoweave.release.verify import MANIFEST, PAGE, release_id
from oncoweave.report.banners import of_the_release, of_the_run
from oncoweave.report.quality_page import quality_page
from oncoweave.report.recap import summary
from oncoweave.report.release_page import release_page
from oncoweave.report.run_page import run_page
from oncoweave.report.unmapped import unmapped_codes
from oncoweave.run_identity import read_identity

RUN, QUALITY, RELEASE = "run.html", "report.html", PAGE
PAGES: Mapping[str, str] = MappingProxyType({RUN: "Recap", QUALITY: "Quality report", RELEASE: "Release"})
"""The pages of a run by file name, and what people call them."""


def write_pages(run: RunFolder, project: Project) -> list[Path]:
    """Write the pages of a run that has been checked; returns their paths.

    Raises UsageError when it has not been checked.
    """
    checked = read_record(run.path / "check.json", CheckRecord)
    mapped = read_record(run.path / "map.json", MapRecord)
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    release = release_of(run, project)
    names = [name for name in PAGES if name != RELEASE or release]
    signoff, codes = of_the_run(run, project), unmapped_codes(run, project)
    records = (read_identity(run), extracted, mapped, checked)
    texts = {
        RUN: run_page(summary(run, release), records, codes, signoff, _links(names, RUN)),
        QUALITY: quality_page(extracted, checked, signoff, _links(names, QUALITY)),
    }
    if release:
        manifest = read_record(release / MANIFEST, ReleaseManifest)
        texts[RELEASE] = release_page(manifest, of_the_release(manifest), _links(names, RELEASE))
    else:
        forget(run.path / RELEASE)
    for name, text in texts.items():
        write_whole(run.path / name, text.encode())
    return [run.path / name for name in texts]


def release_of(run: RunFolder, project: Project) -> Path | None:
    """The folder of the run's release; None while it is not published."""
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    release = project.releases / run.source / release_id(extracted.delivery_date.isoformat(), run.run_id)
    return release if (release / MANIFEST).is_file() else None


def _links(names: Sequence[str], here: str) -> list[dict[str, object]]:
    return [{"file": name, "title": PAGES[name], "here": name == here} for name in names]

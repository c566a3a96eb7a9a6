"""Writes the pages of a run into its folder: the recap, the quality report and, once it is published, the release.

The records of the run's stages decide every byte, so that writing again changes nothing that is as it should be.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from oncoweave.errors import OncoweaveError, UsageError
from oncoweave.files import forget, read_record, write_whole
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord
from oncoweave.release.verify import MANIFEST, PAGE, release_id
from oncoweave.release_records import ReleaseManifest
from oncoweave.report.banners import of_the_release
from oncoweave.report.language import ENGLISH, N_, Language, _, language_named, languages, speaking
from oncoweave.report.material import gather
from oncoweave.report.quality_page import quality_page
from oncoweave.report.recap import summary
from oncoweave.report.release_page import release_page
from oncoweave.report.run_page import run_page
from oncoweave.spec.load import load_source

RUN, QUALITY, RELEASE = "run.html", "report.html", PAGE
PAGES: Mapping[str, str] = MappingProxyType({RUN: N_("Recap"), QUALITY: N_("Quality report"), RELEASE: N_("Release")})
"""The pages of a run by file name, and what people call them."""


def write_pages(run: RunFolder, project: Project, asked: str = "") -> list[Path]:
    """Write the pages of a run that has been checked, in the language that is asked for; returns their paths.

    Raises UsageError when it has not been checked, or there is no such language.
    """
    with speaking(language_of(run, project, asked)):
        texts = _texts(run, project)
    if RELEASE not in texts:
        forget(run.path / RELEASE)
    for name, text in texts.items():
        write_whole(run.path / name, text.encode())
    return [run.path / name for name in texts]


def language_of(run: RunFolder, project: Project, asked: str = "") -> Language:
    """The language of the pages of a run: the one asked for, else ONCOWEAVE_LANGUAGE, else that of source.yaml."""
    wanted = asked or os.environ.get("ONCOWEAVE_LANGUAGE", "")
    try:
        return language_named(wanted or _language_of_source(run, project))
    except KeyError:
        raise UsageError(
            f"there is no report in the language `{wanted}`", mend=f"there are: {', '.join(languages())}"
        ) from None


def _language_of_source(run: RunFolder, project: Project) -> str:
    try:
        return load_source(project, run.source)[0].language
    except OncoweaveError:
        return ENGLISH  # source.yaml was broken since; lint says how


def _texts(run: RunFolder, project: Project) -> dict[str, str]:
    """The pages by name."""
    release = release_of(run, project)
    names = [name for name in PAGES if name != RELEASE or release]
    of = gather(run, project, release.name if release else "")
    texts = {
        RUN: run_page(summary(run, release), of, _links(names, RUN)),
        QUALITY: quality_page(of, _links(names, QUALITY)),
    }
    if release:
        manifest = read_record(release / MANIFEST, ReleaseManifest)
        texts[RELEASE] = release_page(manifest, of_the_release(manifest), _links(names, RELEASE))
    return texts


def release_of(run: RunFolder, project: Project) -> Path | None:
    """The folder of the run's release; None while it is not published."""
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    release = project.releases / run.source / release_id(extracted.delivery_date.isoformat(), run.run_id)
    return release if (release / MANIFEST).is_file() else None


def _links(names: Sequence[str], here: str) -> list[dict[str, object]]:
    return [{"file": name, "title": _(PAGES[name]), "here": name == here} for name in names]

"""Writes Great Expectations' Data Docs of a run's curated suites: pages that open from disk and ask for nothing.

They are made of the suites and of check.json, so that no row is read again and nothing but counts can be in them. They are
for local use: no release holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from oncoweave.errors import UsageError
from oncoweave.files import make_private_folder, read_record, write_whole
from oncoweave.project import Project, RunFolder
from oncoweave.quality.compilation import Check, checks
from oncoweave.quality.conditions import query
from oncoweave.records import CheckRecord, ExpectationResult, ExtractRecord
from oncoweave.report.gx_html import cleaned, shielded
from oncoweave.report.page import render

if TYPE_CHECKING:
    from oncoweave.quality.validation import DocumentedCheck

INDEX = "index.html"
KINDS = ("expectations", "validations")
"""The folders of the pages of the suites and of their results, as Great Expectations names them."""
_INNER = "\u00b7"


def write_data_docs(run: RunFolder, project: Project, folder: Path) -> Path:
    """Write the pages of a run that has been checked into `folder`; returns the path of the first page.

    Raises UsageError for a folder that holds something else, or lies among the releases.
    """
    _refuse(folder, project)
    checked = read_record(run.path / "check.json", CheckRecord)
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    results = {result.check: result for result in checked.results if result.origin == "suite"}
    planned = [check for check in checks(project, run.source) if check.id in results]
    about = {"source": run.source, "run_id": run.run_id, "delivery_date": extracted.delivery_date}
    pages: dict[str, str] = {}
    suites: list[dict[str, object]] = []
    for suite, group in groupby(planned, key=lambda check: check.suite):
        of_suite = list(group)
        suites.append(_counts(suite, of_suite, [results[check.id] for check in of_suite]))
        pages |= _pages(suite, of_suite, results, about)
    pages[INDEX] = render("data_docs.html", **about, suites=suites, suite="", content="", kind="")
    for kind in KINDS:
        make_private_folder(folder / kind)
        for stale in set((folder / kind).glob("*.html")) - {folder / name for name in pages}:
            stale.unlink()
    for name, text in pages.items():
        write_whole(folder / name, text.encode())
    return folder / INDEX


def _refuse(folder: Path, project: Project) -> None:
    place = folder.resolve()
    if place.is_relative_to(project.releases.resolve()):
        raise UsageError("Data Docs are never part of a release", mend="name a folder outside the releases")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", mend="name a folder for the pages")
    strange = [path.name for path in folder.glob("*") if path.name not in (INDEX, *KINDS)]
    if strange:
        message = f"{folder} holds something else already, as `{sorted(strange)[0]}`"
        raise UsageError(message, mend="name a new or an empty folder, or one that holds Data Docs")


def _counts(suite: str, planned: Sequence[Check], results: Sequence[ExpectationResult]) -> dict[str, object]:
    failed = [result for result in results if not result.success]
    return {
        "name": suite,
        "table": planned[0].table.name,
        "checks": len(results),
        "met": len(results) - len(failed),
        "failed": sum(1 for result in failed if result.error is None),
        "errors": sum(1 for result in failed if result.error is not None),
    }


def _pages(
    suite: str, planned: Sequence[Check], results: Mapping[str, ExpectationResult], about: Mapping[str, object]
) -> dict[str, str]:
    """The two pages of a suite, by their path."""
    from oncoweave.quality.validation import document

    documented = [_documented(check, results[check.id]) for check in planned]
    texts = document(shielded(suite), shielded(planned[0].table.name), documented)
    return {
        f"{kind}/{suite}.html": render(
            "data_docs.html",
            **about,
            suites=[],
            suite=suite,
            kind=kind,
            content=Markup(cleaned(text)),  # noqa: S704
        )
        for kind, text in zip(KINDS, texts, strict=True)
    }


def _documented(check: Check, result: ExpectationResult) -> DocumentedCheck:
    from oncoweave.quality.validation import DocumentedCheck

    waived = ", waived" if result.waiver else ""
    told = {"Check": check.id, "Severity": result.severity + waived, "Why": result.why}
    parameters = ", ".join(f"{name} {_written(value)}" for name, value in check.arguments.items())
    meaning = f"{check.definition.doc} {_INNER} {parameters}" if parameters else check.definition.doc
    return DocumentedCheck(
        expectation=check.definition.name,
        column=shielded(check.column) if check.column else None,
        arguments={name: _harmless(value) for name, value in check.arguments.items()},
        mostly=result.mostly,
        ours=query(check) is not None,
        meaning=shielded(meaning + (f" {_INNER} of rows where {check.spec.where}" if check.spec.where else "")),
        told={name: shielded(text) for name, text in told.items()},
        success=result.success,
        error=result.error,
        evaluated=None if result.not_applicable else result.evaluated,
        unexpected=result.unexpected,
    )


def _written(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _harmless(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_harmless(part) for part in value]
    return shielded(value) if isinstance(value, str) else value

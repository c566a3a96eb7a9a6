"""Where every source stands, and the runs of one source; pages that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oncoweave.errors import OncoweaveError
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord, ExtractRecord
from oncoweave.report.banners import Tone, of_the_run, of_the_verdict
from oncoweave.report.language import _, day
from oncoweave.report.page import render
from oncoweave.report.write import PAGES, release_of

LISTED = 100
"""How many runs of a source are listed."""


@dataclass(frozen=True)
class RunLine:
    """A run in a list; what is not known yet is empty."""

    run_id: str
    delivered: str
    verdict: str
    tone: Tone
    signoff: str
    release: str
    pages: tuple[Mapping[str, str], ...]


def overview_page(project: Project, sources: Sequence[str], waiting: Mapping[str, int]) -> str:
    """The page of all `sources`; `waiting` counts the approvals that nobody has answered yet."""
    lines = []
    for source in sources:
        runs = runs_of(project, source)
        last = line_of(runs[0], project) if runs else None
        lines.append(
            {
                "source": source,
                "delivered": last.delivered if last else "",
                "run_id": last.run_id if last else "",
                "verdict": last.verdict if last else "",
                "tone": last.tone if last else "calm",
                "signoff": last.signoff if last else "",
                "pages": last.pages if last else (),
                "waiting": waiting.get(source, 0),
                "current": current_release(project, source),
            }
        )
    return render("overview.html", sources=lines)


def source_page(project: Project, source: str) -> str:
    """The page of the runs of one source."""
    runs = [line_of(run, project) for run in runs_of(project, source)[:LISTED]]
    return render("source.html", source=source, runs=runs, current=current_release(project, source))


def runs_of(project: Project, source: str) -> list[RunFolder]:
    """The runs of a source that have been extracted, the last one first."""
    records = [path for path in (project.runs / source).glob("*/extract.json") if not path.parent.is_symlink()]
    return [RunFolder(path.parent) for path in sorted(records, key=lambda path: -path.stat().st_mtime_ns)]


def line_of(run: RunFolder, project: Project) -> RunLine:
    """What a list says of a run; of one whose records cannot be read, that it is damaged."""
    try:
        extracted = read_record(run.path / "extract.json", ExtractRecord)
        judged = (run.path / "check.json").is_file()
        verdict = of_the_verdict(read_record(run.path / "check.json", CheckRecord)) if judged else None
        release = release_of(run, project)
        return RunLine(
            run_id=run.run_id,
            delivered=day(extracted.delivery_date),
            verdict=verdict.title if verdict else "",
            tone=verdict.tone if verdict else "calm",
            signoff=of_the_run(run, project).title if judged else "",
            release=release.name if release else "",
            pages=tuple({"file": name, "title": _(PAGES[name])} for name in PAGES if (run.path / name).is_file()),
        )
    except OncoweaveError:
        return RunLine(run.run_id, "", _("Damaged"), "bad", "", "", ())


def current_release(project: Project, source: str) -> str:
    """The name of the current release; empty where there is none."""
    current = project.releases / source / "current"
    return current.readlink().name if current.is_symlink() else ""

"""Which failing checks of a run did not fail in the run of the last delivery."""

from __future__ import annotations

from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.quality.history import series
from oncoweave.quality.run_checks.previous import find_previous
from oncoweave.records import CheckRecord, ExtractRecord


def new_failures(project: Project, run: RunFolder) -> tuple[str, ...] | None:
    """The ids of the fatal and convention checks that are open in `run` and were met, or not there, in the run of the last
    delivery; a characterization is no news. None where there is no earlier run.
    """
    day = read_record(run.path / "extract.json", ExtractRecord).delivery_date
    history = series(project, run.source)
    previous = find_previous(project, run, day, history)
    if previous is None:
        return None
    failed = {name for name, row in history.at(previous.run_id, "check").items() if row.success is False}
    results = read_record(run.path / "check.json", CheckRecord).results
    now = (r for r in results if not r.success and r.waiver is None and r.severity != "characterization")
    return tuple(sorted({result.check for result in now} - failed))

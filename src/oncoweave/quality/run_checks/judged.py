"""All checks of a run as a whole, at once: what the check stage calls after it has judged the tables."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from oncoweave.engine.connection import connect
from oncoweave.files import read_record, work_folder
from oncoweave.project import Project, RunFolder
from oncoweave.quality.history import series
from oncoweave.quality.run_checks import delivery, drift, mapping, ranges, trend
from oncoweave.quality.run_checks.finding import Finding, results
from oncoweave.quality.run_checks.previous import find_previous
from oncoweave.records import ExpectationResult, ExtractRecord, MapRecord
from oncoweave.spec.load import load_source
from oncoweave.spec.trends import Trends


def judge_run(
    run: RunFolder,
    project: Project,
    trends: Trends,
    concepts: Path,
    of_tables: Sequence[ExpectationResult],
    of_fhir: Sequence[Finding] = (),
) -> list[ExpectationResult]:
    """The results of the checks of `trends` for `run`: origins source, mapping and trend.

    `concepts` is the CONCEPT table of the vocabulary release, `of_tables` the results of its suites and of the dashboard,
    `of_fhir` what was found in its FHIR. The same run gives the same results as long as the run that it is compared with is the same.
    """
    spec, _ = load_source(project, run.source)
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    mapped = read_record(run.path / "map.json", MapRecord)
    history = series(project, run.source)
    previous = find_previous(project, run, extracted.delivery_date, history)
    folder = previous.folder if previous else None
    before = read_record(folder.path / "extract.json", ExtractRecord) if folder else None
    given = delivery.Delivered(spec, extracted, previous, before)
    whole = mapping.Mapped(run, project, spec, extracted, mapped)
    allowed = [run.snapshot, run.events, run.tables, concepts.parent, *([folder.snapshot] if folder else [])]
    found: list[Finding] = [*delivery.findings(given)]
    with work_folder(run, "run_checks") as work, closing(connect(work=work, allow=allowed)) as connection:
        found += drift.findings(connection, run, given)
        found += mapping.findings(connection, whole)
        found += ranges.findings(connection, run, concepts)
    found += of_fhir
    found += trend.findings(previous, history, mapped, of_tables)
    return results(trends, found)

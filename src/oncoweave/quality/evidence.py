"""What a reviewer needs beside the results of the checks: coverage, distributions, and how each failing check was asked.

Written into results/ by the check stage, so that the pages of a run are made of records alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from oncoweave.errors import EnvironmentFault, OncoweaveError
from oncoweave.files import read_record, work_folder, write_json
from oncoweave.project import Project, RunFolder
from oncoweave.quality.compilation import Check
from oncoweave.quality.conditions import query
from oncoweave.quality.coverage import Coverage, coverage
from oncoweave.quality.distributions import Distributions, distributions
from oncoweave.quality.fhir.reconciliation import Reconciliation
from oncoweave.record import Record
from oncoweave.records import ExpectationResult
from oncoweave.spec.load import load_source

COVERAGE, DISTRIBUTIONS, QUERIES, ABOUT = "coverage.json", "distributions.json", "queries.json", "about.json"
FHIR = "fhir.json"


class Queries(Record):
    """queries.json: how each check was asked that found a failing row or could not run, by its id; some fail under other thresholds only."""

    queries: dict[str, str]


class SourceFacts(Record):
    """about.json: what source.yaml said of the source when its run was checked, as far as a page tells it."""

    title: str = ""
    holder: str = ""
    language: str = "en"
    small_cells: int = 5


class Evidence(Record):
    """What results/ of a run holds beside the results; None for what could not be counted, or was not by an older version."""

    coverage: Coverage | None = None
    distributions: Distributions | None = None
    queries: dict[str, str] = Field(default_factory=dict)
    source: SourceFacts = Field(default_factory=SourceFacts)
    fhir: Reconciliation | None = None


def write_evidence(
    folder: Path, run: RunFolder, project: Project, planned: Sequence[Check], results: Sequence[ExpectationResult]
) -> None:
    """Write the evidence of a run that is being checked into `folder`, its results."""
    spec, _ = load_source(project, run.source)
    smallest = spec.small_cells
    facts = SourceFacts(title=spec.title, holder=spec.holder, language=spec.language, small_cells=smallest)
    write_json(folder / ABOUT, facts)
    with work_folder(run, "evidence") as work:
        write_json(folder / COVERAGE, coverage(run, project, work, smallest))
        try:
            write_json(folder / DISTRIBUTIONS, distributions(run.tables, work, smallest))
        except EnvironmentFault:
            raise
        except OncoweaveError:
            pass  # a table that is not of the CDM's form: its checks say so
    bad = {result.check for result in results if result.unexpected or not result.success}
    asked = {check.id: told(check) for check in planned if check.id in bad}
    write_json(folder / QUERIES, Queries(queries=asked))


def read_evidence(run: RunFolder) -> Evidence:
    """The evidence of a run that has been checked."""
    there = {name: (run.results / name).is_file() for name in (COVERAGE, DISTRIBUTIONS, QUERIES, ABOUT, FHIR)}
    return Evidence(
        coverage=read_record(run.results / COVERAGE, Coverage) if there[COVERAGE] else None,
        distributions=read_record(run.results / DISTRIBUTIONS, Distributions) if there[DISTRIBUTIONS] else None,
        queries=read_record(run.results / QUERIES, Queries).queries if there[QUERIES] else {},
        source=read_record(run.results / ABOUT, SourceFacts) if there[ABOUT] else SourceFacts(),
        fhir=read_record(run.results / FHIR, Reconciliation) if there[FHIR] else None,
    )


def told(check: Check) -> str:
    """How a check is asked: its SQL, or the expectation of Great Expectations with its parameters."""
    sql = query(check)
    if sql is not None:
        return sql.format(batch=check.table.name)
    arguments = ", ".join(f"{name}={_written(value)}" for name, value in check.arguments.items())
    return f"Great Expectations: {check.spec.expect}({arguments}) on {check.table.name}"


def _written(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)

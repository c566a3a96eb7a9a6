"""check, the third stage: runs the suites, OHDSI's checks and those of the run, and writes the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import duckdb

from oncoweave.engine.connection import connect
from oncoweave.errors import UsageError
from oncoweave.files import (
    forget,
    make_private_folder,
    read_record,
    stage_folder,
    work_folder,
    write_json,
    write_whole,
)
from oncoweave.project import Project, RunFolder
from oncoweave.quality.compilation import Check, checks, told_anew
from oncoweave.quality.conditions import keys_query
from oncoweave.quality.dqd import queries
from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.dqd.relations import prepare_vocabulary
from oncoweave.quality.dqd.results import Tables, dashboard
from oncoweave.quality.dqd.viewer import FILE as DQD_JSON
from oncoweave.quality.dqd.viewer import read_metadata, source_metadata, viewer_json
from oncoweave.quality.evidence import FHIR, write_evidence
from oncoweave.quality.failing import keep_failing
from oncoweave.quality.fhir.conformance import Tell
from oncoweave.quality.fhir.judged import examine
from oncoweave.quality.judge import judge
from oncoweave.quality.overrides import as_it_asks, overrides
from oncoweave.quality.relations import prepare
from oncoweave.quality.run_checks.compilation import run_check_specs
from oncoweave.quality.run_checks.finding import told_by
from oncoweave.quality.run_checks.judged import judge_run
from oncoweave.quality.snapshot_suites import is_snapshot, prepare_snapshots
from oncoweave.quality.waivers import waivers
from oncoweave.record import Record
from oncoweave.records import CheckRecord, ExpectationResult, ExtractRecord, MapRecord
from oncoweave.run_identity import read_identity, suite_hashes
from oncoweave.spec.load import load_source
from oncoweave.spec.source import Source
from oncoweave.vocabulary.bundle import open_release


class SuiteResults(Record):
    """The results of one suite, results/<suite>.json."""

    suite: str
    results: tuple[ExpectationResult, ...]


def check(run: RunFolder, project: Project, *, every: bool = False, tell: Tell | None = None) -> CheckRecord:
    """Judge the tables of `run` by the suites of its source and by OHDSI's checks, its FHIR, and the run as a whole.

    Writes results/ (with dqd.json for OHDSI's viewer), quarantine/failing/ and check.json. Checking a run again gives the same
    record. Raises UsageError when the run has not been mapped, SpecError for a suite that is wrong; a check that fails or cannot
    be run is in the record, not raised. With `every`, the validator of FHIR looks at every resource; UsageError when there is none.
    """
    mapped = read_record(run.path / "map.json", MapRecord)
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    if every and mapped.fhir is None:
        raise _no_fhir(run)
    planned, of_run = checks(project, run.source), run_check_specs(project, run.source)
    forget(run.path / "check.json")
    concepts = open_release(project, mapped.vocabulary).table("CONCEPT")
    with stage_folder(run, "results") as folder:
        source = _delivered(run, project, planned)
        with _prepared(run, concepts, extracted.delivery_date, source) as connection:
            of_tables = _of_suites(connection, planned)
            of_dashboard = _of_dashboard(connection, concepts.parent, mapped)
            metadata = source_metadata(connection)
            of_fhir = examine(run, mapped, every=every, tell=tell)
            found = of_fhir.findings if of_fhir else ()
            of_the_run = judge_run(run, project, of_run, concepts, [*of_tables, *of_dashboard], found)
            record = _judged(run, project, [*of_tables, *of_the_run, *of_dashboard])
            _keep_keys(connection, run, planned, [*of_tables, *record.results])
        _write_results(folder, record)
        write_evidence(folder, run, project, planned, record.results)
        if of_fhir:
            write_json(folder / FHIR, of_fhir.reconciliation)
        write_whole(folder / DQD_JSON, viewer_json(record.results, metadata, extracted.delivery_date))
    write_json(run.path / "check.json", record)
    return record


def check_fhir(run: RunFolder, project: Project, tell: Tell | None = None) -> CheckRecord:
    """Judge every resource that a checked run wrote as FHIR; what was found of its tables stays.

    Raises UsageError when its mapping asks for no FHIR.
    """
    mapped = read_record(run.path / "map.json", MapRecord)
    before = read_record(run.path / "check.json", CheckRecord)
    examined = examine(run, mapped, every=True, tell=tell)
    if examined is None:
        raise _no_fhir(run)
    facts = [as_it_asks(result) for result in before.results]
    record = _judged(run, project, told_by(run_check_specs(project, run.source), facts, examined.findings))
    write_json(make_private_folder(run.results) / FHIR, examined.reconciliation)
    _write_results(run.results, record)
    _write_dashboard_again(run, record)
    write_json(run.path / "check.json", record)
    return record


def _no_fhir(run: RunFolder) -> UsageError:
    return UsageError(
        f"run {run.run_id[:12]} of `{run.source}` has no FHIR", mend="`fhir: base` in its mapping.yaml asks for it"
    )


def judge_again(run: RunFolder, project: Project) -> CheckRecord:
    """Judge what a checked run counted by its suites, thresholds and waivers as they are now; reads and runs nothing else.

    Nothing is written when nothing changed. Where a suite has something else counted by now, what it said then stays:
    that makes another run.
    """
    before = read_record(run.path / "check.json", CheckRecord)
    facts = [as_it_asks(result) for result in before.results]
    then, now = read_identity(run).files, suite_hashes(project, run.source)
    if {name: hash_ for name, hash_ in then.items() if name.startswith("expectations/")} == now:
        facts = told_anew(facts, checks(project, run.source))
    record = _judged(run, project, told_by(run_check_specs(project, run.source), facts))
    if record != before:
        _write_results(make_private_folder(run.results), record)
        _write_dashboard_again(run, record)
        write_json(run.path / "check.json", record)
    return record


def check_tables(
    run: RunFolder, planned: Sequence[Check], concepts: Path, delivery: date, source: Source | None = None
) -> list[ExpectationResult]:
    """The result of every check of the suites; keys of failing rows go to the quarantine.

    `concepts` is the CONCEPT table of the vocabulary release, `source` what the source declares, where checks look at the
    snapshot.
    """
    with _prepared(run, concepts, delivery, source) as connection:
        results = _of_suites(connection, planned)
        _keep_keys(connection, run, planned, results)
    return results


def _delivered(run: RunFolder, project: Project, planned: Sequence[Check]) -> Source | None:
    """The source's specification, where a check looks at the snapshot."""
    return load_source(project, run.source)[0] if any(is_snapshot(check.table) for check in planned) else None


def _judged(run: RunFolder, project: Project, facts: Sequence[ExpectationResult]) -> CheckRecord:
    """The only place that reads the clock: what has expired today."""
    thresholds, waived = overrides(project, run.source), waivers(project, run.source)
    return judge(facts, thresholds, waived, date.today())


def _write_results(folder: Path, record: CheckRecord) -> None:
    """One file a suite; the results of OHDSI's checks are in dqd.json."""
    by_suite: dict[str, list[ExpectationResult]] = {}
    for result in record.results:
        if result.origin != "dqd":
            by_suite.setdefault(result.suite, []).append(result)
    for suite, of_suite in by_suite.items():
        write_json(folder / f"{suite}.json", SuiteResults(suite=suite, results=tuple(of_suite)))


def _write_dashboard_again(run: RunFolder, record: CheckRecord) -> None:
    path = run.results / DQD_JSON
    if path.is_file():  # a run of an older version has none
        delivery = read_record(run.path / "extract.json", ExtractRecord).delivery_date
        write_whole(path, viewer_json(record.results, read_metadata(path), delivery))


@contextmanager
def _prepared(
    run: RunFolder, concepts: Path, delivery: date, source: Source | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables of `run`, those of its snapshot where `source` is given, and what checks need beside them."""
    make_private_folder(run.quarantine)
    allowed = [run.tables, concepts.parent, run.quarantine, *([run.snapshot] if source else [])]
    with work_folder(run, "check") as work, closing(connect(work=work, allow=allowed)) as connection:
        prepare(connection, run.tables, concepts, delivery)
        if source:
            prepare_snapshots(connection, run, source)
        yield connection


def _of_suites(connection: duckdb.DuckDBPyConnection, planned: Sequence[Check]) -> list[ExpectationResult]:
    """What the suites find; Great Expectations is imported here, not before."""
    from oncoweave.quality.validation import validate

    return validate(connection, planned)


def _keep_keys(
    connection: duckdb.DuckDBPyConnection,
    run: RunFolder,
    planned: Sequence[Check],
    results: Sequence[ExpectationResult],
) -> None:
    """Keep the keys of the rows that fail a check of a suite or of the dashboard which does not succeed."""
    failed = {result.check for result in results if not result.success and not result.not_applicable}
    of_suites = {check.id: keys_query(check) for check in planned if check.id in failed}
    of_dashboard = {check.id: queries.keys_query(check) for check in catalogue() if check.id in failed}
    keep_failing(connection, run, of_suites | of_dashboard)


def _of_dashboard(
    connection: duckdb.DuckDBPyConnection, vocabulary: Path, mapped: MapRecord
) -> list[ExpectationResult]:
    """What OHDSI's checks find."""
    prepare_vocabulary(connection, vocabulary)
    return dashboard(connection, Tables.of(mapped))

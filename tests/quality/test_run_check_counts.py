"""What each check of a run counts, on records and events made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.errors import SpecError
from oncoweave.files import write_json
from oncoweave.project import Project, RunFolder
from oncoweave.quality.history import HistoryRow, Series
from oncoweave.quality.run_checks import mapping, ranges, trend
from oncoweave.quality.run_checks.catalogue import RUN_CHECKS
from oncoweave.quality.run_checks.compilation import lint_run_checks, run_check_specs
from oncoweave.quality.run_checks.drift import shifted
from oncoweave.quality.run_checks.finding import Finding, beyond, results, told_by
from oncoweave.quality.run_checks.previous import Previous
from oncoweave.records import (
    EventFile,
    EventIndex,
    ExpectationResult,
    ExtractRecord,
    FileRecord,
    JoinCount,
    LedgerEntry,
    MapRecord,
    UnconvertedCount,
)
from oncoweave.spec.load import load_source
from oncoweave.spec.trends import RunCheckSpec, Trends

DAY = date(2024, 1, 31)


def entry(rule: str, **counts: Any) -> LedgerEntry:
    told = {"read": 100, "mapped": 100, "quarantined": 0, "excluded": 0, "events": 100, "unmapped": 0, **counts}
    return LedgerEntry(rule=rule, column=None, table="tumours", fact="condition", **told)


def record(*ledger: LedgerEntry, persons: int = 100, rows: int = 100, **told: object) -> MapRecord:
    nothing: dict[str, object] = {
        "vocabulary": "tiny-1", "unconfirmed_concepts": (), "synthetic_origin": None, "plan_sha256": "", "unmapped": (),
        "imputed": {}, "truncated": {}, "corrections": 0, "events": {},
    }  # fmt: skip
    tables = (FileRecord(name="person.parquet", bytes=0, sha256="", rows=rows),)
    return MapRecord.model_validate({**nothing, "ledger": ledger, "tables": tables, "persons": persons, **told})


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def counted(
    project: Project, connection: duckdb.DuckDBPyConnection, of: MapRecord
) -> dict[tuple[str, ...], tuple[int, int]]:
    """The counts of the checks of a mapping, by check and place."""
    run = RunFolder(project.runs / "tiny" / "r")
    extracted = ExtractRecord(source="tiny", run_id="r", delivery_date=DAY, tables=())
    given = mapping.Mapped(run, project, load_source(project, "tiny")[0], extracted, of)
    found = mapping.findings(connection, given)
    return {(f.check, *f.place): (f.evaluated or 0, f.unexpected or 0) for f in found}


def test_the_ledger_and_persons_are_reconciled(tiny_project: Project, connection: duckdb.DuckDBPyConnection) -> None:
    found = counted(tiny_project, connection, record(entry("lost", mapped=90), rows=98))
    assert found["ledger_unbalanced", "lost"] == (100, 10)
    assert found["persons_unreconciled",] == (100, 2)
    found = counted(tiny_project, connection, record(entry("whole", mapped=90, excluded=10)))
    assert found["ledger_unbalanced", "whole"] == (100, 0)
    assert found["persons_unreconciled",] == (100, 0)


def test_a_rule_that_read_nothing_is_told_from_one_that_made_nothing(
    tiny_project: Project, connection: duckdb.DuckDBPyConnection
) -> None:
    found = counted(
        tiny_project, connection,
        record(entry("unread", read=0, mapped=0), entry("held", mapped=0, quarantined=100), entry("left", mapped=0, excluded=100)),
    )  # fmt: skip
    checks = ("rule_read_nothing", "rule_made_nothing", "rule_excluded_all")
    wrong = {rule: [c for c in checks if found[c, rule][1]] for rule in ("unread", "held", "left")}
    assert wrong == {"unread": [checks[0]], "held": [checks[1]], "left": [checks[2]]}


def test_rows_that_no_rule_could_use_are_no_fault_of_a_rule_that_excludes_rows(
    tiny_project: Project, connection: duckdb.DuckDBPyConnection
) -> None:
    nobody = (
        ("quarantined", "person not mapped", 8),
        ("quarantined", "duplicate key", 1),
        ("quarantined", "start: missing", 1),
    )
    told = {"quarantined": 10, "mapped": 0, "reasons": nobody}
    found = counted(
        tiny_project, connection, record(entry("some", excluded=90, **told), entry("all", read=10, **told))
    )  # fmt: skip
    assert found["rows_held_back", "some"] == found["rule_made_nothing", "some"] == (1, 1)
    assert found["rows_held_back", "all"] == found["rule_made_nothing", "all"] == (10, 10)


def test_units_joins_and_partial_dates_are_counted(
    tiny_project: Project, connection: duckdb.DuckDBPyConnection
) -> None:
    found = counted(
        tiny_project, connection,
        record(
            entry("sizes"),
            unconverted=(UnconvertedCount(rule="sizes", column=None, events=7),),
            joins=(JoinCount(table="tumours", join="patients", to="patients", rows=100, empty=20, without=8),),
            imputed={"person.birth": {"month": 30, "year": 10}}, truncated={"person.person_source_value": 3},
        ),
    )  # fmt: skip
    assert found["values_unconverted", "sizes"] == (100, 7)
    assert found["rows_without_partner", "tumours", "patients"] == (80, 8)
    assert found["dates_imputed", "person", "birth"] == (100, 40)
    assert found["texts_truncated", "person", "person_source_value"] == (100, 3)


def values(run: RunFolder, rows: str) -> None:
    """Event files with these rows: concept, role, unit, value, diagnosis."""
    run.events.mkdir(parents=True)
    columns = ("concept_id", "kind", "unit_concept_id", "value_number", "modifies")
    duckdb.execute(
        f"COPY (SELECT * FROM (VALUES {rows}) AS e({', '.join(columns)})) TO '{run.events / 'e.parquet'}' (FORMAT parquet)"
    )
    file = EventFile(name="e.parquet", rule="e", column=None, fact="measurement", targets=("measurement",), columns=columns,
                     constants={}, derived={}, rows=1)  # fmt: skip
    write_json(run.events / "events.json", EventIndex(files=(file,)))


def ranged(tmp_path: Path, connection: duckdb.DuckDBPyConnection, rows: str) -> dict[tuple[str, ...], tuple[int, int]]:
    run = RunFolder(tmp_path / "runs" / "s" / "r")
    values(run, rows)
    concepts = tmp_path / "CONCEPT.parquet"
    duckdb.execute(
        "COPY (SELECT * FROM (VALUES (1, 'LOINC', '21893-3'), (2, 'NAACCR', '830')) AS c(concept_id, vocabulary_id, concept_code)) "
        f"TO '{concepts}' (FORMAT parquet)"
    )
    found = ranges.findings(connection, run, concepts)
    return {(f.check, *f.place): (f.evaluated or 0, f.unexpected or 0) for f in found}


def test_values_are_held_against_what_is_possible_in_their_unit(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    found = ranged(
        tmp_path, connection,
        "(3000963, NULL, 8713, 13.5, 9), (3000963, NULL, 8713, 135.0, 9), (3000963, NULL, 8636, 135.0, 9), (3000963, NULL, NULL, 13.0, 9),"
        "(0, 'node_count', NULL, 3.0, 9), (0, 'node_count', NULL, 98.0, 9), (0, 'marker', 9500, 6001.0, 9), (0, 'marker', 0, 1e9, 9)",
    )  # fmt: skip
    assert found["values_implausible", "haemoglobin"] == (3, 1), "135 g/dL is g/L"
    assert found["units_unexpected", "haemoglobin"] == (4, 1)
    assert found["values_implausible", "lymph_nodes"] == (2, 1), "98 is a code"
    assert found["values_implausible", "receptor_content"] == (1, 1)
    assert not [place for place in found if "1e9" in str(place)]


def test_more_positive_lymph_nodes_than_examined_are_found_by_diagnosis(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    found = ranged(
        tmp_path, connection,
        "(1, 'finding', NULL, 3.0, 21), (2, 'finding', NULL, 12.0, 21), (1, 'finding', NULL, 12.0, 22), (2, 'finding', NULL, 3.0, 22), (1, 'finding', NULL, 3.0, 23),"
        "(1, 'finding', NULL, 4.0, 24), (2, 'finding', NULL, 95.0, 24)",
    )  # fmt: skip
    assert found["nodes_inconsistent",] == (2, 1), (
        "one of two; without examined ones, or with a code for them, nothing is judged"
    )


def test_every_measure_has_a_source_and_its_ranges_are_no_empty_ones() -> None:
    assert all(m.source and m.ranges and all(r.low < r.high for r in m.ranges) for m in ranges.MEASURES)
    assert len({m.name for m in ranges.MEASURES}) == len(ranges.MEASURES)


def known(kind: str, name: str, evaluated: int, unexpected: int | None = None, *, success: bool = True) -> HistoryRow:
    told = ("convention", evaluated, unexpected, None, success, False, False, False)
    return HistoryRow("before", DAY, kind, name, *told)  # type: ignore[arg-type]


def series(*rows: HistoryRow) -> Series:
    found: dict[str, dict[str, tuple[HistoryRow, ...]]] = {}
    for row in rows:
        found.setdefault(row.kind, {})[row.name] = (row,)
    return Series(found)  # type: ignore[arg-type]


def result(check: str, evaluated: int, unexpected: int, *, success: bool) -> ExpectationResult:
    return ExpectationResult(
        check=check, suite="person", table="person", expectation="e", column=None, severity="convention",
        category="conformance", why="w", success=success, evaluated=evaluated, unexpected=unexpected,
    )  # fmt: skip


def test_a_release_is_held_against_the_one_before() -> None:
    history = series(
        known("table", "person", 200), known("rule", "a", 100, 10), known("check", "person.a", 100, 0),
        known("check", "person.b", 100, 5), known("check", "person.c", 100, 50, success=False),
    )  # fmt: skip
    now = record(entry("a", unmapped=30), entry("new", unmapped=100), rows=150)
    of_tables = [
        result("person.a", 50, 3, success=False), result("person.b", 200, 30, success=True),
        result("person.c", 100, 60, success=False), result("person.new", 100, 100, success=False),
    ]  # fmt: skip
    found = list(trend.findings(Previous("before", DAY, None), history, now, of_tables))
    counts = {(f.check, *f.place): (f.evaluated, f.unexpected) for f in found if not f.not_applicable}
    assert counts["rows_dropped", "person"] == (200, 50)
    assert counts["rule_unmapped_jumped", "a"] == (100, 20)
    assert counts["unmapped_jumped", "all"] == (100, 20), "a new rule is no jump"
    assert counts["checks_failing_anew", "person"] == (2, 1)
    assert counts["check_worsened", "person"] == (350, 3 + 20 + 10)
    assert {f.not_applicable for f in found if f.place == ("new",)} == {trend.NEW_RULE}


def test_what_chance_makes_of_few_rows_is_no_shift_and_an_exchange_of_codes_is_one() -> None:
    assert shifted([(10, 14, 1), (12, 9, 1), (8, 7, 1)]) == 0
    assert shifted([(900, 100, 1), (100, 900, 1)]) == pytest.approx(800, abs=20)
    assert shifted([(1000, 2000, 5)]) == 0
    assert shifted([]) == shifted([(5, 0, 1)]) == 0


def test_what_the_share_before_lets_expect_is_rounded_in_favour_of_what_is_judged() -> None:
    assert [beyond(5, 100, 1, 20), beyond(6, 100, 1, 20), beyond(5, 99, 1, 20), beyond(5, 10, 0, 0)] == [0, 1, 0, 0]


TRENDS = Trends(
    version=1, fewest=50,
    checks=(
        RunCheckSpec(check="records_dropped", at_most=0.05, severity="convention", why="w"),
        RunCheckSpec(check="records_dropped", id="sharply", at_most=0.1, severity="fatal", why="w"),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("before", "gone", "convention", "fatal"),
    [
        (100, 5, True, True),
        (100, 6, False, True),
        (100, 10, False, True),
        (100, 11, False, False),
        (49, 49, True, True),
    ],
)
def test_more_than_is_tolerated_fails_and_little_is_not_judged(
    before: int, gone: int, convention: bool, fatal: bool
) -> None:
    found = results(TRENDS, [Finding("records_dropped", ("patients",), "patients", before, gone)])
    assert [(r.check, r.success) for r in found] == [
        ("source.records_dropped.patients", convention), ("source.sharply.patients", fatal),
    ]  # fmt: skip
    assert all(bool(r.not_applicable) == (before < 50) for r in found)


def test_results_are_judged_by_changed_thresholds_without_the_data() -> None:
    findings = [
        Finding("records_dropped", ("patients",), "patients", 40, 8),
        Finding("records_dropped", ("tumours",), "tumours", not_applicable="no"),
    ]
    strict = TRENDS.model_copy(update={"fewest": 10, "checks": TRENDS.checks[1:]})
    before = results(TRENDS, findings)
    assert told_by(TRENDS, before) == before
    other = result("person.a", 1, 0, success=True)
    last = result("dqd.a", 1, 0, success=True)
    assert told_by(strict, [other, *before, last]) == [other, *results(strict, findings), last]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  - {check: rows_droped, at_most: 0, severity: fatal, why: w}", "there is no check `rows_droped` of a run"),
        ("  - {check: rows_dropped, at_most: 5, severity: fatal, why: w}", "must be 1 or less"),
        ("  - {check: columns_gone, at_most: 0, fewest: 9, severity: fatal, why: w}", "takes no `fewest`"),
        ("  - {check: columns_gone, at_most: 0, severity: fatal, why: w}\n" * 2, "`source.columns_gone` is there already, on line 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_trends_yaml_is_told_with_its_line(tiny_project: Project, text: str, message: str) -> None:
    path = tiny_project.root / "expectations" / "trends.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"version: 1\nchecks:\n{text}\n")
    (problem,) = lint_run_checks(tiny_project, "tiny")
    assert (problem.file, problem.line) == ("expectations/trends.yaml", 4 if "\n" in text else 3)
    assert message in problem.message
    with pytest.raises(SpecError):
        run_check_specs(tiny_project, "tiny")


def test_the_standard_file_asks_every_check_of_the_list_and_a_source_s_own_wins(tiny_project: Project) -> None:
    assert {spec.check for spec in run_check_specs(tiny_project, "tiny").checks} == set(RUN_CHECKS)
    own = tiny_project.root / "expectations" / "sources" / "tiny" / "trends.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(
        "version: 1\nchecks: [{check: rows_dropped, at_most: 0.3, severity: fatal, why: two hospitals left}]\n"
    )
    assert [spec.at_most for spec in run_check_specs(tiny_project, "tiny").checks] == [0.3]

"""Every expectation of the catalogue passes good tables, and counts exactly the rows of a planted defect."""

from __future__ import annotations

import gc
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from oncoweave.engine.connection import connect
from oncoweave.files import make_private_folder
from oncoweave.quality.compilation import Check, compile_suite
from oncoweave.quality.definitions import CATALOGUE
from oncoweave.quality.relations import prepare
from oncoweave.records import ExpectationResult
from oncoweave.spec.load import load_suite
from oncoweave.stages.check import check_tables
from tests.quality.planted import CASES, Case
from tests.quality.small_cdm import DELIVERY, Cdm

ENTRY = (
    "  - {{expect: {expect}, parameters: {{{parameters}}}, severity: fatal, category: conformance, why: Because.}}\n"
)


def compiled(folder: Path, expect: str, table: str, parameters: str) -> Check:
    """The check of one entry."""
    path = folder / "one.yaml"
    head = f"version: 1\nsuite: one\ntable: {table}\nexpectations:\n"
    path.write_text(head + ENTRY.format(expect=expect, parameters=parameters), encoding="utf-8")
    found, problems = compile_suite(*load_suite(path, folder))
    assert problems == []
    return found[0]


def judged(cdm: Cdm, check: Check) -> ExpectationResult:
    """The result of a check of the tables as they are."""
    cdm.write()
    return check_tables(cdm.run, [check], cdm.concepts, DELIVERY)[0]


def test_no_expectation_lacks_a_planted_defect() -> None:
    assert {case.expect for case in CASES} == set(CATALOGUE)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_good_tables_pass_and_a_planted_defect_is_counted(cdm: Cdm, tmp_path: Path, case: Case) -> None:
    check = compiled(tmp_path, case.expect, case.table, case.parameters)
    cdm.plant(case.setup)
    good = judged(cdm, check)
    assert (good.success, good.error, good.evaluated, good.unexpected or 0) == (True, None, case.clean, 0)

    cdm.plant(case.plant)
    bad = judged(cdm, check)
    assert (bad.success, bad.error, bad.evaluated, bad.unexpected) == (False, None, case.judged, case.failing)
    if check.definition.failing:
        assert keys(cdm) == (case.keys or case.failing)


def test_the_connection_stays_open_when_great_expectations_is_cleared_away(cdm: Cdm, tmp_path: Path) -> None:
    """SQLAlchemy closes what it was given whenever it happens to be collected: the keys of failing rows would be lost."""
    from oncoweave.quality.validation import validate

    check = compiled(tmp_path, "expect_column_values_to_be_unique", "person", "column: person_id")
    cdm.write()
    work = make_private_folder(tmp_path / "work")
    with closing(connect(work=work, allow=[cdm.run.tables, cdm.concepts.parent])) as connection:
        prepare(connection, cdm.run.tables, cdm.concepts, DELIVERY)
        for _ in range(2):
            (result,) = validate(connection, [check])
            assert (result.success, result.error) == (True, None)
            gc.collect()
            assert connection.execute("SELECT count(*) FROM person").fetchall() == [(2,)]


def keys(cdm: Cdm) -> int:
    """How many failing rows the quarantine names."""
    found = duckdb.sql(f"SELECT count(*) FROM '{cdm.run.quarantine / 'failing' / '*.parquet'}'").fetchone()
    return int(found[0]) if found else 0

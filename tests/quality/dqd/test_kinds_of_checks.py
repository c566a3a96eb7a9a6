"""Each kind of check counts what DQD counts: cases worked out by hand (see cases.py)."""

from __future__ import annotations

import duckdb
import pytest

from oncoweave.quality.dqd.catalogue import catalogue, kinds
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.counts import Counts
from oncoweave.quality.dqd.queries import keys_query, query
from oncoweave.quality.dqd.run import run_dqd
from tests.quality.dqd.cases import CASES, Case

CHECKS = {check.id: check for check in catalogue()}


def test_every_kind_of_check_has_a_case() -> None:
    assert {CHECKS[case.check].name for case in CASES} == set(kinds())


@pytest.mark.parametrize("case", CASES, ids=[case.check for case in CASES])
def test_a_planted_defect_is_counted_as_dqd_counts_it(case: Case, empty_cdm: duckdb.DuckDBPyConnection) -> None:
    empty_cdm.execute(case.planted)
    assert counted(empty_cdm, case) == (case.violated, case.denominator)
    assert alone(empty_cdm, CHECKS[case.check]) == (case.violated, case.denominator)


@pytest.mark.parametrize("case", CASES, ids=[case.check for case in CASES])
def test_without_the_defect_nothing_fails(case: Case, empty_cdm: duckdb.DuckDBPyConnection) -> None:
    empty_cdm.execute(case.planted)
    empty_cdm.execute(case.mended)
    assert counted(empty_cdm, case) == (0, case.mended_denominator)
    assert alone(empty_cdm, CHECKS[case.check]) == (0, case.mended_denominator)


@pytest.mark.parametrize("case", CASES, ids=[case.check for case in CASES])
def test_the_failing_rows_are_named_by_their_keys(case: Case, empty_cdm: duckdb.DuckDBPyConnection) -> None:
    check = CHECKS[case.check]
    sql = keys_query(check)
    if case.keys is None:
        assert sql is None
        return
    assert sql is not None
    empty_cdm.execute(case.planted)
    keys = empty_cdm.execute(sql).fetchall()
    assert [key for _, key, _ in keys] == list(case.keys)
    assert {(table, id_) for table, _, id_ in keys} == {(keyed_table(check), check.id)}


def keyed_table(check: DqdCheck) -> str:
    return "person" if check.level == "TABLE" else check.table


def counted(connection: duckdb.DuckDBPyConnection, case: Case) -> tuple[int | None, int | None]:
    """What the check counts when all checks of its table run."""
    found = run_dqd(connection, [c for c in catalogue() if c.table == CHECKS[case.check].table])[case.check]
    assert found.error == "", found
    return found.violated, found.denominator


def alone(connection: duckdb.DuckDBPyConnection, check: DqdCheck) -> tuple[int, int]:
    """What the query of the check counts."""
    result = connection.execute(query(check))
    assert [column[0] for column in result.description] == ["violated", "denominator"]
    (row,) = result.fetchall()
    return row[0], row[1]


def test_an_empty_table_gives_no_rows_and_says_that_it_is_empty(empty_cdm: duckdb.DuckDBPyConnection) -> None:
    found = run_dqd(empty_cdm, catalogue())
    assert found["field_isrequired_measurement_person_id"] == Counts(0, 0, table_empty=True)
    assert found["table_measurepersoncompleteness_measurement"] == Counts(0, 0, table_empty=True)
    assert found["table_measureconditioneracompleteness_condition_era"] == Counts(0, 0, table_empty=True)
    assert {c.error for c in found.values()} == {""} and {c.absent for c in found.values()} == {""}


def test_of_an_empty_field_it_is_said(empty_cdm: duckdb.DuckDBPyConnection) -> None:
    empty_cdm.execute("INSERT INTO measurement (measurement_id, person_id) VALUES (51, 1)")
    found = run_dqd(empty_cdm, catalogue())
    assert found["field_isforeignkey_measurement_provider_id"] == Counts(0, 1, field_empty=True)
    assert found["field_isforeignkey_measurement_person_id"] == Counts(1, 1)
    assert found["field_fkdomain_measurement_unit_concept_id"] == Counts(0, 1, field_empty=True)


def test_what_is_not_there_is_named(empty_cdm: duckdb.DuckDBPyConnection) -> None:
    empty_cdm.execute("DROP TABLE note; DROP TABLE concept_ancestor; DROP TABLE condition_occurrence")
    empty_cdm.execute(
        "ALTER TABLE measurement DROP COLUMN unit_source_value; INSERT INTO measurement (measurement_id) VALUES (51)"
    )
    found = run_dqd(empty_cdm, catalogue())
    absent = {id_: counts.absent for id_, counts in found.items() if counts.absent}
    assert absent["field_isrequired_note_note_id"] == "note"
    assert absent["field_cdmfield_note_note_id"] == "note"
    assert absent["table_measureconditioneracompleteness_condition_era"] == "condition_occurrence"
    assert (
        absent["concept_plausiblegenderusedescendants_procedure_occurrence_procedure_concept_id_4041261"]
        == "concept_ancestor"
    )
    assert absent["field_isrequired_concept_ancestor_ancestor_concept_id"] == "concept_ancestor"
    assert (
        absent["field_standardconceptrecordcompleteness_measurement_unit_concept_id"] == "measurement.unit_source_value"
    )
    assert "field_fkdomain_measurement_unit_concept_id" not in absent
    assert found["field_isforeignkey_measurement_person_id"].error == ""

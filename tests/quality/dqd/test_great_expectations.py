"""Great Expectations counts the same: by its own expectation where it has one, else by the query of the check."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import timedelta
from typing import Any

import duckdb

from oncoweave.engine.connection import connect
from oncoweave.quality.dialect import URL, engine_options
from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.queries import query
from oncoweave.quality.dqd.relations import prepare_vocabulary
from oncoweave.quality.dqd.run import run_dqd
from oncoweave.quality.relations import prepare
from tests.quality.dqd.test_grouped_checks import DEFECTS
from tests.quality.small_cdm import DELIVERY, Cdm

ITS_OWN = {
    "isRequired", "measureValueCompleteness", "isPrimaryKey", "plausibleValueLow", "plausibleValueHigh",
    "plausibleStartBeforeEnd",
}  # fmt: skip
"""Kinds that Great Expectations has an expectation for. It judges filled values only: the numbers of failing rows are
compared, and of the judged ones where DQD leaves the empty ones out as well."""
EACH = 4
"""So many checks of each kind are compared."""


def test_a_sample_of_each_kind_counts_the_same_in_great_expectations(cdm: Cdm) -> None:
    cdm.plant(DEFECTS)
    cdm.write()
    with closing(connect(work=cdm.run.path, allow=[cdm.run.tables, cdm.concepts.parent])) as connection:
        prepare(connection, cdm.run.tables, cdm.concepts, DELIVERY)
        prepare_vocabulary(connection, cdm.concepts.parent)
        found = run_dqd(connection, catalogue())
        sample = [check for check in sampled() if not found[check.id].absent]
        theirs = validated(connection, sample)
    assert {check.name for check in sample} >= {check.name for check in catalogue()} - {"plausibleGenderUseDescendants"}
    differ = []
    for check in sample:
        unexpected, evaluated = theirs[check.id]
        counts = found[check.id]
        judged = counts.denominator if evaluated is None else evaluated
        if (counts.violated, counts.denominator) != (unexpected, judged):
            differ.append((check.id, counts, theirs[check.id]))
    assert differ == []
    assert sum(bool(found[check.id].violated) for check in sample) > 20


def sampled() -> list[DqdCheck]:
    """Some checks of each kind, of measurements, persons and conditions first, as the defects are there."""
    first = ("measurement", "person", "condition_occurrence", "visit_occurrence")
    by_kind: dict[str, list[DqdCheck]] = {}
    for check in sorted(catalogue(), key=lambda c: first.index(c.table) if c.table in first else len(first)):
        by_kind.setdefault(check.name, []).append(check)
    return [check for checks in by_kind.values() for check in checks[:EACH]]


def validated(connection: duckdb.DuckDBPyConnection, checks: list[DqdCheck]) -> dict[str, tuple[int, int | None]]:
    """Unexpected and evaluated rows by check, as Great Expectations tells them; None where it judges others than DQD."""
    from oncoweave.quality import validation  # the one module that imports it, with telemetry off

    gx: Any = sys.modules["great_expectations"]
    found: dict[str, tuple[int, int | None]] = {}
    with validation._quiet():
        context: Any = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        store = context.data_sources.add_sql("run", connection_string=URL, kwargs=engine_options(connection))
        for table in sorted({check.table for check in checks}):
            expectations = [expectation(check) for check in checks if check.table == table]
            batch = store.add_table_asset(table, table_name=table).add_batch_definition_whole_table("all").get_batch()
            suite = gx.ExpectationSuite(table, expectations=expectations)
            outcome = batch.validate(suite, result_format={"result_format": "SUMMARY", "partial_unexpected_count": 0})
            for result in outcome.results:
                config = result.expectation_config
                told = result.result
                judged = told["element_count"] - told.get("missing_count", 0)
                of_filled = config.meta["name"] in (
                    "plausibleValueLow",
                    "plausibleValueHigh",
                    "plausibleStartBeforeEnd",
                )
                same = config.meta["name"] not in ITS_OWN or of_filled
                found[config.meta["check"]] = (told["unexpected_count"], judged if same else None)
    return found


def expectation(check: DqdCheck) -> Any:
    """What stands for the check in a suite."""
    from oncoweave.quality.validation import ExpectNoUnexpectedRows, expectation_class

    meta: dict[str, Any] = {"meta": {"check": check.id, "name": check.name}}
    if check.name not in ITS_OWN:
        counts = f"SELECT violated AS unexpected, denominator AS evaluated FROM ({query(check)})"
        return ExpectNoUnexpectedRows(query=counts.replace("{", "{{").replace("}", "}}"), **meta)
    if check.name in ("isRequired", "measureValueCompleteness"):
        return expectation_class("expect_column_values_to_not_be_null")(column=check.field, **meta)
    if check.name == "isPrimaryKey":
        return expectation_class("expect_column_values_to_be_unique")(column=check.field, **meta)
    if check.name == "plausibleStartBeforeEnd":
        ends = {"column_A": check.parameters.end_field, "column_B": check.field, "or_equal": True}
        return expectation_class("expect_column_pair_values_a_to_be_greater_than_b")(
            **ends, ignore_row_if="either_value_is_missing", **meta
        )
    return expectation_class("expect_column_values_to_be_between")(column=check.field, **bounds(check), **meta)


def bounds(check: DqdCheck) -> dict[str, Any]:
    """A day as text, so that a time is compared as Great Expectations does; of the sample no time is at the limit."""
    low, high = check.parameters.low, check.parameters.high
    if low is not None:
        return {"min_value": low.day.isoformat() if low.day else low.number}
    assert high is not None
    if high.days_after is not None:
        return {"max_value": (DELIVERY + timedelta(days=high.days_after)).isoformat()}
    return {"max_value": DELIVERY.year + high.years_after if high.years_after is not None else high.number}

"""Runs checks with Great Expectations over one DuckDB connection; the only module that imports it.

The import costs some five CPU-seconds, so the check stage imports this module when it needs it. Results are
counts: no list of values is asked for, and of an exception only its type is kept, for its text may hold a value.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, ClassVar

import duckdb

from oncoweave.pandas_guard import let_pandas_in
from oncoweave.quality.compilation import Check
from oncoweave.quality.conditions import query
from oncoweave.quality.dialect import URL, engine_options
from oncoweave.records import ExpectationResult

logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it tells 200 lines of itself while it is imported
os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import: no telemetry
let_pandas_in()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations of Python and pydantic, none of them ours
    import great_expectations as gx
    from great_expectations import expectations as gxe
    from great_expectations.expectations.expectation import QueryExpectation

_NO_VALUES = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
_SEVERITY = {"fatal": "critical", "convention": "warning", "characterization": "info"}


class ExpectNoUnexpectedRows(QueryExpectation):
    """An expectation of ours: its query counts the rows that were judged and those that fail, and returns no row."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("query.table",)
    success_keys: ClassVar[tuple[str, ...]] = ("query", "mostly")
    query: str
    mostly: float = 1.0

    def _validate(
        self, metrics: Mapping[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        (row,) = metrics["query.table"]
        evaluated, unexpected = int(row["evaluated"]), int(row["unexpected"])
        success = evaluated == 0 or (evaluated - unexpected) / evaluated >= self.mostly
        return {"success": success, "result": {"element_count": evaluated, "unexpected_count": unexpected}}


def validate(connection: duckdb.DuckDBPyConnection, checks: Sequence[Check]) -> list[ExpectationResult]:
    """The result of every check, in the order of the checks; a check that could not be run has failed.

    The connection holds the target tables and the relations of `relations.prepare`. It stays open.
    """
    found: dict[str, ExpectationResult] = {}
    with _quiet():
        context: Any = gx.get_context(mode="ephemeral")  # its annotations leave out what its documentation shows
        context.variables.progress_bars = {"globally": False}
        store = context.data_sources.add_sql("run", connection_string=URL, kwargs=engine_options(connection))
        for table, of_table in groupby(sorted(checks, key=_table), key=_table):
            asset = store.add_table_asset(table, table_name=table)
            batch = asset.add_batch_definition_whole_table("whole table").get_batch()
            found |= _validate_table(batch, list(of_table))
    return [found[check.id] for check in checks]


def _table(check: Check) -> str:
    return check.table.name


def _validate_table(batch: Any, checks: Sequence[Check]) -> dict[str, ExpectationResult]:
    suite = gx.ExpectationSuite(checks[0].table.name, expectations=[_expectation(check) for check in checks])
    results = batch.validate(suite, result_format=_NO_VALUES).results
    by_id = {result.expectation_config.meta["check"]: result for result in results}
    return {check.id: _record(check, by_id.get(check.id)) for check in checks}


def _expectation(check: Check) -> Any:
    sql = query(check)
    told: dict[str, Any] = {"severity": _SEVERITY[check.spec.severity], "meta": {"check": check.id}}
    if check.spec.mostly is not None:
        told["mostly"] = check.spec.mostly
    if sql is not None:
        return ExpectNoUnexpectedRows(query=sql, **told)
    arguments = {name: list(v) if isinstance(v, tuple) else v for name, v in check.arguments.items()}
    return expectation_class(check.definition.name)(**arguments, **told)


def expectation_class(name: str) -> Any:
    """Great Expectations' class of an expectation, by the name that suites use."""
    return getattr(gxe, "".join(part.capitalize() for part in name.split("_")))


def _record(check: Check, result: Any) -> ExpectationResult:
    error = "not evaluated" if result is None else _error(result)
    evaluated, unexpected = (None, None) if error else _counts(result.result)
    return ExpectationResult(
        check=check.id,
        suite=check.suite,
        table=check.table.name,
        expectation=check.spec.expect,
        column=check.column,
        severity=check.spec.severity,
        category=check.spec.category,
        context=check.spec.context,
        why=check.spec.why,
        owner=check.spec.owner,
        since=check.spec.since,
        success=error is None and bool(result.success),
        error=error,
        not_applicable="no row to judge" if evaluated == 0 and unexpected is not None else "",
        evaluated=evaluated,
        unexpected=unexpected,
        mostly=check.spec.mostly,
    )


def _counts(result: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """How many values were judged and how many failed; a table's row count is what was judged."""
    if "unexpected_count" not in result:
        return int(result["observed_value"]), None
    judged = int(result["element_count"]) - int(result.get("missing_count") or 0)
    return judged, int(result["unexpected_count"] or 0)  # None where there is no row


def _error(result: Any) -> str | None:
    """Type of the exception that stopped a check; never its text."""
    info = result.exception_info or {}
    raised = [info] if "raised_exception" in info else [part for part in info.values() if isinstance(part, Mapping)]
    raised = [part for part in raised if part.get("raised_exception")]
    if not raised:
        return None
    text = " ".join(str(part.get("exception_traceback")) for part in raised)
    named = [name for name in re.findall(r"\(_?duckdb\.(?:duckdb\.)?(\w+)\)", text) if _is_exception(name)]
    return named[0] if named else "Exception"


def _is_exception(name: str) -> bool:
    found = getattr(duckdb, name, None)
    return isinstance(found, type) and issubclass(found, duckdb.Error)


@contextmanager
def _quiet() -> Iterator[None]:
    """Great Expectations logs and warns with the text of exceptions and queries: nothing of it is let through."""
    loggers = [logging.getLogger(name) for name in ("great_expectations", "sqlalchemy", "duckdb_engine")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

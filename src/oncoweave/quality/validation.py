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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, Union

import duckdb

from oncoweave.pandas_guard import let_pandas_in
from oncoweave.quality.compilation import Check
from oncoweave.quality.conditions import query, rows_of
from oncoweave.quality.dialect import URL, engine_options
from oncoweave.quality.snapshot_suites import shown
from oncoweave.records import ExpectationResult

logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it tells 200 lines of itself while it is imported
os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import: no telemetry
let_pandas_in()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations of Python and pydantic, none of them ours
    import great_expectations as gx
    from great_expectations import expectations as gxe
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.datasource.fluent.interfaces import TestConnectionError
    from great_expectations.expectations.expectation import QueryExpectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.render.components import CollapseContent
    from great_expectations.render.renderer import page_renderer
    from great_expectations.render.view import view

_NO_VALUES = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
_SEVERITY = {"fatal": "critical", "convention": "warning", "characterization": "info"}


class ExpectNoUnexpectedRows(QueryExpectation):
    """An expectation of ours: its query counts the rows that were judged and those that fail, and returns no row."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("query.table",)
    success_keys: ClassVar[tuple[str, ...]] = ("query", "mostly")
    query: str
    column: Union[str, None] = None  # noqa: UP007  pydantic 1 reads it; under it the documentation lists the check
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
        for number, (_, group) in enumerate(groupby(sorted(checks, key=_rows), key=_rows)):
            of_rows = list(group)
            name = _relation(connection, of_rows[0], number)
            try:
                asset = store.add_table_asset(name, table_name=name)
            except TestConnectionError:  # no such rows, since their condition names a field that is not there
                found |= {check.id: _record(check, None) for check in of_rows}
                continue
            found |= _validate_rows(asset.add_batch_definition_whole_table("all rows").get_batch(), of_rows)
    return [found[check.id] for check in checks]


_COLUMNS = "meta_properties_to_render"


class _WithColumns(ExpectationConfiguration):
    """A configuration whose page has columns of ours; the expectations of this version refuse the argument that asks for them."""

    def to_domain_obj(self) -> Any:
        columns = self.kwargs.pop(_COLUMNS)
        try:
            return super().to_domain_obj()
        finally:
            self.kwargs[_COLUMNS] = columns


@dataclass(frozen=True)
class DocumentedCheck:
    """A check with its result, for the documentation: every text must be harmless in HTML, in Markdown and in templates.

    `meaning` is told of an expectation of ours, and `told` of every one, as columns of the results. `error` is a word.
    """

    expectation: str
    column: str | None
    arguments: Mapping[str, Any]
    mostly: float | None
    ours: bool
    meaning: str
    told: Mapping[str, str]
    success: bool
    error: str | None
    evaluated: int | None
    unexpected: int | None


def document(suite: str, table: str, checks: Sequence[DocumentedCheck]) -> tuple[str, str]:
    """Great Expectations' pages of a suite and of its results, made of counts alone: neither data nor exceptions are read."""
    with _quiet():
        expectations = [_documented(check) for check in checks]
        results = [_outcome(c, e) for c, e in zip(checks, expectations, strict=True)]
        met = sum(check.success for check in checks)
        whole = ExpectationSuiteValidationResult(
            success=met == len(checks), results=results, suite_name=suite, suite_parameters={},
            statistics={"evaluated_expectations": len(checks), "successful_expectations": met,
                        "unsuccessful_expectations": len(checks) - met, "success_percent": 100 * met / len(checks)},
            meta={"batch_spec": {"data_asset_name": table}},
        )  # fmt: skip
        of_suite: Any = page_renderer.ExpectationSuitePageRenderer()
        of_results: Any = page_renderer.ValidationResultsPageRenderer()
        shown: Any = view.DefaultJinjaPageView()
        pages = (of_suite.render(gx.ExpectationSuite(suite, expectations=expectations)), of_results.render(whole))
        for page in pages:  # what can be unfolded tells of the moment and the machine
            blocks = page.sections[0].content_blocks
            page.sections[0].content_blocks = [b for b in blocks if not isinstance(b, CollapseContent)]
        return shown.render(pages[0]), shown.render(pages[1])


def _documented(check: DocumentedCheck) -> Any:
    told: dict[str, Any] = {
        "meta": {"attributes": dict(check.told)},
        "notes": [f"{k}: {v}" for k, v in check.told.items()],
    }
    if check.mostly is not None:
        told["mostly"] = check.mostly
    if check.ours:
        return ExpectNoUnexpectedRows(query="none", column=check.column, description=check.meaning, **told)
    return expectation_class(check.expectation)(**check.arguments, **told)


def _outcome(check: DocumentedCheck, expectation: Any) -> Any:
    """The result of a check as Great Expectations has it, made of the counts."""
    configuration = expectation.configuration
    configuration.__class__ = _WithColumns
    configuration.kwargs[_COLUMNS] = {name: name for name in check.told}
    found: dict[str, Any] = {}
    if check.unexpected is not None and check.evaluated is not None:
        share = 100 * check.unexpected / check.evaluated if check.evaluated else 0.0
        found = {"element_count": check.evaluated, "unexpected_count": check.unexpected, "unexpected_percent": share}
    elif check.evaluated is not None:
        found = {"observed_value": check.evaluated}
    raised = {"raised_exception": check.error is not None, "exception_message": check.error, "exception_traceback": ""}
    return ExpectationValidationResult(
        success=check.success, expectation_config=configuration, result=found, exception_info=raised, meta={}
    )


def _rows(check: Check) -> tuple[str, str]:
    return check.table.name, check.where


def _relation(connection: duckdb.DuckDBPyConnection, check: Check, number: int) -> str:
    """The name of the rows that a check is about: those of its table that meet its `where` are a view of their own."""
    if not check.where:
        return check.table.name
    name = f"check_rows_{number}"
    with suppress(duckdb.Error):  # a field that is not there: the checks of the rows cannot be run, and say so
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS FROM {rows_of(check)}")
    return name


def _validate_rows(batch: Any, checks: Sequence[Check]) -> dict[str, ExpectationResult]:
    suite = gx.ExpectationSuite(checks[0].id, expectations=[_expectation(check) for check in checks])
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
    return expectation_class(check.definition.name)(**_arguments(check), **told)


def _arguments(check: Check) -> dict[str, Any]:
    """The parameters as Great Expectations takes them."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in check.arguments.items()}


def expectation_class(name: str) -> Any:
    """Great Expectations' class of an expectation, by the name that suites use."""
    return getattr(gxe, "".join(part.capitalize() for part in name.split("_")))


def _record(check: Check, result: Any) -> ExpectationResult:
    error = "not evaluated" if result is None else _error(result)
    evaluated, unexpected = (None, None) if error else _counts(check, result)
    return ExpectationResult(
        check=check.id,
        suite=check.suite,
        table=shown(check.table),
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


def _counts(check: Check, result: Any) -> tuple[int | None, int | None]:
    """How many values were judged and how many failed.

    Of a table's number of rows that number alone; what holds for a table as a whole is judged once, and a number made of
    values (their mean, say) stays here.
    """
    found = result.result
    if "element_count" in found:
        judged = int(found["element_count"]) - int(found.get("missing_count") or 0)
        return judged, int(found["unexpected_count"] or 0)  # None where there is no row
    if check.spec.expect in _ROW_COUNTS:
        return int(found["observed_value"]), None
    of_sets = "missing_count" in found or "unexpected_count" in found  # sets of values, which are not told
    nothing = found.get("observed_value") is None and not of_sets
    return (0, 0) if nothing else (1, 0 if result.success else 1)


_ROW_COUNTS = ("expect_table_row_count_to_equal", "expect_table_row_count_to_be_between")


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

"""The suite of SQL on FHIR v2: every shareable test passes, with compiled paths and without, and the report says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docs.sql_on_fhir import PAGE, REPORT, Case, cases, page, report
from oncoweave.engine.fhir.compiled_paths import Start, compiled
from oncoweave.spec.view import View

ALL = list(cases())
absent = pytest.mark.skipif(not ALL, reason="the suite of SQL on FHIR is not on this machine")


@absent
@pytest.mark.parametrize("is_compiled", [True, False], ids=["compiled", "evaluated"])
@pytest.mark.parametrize(
    "case", [case for case in ALL if case.is_shareable], ids=lambda case: f"{case.file}: {case.title}"
)
def test_shareable(case: Case, is_compiled: bool) -> None:
    assert case.passes(is_compiled=is_compiled)


@absent
def test_the_suite_has_the_tests_that_are_counted_on() -> None:
    assert (len(ALL), sum(case.is_shareable for case in ALL)) == (134, 123)


@absent
def test_most_views_of_the_suite_are_compiled() -> None:
    """Else the test above would try the evaluator twice."""
    whole = 0
    for case in ALL:
        if case.is_shareable and not case.test.get("expectError"):
            view = View.model_validate(case.test["view"])
            paths = [where.path for where in view.where]
            paths += [column.path for part in view.select if not part.for_each for column in part.column]
            whole += all(compiled(path, Start(view.resource, view.resource, is_whole=True)) for path in paths)
    assert whole > 70


@absent
def test_the_report_and_the_page_are_what_the_suite_says() -> None:
    found = [(case, case.passes()) for case in ALL]
    stale = "stale: run `python docs/sql_on_fhir.py`"
    assert json.loads(REPORT.read_text(encoding="utf-8")) == report(found), stale
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, found) == text, stale


def test_a_test_that_fails_is_told(tmp_path: Path) -> None:
    view = {"resource": "Patient", "select": [{"column": [{"name": "id", "path": "id"}]}]}
    tests = [
        {"title": "right", "tags": ["shareable"], "view": view, "expect": [{"id": "a"}]},
        {"title": "wrong", "tags": ["shareable"], "view": view, "expect": [{"id": "b"}]},
        {"title": "no error", "tags": ["experimental"], "view": {**view, "resource": "Group"}, "expectError": True},
    ]
    content = {"resources": [{"resourceType": "Patient", "id": "a"}], "tests": tests}
    (tmp_path / "one.json").write_text(json.dumps(content), encoding="utf-8")
    found = [(case, case.passes()) for case in cases(tmp_path)]
    assert report(found) == {
        "one.json": {
            "tests": [
                {"name": "right", "result": {"passed": True}},
                {"name": "wrong", "result": {"passed": False}},
                {"name": "no error", "result": {"passed": False}},
            ]
        }
    }
    assert "| one.json | 1 of 2 | 0 of 1 |" in page("", found)

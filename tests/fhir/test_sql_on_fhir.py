"""The suite of SQL on FHIR v2: every shareable test passes, and the report has the suite's own form."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from oncoweave.engine.fhir.paths import PathError
from oncoweave.engine.fhir.views import ViewRows, path_faults
from oncoweave.spec.view import View

SUITE = Path(__file__).parents[3] / "shared" / "data" / "fhir" / "sql-on-fhir-v2-tests"
FILES = sorted(SUITE.glob("*.json"))


def cases() -> list[Any]:
    """Every test of the suite: its file, its resources and itself; one that is skipped where the suite is absent."""
    if not FILES:
        return [pytest.param("", [], {}, marks=pytest.mark.skip("the suite of SQL on FHIR is not on this machine"))]
    read = {path.name: json.loads(path.read_text("utf-8"), parse_float=Decimal) for path in FILES}
    return [
        pytest.param(name, content["resources"], test, id=f"{name}: {test['title']}")
        for name, content in read.items()
        for test in content["tests"]
        if "shareable" in test["tags"]
    ]


def made(view: Any, resources: list[Any], *, is_compiled: bool) -> list[dict[str, Any]]:
    """The rows of a view; raises as the product does."""
    read = View.model_validate(view)
    for _, fault in path_faults(read):
        raise PathError(fault)
    rows = ViewRows(read, is_compiled=is_compiled)
    return [dict(zip(read.columns, row, strict=True)) for resource in resources for row in rows.of(resource) or ()]


def counted(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True, default=float) for row in rows)


@pytest.mark.parametrize("is_compiled", [True, False], ids=["compiled", "evaluated"])
@pytest.mark.parametrize(("name", "resources", "test"), cases())
def test_shareable(name: str, resources: list[Any], test: dict[str, Any], is_compiled: bool) -> None:
    if test.get("expectError"):
        with pytest.raises((PathError, ValidationError)):
            made(test["view"], resources, is_compiled=is_compiled)
        return
    rows = made(test["view"], resources, is_compiled=is_compiled)
    if "expectCount" in test:
        assert len(rows) == test["expectCount"]
    else:
        assert counted(rows) == counted(test["expect"])


def test_the_suite_has_the_tests_that_are_counted_on() -> None:
    if not FILES:
        pytest.skip("the suite of SQL on FHIR is not on this machine")
    assert len(cases()) == 123

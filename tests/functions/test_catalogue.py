"""Every function of the catalogue keeps its examples, on every engine."""

from __future__ import annotations

import pytest

from oncoweave.engine.dialect import evaluate
from oncoweave.engine.expressions import Value
from oncoweave.engine.functions import CATALOGUE

CASES = [
    pytest.param(f.name, args, want, id=f"{f.name}-{i}")
    for f in CATALOGUE.values()
    for i, (args, want) in enumerate(f.examples)
]


@pytest.mark.parametrize(("name", "args", "want"), CASES)
def test_function_keeps_its_example(name: str, args: tuple[Value, ...], want: object) -> None:
    got = evaluate(CATALOGUE[name](*args))
    assert (type(got), got) == (type(want), want)

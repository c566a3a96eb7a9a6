"""Every transform shows what it does, and its examples are true."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from oncoweave.compiler.transforms import Verb, load_verbs
from oncoweave.engine.dialect import evaluate

MODULES = sorted((Path(__file__).parents[2] / "transforms").glob("*.py"))
VERBS = load_verbs(MODULES)


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_transform_keeps_its_examples(verb: Verb) -> None:
    scope = {**verb.function.__globals__, "evaluate": evaluate}
    tests = doctest.DocTestFinder().find(verb.function, verb.name, globs=scope)
    results = [doctest.DocTestRunner().run(t) for t in tests]
    assert sum(r.attempted for r in results) > 0
    assert sum(r.failed for r in results) == 0

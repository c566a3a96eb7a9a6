"""The pages of the checks say what the code says, each check has one, and each example is an entry that works."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from docs.check_pages import FOLDER, GROUPS, pages
from oncoweave.quality.compilation import compile_suite
from oncoweave.quality.definitions import CATALOGUE
from oncoweave.quality.dqd.catalogue import kinds
from oncoweave.quality.explanations import explanations
from oncoweave.spec.load import load_suite


def test_the_pages_are_what_the_code_says() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert written == made(), "stale: run `make reference`"


def test_every_check_is_explained_and_nothing_else_is() -> None:
    assert set(explanations()) == {*CATALOGUE, *kinds()}
    assert {d.name for definitions in GROUPS.values() for d in definitions} == set(CATALOGUE)


@pytest.mark.parametrize("name", [*CATALOGUE, *kinds()])
def test_an_explanation_is_made_of_sentences(name: str) -> None:
    told = explanations()[name]
    for text in (told.judged, told.mend, *([told.fails] if name in CATALOGUE else [])):
        assert re.fullmatch(r"[A-Z1`].*\.", text), text


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_the_example_of_a_page_is_a_suite_that_compiles(name: str, tmp_path: Path) -> None:
    text = made()[f"{name}.md"].partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "one.yaml").write_text(f"version: 1\nsuite: one\n{text}", encoding="utf-8")
    found, problems = compile_suite(*load_suite(tmp_path / "one.yaml", tmp_path))
    assert problems == []
    assert [check.spec.expect for check in found] == [name]


@cache
def made() -> dict[str, str]:
    """The pages, made once."""
    return pages()

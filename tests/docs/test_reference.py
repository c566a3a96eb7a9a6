"""The reference page says what the code says."""

from __future__ import annotations

import pytest

from docs.reference import LANGUAGES, PAGE, page, reachable


def test_the_reference_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "stale: run `make reference`"


@pytest.mark.parametrize("file", LANGUAGES)
def test_every_key_of_a_language_is_described(file: str) -> None:
    keys = [(m.__name__, key, info) for m in reachable(LANGUAGES[file][0]) for key, info in m.model_fields.items()]
    assert [f"{model}.{key}" for model, key, info in keys if not info.description] == []


def test_every_decision_is_in_the_index() -> None:
    decisions = PAGE.parent / "decisions"
    index = (decisions / "README.md").read_text(encoding="utf-8")
    unlisted = [record.name for record in decisions.glob("[0-9]*.md") if f"({record.name})" not in index]
    assert unlisted == []

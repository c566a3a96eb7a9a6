"""Whatever a file holds, reading it gives a model or problems with a place, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoweave.errors import Problem, SpecError
from oncoweave.spec.concept_map import load_concept_map
from oncoweave.spec.document import parse_document
from oncoweave.spec.load import validate
from oncoweave.spec.mapping import Mapping
from oncoweave.spec.one_file import mapping_problems, source_problems
from oncoweave.spec.render import render
from oncoweave.spec.source import Source

HERE = Path("/project")
UNTIMED = settings(deadline=None)  # a busy machine is no failure
SOURCE: dict[str, Any] = {
    "version": 1, "source": "gbsg", "title": "T", "holder": "H", "kind": "trial",
    "delivery": {"by": "folder", "date": "2008-07-31", "path": "files"},
    "origin": {"date": "1984-01-01", "why": "era"},
    "tables": {
        "patients": {
            "format": "csv", "files": "p.csv", "row": {"fields": ["id"]}, "missing": ["", 99], "skip_lines": 1,
            "fields": {"seen": {"type": "date", "formats": ["%d.%m.%y", "%Y"], "first_year": 1930}},
        },
        "sheets": {"format": "excel", "files": "p.xlsx", "sheet": "a", "row": {"content": True}},
    },
}  # fmt: skip
MAPPING: dict[str, Any] = {
    "version": 1, "source": "gbsg", "vocabulary": "starter-1", "concepts": {"a": "OMOP:1 |A|"},
    "rules": [
        {"fact": "person", "name": "p", "from": "patients", "birth": {"year": 1950}, "gender": {"concept": {"map": "sex"}}},
        {"fact": "measurement", "name": "m", "from": "patients", "date": "d", "group": ["id"],
         "columns": {"size": {"concept": {"map": "size"}, "between": [0, 300]}}},
        {"fact": "condition", "name": "c", "from": "patients", "start": "d", "concept": {"vocabulary": "ICD10", "code": "C50"}},
    ],
    "examples": [{"name": "e", "given": {"patients": [{"id": 1, "x": None}]}, "expect": {"person": []}}],
}  # fmt: skip
WORDS = st.sampled_from(
    ["map", "fact", "person", "csv", "folder", "MapRef", "str", "[key]", "name", "x", "A b", "", "version"]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


def places(tree: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(tree, dict):
        return [path, *(place for key, child in tree.items() for place in places(child, (*path, key)))]
    if isinstance(tree, list):
        return [path, *(place for number, child in enumerate(tree) for place in places(child, (*path, number)))]
    return [path]


def _put(holder: Any, step: str | int, value: object) -> None:
    if isinstance(holder, list):
        holder.insert(int(step), value)
    else:
        holder[step] = value


@st.composite
def damaged(draw: st.DrawFn, whole: dict[str, Any]) -> str:
    """The file with one or two of its parts replaced, removed or renamed."""
    tree: Any = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(places(tree)))
        if not path:
            continue
        holder: Any = tree
        for step in path[:-1]:
            holder = holder[step]
        damage = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
        value = draw(JUNK) if damage == "replace" else holder[path[-1]]
        del holder[path[-1]]
        if damage in ("replace", "add"):
            _put(holder, path[-1], value)
        if damage in ("rename", "add") and isinstance(holder, dict):
            holder[draw(WORDS)] = draw(JUNK) if damage == "add" else value
    return json.dumps(tree, indent=1)


def assert_placed(problems: tuple[Problem, ...]) -> None:
    assert problems
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)
    assert render(problems).endswith("\n")


def assert_told(problems: tuple[Problem, ...], text: str) -> None:
    assert_placed(problems)
    assert len(set(problems)) == len(problems)
    lines = text.split("\n")
    for problem in problems:
        assert problem.line <= len(lines)
        assert problem.column <= len(lines[problem.line - 1]) + 1
        assert "Input should" not in problem.message
        assert "is not as it must be" not in problem.message


@UNTIMED
@given(damaged(SOURCE))
def test_a_damaged_source_is_a_model_or_told(text: str) -> None:
    try:
        validate(Source, parse_document(text, HERE / "source.yaml", HERE), source_problems("gbsg"))
    except SpecError as error:
        assert_told(error.problems, text)


@UNTIMED
@given(damaged(MAPPING))
def test_a_damaged_mapping_is_a_model_or_told(text: str) -> None:
    try:
        validate(Mapping, parse_document(text, HERE / "mapping.yaml", HERE), mapping_problems("gbsg"))
    except SpecError as error:
        assert_told(error.problems, text)


@UNTIMED
@given(st.text(alphabet=st.sampled_from("ab:-?[]{},&*!|>'\"%@`#\\ \t\n.~=<1"), max_size=40))
def test_any_signs_are_a_tree_or_told(text: str) -> None:
    try:
        parse_document(text, HERE / "mapping.yaml", HERE)
    except SpecError as error:
        assert_placed(error.problems)


HEADER = "sourceCode,sourceName,mappingStatus,conceptId,mappingType\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("maps")


@UNTIMED
@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from('",\n\r1;'), max_size=60), st.booleans()
)
def test_any_text_is_a_concept_map_or_told(folder: Path, text: str, headed: bool) -> None:
    (folder / "a.csv").write_text(HEADER * headed + text, encoding="utf-8", newline="")
    try:
        load_concept_map(folder / "a.csv", folder)
    except SpecError as error:
        assert_placed(error.problems)

"""A broken specification file gives all its problems at once, each at its place, in the author's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from oncoweave.errors import SpecError
from oncoweave.project import Project
from oncoweave.spec.concept_map import load_concept_map
from oncoweave.spec.load import load_corrections, load_mapping, load_source, load_suite, load_thresholds, load_waivers

HERE = Path(__file__).parent
JARGON = (
    "Input should",
    "Extra inputs",
    "Field required",
    "Value error",
    "validation",
    "dictionary",
    "pydantic",
    "str_",
    "tuple",
)


@dataclass(frozen=True)
class Case:
    title: str
    text: str
    expected: tuple[tuple[str, str], ...]


def cases(language: str) -> list[object]:
    told = (HERE / f"broken_{language}.txt").read_text(encoding="utf-8").split("\n==== ")[1:]
    return [pytest.param(case, id=case.title.replace(" ", "_")) for case in map(parse_case, told)]


def parse_case(block: str) -> Case:
    title, _, rest = block.partition("\n")
    lines = rest.rstrip("\n").split("\n")
    text = "".join(line + "\n" for line in lines if not line.startswith("---- "))
    marks = [line.removeprefix("---- ").split(" | ", 1) for line in lines if line.startswith("---- ")]
    return Case(title, text, tuple((mark[0], mark[1]) for mark in marks))


def source_folder(root: Path) -> Path:
    folder = root / "mappings" / "sources" / "gbsg"
    folder.mkdir(parents=True)
    (folder / "source.yaml").touch()
    return folder


def assert_tells(case: Case, file: Path, load: Callable[[], object]) -> None:
    file.write_text(case.text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load()
    problems = caught.value.problems
    assert [f"{p.line}:{p.column} {p.code}" for p in problems] == [place for place, _ in case.expected]
    lines = case.text.split("\n")
    for problem, (_, phrase) in zip(problems, case.expected, strict=True):
        told = f"{problem.message} {problem.help}"
        assert phrase in told
        assert problem.source == lines[problem.line - 1]
        assert not [word for word in JARGON if word in told]


@pytest.mark.parametrize("case", cases("source"))
def test_broken_source(case: Case, tmp_path: Path) -> None:
    file = source_folder(tmp_path) / "source.yaml"
    assert_tells(case, file, lambda: load_source(Project.at(tmp_path), "gbsg"))


@pytest.mark.parametrize("case", cases("mapping"))
def test_broken_mapping(case: Case, tmp_path: Path) -> None:
    file = source_folder(tmp_path) / "mapping.yaml"
    assert_tells(case, file, lambda: load_mapping(Project.at(tmp_path), "gbsg"))


@pytest.mark.parametrize("case", cases("corrections"))
def test_broken_corrections(case: Case, tmp_path: Path) -> None:
    file = source_folder(tmp_path) / "corrections.yaml"
    assert_tells(case, file, lambda: load_corrections(Project.at(tmp_path), "gbsg"))


@pytest.mark.parametrize("case", cases("suite"))
def test_broken_suite(case: Case, tmp_path: Path) -> None:
    assert_tells(case, tmp_path / "person.yaml", lambda: load_suite(tmp_path / "person.yaml", tmp_path))


@pytest.mark.parametrize("case", cases("thresholds"))
def test_broken_thresholds(case: Case, tmp_path: Path) -> None:
    file = tmp_path / "thresholds.yaml"
    assert_tells(case, file, lambda: load_thresholds(file, tmp_path))


@pytest.mark.parametrize("case", cases("concept_map"))
def test_broken_concept_map(case: Case, tmp_path: Path) -> None:
    assert_tells(case, tmp_path / "grade.csv", lambda: load_concept_map(tmp_path / "grade.csv", tmp_path))


@pytest.mark.parametrize("case", cases("waivers"))
def test_broken_waivers(case: Case, tmp_path: Path) -> None:
    assert_tells(case, tmp_path / "waivers.yaml", lambda: load_waivers(tmp_path / "waivers.yaml", tmp_path))

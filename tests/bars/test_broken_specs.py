"""Every kind of broken specification gives one clear error at its line, from `lint` and from `run`, and nothing is run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from oncoweave.project import Project
from tests.bars.conftest import Oncoweave, untouched

TOLD = (Path(__file__).parent / "broken_specs.txt").read_text(encoding="utf-8")
EDIT = re.compile(r"^(?P<file>[\w./-]+): (?P<old>.*?) ?→ ?(?P<new>.*)$")
HERE = "▸"


@dataclass(frozen=True)
class Case:
    """A broken specification: the edits (file, old text, new text) that break it, and what must be said."""

    edits: tuple[tuple[str, str, str], ...]
    phrase: str


def cases() -> list[object]:
    blocks = (block.partition("\n") for block in TOLD.split("\n==== ")[1:])
    return [pytest.param(parsed(body), id=title.replace(" ", "_")) for title, _, body in blocks]


def every_seventh_now() -> list[object]:
    """All cases, of which all but every seventh wait for the long test run."""
    return [
        case if number % 7 == 0 else pytest.param(*case.values, id=case.id, marks=pytest.mark.slow)  # type: ignore[attr-defined]
        for number, case in enumerate(cases())
    ]


def parsed(body: str) -> Case:
    lines = [line for line in body.split("\n") if line]
    edits = [match for line in lines if (match := EDIT.match(line))]
    (phrase,) = (line.removeprefix("---- ") for line in lines if line.startswith("---- "))
    assert len(edits) + 1 == len(lines), body
    return Case(tuple((e["file"], meant(e["old"]), meant(e["new"])) for e in edits), phrase)


def meant(text: str) -> str:
    return re.sub(r"\\(n|t|x00)", lambda sign: {"n": "\n", "t": "\t", "x00": "\x00"}[sign[1]], text)


def broken(project: Project, case: Case) -> str:
    """Break the project; the place that the error must name."""
    folder = project.source_folder("tiny")
    for file, old, new in case.edits:
        path = (folder / file).resolve()
        path.parent.mkdir(exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert old in ("", "*") or text.count(old) == 1, f"`{old}` is in {file} {text.count(old)} times"
        path.write_text(new if old == "*" else text.replace(old, new) if old else text + new, encoding="utf-8")
    return place_of_mark(project, [(folder / file).resolve() for file, _, _ in case.edits])


def place_of_mark(project: Project, files: list[Path]) -> str:
    """The file, line and column of the mark, which is taken out."""
    for path in files:
        before, mark, after = path.read_text(encoding="utf-8").partition(HERE)
        if mark:
            path.write_text(before + after, encoding="utf-8")
            lines = before.split("\n")
            return f"{path.relative_to(project.root)}:{len(lines)}:{len(lines[-1]) + 1}"
    raise AssertionError("the case marks no place")


def errors(text: str) -> list[str]:
    """The errors of a message, each with its place, source line, caret and help; warnings are left out."""
    blocks = re.split(r"\n\n|\n(?=\d+ (?:error|warning))|\nerror: ", "\n" + text)
    return [block.strip("\n") for block in blocks if block.lstrip("\n").startswith("error[")]


@pytest.mark.parametrize("case", cases())
def test_lint_tells(case: Case, tiny: Project, oncoweave: Oncoweave) -> None:
    place = broken(tiny, case)
    linted = oncoweave("lint", at=tiny)
    assert linted.code == 2, linted.all
    assert len(errors(linted.out)) == 1, linted.all
    (error,) = errors(linted.out)
    assert f"--> {place}\n" in error + "\n", (place, error)
    assert case.phrase in error
    assert "Traceback" not in linted.all


@pytest.mark.parametrize("case", every_seventh_now())
def test_run_tells_the_same_and_runs_nothing(case: Case, tiny: Project, oncoweave: Oncoweave) -> None:
    broken(tiny, case)
    linted, ran = oncoweave("lint", at=tiny), oncoweave("run", "tiny", at=tiny)
    assert (linted.code, ran.code) == (2, 2), linted.all + ran.all
    assert errors(ran.err.removeprefix("tiny:")) == errors(linted.out)
    assert "Traceback" not in ran.all
    assert untouched(tiny), "something was run"


def test_all_errors_are_told_at_once(tiny: Project, oncoweave: Oncoweave) -> None:
    chosen = ["an unknown key in source.yaml", "an unknown key of a rule", "one row twice in a concept map"]
    blocks = dict(block.split("\n", 1) for block in TOLD.split("\n==== ")[1:])
    places = [broken(tiny, parsed(blocks[title])) for title in chosen[:2]]
    linted = oncoweave("lint", at=tiny)
    assert [place for place in places if f"--> {place}" not in linted.out] == []


def test_a_machine_gets_every_error_as_json(tiny: Project, oncoweave: Oncoweave) -> None:
    blocks = dict(block.split("\n", 1) for block in TOLD.split("\n==== ")[1:])
    broken(tiny, parsed(blocks["an unknown key of a rule"]))
    for said in (oncoweave("lint", "--json", at=tiny), oncoweave("run", "tiny", "--json", at=tiny)):
        assert said.code == 2 and '"line":' in said.out and "strat" in said.out

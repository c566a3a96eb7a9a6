"""A mapping in several files is one mapping, and every problem is told in the file in which it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oncoweave.compiler import compile_draft, read_inputs
from oncoweave.errors import Problem, SpecError
from oncoweave.project import Project
from oncoweave.spec.load import load_mapping

FOLDER = "mappings/sources/clinic"
MAIN = """version: 1
source: clinic
vocabulary: starter-1
concepts:
  breast_cancer: "OMOP:4162253 |Primary malignant neoplasm of breast|"
rules:
- {fact: person, name: persons, from: patients, birth: {date: born}}
"""
SOURCE = """version: 1
source: clinic
title: t
holder: h
kind: registry
delivery: {by: folder, date: 2024-01-31, path: .}
tables:
  patients:
    format: csv
    files: p.csv
    row: {fields: [id]}
    fields:
      id: {type: identifier}
      born: {type: date, formats: ["%Y"]}
      seen: {type: date, formats: ["%Y"]}
"""
DIAGNOSES = """rules:
- {fact: condition, name: diagnoses, from: patients, concept: breast_cancer, start: seen}
"""
Write = Callable[..., Project]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(main: str = MAIN, **further: str) -> Project:
        folder = tmp_path / FOLDER
        (folder / "mapping").mkdir(parents=True)
        (folder / "source.yaml").write_text(SOURCE)
        (folder / "mapping.yaml").write_text(main)
        for name, text in further.items():
            (folder / "mapping" / f"{name}.yaml").write_text(text)
        return Project(tmp_path, tmp_path / "runs", tmp_path / "releases", tmp_path / "restricted")

    return written


def problems(project: Project) -> list[Problem]:
    try:
        return sorted(compile_draft(read_inputs(project, "clinic")).problems)
    except SpecError as error:
        return sorted(error.problems)


def test_the_rules_follow_one_another_in_the_order_of_the_names(write: Write) -> None:
    extra = DIAGNOSES.replace("diagnoses", "more")
    mapping, _ = load_mapping(write(b_second=extra, a_first=DIAGNOSES), "clinic")
    assert [rule.name for rule in mapping.rules] == ["persons", "diagnoses", "more"]


def test_further_files_alone_may_hold_the_rules(write: Write) -> None:
    main, rules = MAIN.split("rules:\n")
    mapping, _ = load_mapping(write(main, all="rules:\n" + rules), "clinic")
    assert [rule.name for rule in mapping.rules] == ["persons"]


def test_concepts_of_one_file_are_known_in_the_others(write: Write) -> None:
    assert problems(write(a=DIAGNOSES)) == []


FAULTS = {
    "a key that a model refuses": (DIAGNOSES.replace("start: seen", "strat: seen"), 2, "strat"),
    "a name that only the compiler knows": (DIAGNOSES.replace("start: seen", "start: sene"), 2, "there is no field `sene`"),
    "a reference": (DIAGNOSES.replace("start: seen", "start: seen, visit: none"), 2, "there is no rule `none`"),
    "a field that is not there": ("ignored:\n  sene: why\n", 2, "`sene` is not a declared field"),
    "a join": ("joins:\n- {from: patients, to: nowhere, by: {id: id}}\n", 2, "there is no source table `nowhere`"),
    "a rule's name twice": (DIAGNOSES.replace("diagnoses", "persons"), 2, "another rule is named `persons`"),
    "a concept twice": ('concepts:\n  breast_cancer: "OMOP:1 |x|"\n', 2, "`breast_cancer` is named twice under `concepts`"),
    "a key of the first file": ("vocabulary: starter-1\n", 1, "`vocabulary` cannot stand in a further file of the mapping"),
    "a list that is none": ("rules: some\n", 1, "list"),
    "no map": ("- a\n", 1, "must be a map of keys"),
    "broken YAML": ("rules: [\n", 2, ""),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_problem_is_told_in_its_own_file_and_line(write: Write, fault: tuple[str, int, str]) -> None:
    text, line, message = fault
    found = [p for p in problems(write(a=text, b="examples: []\n")) if p.severity == "error"]
    assert [(p.file, p.line) for p in found] == [(f"{FOLDER}/mapping/a.yaml", line)]
    assert message in found[0].message


def test_a_name_twice_names_both_places(write: Write) -> None:
    found = problems(write(a=DIAGNOSES, b="# first\n" + DIAGNOSES))
    assert [(p.file, p.line, p.help) for p in found] == [
        (f"{FOLDER}/mapping/b.yaml", 3, f"the first is in line 2 of {FOLDER}/mapping/a.yaml")
    ]


def test_a_problem_of_the_first_file_is_told_there(write: Write) -> None:
    found = problems(write(MAIN.replace("date: born", "date: bron"), a=DIAGNOSES))
    assert [(p.file, p.line) for p in found] == [(f"{FOLDER}/mapping.yaml", 7)]


def test_a_file_that_would_be_passed_over_is_told(write: Write) -> None:
    project = write(a=DIAGNOSES)
    path = project.root / FOLDER / "mapping" / "a.yaml"
    path.rename(path.with_suffix(".yml"))
    (found,) = problems(project)
    assert found.file == f"{FOLDER}/mapping/a.yml"
    assert found.help == "name it a.yaml"

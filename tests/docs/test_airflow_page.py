"""What the page on pipelines shows is what source.yaml takes, and what the form has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oncoweave.orchestration.form import harmonise_form
from oncoweave.orchestration.pipeline import pipelines
from oncoweave.project import Project
from oncoweave.spec.load import load_source


@pytest.fixture
def page(checkout: Path) -> str:
    return (checkout / "docs" / "airflow.md").read_text(encoding="utf-8")


def test_the_keys_of_the_page_are_those_of_source_yaml(page: str, tiny_project: Project) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    schedules = re.findall(r"`(schedule: \{[^`]*\})`", page)
    assert len(schedules) == 2
    path = tiny_project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    whole = path.read_text(encoding="utf-8")
    for keys in (block, *schedules):
        path.write_text(f"{whole}{keys}\n", encoding="utf-8")
        (found,) = pipelines(tiny_project)
        assert found.fault == ""


def test_the_page_names_every_field_of_the_form(page: str, tiny_project: Project) -> None:
    spec, _ = load_source(tiny_project, "tiny")
    for field in harmonise_form(spec).values():
        assert f"| {field.title} |" in page

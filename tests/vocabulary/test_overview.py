"""The releases of a project are listed, and a code is shown with all that a mapping author has to know of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from oncoweave.cli.main import cli
from oncoweave.errors import UsageError
from oncoweave.project import Project
from oncoweave.vocabulary.load import load
from oncoweave.vocabulary.overview import chosen, releases, view
from tests.vocabulary.downloads import RELEASE, folder_of, texts


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.at(tmp_path / "site")
    load(project, folder_of(tmp_path / "download", texts()))
    return project


def test_releases_are_listed_with_who_uses_them(tiny_project: Project, tmp_path: Path) -> None:
    load(tiny_project, folder_of(tmp_path / "download", texts()))
    found = {release.release: release for release in releases(tiny_project)}
    assert (found[RELEASE].version, found[RELEASE].concepts, found[RELEASE].sources) == (RELEASE, 9, ())
    assert (found["tiny-1"].version, found["tiny-1"].sources) == ("tiny-1", ("tiny",))
    assert found["starter"].version.startswith("starter-")


@pytest.mark.parametrize("asked", ["1", "c509", " C50.9"])
def test_concept_is_found_by_id_or_by_code_in_any_spelling(project: Project, asked: str) -> None:
    (one,) = view(chosen(project), asked)
    assert (one.concept.concept_id, one.valid_start_date, one.valid_end_date) == (1, "1970-01-01", "2099-12-31")
    assert [target.concept_id for target in one.maps_to] == [2]


def test_standard_concept_is_shown_with_the_codes_that_map_to_it(project: Project) -> None:
    (one,) = view(chosen(project), "372137005")
    assert [origin.concept_code for origin in one.mapped_from] == ["C50.9", "254837009"]


def test_value_is_shown_beside_the_target(project: Project) -> None:
    (one,) = view(chosen(project), "Z85.3")
    assert [c.concept_id for c in one.maps_to] == [5] and [c.concept_id for c in one.values] == [2]


def test_code_that_is_nowhere_is_told(project: Project) -> None:
    with pytest.raises(UsageError, match="has no concept `X99`"):
        view(chosen(project), "X99")


def test_of_several_releases_one_must_be_named(project: Project, tmp_path: Path) -> None:
    load(project, tmp_path / "download", "another")
    with pytest.raises(UsageError, match="say which release"):
        chosen(project)
    assert chosen(project, "another").release == "another"


def run(project: Project, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["vocab", *arguments, "--project", str(project.root)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_command_line_loads_lists_and_shows(tmp_path: Path) -> None:
    project = Project.at(tmp_path / "site")
    project.root.mkdir()
    folder = str(folder_of(tmp_path / "download", texts()))
    assert f"`vocabulary: {RELEASE}`" in run(project, "load", folder)
    assert "was loaded before, with the same content" in run(project, "load", folder)
    assert json.loads(run(project, "load", folder, "--json"))["already"] is True
    assert RELEASE in run(project, "list")
    assert json.loads(run(project, "list", "--json"))["releases"][-1]["release"] == RELEASE
    assert "maps to no standard concept" in run(project, "show", "A00")
    assert "not valid (D)" in run(project, "show", "A00")
    assert json.loads(run(project, "show", "c509", "--json"))["concepts"][0]["maps_to"][0]["concept_id"] == 2

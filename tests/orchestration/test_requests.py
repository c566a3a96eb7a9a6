"""What the form of a pipeline asks for: a delivery among the deliveries, full or delta, a trial."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from oncoweave.errors import UsageError
from oncoweave.orchestration.form import harmonise_form
from oncoweave.orchestration.request import Request, read_request
from oncoweave.project import Project
from oncoweave.spec.load import load_source


def defaults(project: Project) -> dict[str, Any]:
    spec, _ = load_source(project, "tiny")
    return {name: field.default for name, field in harmonise_form(spec).items()}


def test_an_empty_form_asks_for_what_is_declared(tiny_project: Project) -> None:
    assert read_request(tiny_project, "tiny", defaults(tiny_project)) == Request()


@pytest.mark.parametrize("named", ["2024-03-31", "deliveries/2024-03-31", "{root}/deliveries/2024-03-31"])
def test_a_delivery_is_named_by_its_day_or_its_path(tiny_project: Project, named: str) -> None:
    folder = tiny_project.root / "deliveries" / "2024-03-31"
    shutil.copytree(tiny_project.root / "deliveries" / "2024-01-31", folder)
    form = defaults(tiny_project) | {"delivery": named.format(root=tiny_project.root)}
    found = read_request(tiny_project, "tiny", form)
    assert (found.delivery, found.day) == (folder.resolve(), date(2024, 3, 31))


def test_a_folder_outside_of_the_deliveries_is_not_read(tiny_project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tiny_project.root / "deliveries" / "link").symlink_to(outside)
    for named in ("/etc", "../../..", str(outside), "link", "deliveries/../../outside"):
        with pytest.raises(UsageError, match="is not among the deliveries"):
            read_request(tiny_project, "tiny", defaults(tiny_project) | {"delivery": named})


def test_a_delivery_that_is_not_there_is_told_with_the_places(tiny_project: Project) -> None:
    with pytest.raises(UsageError, match="no delivery of the day 2024-12-31") as raised:
        read_request(tiny_project, "tiny", defaults(tiny_project) | {"delivery": "2024-12-31"})
    assert str(tiny_project.root / "deliveries") in raised.value.mend


def test_a_sample_is_for_a_dry_run(tiny_project: Project) -> None:
    form = defaults(tiny_project) | {"sample": 100}
    with pytest.raises(UsageError, match="not for publication"):
        read_request(tiny_project, "tiny", form)
    assert read_request(tiny_project, "tiny", form | {"dry_run": True}) == Request(dry_run=True, sample=100)


def test_a_misspelt_field_is_refused(tiny_project: Project) -> None:
    with pytest.raises(UsageError, match="`dryrun`") as raised:
        read_request(tiny_project, "tiny", defaults(tiny_project) | {"dryrun": True})
    assert raised.value.mend == "did you mean `dry_run`?"


def test_a_delta_may_be_asked_to_build_on_nothing(tiny_project: Project) -> None:
    path = tiny_project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    path.write_text(re.sub("path: ([^}]*)}", r"path: \1, mode: delta}", path.read_text("utf-8")), "utf-8")
    form = defaults(tiny_project)
    assert form["mode"] == "delta"
    assert read_request(tiny_project, "tiny", form).base == ""
    assert read_request(tiny_project, "tiny", form | {"mode": "full", "dry_run": True}) == Request(
        base="none", dry_run=True
    )

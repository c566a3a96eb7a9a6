"""A hub takes FHIR resources in with a release, verifies them, and tells of them in its catalogue and comparison."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from oncoweave.errors import DataError
from oncoweave.hub.bucket import open_place
from oncoweave.hub.intake import Policy, refusals, take
from oncoweave.hub.place import Place
from oncoweave.hub.refresh import refresh
from oncoweave.release.verify import verify
from tests.fhir_releases import Published
from tests.hub.test_hub_cli import call


@pytest.fixture
def hub(fhir_releases: Published, tmp_path: Path) -> Place:
    """A hub that has taken in both releases, in their order; counts from 2 are told."""
    place = open_place(str(tmp_path / "hub"))
    for release in (fhir_releases.first, fhir_releases.second):
        take(release, place, Policy(smallest=2))
    refresh(place)
    return place


def tree(place: Place, name: str) -> Any:
    content = place.read(name)
    assert content is not None
    return json.loads(content)


def test_resources_are_there_as_they_were_published(fhir_releases: Published, place: Place) -> None:
    done = take(fhir_releases.second, place)
    bulk = json.loads((fhir_releases.second / "fhir" / "manifest.json").read_text())
    assert done.resources == sum(one["count"] for one in bulk["output"]) > 0
    for path in (fhir_releases.second / "fhir").iterdir():
        assert place.read(f"releases/tiny/{fhir_releases.second.name}/fhir/{path.name}") == path.read_bytes()


def test_release_at_the_hub_is_whole(hub: Place, tmp_path: Path) -> None:
    assert verify(tmp_path / "hub" / "releases" / "tiny" / "current") == []


def test_catalogue_and_comparison_tell_of_them(hub: Place, fhir_releases: Published) -> None:
    (dataset,) = tree(hub, "catalogue.json")["dcat:dataset"]
    omop, fhir = dataset["dcat:distribution"]
    assert dataset["dct:conformsTo"] == ["OMOP CDM 5.4", "HL7 FHIR R4"]
    assert omop["oncoweave:folder"] == f"releases/tiny/{fhir_releases.second.name}"
    assert fhir["oncoweave:folder"] == f"{omop['oncoweave:folder']}/fhir"
    assert fhir["dcat:mediaType"] == "application/fhir+ndjson"
    (one,) = tree(hub, "comparison.json")["sources"]
    assert one["fhir"]["profiles"] == "base"
    assert one["fhir"]["resources"] == fhir["oncoweave:resourcesPerType"]
    assert one["fhir"]["resources"]["Patient"] == 5
    page, table = hub.read("comparison.html"), hub.read("comparison.csv")
    assert page is not None and b"FHIR resources" in page
    assert table is not None and b"FHIR resources,Patient,5" in table


def test_small_numbers_of_resources_are_left_out(fhir_releases: Published, tmp_path: Path) -> None:
    place = open_place(str(tmp_path / "hub"))
    take(fhir_releases.second, place, Policy(smallest=100))
    refresh(place)
    resources = tree(place, "comparison.json")["sources"][0]["fhir"]["resources"]
    assert (resources["Patient"], resources["Condition"], resources["ConceptMap"]) == (None, None, 3)


def test_a_resource_that_was_tampered_with_is_refused(fhir_releases: Published, tmp_path: Path) -> None:
    release = Path(shutil.copytree(fhir_releases.second, tmp_path / fhir_releases.second.name))
    path = release / "fhir" / "Patient.000.ndjson"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"female", b"male  ", 1))
    place = open_place(str(tmp_path / "hub"))
    with pytest.raises(DataError, match=r"fhir/Patient.000.ndjson: changed"):
        take(release, place)
    assert [record.findings for record in refusals(place)] == [
        ("fhir/Patient.000.ndjson: changed: its SHA-256 is not the manifest's",)
    ]
    assert place.names("releases") == []


def test_the_command_line_tells_of_them(fhir_releases: Published, tmp_path: Path) -> None:
    said = call("take", fhir_releases.second, "--into", tmp_path / "hub", "--smallest", "2").output
    assert "FHIR resources" in said
    compared = call("compare", "--hub", tmp_path / "hub").output
    assert "FHIR resources" in compared and "ConceptMap" in compared

"""Every resource of a run in mCODE's profiles meets what it claims, by the snapshots of the package; what does not claim says why."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from oncoweave.lint import lint
from oncoweave.project import Project, RunFolder
from oncoweave.records import FhirRecord
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.load import load
from tests.fhir.snapshots import Checker, Packages

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-"

Run = tuple[RunFolder, FhirRecord]


@pytest.fixture(scope="module")
def packages() -> Packages:
    folder = DATA / "fhir" / "packages"
    if not folder.is_dir():
        pytest.skip("no ../shared/data/fhir/packages beside the checkout: claims are not compared with the snapshots")
    return Packages(folder)


def mapped(root: Path, source: str, delivery: Path | None = None, vocabulary: tuple[Path, str] | None = None) -> Run:
    """A source of a project, mapped."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        project = Project(root, root / "runs", root / "releases", root / "restricted")
        if vocabulary:
            load(project, *vocabulary)
        assert [p for p in lint(project, source) if p.severity == "error"] == []
        run = extract(project, source, delivery)
        record = map_stage(run, project).fhir
        assert record is not None
        return run, record


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A made-up registry with all that HL7 Europe's models ask for, in mCODE's profiles."""
    root = tmp_path_factory.mktemp("oncology") / "project"
    shutil.copytree(ROOT / "tests" / "projects" / "oncology", root)
    return mapped(root, "registry")


def resources(run: RunFolder) -> dict[str, dict[str, Any]]:
    """All resources of a run by type and id."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(run.fhir.glob("*.ndjson")):
        for line in path.read_text(encoding="utf-8").splitlines():
            resource = json.loads(line)
            name = f"{resource['resourceType']}/{resource['id']}"
            assert name not in found, name
            found[name] = resource
    return found


def profiles(found: dict[str, dict[str, Any]]) -> Counter[str]:
    return Counter(url.removeprefix(MCODE) for r in found.values() for url in r.get("meta", {}).get("profile", []))


def violations(packages: Packages, found: dict[str, dict[str, Any]]) -> Counter[str]:
    """What the resources break, and how many do."""
    checker = Checker(packages, found)
    for resource in found.values():
        checker.check(resource)
    return Counter(f"{v.profile} {v.path} {v.told}" for v in checker.violations)


def test_every_resource_of_the_registry_meets_what_it_claims(registry: Run, packages: Packages) -> None:
    assert violations(packages, resources(registry[0])) == {}


def test_the_record_counts_the_claims_that_the_resources_make(registry: Run) -> None:
    counted = {c.profile.removeprefix(MCODE): c.resources for c in registry[1].claims if not c.reason}
    counted["tumor"] = sum(name.startswith("BodyStructure/") for name in resources(registry[0]))
    assert counted == profiles(resources(registry[0]))

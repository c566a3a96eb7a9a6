"""Runs of every source that the repository has, with FHIR in each set of profiles: what tests of the resources look at."""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from oncoweave.engine.fhir.lines import lines_of
from oncoweave.errors import SourceUnreachable
from oncoweave.project import Project, RunFolder
from oncoweave.records import FhirRecord, MapRecord
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_run
from oncoweave.vocabulary.load import load
from tests.conftest import HERE, KEY

ROOT = HERE.parent
SHARED = ROOT.parent / "shared" / "data"
CORE = SHARED / "fhir" / "packages" / "hl7.fhir.r4.core-4.0.1.tgz"
SYNTHEA = SHARED / "synthea" / "dbt-synthea-27"
OWN = {"tiny": ("tiny", "2024-01-31"), "courses": ("ward", "courses"), "registry": ("oncology", "registry")}
"""The sources of the projects of the tests: project and delivery."""
DELIVERED = {"synthea": SYNTHEA / "raw", "fhir_r4": SHARED / "fhir" / "synthea-bundles"}
DEMO = ("gbsg", "colon", "seer_breast")
SETS = ("base", "mcode", "eu-cancer")


@dataclass(frozen=True)
class Written:
    """A run and what it wrote."""

    run: RunFolder
    record: MapRecord

    @property
    def fhir(self) -> FhirRecord:
        assert self.record.fhir is not None
        return self.record.fhir

    @cached_property
    def files(self) -> dict[str, list[Path]]:
        """The files by type."""
        found: dict[str, list[Path]] = defaultdict(list)
        for file in self.fhir.files:
            found[file.type].append(self.run.fhir / file.file.name)
        return found

    def resources(self, type_: str) -> Iterator[dict[str, Any]]:
        """The resources of a type."""
        return (json.loads(line) for path in self.files[type_] for line in lines_of(path))

    def sample(self, type_: str, number: int) -> list[dict[str, Any]]:
        """So many resources of each profile, set of members and (of an Observation) codes, the first ones."""
        seen: dict[object, list[dict[str, Any]]] = defaultdict(list)
        for resource in self.resources(type_):
            codes = [c.get("code") for c in resource["code"].get("coding", ())] if type_ == "Observation" else ()
            shape = (*resource, *resource.get("meta", {}).get("profile", ()), *codes)
            if len(seen[shape]) < number:
                seen[shape].append(resource)
        return [resource for of_shape in seen.values() for resource in of_shape]


def written(folder: Path, source: str, profiles: str) -> Written:
    """The run of a source with FHIR in a set of profiles, in a project of its own; skips where its delivery is not there."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
        environment.setenv("ONCOWEAVE_KEY", KEY)
        project, delivery = _project(folder / f"{source}-{profiles}", source)
        _ask_for(project.source_folder(source) / "mapping.yaml", profiles)
        try:
            run = extract(project, source, delivery)
        except SourceUnreachable as error:
            pytest.skip(f"the delivery of {source} cannot be had: {error.message}")
        return Written(run, map_run(run, project))


def _project(root: Path, source: str) -> tuple[Project, Path | None]:
    if source in OWN:
        name, delivery = OWN[source]
        shutil.copytree(HERE / "projects" / name, root)
        return Project.at(root), root / "deliveries" / delivery
    for part in (f"mappings/sources/{source}", "mappings/concepts"):
        shutil.copytree(ROOT / part, root / part)
    project = Project(root, root / "runs", root / "releases", root / "restricted")
    if source in DELIVERED:
        if not DELIVERED[source].is_dir():
            pytest.skip(f"the delivery of {source} is not beside the checkout")
        mapping = (root / "mappings" / "sources" / source / "mapping.yaml").read_text(encoding="utf-8")
        (release,) = re.findall(r"^vocabulary: (.+)$", mapping, re.MULTILINE)
        load(project, SYNTHEA / "vocab", release)
    return project, DELIVERED.get(source)


def _ask_for(mapping: Path, profiles: str) -> None:
    """Have the mapping ask for a set of profiles."""
    text = re.sub(r"^fhir: .*\n", "", mapping.read_text(encoding="utf-8"), flags=re.MULTILINE)
    mapping.write_text(
        re.sub(r"^(vocabulary: .*\n)", rf"\1fhir: {profiles}\n", text, count=1, flags=re.MULTILINE), encoding="utf-8"
    )

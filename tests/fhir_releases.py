"""A real project that is published twice with FHIR: all patients, then one who withdrew. For tests of release, hub and Bundles."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oncoweave.project import Project
from oncoweave.run import run

TINY = Path(__file__).resolve().parent / "projects" / "tiny"
SOURCE = "mappings/sources/tiny/source.yaml"
FIRST, SECOND = "2024-01-31", "2024-06-30"


@dataclass(frozen=True)
class Published:
    """A project with its first and its second release."""

    project: Project
    first: Path
    second: Path


def fhir_project(root: Path, profiles: str = "base") -> Project:
    """A copy of the tiny project whose mapping asks for FHIR."""
    shutil.copytree(TINY, root)
    mapping = root / "mappings" / "sources" / "tiny" / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("vocabulary: tiny-1\n", f"vocabulary: tiny-1\nfhir: {profiles}\n"))
    return Project.at(root)


def deliver(project: Project, day: str, change: Callable[[str, str], str]) -> None:
    """Make the delivery of a day out of the first one, and name it in source.yaml; `change` gets each file's name and text."""
    first = project.root / "deliveries" / FIRST
    folder = project.root / "deliveries" / day
    folder.mkdir()
    for path in first.iterdir():
        (folder / path.name).write_text(change(path.name, path.read_text()))
    source = project.root / SOURCE
    text = source.read_text()
    source.write_text(
        text.replace(f"date: {FIRST}", f"date: {day}").replace(f"deliveries/{FIRST}", f"deliveries/{day}")
    )


def withdraw(name: str, text: str) -> str:
    """P004 withdrew; an operation of P003 was an error of the registry; a size of P001 was corrected."""
    lines = [line for line in text.splitlines() if not line.startswith("P004")]
    kept = "\n".join(lines) + "\n"
    return kept.replace("22;99;06.06.2016", "22;99;").replace("T1;14;0", "T1;15;0")


def publish_twice(root: Path) -> Published:
    """The project in `root` with two releases; the key is in the environment."""
    project = fhir_project(root)
    first = run(project, "tiny").release
    deliver(project, SECOND, withdraw)
    second = run(project, "tiny").release
    assert first is not None and second is not None
    return Published(project, first, second)


def lines(path: Path) -> list[Any]:
    """The resources of a file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def resources(release: Path) -> dict[str, Any]:
    """Every resource of a release by type and id."""
    files = sorted(path for path in (release / "fhir").glob("[A-Z]*.ndjson"))
    return {f"{one['resourceType']}/{one['id']}": one for path in files for one in lines(path)}


def subject(resource: Any) -> str | None:
    """The patient that a resource is about, as `Patient/id`."""
    if resource["resourceType"] == "Patient":
        return f"Patient/{resource['id']}"
    found = (resource.get("subject") or resource.get("patient") or {}).get("reference")
    return None if found is None else str(found)


def references(tree: Any) -> Iterator[str]:
    """Every reference of a tree that leads out of the resource."""
    if isinstance(tree, dict):
        if isinstance(tree.get("reference"), str) and not tree["reference"].startswith("#"):
            yield tree["reference"]
        tree = list(tree.values())
    for inner in tree if isinstance(tree, list) else ():
        yield from references(inner)

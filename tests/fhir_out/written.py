"""Reads the resources of a run as tests compare them."""

from __future__ import annotations

import json
from typing import Any

import fhirkit

from tests.map.workshop import Mapped, Workshop

Resource = dict[str, Any]
BASE = "fhir: base"


def mapped(workshop: Workshop, rules: str, **written: Any) -> Mapped:
    """A run with FHIR, every line of which is valid FHIR R4."""
    done = workshop.map(rules, mapping=written.pop("mapping", "") + BASE, **written)
    for path in done.run.fhir.iterdir():
        for line in path.read_bytes().splitlines():
            assert not [issue for issue in fhirkit.validate(line) if issue.severity == "error"], line
    return done


def resources(done: Mapped, type_: str) -> list[Resource]:
    """The resources of a type, in the order of the files."""
    paths = sorted(done.run.fhir.glob(f"{type_}.*.ndjson"))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def resource(done: Mapped, type_: str) -> Resource:
    """The one resource of a type."""
    (one,) = resources(done, type_)
    return one


def told(done: Mapped, type_: str, *elements: str) -> Resource:
    """Some elements of the one resource of a type; of all but who, which and in whose words, without any."""
    one = resource(done, type_)
    return {
        k: v
        for k, v in one.items()
        if k in elements or (not elements and k not in ("resourceType", "id", "subject", "patient"))
    }


def left_out(done: Mapped) -> dict[tuple[str, str], int]:
    """The events without a resource, by table and reason."""
    assert done.record.fhir is not None
    return {(one.target, one.reason): one.events for one in done.record.fhir.left_out}

"""What FHIR R4 (4.0.1) says of its types, from the model that comes with fhirpathpy."""

from __future__ import annotations

from typing import Any

from fhirpathpy.models import models

MODEL: dict[str, Any] = models["r4"]


def _is_resource(kind: str | None) -> bool:
    while kind and kind != "Resource":
        kind = MODEL["type2Parent"].get(kind)
    return kind == "Resource"


RESOURCES = frozenset(kind for kind in MODEL["type2Parent"] if _is_resource(kind)) - {"DomainResource"}
"""The types of resource."""

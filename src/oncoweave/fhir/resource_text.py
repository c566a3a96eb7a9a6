"""Resources that are made one by one, and not by the engine: the few that a run has once. Their JSON, ids and texts."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, TypeAlias

Resource: TypeAlias = dict[str, Any]
"""A resource, or a part of one, as FHIR's JSON has it."""
LONGEST_ID = 64
ID = rf"[A-Za-z0-9\-.]{{1,{LONGEST_ID}}}"
"""The form of an id in R4."""
_PLAIN = re.compile(r"[a-z0-9_]+")
_SIGNS = re.compile(r"[\x00-\x1f\x7f]+")


def compact(resource: Resource) -> str:
    """The JSON of a resource in one line, its members in their order."""
    return json.dumps(resource, separators=(",", ":"), ensure_ascii=False)


def resource_id(*names: str) -> str:
    """An id that follows from names of a project, and that no other names have; FHIR knows no underscore in ids.

    >>> resource_id("gbsg", "t_category")
    'gbsg.t-category'
    >>> resource_id("gbsg", "T category")
    'gbsg.T-category.a5b2c1d0'
    """
    shown = ".".join(re.sub(r"[^A-Za-z0-9]", "-", name) for name in names)
    if all(map(_PLAIN.fullmatch, names)) and len(shown) <= LONGEST_ID:
        return shown
    digest = hashlib.sha256("\x1f".join(names).encode()).hexdigest()[:8]
    return f"{shown[: LONGEST_ID - 9]}.{digest}"


def one_line(text: str) -> str:
    """A text in one line, without control signs and blanks around, as a FHIR string has to be."""
    return " ".join(_SIGNS.sub(" ", text).split())

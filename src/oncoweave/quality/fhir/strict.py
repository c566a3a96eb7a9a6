"""Judges a resource by the definitions of FHIR R4 (fhirkit, written in Rust): names, types, cardinality, forms of JSON.

What it says holds values of patients, so only the element and the kind of fault leave this module. It does not look at codes,
ids and references; `resources` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from oncoweave.errors import EnvironmentFault

if TYPE_CHECKING:
    from types import ModuleType

NO_JSON = "no JSON"
_INDEX = re.compile(r"\[\d+\]")
_ELEMENT = re.compile(r"[A-Za-z]\w*(\.[A-Za-z_][\w-]*(\[x\])?)*", re.ASCII)
_TYPE = re.compile(r"is not a valid (\w+)$", re.ASCII)
_NO_ELEMENT, _NO_TYPE = "an element that R4 does not have", "a type that R4 does not have"
_KINDS = (
    ("required element missing", "a required element is missing"),
    ("unknown element", _NO_ELEMENT),
    ("only one type may be given", "more than one of a choice"),
    ("is not allowed; leave the element out", "null or empty"),
    ("null with no extension", "null or empty"),
    ("the key appears more than once", "an element that is there twice"),
    ("is not a FHIR R4 resource type", _NO_TYPE),
    ("expected ", "a value of another type"),
)
_OTHER = "another fault"


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong with a resource: the element without its place in a list, and the kind of fault; never a value."""

    element: str
    problem: str


@cache
def _fhirkit() -> ModuleType:
    try:
        import fhirkit
    except ImportError:
        raise EnvironmentFault(
            "the validator of FHIR is not installed", mend="install Oncoweave again; it comes with fhirkit-rs"
        ) from None
    return fhirkit


def faults_of(line: bytes) -> tuple[Fault, ...]:
    """Everything that is wrong with the resource in a line by the definitions of R4; empty when nothing is."""
    fhirkit = _fhirkit()
    try:
        issues = fhirkit.validate(line)
    except fhirkit.ParseError:
        return (Fault("", NO_JSON),)
    return tuple(sorted({_fault(issue.path, issue.message) for issue in issues if issue.severity == "error"}))


def _fault(path: str, message: str) -> Fault:
    problem = next((told for begins, told in _KINDS if begins in message), _OTHER)
    of_type = _TYPE.search(message)
    if problem == _OTHER and of_type:
        problem = f"no valid {of_type[1]}"
    element = _INDEX.sub("", path)
    if problem in (_NO_ELEMENT, _NO_TYPE):
        element = element.rpartition(".")[0]  # the name is not one of R4's, and not ours to repeat
    return Fault(element if _ELEMENT.fullmatch(element) else "", problem)

"""A test aid: checks resources against the snapshots of the profiles that they claim, from the FHIR packages beside the checkout.

What it looks at: members that the profile does not know, cardinalities, slices by value, pattern, profile or url, fixed values and
patterns, the types that a choice or a reference may have, required and maximum bindings (as far as a value set can be expanded
without a terminology server), invariants by FHIRPath, extensions by their own snapshots, and that references lead to what is there.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fhirpathpy import evaluate
from fhirpathpy.models import models

Json = dict[str, Any]
PACKAGES = ("us.mcode-4.0.0", "us.core-6.1.0", "uv.genomics-reporting-2.0.0", "r4.core-4.0.1")
MAXIMUM = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
BASE = "http://hl7.org/fhir/StructureDefinition/"
PRIMITIVE = re.compile(r"[a-z]")
PASSED_OVER = {
    "ele-1",
    "ext-1",
    "dom-3",
    "dom-6",
}  # of empty members, contained resources, narratives: we write none of them
DATE = re.compile(r"(\d{4})(-\d{2}(-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?)?)?")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
FORMS = {"dateTime": DATE, "date": re.compile(r"\d{4}(-\d{2}(-\d{2})?)?"), "instant": INSTANT,
         "id": re.compile(r"[A-Za-z0-9.-]{1,64}"), "code": re.compile(r"\S+( \S+)*"), "uri": re.compile(r"\S+"),
         "url": re.compile(r"\S+"), "canonical": re.compile(r"\S+")}  # fmt: skip


class Packages:
    """Structure definitions and value sets by their canonical, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._text: dict[str, bytes] = {}
        for name in reversed(PACKAGES):
            with tarfile.open(folder / f"hl7.fhir.{name}.tgz") as archive:
                for member in archive:
                    kind = Path(member.name).name.split("-")[0]
                    if kind in ("StructureDefinition", "ValueSet", "CodeSystem") and member.name.endswith(".json"):
                        content = archive.extractfile(member)
                        assert content is not None
                        self._text[Path(member.name).stem] = content.read()
        self._read: dict[str, Json | None] = {}

    def get(self, kind: str, canonical: str) -> Json | None:
        """The definition of a kind; None where no package has it."""
        name = f"{kind}-{canonical.split('|', maxsplit=1)[0].rsplit('/', 1)[-1]}"
        if name not in self._read:
            self._read[name] = json.loads(self._text[name]) if name in self._text else None
        return self._read[name]

    def structure(self, canonical: str) -> Structure | None:
        """The snapshot of a profile or type."""
        definition = self.get("StructureDefinition", canonical)
        if definition is None or "snapshot" not in definition:
            return None
        if "_structure" not in definition:
            definition["_structure"] = Structure(definition)
        found: Structure = definition["_structure"]
        return found

    def derives(self, canonical: str, ancestor: str) -> bool:
        """Whether a profile is another, or is derived from it."""
        at: str | None = canonical
        while at is not None:
            if at == ancestor:
                return True
            definition = self.get("StructureDefinition", at)
            at = definition.get("baseDefinition") if definition else None
        return False

    def has(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a value set has a code; None where that takes a terminology server."""
        found = self.get("ValueSet", value_set)
        if found is None:
            return None
        answers = [self._included(part, system, code) for part in found.get("compose", {}).get("include", [])]
        excluded = [self._included(part, system, code) for part in found.get("compose", {}).get("exclude", [])]
        if True in excluded:
            return False
        return True if True in answers else None if None in answers or not answers else False

    def _included(self, part: Json, system: str | None, code: str) -> bool | None:
        answers: list[bool | None] = [self.has(url, system, code) for url in part.get("valueSet", [])]
        if "system" in part:
            if system is not None and part["system"] != system:
                answers.append(False)
            elif "concept" in part:
                answers.append(code in {c["code"] for c in part["concept"]})
            elif "filter" in part:
                answers.append(None)
            else:
                answers.append(self._coded(part["system"], code))
        return False if False in answers else None if None in answers else True

    def _coded(self, system: str, code: str) -> bool:
        """Whether a code system has a code; one that no package lists has every code."""
        found = self.get("CodeSystem", system)
        if found is None or found.get("content") != "complete":
            return True
        return code in set(_codes(found.get("concept", [])))


def _codes(concepts: Iterable[Json]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _codes(concept.get("concept", []))


@dataclass
class Structure:
    """A snapshot as a tree of elements."""

    definition: Json

    @property
    def url(self) -> str:
        return str(self.definition["url"])

    @property
    def type(self) -> str:
        return str(self.definition["type"])

    @cached_property
    def elements(self) -> Mapping[str, Json]:
        return {element["id"]: element for element in self.definition["snapshot"]["element"]}

    @cached_property
    def children(self) -> Mapping[str, Sequence[Json]]:
        """The members of an element by its id, without slices."""
        found: dict[str, list[Json]] = defaultdict(list)
        for name, element in self.elements.items():
            above, _, last = name.rpartition(".")
            if above and ":" not in last:
                found[above].append(element)
        return found

    @cached_property
    def slices(self) -> Mapping[str, Sequence[Json]]:
        """The slices of an element by its id."""
        found: dict[str, list[Json]] = defaultdict(list)
        for name, element in self.elements.items():
            if ":" in name.rpartition(".")[2]:
                found[name.rpartition(":")[0]].append(element)
        return found


@dataclass(frozen=True)
class Violation:
    """What a resource breaks."""

    resource: str
    profile: str
    path: str
    told: str


@dataclass
class Value:
    """A value of an element: its type, its JSON, and the extensions of a primitive."""

    type: str
    content: Any
    beside: Json | None = None


@dataclass
class Checker:
    """Checks resources against what they claim, and the type's own definition."""

    packages: Packages
    resources: Mapping[str, Json] = field(default_factory=dict)
    """Every resource of the run by `Type/id`."""
    violations: list[Violation] = field(default_factory=list)
    unexpanded: Counter[str] = field(default_factory=Counter)
    """Codes whose value set takes a terminology server, by value set."""
    _shapes: set[str] = field(default_factory=set)

    def check(self, resource: Json) -> None:
        """Add what the resource breaks to the violations; of resources that look the same the first is looked at."""
        shape = json.dumps(self._shape(resource), sort_keys=True)
        if shape in self._shapes:
            return
        self._shapes.add(shape)
        claims = resource.get("meta", {}).get("profile", [])
        for url in [BASE + resource["resourceType"], *claims]:
            structure = self.packages.structure(url)
            if structure is None or structure.type != resource["resourceType"]:
                self._tell(resource, url, "meta.profile", "no such profile of the type")
            else:
                Check(self, structure, resource, url).run()

    def _tell(self, resource: Json, profile: str, path: str, told: str) -> None:
        name = f"{resource['resourceType']}/{resource.get('id')}"
        self.violations.append(Violation(name, profile.rsplit("/", 1)[-1], path, told))

    def _shape(self, value: Any) -> Any:
        """A value as far as anything looks at it: its members and codes, the form of its numbers, ids and days, the claims of what it refers to."""
        if isinstance(value, dict):
            return {n: "" if n in ("display", "text") and m else self._shape(m) for n, m in value.items()}
        if isinstance(value, list):
            return [self._shape(member) for member in value]
        if not isinstance(value, str):
            return value if isinstance(value, bool) else type(value).__name__
        if re.fullmatch(r"[A-Z]\w+/\S+", value):
            found = self.resources.get(value)
            return value if found is None else [found["resourceType"], *found.get("meta", {}).get("profile", [])]
        return re.sub(r"\d", "9", value) if DATE.fullmatch(value) else re.sub(r"^\d{9,}", "9", value)


@dataclass
class Check:
    """One resource against one structure."""

    checker: Checker
    structure: Structure
    resource: Json
    profile: str

    def run(self) -> None:
        root = self.structure.elements[self.structure.type]
        self._members(self.structure, root["id"], self.resource, self.structure.type)
        self._invariants(self.structure, root, self.resource, self.structure.type)

    def tell(self, path: str, told: str) -> None:
        self.checker._tell(self.resource, self.profile, path, told)

    # Members

    def _members(self, structure: Structure, of: str, value: Json, path: str) -> None:
        known = {"resourceType"}
        for element in structure.children.get(of, ()):
            name = element["path"].rpartition(".")[2]
            values, keys = _values(value, name, element)
            known |= keys
            self._element(structure, element, values, f"{path}.{name}")
        for key in value.keys() - known:
            self.tell(f"{path}.{key}", "the definition has no such member")
        if not value:
            self.tell(path, "an object without members")

    def _element(self, structure: Structure, element: Json, values: Sequence[Value], path: str) -> None:
        self._count(element, values, path)
        for value in values:
            self._value(structure, element, value, path)
        slices = structure.slices.get(element["id"], ())
        sorted_: dict[str, list[Value]] = defaultdict(list)
        for value in values:
            for piece in slices:
                if self._matches(structure, element, piece, value):
                    sorted_[piece["id"]].append(value)
                    break
            else:
                if slices and element.get("slicing", {}).get("rules") == "closed":
                    self.tell(path, "in none of the slices")
        for piece in slices:
            self._count(piece, sorted_[piece["id"]], f"{path}:{piece['sliceName']}")
            for value in sorted_[piece["id"]]:
                self._value(structure, piece, value, f"{path}:{piece['sliceName']}")

    def _count(self, element: Json, values: Sequence[Value], path: str) -> None:
        most = element["max"]
        if len(values) < element["min"] or (most != "*" and len(values) > int(most)):
            self.tell(path, f"{len(values)} where {element['min']}..{most} may be")

    def _value(self, structure: Structure, element: Json, value: Value, path: str) -> None:
        allowed = {
            t["code"].rsplit(".", 1)[-1] if "fhirpath" in t["code"] else t["code"] for t in element.get("type", [])
        }
        if allowed and value.type not in allowed and "String" not in allowed:
            self.tell(path, f"type {value.type}, not {sorted(allowed)}")
        self._constant(element, value, path)
        self._binding(element, value, path)
        if value.type == "Reference":
            self._reference(element, value.content, path)
        if isinstance(value.content, dict):
            self._within(structure, element, value, path)
        elif value.content is not None:
            self._form(value, path)
        for extension in (value.beside or {}).get("extension", []):
            self._extension(extension, path)

    def _constant(self, element: Json, value: Value, path: str) -> None:
        for key, wanted in element.items():
            if key.startswith("fixed") and value.content != wanted:
                self.tell(path, f"not the fixed value {wanted}")
            if key.startswith("pattern") and not covers(value.content, wanted):
                self.tell(path, f"not of the pattern {wanted}")

    def _form(self, value: Value, path: str) -> None:
        form, content = FORMS.get(value.type), value.content
        if form and not (isinstance(content, str) and form.fullmatch(content)):
            self.tell(path, f"not the form of a {value.type}")
        if isinstance(content, str) and content != (content.strip() or None):
            self.tell(path, "empty, or with blanks around")

    def _within(self, structure: Structure, element: Json, value: Value, path: str) -> None:
        if value.type == "Extension":
            self._extension(value.content, path)
        elif structure.children.get(element["id"]):
            self._members(structure, element["id"], value.content, path)
        elif "contentReference" in element:
            self._members(structure, element["contentReference"].rpartition("#")[2], value.content, path)
        elif typed := self.checker.packages.structure(BASE + value.content.get("resourceType", value.type)):
            self._members(typed, typed.type, value.content, path)
        for profile in {p for t in element.get("type", []) if t["code"] == value.type for p in t.get("profile", [])}:
            if value.type != "Extension" and (typed := self.checker.packages.structure(profile)):
                self._members(typed, typed.type, value.content, path)

    def _extension(self, extension: Json, path: str) -> None:
        structure = self.checker.packages.structure(extension.get("url", ""))
        if structure is None:
            if "/" in extension.get("url", ""):
                self.tell(f"{path}.extension", f"no package has {extension.get('url')}")
            return
        self._members(structure, "Extension", extension, f"{path}.extension({extension['url'].rsplit('/', 1)[-1]})")

    # Codes and references

    def _binding(self, element: Json, value: Value, path: str) -> None:
        binding = element.get("binding")
        if not binding or value.content is None:
            return
        sets = [e["valueCanonical"] for e in binding.get("extension", []) if e["url"] == MAXIMUM]
        sets += [binding["valueSet"]] if binding["strength"] == "required" and "valueSet" in binding else []
        for value_set in sets:
            if value.type == "Quantity":
                codings = [(value.content.get("system"), value.content.get("code"))]
            else:
                codings = list(_codings(value))
            answers = [self.checker.packages.has(value_set, s, c) for s, c in codings if c is not None]
            if True in answers:
                continue
            if None in answers:
                self.checker.unexpanded[value_set.rsplit("/", 1)[-1]] += 1
                continue
            self.tell(path, f"no code of {value_set.rsplit('/', 1)[-1]}")

    def _reference(self, element: Json, reference: Json, path: str) -> None:
        target = reference.get("reference", "")
        targets = [p for t in element.get("type", []) if t["code"] == "Reference" for p in t.get("targetProfile", [])]
        if not target:
            return
        found = self.checker.resources.get(target) if target[0] != "#" else self._contained(target)
        if found is None:
            self.tell(path, "leads to nothing that is there")
            return
        claims = [BASE + found["resourceType"], *found.get("meta", {}).get("profile", [])]
        any_resource = BASE + "Resource"
        if (
            targets
            and any_resource not in targets
            and not any(self.checker.packages.derives(claim, wanted) for claim in claims for wanted in targets)
        ):
            self.tell(path, f"leads to {claims[-1].rsplit('/', 1)[-1]}, not {[t.rsplit('/', 1)[-1] for t in targets]}")

    def _contained(self, target: str) -> Json | None:
        return next((r for r in self.resource.get("contained", []) if f"#{r['id']}" == target), None)

    # Slices

    def _matches(self, structure: Structure, element: Json, piece: Json, value: Value) -> bool:
        for discriminator in element.get("slicing", {}).get("discriminator", []):
            if not self._discriminated(structure, piece, value, discriminator):
                return False
        return True

    def _discriminated(self, structure: Structure, piece: Json, value: Value, by: Json) -> bool:
        if value.type == "Extension":
            url = structure.elements.get(f"{piece['id']}.url", {})
            urls = [p for t in piece.get("type", []) for p in t.get("profile", [])] or [url.get("fixedUri")]
            return bool(value.content.get("url") in urls)
        if by["type"] == "type":
            return value.type in {t["code"] for t in piece.get("type", [])}
        if by["type"] == "profile":
            found = self.checker.resources.get(value.content.get("reference", ""), {})
            claims = found.get("meta", {}).get("profile", [])
            targets = [p for t in piece.get("type", []) for p in t.get("targetProfile", [])]
            return any(self.checker.packages.derives(c, t) for c in claims for t in targets)
        return all(self._alike(structure, piece["id"], step, value.content) for step in [by["path"]])

    def _alike(self, structure: Structure, of: str, path: str, content: Any) -> bool:
        """Whether the value at a discriminator's path is what the slice asks for there."""
        parts = [] if path == "$this" else path.split(".")
        element = structure.elements.get(".".join([of, *parts]))
        found = [content]
        for part in parts:
            found = [m for v in found for m in _listed(v.get(part) if isinstance(v, dict) else None)]
        if element is None:
            return bool(found)
        for key, wanted in element.items():
            if key.startswith(("fixed", "pattern")):
                return any(covers(v, wanted) for v in found)
        if element.get("binding", {}).get("strength") == "required":
            codings = [pair for v in found for pair in _codings(Value("CodeableConcept", v))]
            return any(self.checker.packages.has(element["binding"]["valueSet"], s, c) for s, c in codings if c)
        return bool(found)

    # Invariants

    def _invariants(self, structure: Structure, element: Json, value: Any, path: str) -> None:
        for constraint in element.get("constraint", []):
            if constraint["key"] in PASSED_OVER or "expression" not in constraint:
                continue
            if constraint["severity"] == "error" and not self._holds(constraint["expression"], value, path):
                self.tell(path, f"breaks {constraint['key']}: {constraint['human']}")
        if not isinstance(value, dict):
            return
        for child in structure.children.get(element["id"], ()):
            for found in _values(value, child["path"].rpartition(".")[2], child)[0]:
                if found.content is not None:
                    self._invariants(structure, child, found.content, child["path"])

    def _holds(self, expression: str, value: Any, path: str) -> bool:
        if "resolve()" in expression or "memberOf" in expression or "htmlChecks" in expression:
            return True
        typed = value if isinstance(value, dict) and "resourceType" in value else None
        content: Any = value if typed else {"base": path, "expression": expression}
        if typed is None and "%resource" in expression:
            return True
        if typed is None:
            found = evaluate(
                value if isinstance(value, dict) else {"it": value}, _unbound(expression, value), [], models["r4"]
            )
        else:
            found = evaluate(content, expression, {"resource": value}, models["r4"])
        return found in ([], [True])


def _unbound(expression: str, value: Any) -> str:
    """An invariant of a value that is no object, read as its member `it`."""
    if isinstance(value, dict):
        return expression
    return "true" if "DateTime" not in expression else f"it.toString().length() >= {expression.rsplit(' ', 1)[-1]}"


def covers(content: Any, pattern: Any) -> bool:
    """Whether a value has all that a pattern has."""
    if isinstance(pattern, dict):
        return isinstance(content, dict) and all(
            name in content and covers(content[name], p) for name, p in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(content, list) and all(any(covers(c, p) for c in content) for p in pattern)
    return bool(content == pattern)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _codings(value: Value) -> Iterator[tuple[str | None, str | None]]:
    """The systems and codes of a coded value."""
    content = value.content
    if isinstance(content, str):
        yield None, content
    elif "coding" in content:
        for coding in content["coding"]:
            yield coding.get("system"), coding.get("code")
    elif "code" in content:
        yield content.get("system"), content["code"]


def _values(of: Json, name: str, element: Json) -> tuple[list[Value], set[str]]:
    """The values of a member, and the keys of JSON that hold them."""
    types = [t["code"] for t in element.get("type", [])]
    if name.endswith("[x]"):
        stem, names = name[:-3], {}
        names = {k.lstrip("_"): k.lstrip("_")[len(stem):] for k in of if re.fullmatch(f"_?{stem}[A-Z]\\w*", k)}  # fmt: skip
    else:
        names = {name: ""}
    found: list[Value] = []
    keys: set[str] = set()
    for key, suffix in names.items():
        keys |= {key, f"_{key}"}
        kind = suffix or (types[0] if types else "BackboneElement")
        kind = (
            suffix[0].lower() + suffix[1:] if suffix and suffix[0].lower() + suffix[1:] in FORMS | _PRIMITIVES else kind
        )
        kind = "String" if "fhirpath" in kind else kind
        if key not in of and f"_{key}" not in of:
            continue
        contents, besides = _listed(of.get(key)), _listed(of.get(f"_{key}"))
        length = max(len(contents), len(besides))
        padded = [*contents, *[None] * (length - len(contents))], [*besides, *[None] * (length - len(besides))]
        found += [Value(kind, content, beside) for content, beside in zip(*padded, strict=True)]
        if (
            element["max"] != "1"
            and element.get("base", {}).get("max") != "1"
            and not isinstance(of.get(key, []), list)
        ):
            found.append(Value("not a list", None))
    return found, keys


_PRIMITIVES = dict.fromkeys(("boolean", "integer", "string", "decimal", "positiveInt", "unsignedInt", "markdown", "time",
                             "base64Binary", "oid", "uuid"))  # fmt: skip

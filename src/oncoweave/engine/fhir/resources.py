"""Reads the resources of a FHIR file with the line at which each starts: NDJSON, a Bundle, or one resource.

The JSON is FHIR's, which is stricter than Python's reader: no member twice, no null but beside a `_member`, no NaN. What
breaks a rule is a reject with its line and reason, and never with its content.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from json.decoder import JSONDecodeError
from pathlib import Path
from typing import Any, NoReturn

from oncoweave.errors import DataError

_BLANKS = re.compile(r"[ \t\n\r]*")
DEEPEST = 100
"""How deep a resource may be nested; FHIR's own are below 30."""
BUNDLES = ("document", "collection", "searchset", "transaction", "batch", "history", "message")


@dataclass(frozen=True)
class Found:
    """A resource and the line at which it starts, or why there is none at that line."""

    line: int
    resource: dict[str, Any] | None
    reason: str = ""


class _NotFhir(ValueError):
    """What is wrong with a piece of JSON, in words of ours."""


def resources_of(path: Path, name: str) -> Iterator[Found]:
    """The resources of a file in its order; of a Bundle, those of its entries.

    A name ending in .gz is unpacked. Raises DataError for a file that is not UTF-8, or is one piece of JSON that is
    neither a Bundle nor a resource.
    """
    lines = _is_lines(name)
    opener = gzip.open if name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="\n") as file:
            yield from _lines(file) if lines else _whole(file.read(), name)
    except UnicodeDecodeError:
        raise DataError(f"{name} is not UTF-8, which FHIR's JSON always is", mend="transfer the file again") from None
    except (EOFError, gzip.BadGzipFile):
        raise DataError(f"{name} is cut off, or is no gzip file", mend="transfer the file again") from None


def _is_lines(name: str) -> bool:
    plain = name.removesuffix(".gz")
    return plain.endswith((".ndjson", ".jsonl"))


def _lines(file: Any) -> Iterator[Found]:
    for number, text in enumerate(file, 1):
        if text.strip():
            yield from _resource(number, lambda text=text: _DECODER.decode(text.strip()))


def _whole(text: str, name: str) -> Iterator[Found]:
    """The entries of a Bundle, or the one resource that the file is."""
    try:
        members = dict(_members(text))
    except (JSONDecodeError, _NotFhir, RecursionError):
        raise DataError(
            f"{name} is not whole JSON of FHIR", mend="transfer the file again; one resource a line is named .ndjson"
        ) from None
    if _decoded(members.get("resourceType")) != "Bundle":
        yield from _resource(1, lambda: _DECODER.decode(text.strip()))
        return
    kind = _decoded(members.get("type"))
    if kind not in BUNDLES:
        raise DataError(f"{name} is a Bundle of no type that holds resources", mend=f"one of {', '.join(BUNDLES)}")
    entries = members.get("entry", ())
    keys = dict(filter(None, (_key_of(entry) for _, entry in entries)))
    line, counted = 1, 0
    for start, entry in entries:
        line, counted = line + text.count("\n", counted, start), start
        for found in _resource(line, lambda entry=entry: _of_entry(entry)):
            if found.resource is not None:
                _point(found.resource, keys)
            yield found


def _key_of(entry: Any) -> tuple[str, str] | None:
    """The address by which the other resources of a Bundle refer to an entry, and the key of its resource."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or not isinstance(entry.get("fullUrl"), str):
        return None
    kind, own = resource.get("resourceType"), resource.get("id")
    return (entry["fullUrl"], f"{kind}/{own}") if isinstance(kind, str) and isinstance(own, str) else None


def _point(value: Any, keys: Mapping[str, str]) -> None:
    """Let references to entries of the same Bundle (urn:uuid:…) name the type and id of the resource."""
    if isinstance(value, dict):
        target = value.get("reference")
        if isinstance(target, str) and target in keys:
            value["reference"] = keys[target]
        for member in value.values():
            _point(member, keys)
    elif isinstance(value, list):
        for one in value:
            _point(one, keys)


def _of_entry(entry: Any) -> Any:
    if not isinstance(entry, dict) or "resource" not in entry:
        raise _NotFhir("an entry of the Bundle without a resource")
    return entry["resource"]


def _resource(line: int, read: Any) -> Iterator[Found]:
    try:
        resource = read()
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise _NotFhir("no resource: it has no resourceType")
        _refuse_strange(resource, 1)
    except JSONDecodeError:
        yield Found(line, None, "not whole JSON")
    except RecursionError:
        yield Found(line, None, "nested too deeply")
    except _NotFhir as fault:
        yield Found(line, None, str(fault))
    else:
        yield Found(line, resource)


def _refuse_strange(value: Any, depth: int, beside: bool = False) -> None:
    """Raise for what FHIR's JSON does not have: null, empty texts, lists and objects, or too many levels.

    A list may hold null where its partner `_name` (or `name`) tells of the same place: `beside`.
    """
    if depth > DEEPEST:
        raise _NotFhir("nested too deeply")
    if isinstance(value, dict):
        for name, member in value.items():
            if member is None or member in ("", [], {}):
                raise _NotFhir("a member that is null or empty")
            _refuse_strange(member, depth + 1, f"_{name}" in value or (name[:1] == "_" and name[1:] in value))
    elif isinstance(value, list):
        for one in value:
            if one is None and not beside:
                raise _NotFhir("a list with a null in it")
            if one is not None:
                _refuse_strange(one, depth + 1)


def _members(text: str) -> Iterator[tuple[str, Any]]:
    """The members of the object that `text` is; of `entry`, the elements with the place at which each starts."""
    place = _expect(text, 0, "{")
    while True:
        name, place = _DECODER.raw_decode(text, _skip(text, place))
        if not isinstance(name, str):
            raise _NotFhir("a member without a name")
        place = _skip(text, _expect(text, place, ":"))
        if name == "entry" and text[place : place + 1] == "[":
            entries, place = _elements(text, place)
            yield name, entries
        else:
            value, place = _DECODER.raw_decode(text, place)
            yield name, (value,)
        place = _skip(text, place)
        if text[place : place + 1] == "}":
            if text[place + 1 :].strip():
                raise _NotFhir("something behind the object")
            return
        place = _expect(text, place, ",")


def _elements(text: str, place: int) -> tuple[list[tuple[int, Any]], int]:
    found: list[tuple[int, Any]] = []
    place = _skip(text, place + 1)
    while text[place : place + 1] != "]":
        start = place
        value, place = _DECODER.raw_decode(text, place)
        found.append((start, value))
        place = _skip(text, place)
        if text[place : place + 1] != "]":
            place = _skip(text, _expect(text, place, ","))
    return found, place + 1


def _decoded(member: Any) -> Any:
    return member[0] if member else None


def _skip(text: str, place: int) -> int:
    match = _BLANKS.match(text, place)
    return match.end() if match else place


def _expect(text: str, place: int, sign: str) -> int:
    place = _skip(text, place)
    if text[place : place + 1] != sign:
        raise _NotFhir(f"a `{sign}` is missing")
    return place + 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotFhir("a member that is there twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise _NotFhir("a number that JSON does not have")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_float=Decimal, parse_constant=_no_constant)

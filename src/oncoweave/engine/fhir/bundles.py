"""The entries of a Bundle with the places at which they start, and what their references mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from oncoweave.engine.fhir.strict_json import NotFhir, decoded_at

KINDS = ("document", "collection", "searchset", "transaction", "batch", "history", "message")
"""The types of Bundle that hold resources to be read."""
HELD = 20_000_000
"""Up to so many characters the entries of a file are kept after they were read once; those of a longer one are read twice."""
_BLANKS = re.compile(r"[ \t\n\r]*")

Entries = list[tuple[int, Any]]
"""Entries, each with the place at which it starts; NotFhir stands for one that breaks a rule."""


@dataclass
class Frame:
    """An object as a text: its members but for the entries, where those begin, and by what address each is known."""

    text: str
    members: dict[str, Any] = field(default_factory=dict)
    begin: int | None = None
    keys: dict[str, str | None] = field(default_factory=dict)
    held: Entries | None = None

    def entries(self) -> Iterator[tuple[int, Any]]:
        """The entries in their order."""
        if self.held is not None:
            yield from self.held
        elif self.begin is not None:
            yield from ((start, entry) for start, _, entry in _elements(self.text, self.begin))


def frame_of(text: str) -> Frame:
    """The frame of the object that `text` is; raises NotFhir when it is none, or breaks a rule outside its entries."""
    frame = Frame(text)
    place = _expect(text, 0, "{")
    while True:
        name, place = decoded_at(text, _skip(text, place))
        if not isinstance(name, str):
            raise NotFhir("a member without a name")
        if name in frame.members:
            raise NotFhir("a member that is there twice")
        place = _skip(text, _expect(text, place, ":"))
        if name == "entry" and text[place : place + 1] == "[":
            place = _note_entries(frame, place)
        else:
            frame.members[name], place = decoded_at(text, place)
            if isinstance(frame.members[name], NotFhir):
                raise frame.members[name]
        place = _skip(text, place)
        if text[place : place + 1] == "}":
            if text[place + 1 :].strip():
                raise NotFhir("something behind the object")
            return frame
        place = _expect(text, place, ",")


def refuse_kind(bundle: Mapping[str, Any]) -> None:
    """Raise NotFhir for a Bundle whose entries are none to be read; `bundle` are its members."""
    if bundle.get("type") not in KINDS:
        raise NotFhir("a Bundle of no type that holds resources")
    if not isinstance(bundle.get("entry", []), list):
        raise NotFhir("a Bundle whose `entry` is no list")


def resource_of(entry: Any) -> Any:
    """What an entry holds as its resource; raises NotFhir."""
    if isinstance(entry, NotFhir):
        raise entry
    if not isinstance(entry, dict) or "resource" not in entry:
        raise NotFhir("an entry of the Bundle without a resource")
    return entry["resource"]


def keys_of(entries: Iterator[Any]) -> dict[str, str | None]:
    """By the address of each entry the key of its resource; None where two have the same address."""
    keys: dict[str, str | None] = {}
    for entry in entries:
        _note_key(keys, entry)
    return keys


def point(value: Any, keys: Mapping[str, str | None]) -> None:
    """Let references to entries of the same Bundle (urn:uuid:…) name the type and id of the resource."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            target = one.get("reference")
            if isinstance(target, str) and (key := keys.get(target)):
                one["reference"] = key
            waiting += [member for member in one.values() if isinstance(member, dict | list)]
        else:
            waiting += [member for member in one if isinstance(member, dict | list)]


def _note_entries(frame: Frame, place: int) -> int:
    """Keep the keys of the entries that begin at `place`, and them too where the text is short; where they end."""
    held: Entries | None = [] if len(frame.text) <= HELD else None
    frame.begin, frame.members["entry"] = place, []
    end = place + 1
    for start, end, entry in _elements(frame.text, place):  # noqa: B007 - the end of the last one is what follows it
        if held is not None:
            held.append((start, entry))
        _note_key(frame.keys, entry)
    frame.held = held
    return _expect(frame.text, end, "]")


def _note_key(keys: dict[str, str | None], entry: Any) -> None:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or not isinstance(entry.get("fullUrl"), str):
        return
    kind, own, address = resource.get("resourceType"), resource.get("id"), entry["fullUrl"]
    if isinstance(kind, str) and isinstance(own, str):
        key = f"{kind}/{own}"
        keys[address] = key if keys.get(address, key) == key else None


def _elements(text: str, place: int) -> Iterator[tuple[int, int, Any]]:
    """The elements of the list that begins at `place`, each with its start and end."""
    place = _skip(text, place + 1)
    if text[place : place + 1] == "]":
        return
    while True:
        value, end = decoded_at(text, place)
        yield place, end, value
        place = _skip(text, end)
        if text[place : place + 1] == "]":
            return
        place = _skip(text, _expect(text, place, ","))


def _skip(text: str, place: int) -> int:
    match = _BLANKS.match(text, place)
    return match.end() if match else place


def _expect(text: str, place: int, sign: str) -> int:
    place = _skip(text, place)
    if text[place : place + 1] != sign:
        raise NotFhir("not whole JSON")
    return place + 1

"""From YAML text to a plain tree with places; no other module reads YAML (`waivers_file` writes it).

The tree is built from the parser's events, so nothing is ever constructed from a tag, and a hostile file is
refused before it grows: depth, anchors, aliases and tags stop at their first event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

Value = dict[str, "Value"] | list["Value"] | str | None
Loc = tuple[str | int, ...]
MAX_DEPTH = 32
MAX_FAULTS = 100
NOTHING = ("", "~", "null")


@dataclass(frozen=True)
class Spot:
    """Where a value stands: 1-based line and column, the line of its end, and its quoting sign (or | or >)."""

    place: tuple[int, int]
    end_line: int
    style: str = ""


@dataclass(frozen=True)
class Fault:
    """What is wrong with the text, where, and how to mend it."""

    line: int
    column: int
    code: str
    message: str
    help: str = ""


@dataclass
class Tree:
    """The plain values, and by their loc the places of keys and values."""

    data: Value = None
    keys: dict[Loc, tuple[int, int]] = field(default_factory=dict)
    values: dict[Loc, Spot] = field(default_factory=dict)


def read_tree(text: str) -> tuple[Tree, list[Fault]]:
    """The tree of one YAML document, and its faults; the tree is whole only when there are none."""
    builder = _Builder(_events(text))
    try:
        builder.document()
    except _Refused as refusal:
        builder.faults.append(refusal.fault)
    except MarkedYAMLError as error:
        builder.faults.append(_runaway_quote(error, builder.quoted) or _syntax_fault(error, text))
    except ReaderError as error:
        builder.faults.append(_character_fault(error, text))
    return builder.tree, builder.faults


def read_package_file(package: str, name: str) -> dict[str, Value]:
    """A YAML file of ours beside the modules of a package, which is a map; scalars are texts."""
    tree, faults = read_tree(files(package).joinpath(name).read_text(encoding="utf-8"))
    assert isinstance(tree.data, dict) and not faults, (name, faults)
    return tree.data


def mapping(value: Value) -> Mapping[str, Value]:
    """The value, which is a map, of a file of ours."""
    assert isinstance(value, dict), value
    return value


class _Refused(Exception):
    """Stops reading at the first thing that this language does not have."""

    def __init__(self, event: Event, code: str, message: str, mend: str = "") -> None:
        super().__init__(message)
        line, column = _start(event)
        self.fault = Fault(line, column, code, message, mend)


class _Builder:
    """Reads events one by one into a tree."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.events = events
        self.tree = Tree()
        self.faults: list[Fault] = []
        self.quoted: Spot | None = None
        """The last quoted text that goes over a line's end."""

    def document(self) -> None:
        """Read the stream: at most one document."""
        next(self.events)
        event = next(self.events)
        if isinstance(event, StreamEndEvent):
            return
        self.tree.data = self._value(next(self.events), (), (1, 1))
        next(self.events)
        event = next(self.events)
        if isinstance(event, DocumentStartEvent):
            raise _Refused(event, "yaml-documents", "a second document starts here", "remove the line `---`")

    def _value(self, event: Event, loc: Loc, owner: tuple[int, int]) -> Value:
        """The value that starts with this event; `owner` is the place that stands for an empty one."""
        _refuse_extras(event, loc)
        if isinstance(event, ScalarEvent):
            style = event.style or ""
            nothing = not style and event.value in NOTHING
            place = owner if event.value == "" and not style else _start(event)
            spot = self.tree.values[loc] = Spot(place, event.end_mark.line + 1, style)
            if style in ("'", '"') and spot.end_line > place[0]:
                self.quoted = spot
            return None if nothing else str(event.value)
        self.tree.values[loc] = Spot(_start(event), event.end_mark.line + 1)
        return self._map(loc) if isinstance(event, MappingStartEvent) else self._list(event, loc)

    def _map(self, loc: Loc) -> dict[str, Value]:
        result: dict[str, Value] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = _key(event)
            place = _start(event)
            child = (*loc, key)
            if key in result and len(self.faults) < MAX_FAULTS:
                first = self.tree.keys[child][0]
                message = f"the key `{key}` is given twice; the first is in line {first}"
                self.faults.append(Fault(*place, "duplicate-key", message, "keep one of them"))
            self.tree.keys.setdefault(child, place)
            result[key] = self._value(next(self.events), child, place)
        return result

    def _list(self, start: Event, loc: Loc) -> list[Value]:
        result: list[Value] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            result.append(self._value(event, (*loc, len(result)), _start(start)))
        return result


def _events(text: str) -> Iterator[Event]:
    yaml: Any = YAML(typ="safe", pure=True)
    yield from yaml.parse(text)


def _start(event: Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _refuse_extras(event: Any, loc: Loc) -> None:
    if len(loc) > MAX_DEPTH:
        raise _Refused(event, "yaml-depth", f"this is nested more than {MAX_DEPTH} levels deep", "flatten it")
    if isinstance(event, AliasEvent):
        raise _Refused(event, "yaml-alias", f"aliases (*{event.anchor}) are not read", "write the value out")
    if event.anchor is not None:
        raise _Refused(
            event, "yaml-anchor", f"anchors (&{event.anchor}) are not read", "write the value out at each place"
        )
    if isinstance(event, ScalarEvent) and any("\ud800" <= sign <= "\udfff" for sign in event.value):
        mend = "write the character itself, or \\U with its eight digits"
        raise _Refused(event, "yaml-character", "an escape (\\ud800 to \\udfff) gives half a character", mend)
    if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent) and event.tag is not None:
        raise _Refused(
            event, "yaml-tag", "tags (`!…`) are not read", "remove the tag; put a text that starts with ! in quotes"
        )


def _key(event: Event) -> str:
    if not isinstance(event, ScalarEvent):
        raise _Refused(event, "yaml-key", "a key must be one text, not a map or a list", "put it in quotes")
    _refuse_extras(event, ())
    if event.value == "" and not event.style:
        raise _Refused(
            event, "yaml-key", "a key is missing before the colon", "write the key, or put the text in quotes"
        )
    return str(event.value)


SYNTAX = (
    ("mapping values are not allowed", "a colon followed by a blank cannot stand here", "indent the keys of a map alike; put a text with a colon in quotes"),
    ("could not find expected ':'", "this line is no `key: value`", "add the colon, or indent it under the text it belongs to"),
    ("while scanning a quoted scalar", "a quoted text is not closed", "close the quote; a quote inside single quotes is doubled"),
    ("expected ',' or", "the list or map in brackets is not closed, or a comma is missing", "check the brackets and commas; put texts with [ ] { } , in quotes"),
    ("expected <block end>", "this does not fit the lines above", "indent the keys of a map and the dashes of a list alike"),
    ("unknown escape character", "this backslash sequence does not exist", "double the backslash, or use single quotes"),
    ("sequence entries are not allowed", "a list cannot start here", "start it on a line of its own, or put a text that starts with a dash in quotes"),
    ("cannot start any token", "a text cannot start with this sign", "put the text in quotes"),
    ("while scanning a block scalar", "the text after | or > is not indented alike", "indent all of its lines alike"),
    ("while scanning an alias", "a text cannot start with *", "put the text in quotes"),
    ("while scanning an anchor", "a text cannot start with &", "put the text in quotes"),
)  # fmt: skip
"""Parts of the parser's messages, in plain words, with the mend."""
OPENED = ("while scanning a quoted scalar", "expected ',' or")  # told where the quote or bracket opens


def _syntax_fault(error: MarkedYAMLError, text: str) -> Fault:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    tab = _tab_indent(text, line)
    if tab:
        return Fault(*tab, "yaml-tab", "a tab indents this line", "indent with blanks")
    told = f"{error.context or ''} {error.problem or ''}"
    for part, message, mend in SYNTAX:
        if part in told:
            if part in OPENED and error.context_mark:
                line, column = error.context_mark.line + 1, error.context_mark.column + 1
            return Fault(line, column, "yaml-syntax", message, mend)
    return Fault(line, column, "yaml-syntax", f"this is not well-formed YAML: {error.problem or 'broken here'}")


def _runaway_quote(error: MarkedYAMLError, quoted: Spot | None) -> Fault | None:
    """A quote that is not closed ends at the next one, lines below, and only what follows there is malformed."""
    mark = error.problem_mark
    if quoted is None or mark is None or mark.line + 1 != quoted.end_line:
        return None
    message = f"a quoted text is not closed: it goes on to line {quoted.end_line}"
    return Fault(*quoted.place, "yaml-syntax", message, "close the quote; a quote inside single quotes is doubled")


def _tab_indent(text: str, line: int) -> tuple[int, int] | None:
    """The place of a tab in the indentation of this line or the two before it."""
    lines = text.split("\n")
    for number in range(max(line - 2, 1), min(line, len(lines)) + 1):
        indent = re.match(r" *\t", lines[number - 1])
        if indent:
            return number, indent.end()
    return None


def _character_fault(error: ReaderError, text: str) -> Fault:
    before = text[: error.position]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    sign = f"U+{ord(text[error.position]):04X}" if error.position < len(text) else "at the end"
    return Fault(line, column, "yaml-character", f"the control character {sign} is not allowed", "remove it")

"""Reads one YAML specification file into plain text values that remember where they stand.

Every scalar stays the text that was written (`007`, `NO`, `2001-01-01`); pydantic converts later. An empty
value, `~` and `null` are None. Anchors, aliases and tags are refused: one spelling, and no alias bombs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from oncoweave.errors import Problem, Severity, SpecError
from oncoweave.spec.yaml_tree import Fault, Loc, Spot, Tree, Value, read_tree

MAX_BYTES = 1_000_000
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as the end of a line

__all__ = ["Document", "Loc", "Value", "parse_document", "read_document", "read_text"]


@dataclass(frozen=True)
class Document:
    """One specification file: its plain tree of dict, list, text and None, and the place of each of them.

    Where further files make one tree with it (`spec.mapping_files`), `files` are all of them, this one as it stands alone
    the first, and `homes` says of each item that another file brings in which file it stands, and where.
    """

    path: Path
    name: str
    text: str
    data: Value
    tree: Tree
    files: tuple[Document, ...] = ()
    homes: Mapping[Loc, tuple[Document, Loc]] = field(default_factory=dict)

    def home(self, loc: Loc) -> tuple[Document, Loc]:
        """The file in which the value at `loc` stands, and its place there."""
        document, start = self.homes.get(loc[:2], (self, loc[:2]))
        return document, (*start, *loc[2:])

    def where(self, loc: Loc, seen_from: Loc) -> str:
        """The line of `loc` in words, with the name of its file where `seen_from` stands in another."""
        document, at = self.home(loc)
        other = "" if document is self.home(seen_from)[0] else f" of {document.name}"
        return f"line {document.place(at)[0]}{other}"

    def place(self, loc: Loc) -> tuple[int, int]:
        """1-based line and column of the value at `loc`; for what is missing, of the key that should hold it."""
        document, loc = self.home(loc)
        if document is not self:
            return document.place(loc)
        spot = self.tree.values.get(loc)
        return spot.place if spot else self._owner(loc)

    def place_of_key(self, loc: Loc) -> tuple[int, int]:
        """1-based line and column of the key at `loc`; of the value where it has no key (list items)."""
        return self.tree.keys.get(loc) or self.place(loc)

    def problem(
        self,
        code: str,
        message: str,
        loc: Loc,
        *,
        help: str = "",  # noqa: A002 - named as the field of Problem
        offset: int = 0,
        severity: Severity = "error",
        at: Literal["value", "key"] = "value",
    ) -> Problem:
        """A problem at `loc`: at its value, `offset` characters into the text, or at its key."""
        document, loc = self.home(loc)
        if document is not self:
            return document.problem(code, message, loc, help=help, offset=offset, severity=severity, at=at)
        line, column = self.place_of_key(loc) if at == "key" else self.place(loc)
        spot = self.tree.values.get(loc)
        if spot and at == "value":
            column += self._written_length(spot, offset)
        return Problem(self.name, line, column, code, message, help, self.line(line), severity)

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the file, without their ends."""
        return LINE_BREAK.split(self.text)

    def line(self, number: int) -> str:
        """The text of the line with that 1-based number; empty past the end."""
        return line_of(self.lines, number)

    def each(self, *pattern: str | int) -> Iterator[tuple[Loc, Value]]:
        """Every (loc, value) that fits the pattern, in which "*" stands for any key or item."""
        found: list[tuple[Loc, Value]] = [((), self.data)]
        for step in pattern:
            children = (child for loc, value in found for child in _children(loc, value))
            found = [child for child in children if step in ("*", child[0][-1])]
        return iter(found)

    def get(self, loc: Loc) -> Value:
        """The value at `loc`; None when there is none."""
        value = self.data
        for step in loc:
            if isinstance(value, dict):
                value = value.get(str(step))
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def _owner(self, loc: Loc) -> tuple[int, int]:
        """The place of the nearest key (or list item) above `loc` that exists."""
        while loc:
            loc = loc[:-1]
            if loc in self.tree.keys:
                return self.tree.keys[loc]
            if loc in self.tree.values:
                return self.tree.values[loc].place if loc else (1, 1)
        return (1, 1)

    def _written_length(self, spot: Spot, offset: int) -> int:
        """How many columns `offset` characters of the value take in the file; 0 where it spans lines."""
        if not offset or spot.end_line != spot.place[0] or spot.style in ("|", ">"):
            return 0
        if not spot.style:
            return offset
        line, column = spot.place
        raw = self.line(line)[column:]
        escapes = r"''" if spot.style == "'" else r"\\(?:x.{2}|u.{4}|U.{8}|.)"
        signs = [m.end() for m in re.finditer(f"(?:{escapes}|.)", raw)]
        return 1 + (signs[offset - 1] if offset <= len(signs) else offset)


def read_document(path: Path, root: Path) -> Document:
    """Read a YAML file.

    `root` is the project's folder: the file is named relative to it. Raises SpecError with every problem
    that keeps the file from being read: no file, not UTF-8, broken YAML, duplicate keys, anchors, tags.
    """
    return parse_document(read_text(path, root), path, root)


def parse_document(text: str, path: Path, root: Path) -> Document:
    """The document that this text makes; raises as `read_document` does."""
    name = shown_name(path, root)
    tree, faults = _tree(text)
    if faults:
        lines = LINE_BREAK.split(text)
        problems = [Problem(name, f.line, f.column, f.code, f.message, f.help, line_of(lines, f.line)) for f in faults]
        raise SpecError(f"{name} cannot be read", problems=problems)
    return Document(path, name, text, tree.data, tree)


@lru_cache(maxsize=64)
def _tree(text: str) -> tuple[Tree, list[Fault]]:
    """The tree of a text; a run reads the same files three times, and nobody changes a tree."""
    return read_tree(text)


def read_text(path: Path, root: Path, limit: int = MAX_BYTES) -> str:
    """The text of a UTF-8 file of at most `limit` bytes, without its byte order mark; raises SpecError."""
    name = shown_name(path, root)
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "there is no such file" if missing else f"the file cannot be read: {error.strerror}"
        problem = Problem(
            name, 1, 1, "no-file", reason, "create it, or mend its name" if missing else "check its permissions"
        )
        raise SpecError(f"{name}: {reason}", problems=[problem]) from None
    if len(raw) > limit:
        message = f"the file is larger than {limit // 1000:,} kB, which no specification needs"
        raise SpecError(
            f"{name} is too large",
            problems=[
                Problem(name, 1, 1, "too-large", message, "check that this is the right file; keep data out of it")
            ],
        )
    return _decode(raw, name)


def shown_name(path: Path, root: Path) -> str:
    """The path as people see it: relative to the project where it lies inside."""
    absolute, home = path.absolute(), root.absolute()
    return (absolute.relative_to(home) if absolute.is_relative_to(home) else path).as_posix()


def line_of(lines: Sequence[str], number: int) -> str:
    """The line with that 1-based number; empty past the end."""
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _decode(raw: bytes, name: str) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        problem = Problem(name, 1, 1, "not-utf8", "the file is UTF-16, not UTF-8", "save it as UTF-8")
        raise SpecError(f"{name} is not UTF-8", problems=[problem])
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = LINE_BREAK.split(raw[: error.start].decode("utf-8", "replace"))
        line = raw.splitlines()[len(before) - 1].decode("utf-8", "replace")
        problem = Problem(
            name,
            len(before),
            len(before[-1]) + 1,
            "not-utf8",
            "this character is not UTF-8",
            "save the file as UTF-8",
            line,
        )
        raise SpecError(f"{name} is not UTF-8", problems=[problem]) from None


def _children(loc: Loc, value: Value) -> list[tuple[Loc, Value]]:
    if isinstance(value, dict):
        return [((*loc, key), child) for key, child in value.items()]
    if isinstance(value, list):
        return [((*loc, number), child) for number, child in enumerate(value)]
    return []

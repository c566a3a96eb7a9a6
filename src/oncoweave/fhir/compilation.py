"""Compiles a template for the events of one file to one SQL text: what is the same in all of them is text already.

First every leaf is bound: its columns are constants of the file, or columns of the rows that are sorted. What then has no column
left is worked out at once. The rest is put together with as few pieces as there can be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from oncoweave.engine.parquet import identifier, literal
from oncoweave.events import TYPES, constant_sql
from oncoweave.fhir.template import Leaf, Required, Tree, When
from oncoweave.records import EventFile

_SAME = re.compile(r'\("(\w+)"\) IS DISTINCT FROM "\1"')
"""A comparison of a column that is derived from another with that one."""
_LOOKED_UP = re.compile(r'CAST\(("\w+@\w+") AS VARCHAR\)')
_WORD = re.compile(r"'(?:[^']|'')*'|[a-z_]+[@#][a-z_0-9]+|[a-z_][a-z_0-9]*")


@dataclass(frozen=True)
class Bound:
    """SQL over the sorted rows, and the columns of them that it names."""

    sql: str
    columns: frozenset[str]


@dataclass(frozen=True)
class Binder:
    """Binds SQL of templates to an event file. `told` says what lookups say of constant concepts, `words` what is so in all files."""

    file: EventFile
    told: Mapping[tuple[str, int], str | None]
    words: Mapping[str, str]

    def bind(self, sql: str) -> Bound:
        """The SQL with the file's constants in it."""
        columns: set[str] = set()
        text = _WORD.sub(lambda found: self._word(found[0], columns), sql)
        return Bound(_SAME.sub("false", text), frozenset(columns))

    def _word(self, word: str, columns: set[str]) -> str:
        if "@" in word and word[0] != "'":
            return self._lookup(word, columns)
        if "#" in word and word[0] != "'":
            columns.add(word)
            return identifier(word)
        if word not in TYPES:
            return self.words.get(word, word)
        if word in self.file.derived:
            bound = self.bind(self.file.derived[word])
            columns |= bound.columns
            return f"({bound.sql})"
        if word not in self.file.columns:
            return constant_sql(self.file.constants.get(word), word)
        columns.add(word)
        return identifier(word)

    def _lookup(self, word: str, columns: set[str]) -> str:
        what, column = word.split("@")
        if column in self.file.columns or column in self.file.derived:
            columns.add(word)
            return f"CAST({identifier(word)} AS VARCHAR)"
        concept = self.file.constants.get(column)
        told = self.told.get((what, int(concept))) if concept else None
        return "CAST(NULL AS VARCHAR)" if told is None else literal(told)


@dataclass(frozen=True)
class Sql:
    """SQL of a text among the pieces of a part."""

    text: str


Pieces: TypeAlias = tuple[str | Sql, ...]
"""Constant text and SQL of text, one after the other."""


@dataclass(frozen=True)
class Part:
    """A tree for the events of a file: JSON text in pieces, of which none is NULL if it is there `always`.

    One that is there for some events only is NULL for the others: it is one piece of SQL between constants, all of which are left
    away with it. `sure` are, where it can be told cheaply, a condition by which it is there, and the pieces that it then has.
    Without pieces it is nothing. `told` says that it holds more than the constants of the template.
    """

    pieces: Pieces = ()
    told: bool = False
    always: bool = True
    sure: tuple[str, Pieces] | None = None

    @property
    def sql(self) -> str:
        """The SQL of the text."""
        if self.always:
            return _concatenated(self.pieces)
        general = " || ".join(_texts(self.pieces))
        if self.sure is None or self.sure[1] == self.pieces:
            return general
        return f"CASE WHEN {self.sure[0]} THEN {_concatenated(self.sure[1])} ELSE {general} END"

    @property
    def single(self) -> Pieces:
        """The pieces, of one that may not be there with one piece of SQL that is NULL then."""
        return (Sql(self.sql),) if self.sure else self.pieces

    def after(self, text: str) -> Pieces:
        """The pieces after a constant: as a part among others, NULL for nothing."""
        if self.always or not self.sure:
            pieces = _joined([text, *self.pieces])
            return pieces if self.always else (Sql(" || ".join(_texts(pieces))),)
        return (Sql(f"{literal(text)} || {self.sql}"),)


NOTHING = Part()


def _texts(pieces: Pieces) -> list[str]:
    return [piece.text if isinstance(piece, Sql) else literal(piece) for piece in pieces]


def _concatenated(pieces: Pieces) -> str:
    """SQL of the pieces together; what is NULL among them is empty."""
    texts = _texts(pieces)
    return texts[0] if len(texts) == 1 else f"concat({', '.join(texts)})"


def leaves_of(tree: Tree) -> Iterator[Leaf]:
    """The leaves of a tree."""
    if isinstance(tree, Leaf):
        yield tree
    elif isinstance(tree, Required):
        yield from leaves_of(tree.tree)
    elif isinstance(tree, When):
        yield Leaf(tree.sql)
        yield from leaves_of(tree.tree)
    elif isinstance(tree, Mapping):
        for inner in tree.values():
            yield from leaves_of(inner)
    elif isinstance(tree, Sequence) and not isinstance(tree, str):
        for inner in tree:
            yield from leaves_of(inner)


def part_of_leaf(leaf: Leaf, bound: Bound, value: str | None) -> Part:
    """A leaf for the events of a file; `value` is what it comes to if it has no column. What a lookup says is told cheaply."""
    quote = ['"'] if leaf.quoted else []
    if not bound.columns:
        return NOTHING if value is None else Part(_joined([*quote, value, *quote]), told=True)
    pieces = _joined([*quote, Sql(f"({bound.sql})" if leaf.quoted else bound.sql), *quote])
    looked_up = _LOOKED_UP.fullmatch(bound.sql)
    return Part(
        pieces, told=True, always=leaf.always, sure=(f"{looked_up[1]} IS NOT NULL", pieces) if looked_up else None
    )


def compiled(tree: Tree, part_of: Callable[[Leaf], Part]) -> Part:
    """The tree put together; `part_of` gives what each leaf is for the events of the file."""
    if isinstance(tree, Leaf):
        return part_of(tree)
    if isinstance(tree, Required):
        return _or_else(compiled(tree.tree, part_of), compiled(tree.otherwise, part_of))
    if isinstance(tree, When):
        return _if_met(part_of(Leaf(tree.sql)), tree.tree, part_of)
    if isinstance(tree, Mapping):
        members = ((f"{json.dumps(name)}:", compiled(inner, part_of)) for name, inner in tree.items())
        return _object(list(members))
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        return _array([compiled(inner, part_of) for inner in tree])
    return Part((json.dumps(tree, ensure_ascii=False),))


def _if_met(condition: Part, tree: Tree, part_of: Callable[[Leaf], Part]) -> Part:
    """The tree where the condition is met; one that is the same in all events is `true`, `false` or nothing."""
    if condition.pieces in ((), ("false",)):
        return NOTHING
    part = compiled(tree, part_of)
    if condition.pieces == ("true",) or not part.pieces:
        return replace(part, told=bool(part.pieces))
    return Part((Sql(f"CASE WHEN {condition.sql} THEN {part.sql} END"),), told=True, always=False)


def _or_else(part: Part, otherwise: Part) -> Part:
    if not part.pieces or part.always:
        return replace(part if part.pieces else otherwise, told=True)
    if part.sure:
        rest = f"coalesce({' || '.join(_texts(part.pieces))}, {otherwise.sql})"
        text = f"CASE WHEN {part.sure[0]} THEN {_concatenated(part.sure[1])} ELSE {rest} END"
        return Part((Sql(text),), told=True)
    return Part((Sql(f"coalesce({part.sql}, {otherwise.sql})"),), told=True)


def _object(members: Sequence[tuple[str, Part]]) -> Part:
    """An object of what there is of its members; nothing where there are constants of the template at most.

    What is always there comes first, so that no comma depends on what may not be.
    """
    present = [(name, part) for name, part in members if part.pieces]
    told = any(part.told for _, part in present)
    if not present or (not told and len(present) < len(members)):
        return NOTHING
    always = [(name, part) for name, part in present if part.always]
    perhaps = [(name, part) for name, part in present if not part.always]
    pieces: list[str | Sql] = ["{"]
    for number, (name, part) in enumerate(always):
        pieces += [("," if number else "") + name, *part.pieces]
    if not perhaps or any(part.told for _, part in always):
        return Part(_joined([*pieces, *_optional(perhaps), "}"]), told)
    start = ("," if always else "", pieces)
    return Part(_some(start, perhaps), told, always=False, sure=_sure(start, perhaps))


_Start: TypeAlias = tuple[str, list[str | Sql]]
"""The comma before the next member, if any, and the pieces before it."""


def _optional(members: Iterable[tuple[str, Part]]) -> list[str | Sql]:
    """Members that may not be there, after others."""
    return [piece for name, part in members for piece in part.after("," + name)]


def _some(start: _Start, perhaps: Sequence[tuple[str, Part]]) -> Pieces:
    """An object that is there if any of these members is: NULL otherwise."""
    comma, pieces = start
    if len(perhaps) == 1:
        name, part = perhaps[0]
        return _joined([*pieces, comma + name, *part.single, "}"])
    found = _concatenated(tuple(_optional(perhaps)))
    bare = found if comma else f"ltrim({found}, ',')"
    return _joined([*pieces, Sql(f"nullif({bare}, '')"), "}"])


def _sure(start: _Start, perhaps: Sequence[tuple[str, Part]]) -> tuple[str, Pieces] | None:
    """The condition by which the first of them that can be told cheaply is there, and the pieces with it in front."""
    comma, pieces = start
    for name, part in perhaps:
        if part.sure:
            condition, inner = part.sure
            others = [(n, p) for n, p in perhaps if p is not part]
            return condition, _joined([*pieces, comma + name, *inner, *_optional(others), "}"])
    return None


def _array(items: Sequence[Part]) -> Part:
    """An array of what there is of its items, in their order; nothing where there are constants of the template at most."""
    present = [part for part in items if part.pieces]
    told = any(part.told for part in present)
    if not present or (not told and len(present) < len(items)):
        return NOTHING
    first, later = present[0], present[1:]
    rest = [piece for part in later for piece in part.after(",")]
    always = not told or any(part.told for part in present if part.always)
    if first.always and always:
        return Part(_joined(["[", *first.pieces, *rest, "]"]), told)
    if not later:
        sure = (first.sure[0], _joined(["[", *first.sure[1], "]"])) if first.sure else None
        return Part(_joined(["[", *first.single, "]"]), told, always=False, sure=sure)
    all_ = Sql(f"ltrim({_concatenated((*first.after(','), *rest))}, ',')")
    if always:
        return Part(_joined(["[", all_, "]"]), told)
    perhaps = [part.sql for part in present if not part.always]
    some = Sql(f"CASE WHEN coalesce({', '.join(perhaps)}) IS NOT NULL THEN {all_.text} END")
    sure = (first.sure[0], _joined(["[", *first.sure[1], *rest, "]"])) if first.sure else None
    return Part(_joined(["[", some, "]"]), told, always=False, sure=sure)


def _joined(pieces: Iterable[str | Sql]) -> Pieces:
    """The pieces, with constants that follow each other as one."""
    joined: list[str | Sql] = []
    for piece in pieces:
        if joined and isinstance(piece, str) and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)

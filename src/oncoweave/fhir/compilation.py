"""Compiles a template for the events of one file to one SQL text: what is the same in all of them is text already.

First every leaf is bound: its columns are constants of the file, or columns of the rows that are sorted. What then has no column
left is worked out at once. The rest is put together with as few pieces as there can be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from oncoweave.engine.parquet import identifier, literal
from oncoweave.events import TYPES, constant_sql
from oncoweave.fhir.template import Leaf, Required, Tree, When
from oncoweave.records import EventFile

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
        return Bound(_WORD.sub(lambda found: self._word(found[0], columns), sql), frozenset(columns))

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


@dataclass(frozen=True)
class Part:
    """A tree for the events of a file: pieces of JSON text, of which none is NULL if it is there `always`; else it is one SQL text.

    Without pieces it is nothing. `told` says that it holds more than the constants of the template.
    """

    pieces: tuple[str | Sql, ...] = ()
    told: bool = False
    always: bool = True

    @property
    def sql(self) -> str:
        """The SQL of the text."""
        texts = [piece.text if isinstance(piece, Sql) else literal(piece) for piece in self.pieces]
        return texts[0] if len(texts) == 1 else f"concat({', '.join(texts)})"


NOTHING = Part()


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
        return _assembled(list(members), "{", "}")
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        return _assembled([("", compiled(inner, part_of)) for inner in tree], "[", "]")
    return Part((json.dumps(tree, ensure_ascii=False),))


def _if_met(condition: Part, tree: Tree, part_of: Callable[[Leaf], Part]) -> Part:
    """The tree where the condition is met; one that is the same in all events is `true`, `false` or nothing."""
    if condition.pieces in ((), ("false",)):
        return NOTHING
    part = compiled(tree, part_of)
    if condition.pieces == ("true",) or not part.pieces:
        return part
    return Part((Sql(f"CASE WHEN {condition.sql} THEN {part.sql} END"),), told=True, always=False)


def _or_else(part: Part, otherwise: Part) -> Part:
    if not part.pieces:
        return otherwise
    return part if part.always else Part((Sql(f"coalesce({part.sql}, {otherwise.sql})"),), told=True)


def _assembled(members: Sequence[tuple[str, Part]], begin: str, end: str) -> Part:
    """An object or an array of what there is of its members; nothing where there are constants of the template at most."""
    present = [(name, part) for name, part in members if part.pieces]
    told = any(part.told for _, part in present)
    if not present or (not told and len(present) < len(members)):
        return NOTHING
    always = [(name, part) for name, part in present if part.always]
    perhaps = [f"{literal(',' + name)} || {part.sql}" for name, part in present if not part.always]
    pieces: list[str | Sql] = [begin]
    for number, (name, part) in enumerate(always):
        pieces += [("," if number else "") + name, *part.pieces]
    if not perhaps or any(part.told for _, part in always):
        return Part(_joined([*pieces, *map(Sql, perhaps), end]), told)
    start = Part(_joined(pieces)).sql
    if len(perhaps) == 1 and not always:
        name, part = next((name, part) for name, part in present if not part.always)
        return Part((Sql(f"{literal(begin + name)} || {part.sql} || {literal(end)}"),), told, always=False)
    found = perhaps[0] if len(perhaps) == 1 else f"nullif(concat({', '.join(perhaps)}), '')"
    if not always:
        found = f"nullif(ltrim(concat({', '.join(perhaps)}), ','), '')"
    return Part((Sql(f"{start} || {found} || {literal(end)}"),), told, always=False)


def _joined(pieces: Iterable[str | Sql]) -> tuple[str | Sql, ...]:
    """The pieces, with constants that follow each other as one."""
    joined: list[str | Sql] = []
    for piece in pieces:
        if joined and isinstance(piece, str) and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)

"""The pass over `joins:`: which source tables look into which others, and the fields that their rules may therefore read.

A row finds at most one row of the other table, so a join neither adds nor loses rows. What it finds is read as
`table.field`; through a chain of joins as `table.further_table.field`. A field that is read through a join keeps the
type, the missing codes and the privacy class that it has in its own table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import Field

from oncoweave.compiler.keys import person_fields
from oncoweave.errors import Problem, nearest
from oncoweave.spec.document import Loc
from oncoweave.spec.joins import Join
from oncoweave.spec.source import FieldSpec, Source, Table

if TYPE_CHECKING:
    from oncoweave.compiler.draft import Draft

DOT = "."


class JoinedField(FieldSpec):
    """A field of another table, as it is read through a join."""

    identifies: bool = Field(description="Whether it tells who the person is, in its own table.")


@dataclass(frozen=True)
class BoundJoin:
    """How a row of `table` finds its row of `to`.

    `by` are pairs of fields, one of `table` and one of `to`; `key` are those of `to` that identify a row: its row key
    (`is_row_key`), or fields that are declared as unique.
    """

    name: str
    table: str
    to: str
    by: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    is_row_key: bool


def read_joins(draft: Draft) -> Draft:
    """Checks every join, and widens the source tables by the fields that they find."""
    reader = _Reader(draft)
    for number, join in enumerate(draft.inputs.mapping.joins):
        reader.read(number, join)
    return replace(draft, joins=tuple(reader.joins), readable=reader.widened()).with_problems(reader.problems)


def is_joined(field: str) -> bool:
    """Whether a field is read through a join."""
    return DOT in field


def joins_of(joins: Iterable[BoundJoin], table: str) -> dict[str, BoundJoin]:
    """The joins of a table by name."""
    return {join.name: join for join in joins if join.table == table}


def paths(joins: Sequence[BoundJoin], table: str, to: str) -> list[tuple[BoundJoin, ...]]:
    """Every chain of joins that leads from a row of `table` to one of `to`."""
    found: list[tuple[BoundJoin, ...]] = []
    for join in joins_of(joins, table).values():
        found += [(join,)] if join.to == to else []
        found += [(join, *rest) for rest in paths(joins, join.to, to)]
    return found


def depth(joins: Sequence[BoundJoin], table: str) -> int:
    """How many joins the longest chain from a table has."""
    return max((1 + depth(joins, join.to) for join in joins_of(joins, table).values()), default=0)


def fields_looked_into(joins: Sequence[BoundJoin], read: Mapping[str, Iterable[str]]) -> dict[BoundJoin, set[str]]:
    """The fields that each join has to bring, when of every table the fields `read` are read."""
    found: dict[BoundJoin, set[str]] = {}
    waiting = [(table, field) for table, fields in read.items() for field in fields if is_joined(field)]
    while waiting:
        table, field = waiting.pop()
        name, _, rest = field.partition(DOT)
        join = joins_of(joins, table)[name]
        found.setdefault(join, set()).add(rest)
        waiting += [(join.to, rest)] if is_joined(rest) else []
    return found


class _Reader:
    """Reads the joins in the order of the file, collecting problems as it goes."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.source: Source = draft.inputs.source
        self.joins: list[BoundJoin] = []
        self.problems: list[Problem] = []
        self._first: dict[tuple[str, str], int] = {}
        self._by_person: dict[str, BoundJoin] = {}

    def read(self, number: int, join: Join) -> None:
        """One join: kept, even with a fault, where its fields can be told, so that rules are not blamed for it."""
        loc: Loc = ("joins", number)
        if not self._tables(join, loc) or not self._name(number, join) or self._leads_back(join, loc):
            return
        known = self._fields(join, loc)
        key, is_row_key = self._key(join, loc) if known else ((), True)
        bound = BoundJoin(join.as_ or join.to, join.from_, join.to, tuple(join.by.items()), key, is_row_key)
        self.joins.append(bound)
        if join.person and self._person(join, loc):
            self._by_person[join.from_] = bound

    def widened(self) -> Source:
        """The source, each table with the fields that it finds in others."""
        done: dict[str, Table] = {}
        for name in self.source.tables:
            self._widen(name, done)
        return self.source.model_copy(update={"tables": {name: done[name] for name in self.source.tables}})

    def _widen(self, name: str, done: dict[str, Table]) -> Table:
        if name in done:
            return done[name]
        spec = self.source.tables[name]
        fields: dict[str, FieldSpec] = dict(spec.fields)
        for join in joins_of(self.joins, name).values():
            fields |= _found_by(join, self._widen(join.to, done))
        person = spec.person
        if name in self._by_person:
            join = self._by_person[name]
            person = tuple(f"{join.name}{DOT}{field}" for field in person_fields(done[join.to]) or ())
        done[name] = spec.model_copy(update={"fields": fields, "person": person})
        return done[name]

    # Checks

    def _tables(self, join: Join, loc: Loc) -> bool:
        tables = self.source.tables
        unknown = [(key, name) for key, name in (("from", join.from_), ("to", join.to)) if name not in tables]
        for key, name in unknown:
            self._tell("table", f"there is no source table `{name}`", (*loc, key), nearest(name, tables))
        return not unknown

    def _name(self, number: int, join: Join) -> bool:
        name = (join.from_, join.as_ or join.to)
        first = self._first.setdefault(name, number)
        if first == number:
            return True
        message = f"`{join.from_}` finds another row as `{name[1]}` already"
        mend = f"give one of them another name: `as: …`; the first is in {self._place(first, number)}"
        self._tell("join", message, ("joins", number, "as" if join.as_ else "to"), mend)
        return False

    def _place(self, first: int, second: int) -> str:
        return self.draft.inputs.document.where(("joins", first), ("joins", second))

    def _leads_back(self, join: Join, loc: Loc) -> bool:
        back = join.to == join.from_ or bool(paths(self.joins, join.to, join.from_))
        if back:
            message = f"`{join.from_}` is joined to `{join.to}`, which leads back to it"
            self._tell("circle", message, (*loc, "to"), "a row cannot be looked up by itself; break the circle")
        return back

    def _fields(self, join: Join, loc: Loc) -> bool:
        own, theirs = self.source.tables[join.from_].fields, self.source.tables[join.to].fields
        before = len(self.problems)
        for mine, other in join.by.items():
            if mine not in own:
                message = f"`{mine}` is not a declared field of `{join.from_}`"
                self._tell("field", message, (*loc, "by", mine), nearest(mine, own), at="key")
            if other not in theirs:
                message = f"`{other}` is not a declared field of `{join.to}`"
                self._tell("field", message, (*loc, "by", mine), nearest(other, theirs))
        return len(self.problems) == before

    def _key(self, join: Join, loc: Loc) -> tuple[tuple[str, ...], bool]:
        """The fields of `to` among those of `by` that identify a row there, and whether they are its row key."""
        spec = self.source.tables[join.to]
        given = set(join.by.values())
        for key in filter(None, (spec.row.fields, *spec.unique)):
            if set(key) <= given:
                return tuple(key), key == spec.row.fields
        message = f"{_listed(join.by.values())} of `{join.to}` may be the same in several rows, and a join finds one"
        keys = " or by ".join(_listed(key) for key in (spec.row.fields, *spec.unique) if key)
        declare = f"declare `unique: [[{', '.join(join.by.values())}]]` for `{join.to}` in source.yaml where it is so"
        self._tell("join", message, (*loc, "by"), f"join by {keys}, or {declare}" if keys else declare, at="key")
        return (), True

    def _person(self, join: Join, loc: Loc) -> bool:
        """Whether a join may tell the person: nothing else does, and the other table knows it."""
        before = len(self.problems)
        if self.source.tables[join.from_].person:
            message = f"source.yaml says already which fields of `{join.from_}` tell the person"
            self._tell("person", message, (*loc, "person"), "leave one of the two out", at="key")
        if join.from_ in self._by_person:
            message = f"another join of `{join.from_}` tells the person already"
            self._tell("person", message, (*loc, "person"), "leave one of the two out", at="key")
        theirs = self.source.tables[join.to]
        if not person_fields(theirs) and not any(j.person and j.from_ == join.to for j in self._all()):
            message = f"a row of `{join.to}` does not tell its person"
            self._tell("person", message, (*loc, "person"), f"add `person:` to `{join.to}` in source.yaml", at="key")
        return len(self.problems) == before

    def _all(self) -> Sequence[Join]:
        return self.draft.inputs.mapping.joins

    def _tell(self, code: str, message: str, loc: Loc, help: str, at: str = "value") -> None:  # noqa: A002
        document = self.draft.inputs.document
        self.problems.append(document.problem(code, message, loc, help=help, at=at))  # type: ignore[arg-type]


def _found_by(join: BoundJoin, table: Table) -> dict[str, FieldSpec]:
    """The fields of a table as they are read through a join."""
    person = person_fields(table) or ()
    return {
        f"{join.name}{DOT}{name}": JoinedField(
            **spec.model_dump(exclude={"identifies"}),
            identifies=name in person or (isinstance(spec, JoinedField) and spec.identifies),
        )
        for name, spec in table.fields.items()
    }


def _listed(fields: Iterable[str]) -> str:
    return " and ".join(f"`{field}`" for field in fields)

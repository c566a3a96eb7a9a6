"""Staging: one table of typed fields and keyed hashes for each source table, computed once for all its rules.

Of a field `f` it holds the text as delivered (`f`, NULL where the source says "missing"), the parsed value
(`f$`) and, for dates that may be partial, the precision (`f#`), for dates with a time the time (`f~`). `_state` says why no rule can use the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.sql import (
    Node,
    all_of,
    any_of,
    call,
    case,
    col,
    is_not_null,
    is_null,
    left_join,
    named,
    negate,
    null,
    subquery,
    table,
    text,
)  # fmt: skip
from oncoweave.engine import functions
from oncoweave.engine.date_patterns import parse_date
from oncoweave.engine.expressions import Expression, Kind, column
from oncoweave.engine.numerals import parse_integer, parse_number
from oncoweave.spec.source import FieldSpec, Source, Table

PERSONS = "persons"
"""Temporary table of the mapped persons: key text, person_id."""

DELIVERED = "d"
"""Alias of a snapshot in the statements that read it."""


@dataclass(frozen=True)
class Amendment:
    """A correction, compiled: the condition over the delivered text, and the new text by field."""

    table: str
    number: int
    condition: Node
    texts: Mapping[str, str]
    rows: int


@dataclass(frozen=True)
class StagePlan:
    """How one source table is staged: the SELECT, and what happens to rows that share a key.

    `by_content` says that a row's content is its key, `person_by_content` that it is the person's key too.
    """

    table: str
    name: str
    select: exp.Select
    is_person_table: bool
    by_content: bool
    person_by_content: bool
    content: tuple[str, ...]
    amendments: tuple[Amendment, ...]


def snapshot_view(source_table: str) -> str:
    """The view on the snapshot of a source table."""
    return f"snapshot_{source_table}"


def stage_name(source_table: str) -> str:
    """The temporary table that holds a staged source table."""
    return f"stage_{source_table}"


def parsed(spec: FieldSpec, raw: Expression) -> Expression:
    """The typed value of a field's text: NULL where it is missing or does not parse."""
    if spec.type == "integer":
        return parse_integer(raw, thousands=spec.thousands)
    if spec.type == "number":
        return parse_number(raw, decimal=spec.decimal, thousands=spec.thousands)
    if spec.type == "date":
        return parse_date(raw, spec.formats, spec.first_year)
    return functions.trim(raw)


def is_typed(spec: FieldSpec) -> bool:
    """Whether a field is parsed, so that its text may fail to parse."""
    return spec.type in ("integer", "number", "date")


def staged_field(name: str, spec: FieldSpec, alias: str = "s") -> Expression:
    """A field of the staged table as expressions see it: trimmed text, or the parsed value with its precision."""
    if not is_typed(spec):
        return functions.trim(column(name, Kind.TEXT, alias))
    kind = {"integer": Kind.INTEGER, "number": Kind.NUMBER, "date": Kind.DATE}[spec.type]
    value = parsed(spec, column(name, Kind.TEXT))
    precision = col(f"{name}#", alias) if value.precision is not None else None
    return column(f"{name}$", kind, alias, precision, col(f"{name}~", alias) if value.time is not None else None)


def unparsed(name: str, alias: str = "s") -> Node:
    """Whether a typed field has text that does not parse."""
    return all_of([is_not_null(col(name, alias)), is_null(col(f"{name}$", alias))])


def raw_text(name: str, spec: FieldSpec, shared_missing: Iterable[str]) -> Node:
    """A field's text as delivered, NULL where it is one of the codes that mean missing (blanks around do not count)."""
    codes = _missing_codes(spec, shared_missing)
    trimmed = call("trim", col(name, DELIVERED))
    if codes == [""]:
        return case([(exp.NEQ(this=trimmed, expression=text("")), col(name, DELIVERED))], null("VARCHAR"))
    missing = exp.In(this=trimmed, expressions=[text(c) for c in codes])
    return case([(negate(missing), col(name, DELIVERED))], null("VARCHAR"))


def _missing_codes(spec: FieldSpec, shared: Iterable[str]) -> list[str]:
    written = (*shared, *spec.missing)
    return sorted({"", *written} | {code.strip() for code in written})


def plan_stage(
    source: Source,
    name: str,
    *,
    fields: Sequence[str],
    units: Sequence[tuple[str, tuple[str, ...]]],
    person_table: str,
    columns: Sequence[str],
    amendments: Sequence[Amendment],
) -> StagePlan:
    """The plan of one staged table.

    `fields` are those that rules read, `units` the (table, fields) whose keys rules refer to, `columns` all
    columns of the snapshot (the content of a row without a key).
    """
    spec = source.tables[name]
    stage = _Stage(source, name, spec, person_table == name, tuple(sorted(columns)))
    inner = stage.texts(sorted({*fields, *stage.key_fields}), amendments)
    middle = stage.values(inner, sorted({*fields, *stage.key_fields}))
    select = stage.keyed(middle, units)
    content = tuple(sorted({*fields, *stage.key_fields}))
    return StagePlan(
        name, stage_name(name), select, stage.persons_here, not spec.row.fields, stage.person_is_content, content,
        tuple(amendments),
    )  # fmt: skip


@dataclass(frozen=True)
class _Stage:
    """The three nested selects of a staged table: texts, values and person, row and unit keys."""

    source: Source
    name: str
    spec: Table
    persons_here: bool
    columns: tuple[str, ...]

    @property
    def key_fields(self) -> tuple[str, ...]:
        return tuple({*self.spec.row.fields, *self.spec.person})

    @property
    def person_is_content(self) -> bool:
        return keys.person_fields(self.spec) is None

    def texts(self, fields: Sequence[str], amendments: Sequence[Amendment]) -> exp.Select:
        """Each field's text, corrected where a correction says so, NULL where missing."""
        nodes: list[Node] = [col("_file"), col("_line")]
        for name in fields:
            spec = self.spec.fields.get(name) or FieldSpec(type="text")
            node = raw_text(name, spec, self.spec.missing)
            codes = _missing_codes(spec, self.spec.missing)
            changes = [
                (a.condition.copy(), null("VARCHAR") if a.texts[name].strip() in codes else text(a.texts[name]))
                for a in amendments
                if name in a.texts
            ]
            nodes.append(named(case(changes, node), name))
        if self.spec.row.content:
            nodes.append(named(keys.content_text([col(c, DELIVERED) for c in self.columns]), "_content"))
        return exp.select(*nodes).from_(table(snapshot_view(self.name), DELIVERED))

    def values(self, inner: exp.Select, fields: Sequence[str]) -> exp.Select:
        """The texts, the parsed values, and the text of the person's and the row's key."""
        nodes: list[Node] = [col("_file"), col("_line")]
        for name in fields:
            nodes.append(col(name))
            spec = self.spec.fields.get(name)
            if spec and is_typed(spec):
                value = parsed(spec, column(name, Kind.TEXT))
                nodes.append(named(value.node, f"{name}$"))
                nodes += [named(value.precision, f"{name}#")] if value.precision is not None else []
                nodes += [named(value.time, f"{name}~")] if value.time is not None else []
        nodes.append(named(self._row_key(), "_row_key"))
        nodes.append(named(self._person_key(), "_person_key"))
        return exp.select(*nodes).from_(subquery(inner, "t"))

    def keyed(self, middle: exp.Select, units: Sequence[tuple[str, tuple[str, ...]]]) -> exp.Select:
        """The staged table: everything of `middle`, the person, the unit keys and the state."""
        person: Node = keys.person_hash(self.source, col("_person_key", "v"))
        if not self.persons_here:
            person = col("person_id", "p")
        hidden = [exp.to_identifier("_row_key", quoted=True)]
        star = exp.Column(this=exp.Star(**{"except_": hidden}), table=exp.to_identifier("v", quoted=True))
        nodes: list[Node] = [star, named(person.copy(), "_person"), named(self._row(person), "_row")]
        nodes += [named(self._unit(t, f, person), keys.unit_column(t, f)) for t, f in units]
        nodes.append(named(self._state(person), "_state"))
        select = exp.select(*nodes).from_(subquery(middle, "v"))
        if self.persons_here:
            return select
        same = exp.EQ(this=col("key", "p"), expression=col("_person_key", "v"))
        return left_join(select, table(PERSONS, "p"), same)

    def _row_key(self) -> Node:
        fields = self.spec.row.fields
        return keys.key_text([keys.trimmed(f) for f in fields]) if fields else col("_content")

    def _person_key(self) -> Node:
        fields = keys.person_fields(self.spec)
        return keys.key_text([keys.trimmed(f) for f in fields]) if fields else col("_content")

    def _row(self, person: Node) -> Node:
        if keys.row_fields(self.spec) == keys.person_fields(self.spec):
            return keys.unit_of_person(self.source, self.name, person.copy())
        return keys.unit_hash(self.source, self.name, col("_row_key", "v"))

    def _unit(self, of: str, fields: tuple[str, ...], person: Node) -> Node:
        """The key of the unit of table `of` with these fields, as this table's fields of the same names give it."""
        if fields == keys.person_fields(self.source.tables[of]):
            own = fields == keys.person_fields(self.spec)
            hashed = person.copy() if own else keys.person_hash(self.source, self._key_of(fields))
            return keys.unit_of_person(self.source, of, hashed)
        return keys.unit_hash(self.source, of, self._key_of(fields))

    def _key_of(self, fields: Sequence[str]) -> Node:
        return keys.key_text([keys.trimmed(f, "v") for f in fields])

    def _state(self, person: Node) -> Node:
        missing = any_of([is_null(col("_row_key", "v")), is_null(col("_person_key", "v"))])
        branches = [(missing, text("key missing"))]
        if not self.persons_here:
            branches.append((is_null(person.copy()), text("person not mapped")))
        return case(branches, null("VARCHAR"))

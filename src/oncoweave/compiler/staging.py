"""Staging: one table of typed fields and keyed hashes for each source table, computed once for all its rules.

Of a field `f` it holds the text as delivered (`f`, NULL where the source says "missing"), the parsed value
(`f$`) and, for dates that may be partial, the precision (`f#`), for dates with a time the time (`f~`). `_state` says why no rule can use the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.joining import (
    JoinedTable,
    brought,
    faults_select,
    found_column,
    joined_name,
    joined_select,
    looking_up,
    own_fields,
)
from oncoweave.compiler.joins import DOT, BoundJoin, is_joined
from oncoweave.compiler.numbers_once import NUMBER, number_of
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
from oncoweave.engine.date_patterns import parse_date, read_at_once
from oncoweave.engine.expressions import Expression, Kind, column
from oncoweave.engine.numerals import parse_integer, parse_number
from oncoweave.spec.source import FieldSpec, Source, Table, missing_codes

PERSONS = "persons"
"""Temporary table of the mapped persons: key text, person_id."""

NOT_MAPPED = "person not mapped"
"""State of the rows of a person whom the rule of the persons does not make."""

STAGED = "s"
"""Alias of a staged table in the statements that read it."""

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

    `by_content` says that a row's content is its key, `person_by_content` that it is the person's key too. `looks_into`
    are the tables that are staged before, of whose rows it looks up the keys.
    """

    table: str
    name: str
    select: exp.Select
    by_content: bool
    person_by_content: bool
    content: tuple[str, ...]
    amendments: tuple[Amendment, ...]
    joins: tuple[BoundJoin, ...] = ()
    looks_into: frozenset[str] = frozenset()


def snapshot_view(source_table: str) -> str:
    """The view on the snapshot of a source table."""
    return f"snapshot_{source_table}"


def stage_name(source_table: str) -> str:
    """The temporary table that holds a staged source table."""
    return f"stage_{source_table}"


def parsed(spec: FieldSpec, raw: Expression, moment: Expression | None = None) -> Expression:
    """The typed value of a field's text: NULL where it is missing or does not parse; `moment`: see `parse_date`."""
    if spec.type == "integer":
        return parse_integer(raw, thousands=spec.thousands)
    if spec.type == "number":
        return parse_number(raw, decimal=spec.decimal, thousands=spec.thousands)
    if spec.type == "date":
        return parse_date(raw, spec.formats, spec.first_year, moment)
    return functions.trim(raw)


def is_typed(spec: FieldSpec) -> bool:
    """Whether a field is parsed, so that its text may fail to parse."""
    return spec.type in ("integer", "number", "date")


def staged_field(name: str, spec: FieldSpec, alias: str = "s") -> Expression:
    """A field of the staged table as expressions see it: trimmed text, or the parsed value with its precision."""
    if not is_typed(spec):
        return functions.trimmed(column(name, Kind.TEXT, alias))
    kind = {"integer": Kind.INTEGER, "number": Kind.NUMBER, "date": Kind.DATE}[spec.type]
    value = parsed(spec, column(name, Kind.TEXT))
    precision = col(f"{name}#", alias) if value.precision is not None else None
    return column(f"{name}$", kind, alias, precision, col(f"{name}~", alias) if value.time is not None else None)


def unparsed(name: str, alias: str = "s") -> Node:
    """Whether a typed field has text that does not parse."""
    return all_of([is_not_null(col(name, alias)), is_null(col(f"{name}$", alias))])


def raw_text(name: str, spec: FieldSpec, shared_missing: Iterable[str]) -> Node:
    """A field's text as delivered, NULL where it is one of the codes that mean missing (blanks around do not count)."""
    codes = missing_codes(shared_missing, spec)
    given = col(name, DELIVERED)
    if codes == [""]:
        plain = exp.Between(this=given.copy(), low=text("!"), high=text("~"))  # by its first sign: quick to see
        filled = exp.NEQ(this=call("trim", given.copy()), expression=text(""))
        return case([(plain, given), (filled, given.copy())], null("VARCHAR"))
    missing = exp.In(this=keys.trimmed(name, DELIVERED), expressions=[text(c) for c in codes])
    return case([(negate(missing), given)], null("VARCHAR"))


def plan_stage(  # noqa: PLR0913  all by name, and each a part of the plan
    source: Source,
    name: str,
    *,
    fields: Sequence[str],
    units: Sequence[keys.UnitKey],
    columns: Sequence[str],
    amendments: Sequence[Amendment],
    joins: Mapping[str, BoundJoin],
    staged: frozenset[str],
    used: frozenset[str],
) -> StagePlan:
    """The plan of one staged table.

    `source` has the fields of joined tables, `fields` are those that rules read, `units` those whose keys rules refer
    to, `columns` the content of a row without a key, `joins` the table's own by name, `staged` the tables that are
    staged before: none for the table of the persons; `used` the staged columns that the statements of the rules read.
    """
    spec = source.tables[name]
    stage = _Stage(source, name, spec, not staged, tuple(sorted(columns)), joins, staged)
    read = sorted({*fields, *stage.key_fields})
    content = sorted(own_fields(read, joins))
    middle = stage.values(stage.texts(content, amendments), sorted({*read, *content}))
    select = stage.keyed(middle, units, {*used, *(content if spec.row.fields else ())})
    return StagePlan(
        name, stage_name(name), select, not spec.row.fields, stage.person_is_content, tuple(content),
        tuple(amendments), tuple(joins[join] for join in brought(read)),
        frozenset(unit.table for unit in units if stage.is_looked_up(unit)),
    )  # fmt: skip


def plan_joined(
    source: Source,
    joins: Sequence[BoundJoin],
    *,
    fields: Iterable[str],
    content: Iterable[str],
    amendments: Sequence[Amendment],
    further: Mapping[str, BoundJoin],
) -> JoinedTable:
    """The plan of the table that `joins` look into by the same key.

    `fields` are those that are read, `content` those by which staging orders rows that share their key, `further` the
    joins that the table makes itself.
    """
    name = joins[0].to
    spec = source.tables[name]
    stage = _Stage(source, name, spec, False, (), further)
    read = sorted(fields)
    by = sorted({theirs for join in joins for _, theirs in join.by} | set(joins[0].key))
    texts = stage.texts(sorted(own_fields({*read, *by}, further)), amendments)
    values = stage.values(texts, sorted({*read, *by}), keyed=False)
    columns = [column for field_ in read for column in stage.columns_of(field_)]
    used = [further[join] for join in brought(read)]
    return JoinedTable(
        name, joined_name(joins[0]), joins[0].key, joins[0].is_row_key, joined_select(values, columns, by, used),
        faults_select(stage.texts(sorted({*content, *by}), amendments), joins[0], sorted(content)), tuple(used),
    )  # fmt: skip


@dataclass(frozen=True)
class _Stage:
    """The three nested selects of a staged table: texts, values and person, row and unit keys."""

    source: Source
    name: str
    spec: Table
    persons_here: bool
    columns: tuple[str, ...]
    joins: Mapping[str, BoundJoin]
    staged: frozenset[str] = frozenset()

    @property
    def key_fields(self) -> tuple[str, ...]:
        return tuple({*self.spec.row.fields, *(self.spec.person or ())})

    @property
    def of_nobody(self) -> bool:
        """Whether the rows tell of no person."""
        return keys.person_fields(self.spec) == ()

    @property
    def person_is_content(self) -> bool:
        return keys.person_fields(self.spec) is None

    def texts(self, fields: Sequence[str], amendments: Sequence[Amendment]) -> exp.Select:
        """Each field's text, corrected where a correction says so, NULL where missing."""
        nodes: list[Node] = [col("_file"), col("_line")]
        for name in fields:
            spec = self.spec.fields.get(name) or FieldSpec(type="text")
            node = raw_text(name, spec, self.spec.missing)
            codes = missing_codes(self.spec.missing, spec)
            changes = [
                (a.condition.copy(), null("VARCHAR") if a.texts[name].strip() in codes else text(a.texts[name]))
                for a in amendments
                if name in a.texts
            ]
            nodes.append(named(case(changes, node), name))
        if self.spec.row.content:
            nodes.append(named(keys.row_text([col(c, DELIVERED) for c in self.columns]), "_content"))
        return exp.select(*nodes).from_(table(snapshot_view(self.name), DELIVERED))

    def columns_of(self, name: str) -> list[str]:
        """The columns that hold a field: its text, its parsed value, a date's precision and time where it has them."""
        return [name, *self._read(name)]

    def _read(self, name: str) -> dict[str, Node]:
        """What the text of a typed field says, by column: its parsed value, a date's precision and time where it has them."""
        spec = self.spec.fields.get(name)
        if spec is None or not is_typed(spec):
            return {}
        moment = column(f"{name}?", Kind.INTEGER) if self._moment(name) is not None else None
        value = parsed(spec, column(name, Kind.TEXT), moment)
        marks = {"$": value.node, "#": value.precision, "~": value.time}
        return {name + mark: node for mark, node in marks.items() if node is not None}

    def _moment(self, name: str) -> Node | None:
        """Day and time of a field as one number, where they can be read at once: to read the text costs more than all else."""
        spec = self.spec.fields.get(name)
        if spec is None or spec.type != "date" or is_joined(name):
            return None
        read = read_at_once(column(name, Kind.TEXT), spec.formats)
        return read.node if read is not None else None

    def values(self, inner: exp.Select, fields: Sequence[str], *, keyed: bool = True) -> exp.Select:
        """The texts, the parsed values, and the text of the person's and the row's key; `fields` of joined tables too."""
        joined = {self.joins[name]: rest for name, rest in brought(fields).items()}
        if joined:
            columns = {j: [c for f in rest for c in self._further(j).columns_of(f)] for j, rest in joined.items()}
            inner = looking_up(inner, columns.items())
        moments = [named(node, f"{name}?") for name in fields if (node := self._moment(name)) is not None]
        if moments:
            inner = exp.select(exp.Star(), *moments).from_(subquery(inner, "t"))
        nodes: list[Node] = [col("_file"), col("_line")]
        for name in fields:
            read = {c: col(c) for c in self._read(name)} if is_joined(name) else self._read(name)
            nodes += [col(name), *(named(node, c) for c, node in read.items())]
        nodes += [named(self._row_key(), "_row_key"), named(self._person_key(), "_person_key")] if keyed else []
        nodes += [col(found_column(join)) for join in joined]
        return exp.select(*nodes).from_(subquery(inner, "t"))

    def _further(self, join: BoundJoin) -> _Stage:
        """The table that a join looks into."""
        return _Stage(self.source, join.to, self.source.tables[join.to], False, (), {})

    def keyed(self, middle: exp.Select, units: Sequence[keys.UnitKey], used: Set[str]) -> exp.Select:
        """The staged table: what is `used` of `middle`, the marks of joins, the person, the unit keys and the state."""
        person = self._person()
        kept = {"_file", "_line", *map(found_column, self.joins.values())}
        kept |= {"_person_key"} if self.persons_here or self.person_is_content else set()
        names = [name for node in middle.expressions if (name := node.alias_or_name) in kept or name in used]
        nodes: list[Node] = [col(name, "v") for name in names]
        numbers = sorted(name for name in used if name.endswith(NUMBER))
        nodes += [named(number_of(name.removesuffix(NUMBER), "v"), name) for name in numbers]
        nodes += [named(person.copy(), "_person"), named(self._row(person), "_row")]
        nodes += [named(self._unit(unit, person), unit.column) for unit in units]
        nodes.append(named(self._state(person), "_state"))
        select = exp.select(*nodes).from_(subquery(middle, "v"))
        for unit in units:
            if self.is_looked_up(unit):
                select = self._looking_up(select, unit)
        if self.persons_here or self.of_nobody:
            return select
        same = exp.EQ(this=col("key", "p"), expression=col("_person_key", "v"))
        return left_join(select, table(PERSONS, "p"), same)

    def _row_key(self) -> Node:
        fields = self.spec.row.fields
        return keys.key_text([keys.trimmed(f) for f in fields]) if fields else col("_content")

    def _person(self) -> Node:
        if self.of_nobody:
            return null("BIGINT")
        return keys.person_hash(self.source, col("_person_key", "v")) if self.persons_here else col("person_id", "p")

    def _person_key(self) -> Node:
        fields = keys.person_fields(self.spec)
        if self.of_nobody:
            return null("VARCHAR")
        return keys.key_text([keys.trimmed(f) for f in fields]) if fields else col("_content")

    def _row(self, person: Node) -> Node:
        if keys.row_fields(self.spec) == keys.person_fields(self.spec):
            return keys.unit_of_person(self.source, self.name, person.copy())
        return keys.unit_hash(self.source, self.name, col("_row_key", "v"))

    def _unit(self, unit: keys.UnitKey, person: Node) -> Node:
        """A unit's key, as this table's fields `by` give it."""
        of, fields, by = unit.table, unit.fields, unit.by
        if unit.partial:
            return keys.unit_hash(self.source, of, keys.partial_text([keys.trimmed(f, "v") for f in by]))
        if fields == keys.person_fields(self.source.tables[of]):
            own = by == keys.person_fields(self.spec)
            hashed = person.copy() if own else keys.person_hash(self.source, self._key_of(by))
            return keys.unit_of_person(self.source, of, hashed)
        if self.is_looked_up(unit):
            return col("unit", _looked_up(of, by))
        return keys.unit_hash(self.source, of, self._key_of(by))

    def is_looked_up(self, unit: keys.UnitKey) -> bool:
        """Whether the key is that of a row of a table that is staged already.

        A join on the text of the key costs a twentieth of the keyed hash; a key that is not there has no fact either.
        """
        spec = self.source.tables[unit.table]
        is_rows = not unit.partial and unit.fields == spec.row.fields != keys.person_fields(spec)
        return unit.table in self.staged and unit.table != self.name and is_rows

    def _looking_up(self, select: exp.Select, unit: keys.UnitKey) -> exp.Select:
        """Joins the keys of the rows of a staged table by this table's fields; rows that no rule can use have none."""
        of, fields, by = unit.table, unit.fields, unit.by
        alias = _looked_up(of, by)
        nodes = [named(keys.trimmed(f), f) for f in fields]
        rows = exp.select(*nodes, named(col("_row"), "unit")).from_(table(stage_name(of)))
        rows = rows.where(all_of([is_null(col("_state")), is_not_null(col("_row"))]))
        same = all_of(
            [exp.EQ(this=col(f, alias), expression=keys.trimmed(b, "v")) for f, b in zip(fields, by, strict=True)]
        )
        return left_join(select, subquery(rows, alias), same)

    def _key_of(self, fields: Sequence[str]) -> Node:
        return keys.key_text([keys.trimmed(f, "v") for f in fields])

    def _state(self, person: Node) -> Node:
        needed = ["_row_key", *([] if self.of_nobody else ["_person_key"])]
        missing = any_of([is_null(col(name, "v")) for name in needed])
        branches = [(missing, text("key missing"))]
        through = next((f for f in self.spec.person or () if is_joined(f)), None)
        if through:  # the row has a key, but finds no row that tells its person
            reason = f"no row of {self.joins[through.partition(DOT)[0]].to} tells its person"
            branches.insert(0, (all_of([is_not_null(col("_row_key", "v")), missing.copy()]), text(reason)))
        if not self.persons_here and not self.of_nobody:
            branches.append((is_null(person.copy()), text(NOT_MAPPED)))
        return case(branches, null("VARCHAR"))


def _looked_up(of: str, by: tuple[str, ...]) -> str:
    """The alias of a staged table's keys, as some fields of another give them."""
    return f"u:{of}:{','.join(by)}"

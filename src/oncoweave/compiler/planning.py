"""The last pass: the statements of every stage and rule, for a draft without errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from oncoweave.compiler.bound import BoundRule, Looked
from oncoweave.compiler.draft import Draft
from oncoweave.compiler.facts import FactBuilder, FactSelect
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.joining import JoinedTable, joined_name, own_fields
from oncoweave.compiler.joins import BoundJoin, depth, fields_looked_into, joins_of
from oncoweave.compiler.keys import UnitKey
from oncoweave.compiler.lookups import CodeLookup, CodingLookup, Lookup, map_lookup, map_lookup_name
from oncoweave.compiler.numbers_once import asks_for_number, name_numbers
from oncoweave.compiler.periods import period_type
from oncoweave.compiler.plan import Plan, RulePlan
from oncoweave.compiler.sql import case, col, is_not_null, named, null, subquery, table
from oncoweave.compiler.staging import STAGED, StagePlan, plan_joined, plan_stage, stage_name
from oncoweave.compiler.units import group_key, key_referred_to, numbered, passing, unit_referred_to


def build_plan(draft: Draft) -> Draft:
    """The statements of every stage and rule; only for a draft without errors."""
    if any(p.severity == "error" for p in draft.problems) or draft.book is None:
        return draft
    inputs = draft.inputs
    known = frozenset(draft.book.known)
    rules = tuple(_rule_plan(draft.reading, rule) for rule in draft.rules)
    warnings = tuple(f"{p.file}:{p.line}: {p.message}" for p in draft.problems)
    plan = Plan(
        inputs.source, draft.reading.source, inputs.mapping, inputs.bundle.release, _joined(draft), _stages(draft, rules), rules,
        _lookups(draft, rules), _mapped_persons(draft.reading, draft.rules), tuple(sorted(known & inputs.bundle.unconfirmed())), warnings,
        period_type(draft),
    )  # fmt: skip
    return replace(draft, plan=plan)


def _mapped_persons(inputs: Inputs, rules: Sequence[BoundRule]) -> exp.Select:
    rule = next(r for r in rules if r.fact == "person")
    select = FactBuilder(inputs.source, rule, rule.branches[0], inputs.mapping.imputation).persons()
    if asks_for_number(rule) and not rule.grouped:
        name_numbers([select])
    return select


def _rule_plan(inputs: Inputs, rule: BoundRule) -> RulePlan:
    branches = tuple(FactBuilder(inputs.source, rule, b, inputs.mapping.imputation).build() for b in rule.branches)
    if not rule.grouped:
        if asks_for_number(rule):
            name_numbers([select for b in branches for select in (b.unit, b.events, b.held)])
        return RulePlan(rule, branches, None)
    verdict = case(passing(rule, inputs.source), null("VARCHAR"))
    rows = exp.select(named(col("_file", "s"), "file"), named(col("_line", "s"), "line"), named(verdict, "verdict"))
    rows = rows.from_(table(stage_name(rule.table), "s"))
    before = exp.select(exp.Star()).from_(subquery(rows, "b")).where(is_not_null(col("verdict")))
    return RulePlan(rule, branches, before)


def _stages(draft: Draft, rules: Sequence[RulePlan]) -> tuple[StagePlan, ...]:
    person_table = next(r.table for r in draft.rules if r.fact == "person")
    units = _units(draft)
    names = _in_order(_staged(draft), person_table, units)
    return tuple(
        plan_stage(
            draft.reading.source,
            name,
            fields=sorted(_content(draft, name) | _read(draft)[name]),
            units=sorted(units.get(name, set())),
            columns=sorted(draft.inputs.source.tables[name].fields) or draft.columns.get(name, ()),
            amendments=[a for a in draft.amendments if a.table == name],
            joins=joins_of(draft.joins, name),
            staged=frozenset(names[:number]),
            used=_used([s for plan in rules if plan.rule.table == name for s in plan.readings]),
        )
        for number, name in enumerate(names)
    )


def _used(selects: Sequence[exp.Select]) -> frozenset[str]:
    """The columns of a staged table that some statements read."""
    return frozenset(c.name for select in selects for c in select.find_all(exp.Column) if c.table == STAGED)


def _staged(draft: Draft) -> set[str]:
    return {r.table for r in draft.rules} | {a.table for a in draft.amendments}


def _read(draft: Draft) -> dict[str, set[str]]:
    """The fields of every staged table that its rules read."""
    return {name: {f for r in draft.rules if r.table == name for f in r.fields} for name in _staged(draft)}


def _looked_into(draft: Draft) -> dict[BoundJoin, set[str]]:
    """The fields that each join in use brings, those that tell the person among them."""
    tables = draft.reading.source.tables
    return fields_looked_into(
        draft.joins, {t: fields | {*(tables[t].person or ())} for t, fields in _read(draft).items()}
    )


def _joined(draft: Draft) -> tuple[JoinedTable, ...]:
    """The tables that joins look into, each after those that it looks into itself."""
    brought = _looked_into(draft)
    shared: dict[str, list[BoundJoin]] = {}
    for join in sorted(brought, key=lambda j: (depth(draft.joins, j.to), j.to, j.table, j.name)):
        shared.setdefault(joined_name(join), []).append(join)
    return tuple(
        plan_joined(
            draft.reading.source,
            joins,
            fields=set().union(*(brought[join] for join in joins)),
            content=_content(draft, joins[0].to),
            amendments=[a for a in draft.amendments if a.table == joins[0].to],
            further=joins_of(draft.joins, joins[0].to),
        )
        for joins in shared.values()
    )


def _content(draft: Draft, name: str) -> set[str]:
    """The table's own fields that rules read, its own or others: by these, rows that share their key are ordered."""
    looked = {f for join, fields in _looked_into(draft).items() if join.to == name for f in fields}
    keys = {*draft.inputs.source.tables[name].row.fields, *(draft.inputs.source.tables[name].person or ())}
    return own_fields(looked | _read(draft).get(name, set()) | keys, joins_of(draft.joins, name))


def _in_order(tables: set[str], person_table: str, units: Mapping[str, set[UnitKey]]) -> list[str]:
    """The tables in the order of staging: the persons first, then each behind those whose facts its rules refer to."""
    names = [person_table]
    left = sorted(tables - {person_table})
    while left:
        waits = {name: {unit.table for unit in units.get(name, set())} & set(left) - {name} for name in left}
        ready = [name for name in left if not waits[name]] or left[:1]
        names += ready
        left = [name for name in left if name not in ready]
    return names


def _units(draft: Draft) -> dict[str, set[UnitKey]]:
    """The unit keys that each staged table must hold beside its row's."""
    found: dict[str, set[UnitKey]] = {}
    for rule in draft.rules:
        if rule.grouped:
            found.setdefault(rule.table, set()).add(group_key(rule))
        for reference in filter(None, (*rule.references.values(), numbered(rule))):
            if reference.fields and reference.by and unit_referred_to(rule, reference, draft.inputs.source) != "_row":
                found.setdefault(rule.table, set()).add(key_referred_to(reference))
    return found


def _lookups(draft: Draft, rules: Sequence[RulePlan]) -> dict[str, Lookup]:
    assert draft.book is not None
    domains = draft.book.domains()
    found: dict[str, Lookup] = {map_lookup_name(n): map_lookup(m, domains) for n, m in draft.inputs.maps.items()}
    for plan in rules:
        for branch, select in zip(plan.rule.branches, plan.branches, strict=True):
            choices = {"concept": branch.concept, **branch.choices}
            for name, choice in choices.items():
                if isinstance(choice, Looked) and choice.lookup not in found:
                    found[choice.lookup] = _lookup_of(choice, _codes(select, name))
    return found


def _lookup_of(choice: Looked, codes: exp.Select) -> Lookup:
    if choice.vocabularies:
        other = map_lookup_name(choice.otherwise) if choice.otherwise else None
        return CodingLookup(choice.lookup, choice.vocabularies, other, codes, choice.role)
    return CodeLookup(choice.lookup, choice.vocabulary, codes, choice.role)


def _codes(select: FactSelect, name: str) -> exp.Select:
    code = col(f"code:{name}")
    return exp.select(named(code, "code")).from_(subquery(select.unit.copy(), "u")).where(is_not_null(code.copy()))

"""The last pass: the statements of every stage and rule, for a draft without errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from oncoweave.compiler.bound import BoundRule, Looked
from oncoweave.compiler.draft import Draft
from oncoweave.compiler.facts import FactBuilder, FactSelect
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.lookups import CodeLookup, Lookup, map_lookup, map_lookup_name
from oncoweave.compiler.plan import Plan, RulePlan
from oncoweave.compiler.sql import case, col, is_not_null, named, null, subquery, table
from oncoweave.compiler.staging import StagePlan, plan_stage, stage_name
from oncoweave.compiler.units import numbered, passing, unit_referred_to


def build_plan(draft: Draft) -> Draft:
    """The statements of every stage and rule; only for a draft without errors."""
    if any(p.severity == "error" for p in draft.problems) or draft.book is None:
        return draft
    inputs = draft.inputs
    known = frozenset(draft.book.known)
    rules = tuple(_rule_plan(inputs, rule) for rule in draft.rules)
    warnings = tuple(f"{p.file}:{p.line}: {p.message}" for p in draft.problems)
    plan = Plan(
        inputs.source, inputs.mapping, inputs.bundle.release, _stages(draft), rules, _lookups(draft, rules),
        tuple(sorted(known & inputs.bundle.unconfirmed())), warnings,
    )  # fmt: skip
    return replace(draft, plan=plan)


def _rule_plan(inputs: Inputs, rule: BoundRule) -> RulePlan:
    branches = tuple(FactBuilder(inputs.source, rule, b, inputs.mapping.imputation).build() for b in rule.branches)
    if not rule.grouped:
        return RulePlan(rule, branches, None)
    verdict = case(passing(rule, inputs.source), null("VARCHAR"))
    rows = exp.select(named(col("_file", "s"), "file"), named(col("_line", "s"), "line"), named(verdict, "verdict"))
    rows = rows.from_(table(stage_name(rule.table), "s"))
    before = exp.select(exp.Star()).from_(subquery(rows, "b")).where(is_not_null(col("verdict")))
    return RulePlan(rule, branches, before)


def _stages(draft: Draft) -> tuple[StagePlan, ...]:
    person_table = next(r.table for r in draft.rules if r.fact == "person")
    units = _units(draft)
    tables = {r.table for r in draft.rules} | {a.table for a in draft.amendments}
    names = sorted(tables, key=lambda t: (t != person_table, t))
    return tuple(
        plan_stage(
            draft.inputs.source,
            name,
            fields=sorted({f for r in draft.rules if r.table == name for f in r.fields}),
            units=sorted(units.get(name, set())),
            person_table=person_table,
            columns=draft.columns.get(name) or sorted(draft.inputs.source.tables[name].fields),
            amendments=[a for a in draft.amendments if a.table == name],
        )
        for name in names
    )


def _units(draft: Draft) -> dict[str, set[tuple[str, tuple[str, ...]]]]:
    """The unit keys that each staged table must hold beside its row's: (table, fields)."""
    found: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
    for rule in draft.rules:
        if rule.grouped:
            found.setdefault(rule.table, set()).add((rule.table, tuple(rule.spec.group)))
        for reference in filter(None, (*rule.references.values(), numbered(rule))):
            if reference.fields and unit_referred_to(rule, reference, draft.inputs.source) != "_row":
                found.setdefault(rule.table, set()).add((reference.table, reference.fields))
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
                    found[choice.lookup] = CodeLookup(
                        choice.lookup, choice.vocabulary, _codes(select, name), choice.role
                    )
    return found


def _codes(select: FactSelect, name: str) -> exp.Select:
    code = col(f"code:{name}")
    return exp.select(named(code, "code")).from_(subquery(select.unit.copy(), "u")).where(is_not_null(code.copy()))

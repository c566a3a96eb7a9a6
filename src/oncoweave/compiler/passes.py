"""The compiler: a tuple of passes from specification to plan. Nothing here reads data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.bind import Binder
from oncoweave.compiler.bound import BoundRule, Looked
from oncoweave.compiler.concepts import ConceptBook
from oncoweave.compiler.expressions import ExpressionError, Scope, parse
from oncoweave.compiler.facts import FactBuilder, FactSelect, passing
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.lookups import CodeLookup, Lookup, map_lookup, map_lookup_name
from oncoweave.compiler.plan import Plan, RulePlan
from oncoweave.compiler.sql import case, col, is_not_null, named, null, number, call, subquery, table, text
from oncoweave.compiler.staging import Amendment, parsed, plan_stage, raw_text, stage_name
from oncoweave.engine import functions
from oncoweave.engine.expressions import Expression, Kind
from oncoweave.errors import Problem, nearest
from oncoweave.spec.source import Table


@dataclass(frozen=True)
class Draft:
    """What the passes hand on: the inputs, what has been made of them so far, and the problems found."""

    inputs: Inputs
    columns: Mapping[str, Sequence[str]]
    book: ConceptBook | None = None
    rules: tuple[BoundRule, ...] = ()
    amendments: tuple[Amendment, ...] = ()
    plan: Plan | None = None
    problems: tuple[Problem, ...] = field(default=())

    def with_problems(self, found: Sequence[Problem]) -> Draft:
        """The draft with further problems."""
        return replace(self, problems=(*self.problems, *found))


def check_tables(draft: Draft) -> Draft:
    """source.yaml: keys name declared fields."""
    found = []
    for name, spec in draft.inputs.source.tables.items():
        for key, fields in (("row", spec.row.fields), ("person", spec.person)):
            for i, field_ in enumerate(fields):
                loc = ("tables", name, key, *(("fields",) if key == "row" else ()), i)
                if field_ not in spec.fields:
                    message = f"`{field_}` is not a declared field of `{name}`"
                    help_ = nearest(field_, spec.fields)
                    found.append(draft.inputs.source_document.problem("field", message, loc, help=help_))
    return draft.with_problems(found)


def read_concepts(draft: Draft) -> Draft:
    """Reads every concept that the mapping names from the vocabulary, in one query."""
    mapping = draft.inputs.mapping
    book = ConceptBook.of(mapping.concepts, _texts(mapping), list(draft.inputs.maps.values()), draft.inputs.bundle)
    tells = {n: draft.inputs.document for n in mapping.concepts}
    found = []
    for name in tells:

        def tell(code: str, message: str, *, help: str = "", name: str = name) -> Problem:  # noqa: A002
            return draft.inputs.document.problem(code, message, ("concepts", name), help=help)

        fixed = book.fixed(name, "named", tell)
        found += [fixed] if isinstance(fixed, Problem) else []
    return replace(draft, book=book).with_problems(found)


def bind_rules(draft: Draft) -> Draft:
    """Settles names, types and concepts of every rule."""
    assert draft.book is not None
    binder = Binder(draft.inputs, draft.book)
    rules = tuple(binder.rules())
    faulty = {(p.file, p.line) for p in draft.problems}
    return replace(draft, rules=rules).with_problems(
        [p for p in dict.fromkeys(binder.problems) if (p.file, p.line) not in faulty]
    )


def check_persons(draft: Draft) -> Draft:
    """One rule tells who the persons are, and at most one who died."""
    rules = draft.inputs.mapping.rules
    document = draft.inputs.document
    found = []
    persons = [i for i, r in enumerate(rules) if r.fact == "person"]
    if not persons:
        found.append(
            document.problem(
                "person",
                "no rule tells who the persons are",
                ("rules",),
                help="add a rule with `fact: person`",
                at="key",
            )
        )
    for fact, places in (("person", persons), ("death", [i for i, r in enumerate(rules) if r.fact == "death"])):
        for i in places[1:]:
            found.append(
                document.problem(
                    "person", f"a second rule for {fact}", ("rules", i, "fact"), help=f"one rule makes every {fact}"
                )
            )
    return draft.with_problems(found)


def check_fields(draft: Draft) -> Draft:
    """Every declared source field is mapped, a key, or ignored with a reason."""
    used = {(r.table, f) for r in draft.rules for f in r.fields}
    corrected = {(a.table, f) for a in draft.amendments for f in a.texts}
    declared = {f for t in draft.inputs.source.tables.values() for f in t.fields}
    document = draft.inputs.document
    found = []
    for name, spec in draft.inputs.source.tables.items():
        for field_ in spec.fields:
            key = field_ in spec.row.fields or field_ in spec.person
            if not key and field_ not in draft.inputs.mapping.ignored and (name, field_) not in used | corrected:
                message = f"the field `{field_}` of `{name}` is neither mapped nor ignored"
                found.append(
                    document.problem(
                        "unused-field",
                        message,
                        ("rules",),
                        help="map it, or name it under `ignored:` with the reason",
                        severity="warning",
                        at="key",
                    )
                )
    for field_ in draft.inputs.mapping.ignored:
        if field_ not in declared:
            found.append(
                document.problem(
                    "field",
                    f"`{field_}` is not a declared field",
                    ("ignored", field_),
                    help=nearest(field_, declared),
                    at="key",
                )
            )
    return draft.with_problems(found) if len(draft.rules) == len(draft.inputs.mapping.rules) else draft


def order_rules(draft: Draft) -> Draft:
    """Persons first, then each rule after those it refers to; a circle is a problem."""
    rules = {r.name: r for r in draft.rules}
    done: dict[str, BoundRule] = {r.name: r for r in draft.rules if r.fact == "person"}
    waiting = [r for r in draft.rules if r.name not in done]
    while waiting:
        ready = [r for r in waiting if all(x.rule in done or x.rule not in rules for x in r.references.values())]
        if not ready:
            return draft.with_problems([_circle(draft, r) for r in waiting])
        done |= {r.name: r for r in ready}
        waiting = [r for r in waiting if r.name not in done]
    return replace(draft, rules=tuple(done.values()))


def _circle(draft: Draft, rule: BoundRule) -> Problem:
    number_ = draft.inputs.mapping.rules.index(rule.spec)
    key = next(iter(rule.references))
    others = ", ".join(sorted({x.rule for x in rule.references.values()}))
    return draft.inputs.document.problem(
        "circle",
        f"`{rule.name}` refers to `{others}`, which leads back to it",
        ("rules", number_, key),
        help="a fact cannot qualify itself; break the circle",
    )


def compile_corrections(draft: Draft) -> Draft:
    """corrections.yaml: conditions over the delivered text, and new texts."""
    corrections, document = draft.inputs.corrections, draft.inputs.corrections_document
    if corrections is None or document is None:
        return draft
    made, found = [], []
    for i, item in enumerate(corrections.corrections):
        spec = draft.inputs.source.tables.get(item.table)
        loc = ("corrections", i)
        if spec is None:
            found.append(
                document.problem(
                    "table",
                    f"there is no source table `{item.table}`",
                    (*loc, "table"),
                    help=nearest(item.table, draft.inputs.source.tables),
                )
            )
            continue
        found += [
            document.problem(
                "field",
                f"`{f}` is not a field of `{item.table}`",
                (*loc, "set", f),
                help=nearest(f, spec.fields),
                at="key",
            )
            for f in item.set
            if f not in spec.fields
        ]
        try:
            condition = parse(item.where, Scope(fields=_delivered(spec), verbs=draft.inputs.verbs))
        except ExpressionError as error:
            found.append(
                document.problem("expression", error.message, (*loc, "where"), help=error.help, offset=error.offset)
            )
            continue
        made.append(Amendment(item.table, i + 1, condition.node, dict(item.set), item.rows))
    return replace(draft, amendments=tuple(made)).with_problems(found)


def _delivered(spec: Table) -> dict[str, Expression]:
    """Fields as a correction's condition sees them: parsed straight from the snapshot."""
    return {
        name: parsed(field_, Expression(Kind.TEXT, exp.Paren(this=raw_text(name, field_, spec.missing))))
        for name, field_ in spec.fields.items()
    }


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
        return RulePlan(rule, branches, None, None)
    verdict = case(passing(rule, inputs.source), null("VARCHAR"))
    rows = exp.select(col("_file", "s"), col("_line", "s"), named(verdict, "verdict")).from_(
        table(stage_name(rule.table), "s")
    )
    ledger = (
        exp.select(
            named(text(""), "column"),
            col("verdict"),
            named(call("count", exp.Star()), "rows"),
            named(number(0), "events"),
            named(number(0), "unmapped"),
        )
        .from_(subquery(rows, "f"))
        .where(is_not_null(col("verdict")))
        .group_by(col("verdict"))
    )
    reason = call("replace", col("verdict"), text("quarantined: "), text(""))
    held = (
        exp.select(
            named(col("_file"), "file"),
            named(col("_line"), "line"),
            named(text(rule.name), "rule"),
            named(null("VARCHAR"), "column"),
            named(reason, "reason"),
        )
        .from_(subquery(rows.copy(), "f"))
        .where(call("starts_with", col("verdict"), text("quarantined: ")))
    )
    return RulePlan(rule, branches, ledger, held)


def _stages(draft: Draft) -> tuple[Any, ...]:
    person_table = next(r.table for r in draft.rules if r.fact == "person")
    units = _units(draft)
    names = sorted({r.table for r in draft.rules}, key=lambda t: (t != person_table, t))
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
        for reference in rule.references.values():
            row = draft.inputs.source.tables[rule.table].row.fields or None
            own_row = reference.table == rule.table and reference.fields == row and not rule.grouped
            if reference.fields and not own_row:
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
                    found[choice.lookup] = CodeLookup(choice.lookup, choice.vocabulary, _codes(select, name))
    return found


def _codes(select: FactSelect, name: str) -> exp.Select:
    code = col(f"code:{name}")
    return (
        exp.select(named(code, "code"))
        .distinct()
        .from_(subquery(select.unit.copy(), "u"))
        .where(is_not_null(code.copy()))
    )


def _texts(model: Any) -> list[str]:
    """Every text in a model that may name a concept."""
    if isinstance(model, str):
        return [model] if model.startswith("OMOP:") else []
    if isinstance(model, dict):
        return [t for value in model.values() for t in _texts(value)]
    if isinstance(model, tuple):
        return [t for value in model for t in _texts(value)]
    if hasattr(type(model), "model_fields"):
        return [t for name in type(model).model_fields for t in _texts(getattr(model, name))]
    return []


PASSES: tuple[Callable[[Draft], Draft], ...] = (
    check_tables,
    read_concepts,
    compile_corrections,
    bind_rules,
    check_persons,
    check_fields,
    order_rules,
    build_plan,
)


def compile_draft(inputs: Inputs, columns: Mapping[str, Sequence[str]] | None = None) -> Draft:
    """All passes over the inputs; `columns` are the snapshot's columns by source table, where there is a snapshot."""
    draft = Draft(inputs, columns or {})
    for step in PASSES:
        draft = step(draft)
    return draft

"""Passes that check the mapping as a whole: keys, persons, fields that nobody maps, and circles."""

from __future__ import annotations

from dataclasses import replace

from oncoweave.compiler.bound import BoundRule
from oncoweave.compiler.draft import Draft
from oncoweave.compiler.joins import DOT, fields_looked_into
from oncoweave.compiler.keys import person_fields
from oncoweave.compiler.spellings import Spelling
from oncoweave.engine.functions import CATALOGUE
from oncoweave.errors import Problem, nearest
from oncoweave.omop.routing import HEALTH_SYSTEM_FACTS
from oncoweave.spec.document import Loc


def check_tables(draft: Draft) -> Draft:
    """source.yaml: keys name declared fields, which every delivery has."""
    found = []
    for name, spec in draft.inputs.source.tables.items():
        keys: list[tuple[Loc, tuple[str, ...]]] = [
            (("row", "fields"), spec.row.fields),
            (("person",), spec.person or ()),
        ]
        keys += [(("unique", n), fields) for n, fields in enumerate(spec.unique)]
        for key, fields in keys:
            for i, field_ in enumerate(fields):
                loc: Loc = ("tables", name, *key, i)
                if field_ not in spec.fields:
                    message = f"`{field_}` is not a declared field of `{name}`"
                    help_ = nearest(field_, spec.fields)
                    found.append(draft.inputs.source_document.problem("field", message, loc, help=help_))
                elif spec.fields[field_].optional:
                    message = f"`{field_}` is part of a key and cannot be optional"
                    help_ = "without it no row could be told from another: leave `optional` out"
                    found.append(draft.inputs.source_document.problem("field", message, loc, help=help_))
    return draft.with_problems(found)


_WORDS = frozenset({"date", "origin", "case", "and", "or", "not", "is", "in", "between", "null", "true", "false"})
"""What an expression reads otherwise than as the name of a spelling."""


def check_spellings(draft: Draft) -> Draft:
    """Spellings have names that no function has, and texts that can be met."""
    document, found = draft.inputs.document, []
    for name, texts in draft.inputs.mapping.spellings.items():
        if name in _WORDS or name in CATALOGUE or not isinstance(draft.inputs.verbs[name], Spelling):
            message = f"there is a function `{name}` already"
            found.append(
                document.problem("spelling", message, ("spellings", name), help="give it another name", at="key")
            )
        for text in (text for text in texts if text != text.strip() or not text):
            message, mend = "a text is compared without the blanks around it", "write it without them"
            found.append(document.problem("spelling", message, ("spellings", name, text), help=mend, at="key"))
    return draft.with_problems(found)


def check_persons(draft: Draft) -> Draft:
    """One rule tells who the persons are."""
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
    found += [
        document.problem(
            "person",
            f"the persons come from `{rules[i].from_}`, which is optional",
            ("rules", i, "from"),
            help="without the persons nothing can be mapped: leave `optional` out of that table",
        )
        for i in persons[:1]
        if rules[i].from_ in draft.inputs.source.tables and draft.inputs.source.tables[rules[i].from_].optional
    ]
    found += [
        document.problem("person", "a second rule for person", ("rules", i, "fact"), help="leave one of them")
        for i in persons[1:]
    ]
    found += _of_nobody(draft)
    return draft.with_problems([*found, *_other_persons(draft, rules[persons[0]].from_ if persons else "")])


def _of_nobody(draft: Draft) -> list[Problem]:
    """Rules of clinical facts over tables that are declared to tell of no person."""
    tables = draft.inputs.source.tables
    return [
        draft.inputs.document.problem(
            "person",
            f"the rows of `{rule.from_}` tell of no person, and a {rule.fact} is of a person",
            ("rules", i, "from"),
            help="leave `person: []` out in source.yaml, or name the fields there",
        )
        for i, rule in enumerate(draft.inputs.mapping.rules)
        if rule.fact not in HEALTH_SYSTEM_FACTS and rule.from_ in tables and tables[rule.from_].person == ()
    ]


def _other_persons(draft: Draft, home: str) -> list[Problem]:
    """Tables whose rows tell their person by other fields than the table of the persons does: probably a mistake."""
    tables = draft.reading.source.tables
    if home not in tables:
        return []
    own = person_fields(tables[home]) or ()
    found = []
    for name in dict.fromkeys(r.from_ for r in draft.inputs.mapping.rules if r.from_ in tables):
        theirs = person_fields(tables[name]) or ()
        if {f.rpartition(DOT)[2] for f in theirs} == {f.rpartition(DOT)[2] for f in own} or tables[name].person == ():
            continue
        told = " and ".join(f"`{f}`" for f in theirs) or "its content"
        key = "person" if draft.inputs.source.tables[name].person else "row"
        message = f"a row of `{name}` tells its person by {told}, a row of `{home}` by {' and '.join(f'`{f}`' for f in own) or 'its content'}"
        mend = "add `person:` with the field that holds the person's id, named as in the other table (`header:` is the file's name)"
        mend += f", or join a table that has it: under `joins:` of the mapping, `- {_join_to(draft, name, set(own))}`"
        found.append(
            draft.inputs.source_document.problem(
                "person", message, ("tables", name, key), help=mend, severity="warning", at="key"
            )
        )
    return found


def _join_to(draft: Draft, name: str, person: set[str]) -> str:
    """The join by which a table would find its persons: through the first table that its fields lead to."""
    tables = draft.inputs.source.tables
    keys = {t: spec.row.fields for t, spec in tables.items() if t != name and person <= set(person_fields(spec) or ())}
    to = next((t for t, key in keys.items() if key and set(key) <= set(tables[name].fields)), None)
    by = ", ".join(f"{field}: {field}" for field in keys[to]) if to else "…"
    return f"{{from: {name}, to: {to or '…'}, by: {{{by}}}, person: true}}"


def check_fields(draft: Draft) -> Draft:
    """Every declared source field is mapped, a key, or ignored with a reason."""
    used = {(r.table, f) for r in draft.rules for f in r.fields} | _looked_into(draft)
    corrected = {(a.table, f) for a in draft.amendments for f in a.texts}
    declared = {f for t in draft.inputs.source.tables.values() for f in t.fields}
    document = draft.inputs.document
    found = []
    for name, spec in draft.inputs.source.tables.items():
        mark = {spec.removed.field} if spec.removed else set()
        idle = set(spec.fields) - {*spec.row.fields, *(spec.person or ()), *draft.inputs.mapping.ignored} - mark
        left = [f for f in spec.fields if f in idle and (name, f) not in used | corrected]
        if left:
            found.append(_unused(draft, name, left))
    found += [
        document.problem("field", f"`{f}` is not a declared field", ("ignored", f), help=nearest(f, declared), at="key")
        for f in draft.inputs.mapping.ignored
        if f not in declared
    ]
    return draft.with_problems(found) if len(draft.rules) == len(draft.inputs.mapping.rules) else draft


def _looked_into(draft: Draft) -> set[tuple[str, str]]:
    """The fields that joins are by, and those that rules read through them: (table, field)."""
    tables = draft.reading.source.tables
    read: dict[str, set[str]] = {}
    for rule in draft.rules:
        read.setdefault(rule.table, set(tables[rule.table].person or ())).update(rule.fields)
    found = {(join.to, field) for join, fields in fields_looked_into(draft.joins, read).items() for field in fields}
    return found | {side for join in draft.joins for a, b in join.by for side in ((join.table, a), (join.to, b))}


def _unused(draft: Draft, table: str, fields: list[str]) -> Problem:
    names = ", ".join(f"`{f}`" for f in fields)
    what = f"the field {names} of `{table}` is" if len(fields) == 1 else f"fields of `{table}` are"
    more = "" if len(fields) == 1 else f": {names}"
    return draft.inputs.document.problem(
        "unused-field",
        f"{what} neither mapped nor ignored{more}",
        ("rules",),
        help="map it, or name it under `ignored:` with the reason",
        severity="warning",
        at="key",
    )


def order_rules(draft: Draft) -> Draft:
    """The health system, the persons, then the others, each rule after those it refers to, deaths last (other facts may
    belie them); a circle is a problem."""
    rules = {r.name: r for r in draft.rules}
    done: dict[str, BoundRule] = {}
    last = [r for r in draft.rules if r.fact == "death"]
    waiting = sorted((r for r in draft.rules if r not in last), key=lambda r: (not r.of_nobody, r.fact != "person"))
    while waiting:
        ready = [r for r in waiting if all(name in done or name not in rules for name in _referred(r))]
        if not ready:
            return draft.with_problems([_circle(draft, circle) for circle in _circles(waiting)])
        first = [r for r in ready if r.of_nobody] or [r for r in ready if r.fact == "person"] or ready
        done |= {r.name: r for r in first}
        waiting = [r for r in waiting if r.name not in done]
    return replace(draft, rules=(*done.values(), *last))


def _referred(rule: BoundRule) -> list[str]:
    """The rules whose facts must be there before this one is run."""
    return [reference.rule for key, reference in rule.references.items() if not rule.refers_to_itself(key)]


def _circles(waiting: list[BoundRule]) -> list[list[BoundRule]]:
    """Each circle once, from its first rule in the file; a rule that only leads into one is in none."""
    rules = {r.name: r for r in waiting}
    found: list[list[BoundRule]] = []
    seen: set[str] = set()
    for rule in waiting:
        path = [rule] if rule.name not in seen else []
        while path and path[-1].name not in seen:
            seen.add(path[-1].name)
            followed = next(name for name in _referred(path[-1]) if name in rules)
            path.append(rules[followed])
        if path and path[-1] in path[:-1]:
            circle = path[path.index(path[-1]) : -1]
            first = circle.index(min(circle, key=waiting.index))
            found.append(circle[first:] + circle[:first])
    return found


_OTHER_ROW = "say which fields tell the row that it lies within: {{rule: {}, by: {{…}}}}"


def _circle(draft: Draft, circle: list[BoundRule]) -> Problem:
    first, second = circle[0], circle[1 % len(circle)]
    key = next(key for key, reference in first.references.items() if reference.rule == second.name)
    return draft.inputs.document.problem(
        "circle",
        f"`{first.name}` refers to `{second.name}`, which leads back to it",
        ("rules", draft.inputs.mapping.rules.index(first.spec), key),
        help=_OTHER_ROW.format(first.name)
        if first is second and key == "parent"
        else "a fact cannot qualify itself; break the circle",
    )

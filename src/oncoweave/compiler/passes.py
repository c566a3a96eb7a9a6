"""The compiler: a tuple of passes from specification to plan. Nothing here reads data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from oncoweave.compiler.bind import Binder
from oncoweave.compiler.checks import check_fields, check_persons, check_spellings, check_tables, order_rules
from oncoweave.compiler.concepts import ConceptBook
from oncoweave.compiler.corrections import compile_corrections
from oncoweave.compiler.draft import Draft
from oncoweave.compiler.expressions import NOT_JOINED
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.joins import read_joins
from oncoweave.compiler.periods import check_periods
from oncoweave.compiler.planning import build_plan
from oncoweave.compiler.references import find_references
from oncoweave.compiler.relationships import find_relationships
from oncoweave.compiler.visits import find_visit_kinds
from oncoweave.errors import Problem
from oncoweave.spec.document import Loc


def read_concepts(draft: Draft) -> Draft:
    """Reads every concept that the mapping names from the vocabulary, in one query."""
    mapping = draft.inputs.mapping
    book = ConceptBook.of(mapping.concepts, _texts(mapping), list(draft.inputs.maps.values()), draft.inputs.bundle)
    found = []
    for name in mapping.concepts:
        tell = partial(_tell_of, draft.inputs, ("concepts", name))
        fixed = book.fixed(name, "named", tell)
        found += [fixed] if isinstance(fixed, Problem) else []
    return replace(draft, book=book).with_problems(found)


def _tell_of(inputs: Inputs, loc: Loc, code: str, message: str, *, help: str = "") -> Problem:  # noqa: A002
    return inputs.document.problem(code, message, loc, help=help)


def bind_rules(draft: Draft) -> Draft:
    """Settles names, types and concepts of every rule."""
    assert draft.book is not None
    binder = Binder(draft.reading, draft.book)
    rules = tuple(binder.rules())
    faulty = {(p.file, p.line) for p in draft.problems}
    told = {(p.code, p.message) for p in draft.problems}  # a named concept's fault is told where it is named
    refused = len(draft.joins) < len(draft.inputs.mapping.joins)  # and a join's where the join is
    return replace(draft, rules=rules).with_problems(
        [
            p
            for p in dict.fromkeys(binder.problems)
            if (p.file, p.line) not in faulty
            and (p.code, p.message) not in told
            and not (refused and p.help.startswith(NOT_JOINED))
        ]
    )


PASSES: tuple[Callable[[Draft], Draft], ...] = (
    check_tables,
    check_spellings,
    read_joins,
    read_concepts,
    compile_corrections,
    bind_rules,
    find_references,
    find_relationships,
    find_visit_kinds,
    check_persons,
    check_fields,
    check_periods,
    order_rules,
    build_plan,
)


def compile_draft(inputs: Inputs, columns: Mapping[str, Sequence[str]] | None = None) -> Draft:
    """All passes over the inputs; `columns` are the snapshot's columns by source table, where there is a snapshot."""
    draft = Draft(inputs, columns or {})
    for step in PASSES:
        draft = step(draft)
    return draft


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

"""The plan as text that a mapping author can follow: what each rule makes of a row, in the words of the mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oncoweave.compiler.bound import OF_A_PERSON, BoundRule, Branch
from oncoweave.compiler.concept_choices import CHOICES, MAIN
from oncoweave.compiler.lookups import CodeLookup, CodingLookup, Lookup, MapLookup
from oncoweave.compiler.slots import SLOTS
from oncoweave.spec.clinical import Column
from oncoweave.spec.conversion import UnitConversion
from oncoweave.spec.mapping import Rule
from oncoweave.spec.person import PersonRule
from oncoweave.spec.rule import CodeRef, CodingRef, Concept, MapRef, PersonConcept


def rule_lines(rule: BoundRule, concepts: Mapping[str, str]) -> Iterator[str]:
    """One rule: what it reads, whom it leaves out, and for each branch the table, the concept and the fields."""
    unit = f"each group of {', '.join(rule.spec.group)}" if rule.grouped else "each row"
    yield f"rule {rule.name}: one {rule.fact} for {unit} of {rule.table}"
    if rule.spec.where:
        yield f"  where {rule.spec.where}; else excluded: {rule.spec.because}"
    for key, reference in rule.references.items():
        yield f"  {key}: {reference.rule}{' by date' if reference.by_date else ''}"
    if rule.related:
        told = rule.related
        yield f"  relationship: {told.relationship} ({told.concept_id}), back: {told.reverse} ({told.reverse_concept_id})"
    if rule.rolls_up:
        yield "  roll_up: encounters of one hospital stay make one visit"
    if getattr(rule.spec, "without_end", "start") == "ongoing":
        yield "  without_end: an inpatient visit without an end lasts until the delivery"
    if rule.provider_from:
        yield f"  provider: that of {rule.provider_from}"
    yield from (f"  {line}" for line in _fields(rule.spec, concepts))
    for branch in rule.branches:
        yield f"  {f'{branch.column} ' if branch.column else ''}-> {', '.join(sorted(branch.targets))}"
        if branch.column:
            yield from (f"      {line}" for line in _fields(_column(rule, branch), concepts))


def lookup_line(lookup: Lookup) -> str:
    """One lookup: where its codes come from, and how many of them lead nowhere."""
    if isinstance(lookup, CodeLookup | CodingLookup):
        return f"codes of {lookup.vocabulary}, resolved when the data are read"
    assert isinstance(lookup, MapLookup)
    codes = {row.code for row in lookup.rows}
    unmapped = {row.code for row in lookup.rows if not row.ignored and not row.any_concept_id}
    return f"concept map {lookup.concept_map}: {len(codes)} codes, {len(unmapped)} without approved target"


def _column(rule: BoundRule, branch: Branch) -> Column:
    columns: Mapping[str, Column] = getattr(rule.spec, "columns", {})
    return columns[str(branch.column)]


def _fields(model: Rule | Column, concepts: Mapping[str, str]) -> Iterator[str]:
    """Each key that holds a concept or an expression, as the mapping writes it; named concepts in full."""
    if isinstance(model, PersonRule):
        parts = {p: getattr(model.birth, p) for p in ("date", "year", "month", "day")}
        yield "birth: " + ", ".join(f"{part} = {text}" for part, text in parts.items() if text)
    for key in OF_A_PERSON:
        told: PersonConcept | None = getattr(model, key, None)
        if told:
            yield f"{key}: {_concept(told.concept, concepts)}"
    for key in ("concept", *MAIN.values(), *CHOICES, *SLOTS):
        value = getattr(model, key, None)
        if value is not None:
            yield f"{key}: {value if key in SLOTS else _concept(value, concepts)}"
    convert: UnitConversion | None = getattr(model, "convert", None)
    if convert:
        units = ", ".join(f"{unit}: {expression}" for unit, expression in convert.units.items())
        yield f"convert to {_concept(convert.to, concepts)}: {units}"
    between: tuple[float, float] | None = getattr(model, "between", None)
    if between:
        yield f"between: {between[0]:g} and {between[1]:g}"


def _concept(concept: Concept, concepts: Mapping[str, str]) -> str:
    if isinstance(concept, MapRef):
        return f"concept map {concept.map}" + (f" of {concept.value}" if concept.value else "")
    if isinstance(concept, CodeRef):
        return f"{concept.vocabulary} {concept.code}"
    if isinstance(concept, CodingRef):
        other = f", else concept map {concept.map}" if concept.map else ""
        return f"codings of {concept.codings}: {', '.join(concept.vocabularies)}{other}"
    return concepts.get(concept, concept)

"""Reads everything the compiler needs: the specification files, the concept maps, the vocabulary, the transforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oncoweave import content
from oncoweave.compiler.spellings import spelling_verbs
from oncoweave.compiler.transforms import load_verbs
from oncoweave.engine.date_patterns import read_patterns
from oncoweave.engine.expressions import Expression, KindError
from oncoweave.errors import Problem, SpecError, UsageError, nearest
from oncoweave.omop.routing import HEALTH_SYSTEM_FACTS
from oncoweave.project import Project
from oncoweave.spec.concept_map import ConceptMap, load_concept_map
from oncoweave.spec.corrections import Corrections
from oncoweave.spec.document import Document, Loc
from oncoweave.spec.load import load_corrections, load_mapping, load_source
from oncoweave.spec.mapping import Mapping as MappingSpec
from oncoweave.spec.rule import CodingRef, MapRef
from oncoweave.spec.source import Source
from oncoweave.vocabulary.bundle import Bundle, open_release


@dataclass(frozen=True)
class Inputs:
    """What a mapping is compiled from."""

    source: Source
    source_document: Document
    mapping: MappingSpec
    document: Document
    corrections: Corrections | None
    corrections_document: Document | None
    maps: Mapping[str, ConceptMap]
    bundle: Bundle
    verbs: Mapping[str, Callable[..., Expression]]


def read_inputs(project: Project, source: str) -> Inputs:
    """The inputs of a source's mapping.

    Raises SpecError with the problems of all files at once.
    """
    problems: list[Problem] = []
    spec = _tried(lambda: load_source(project, source), problems)
    mapping = _tried(lambda: load_mapping(project, source), problems)
    corrections = _tried(lambda: load_corrections(project, source), problems)
    problems += pattern_problems(*spec) if spec else []
    maps = _maps(project, source, mapping, problems)
    bundle = _bundle(project, mapping, problems)
    if problems or spec is None or mapping is None or bundle is None:
        raise SpecError(f"{source}: the specification has errors", problems=sorted(problems))
    verbs: dict[str, Callable[..., Expression]] = dict(spelling_verbs(mapping[0]))
    verbs |= load_verbs(content.transform_modules(project))
    told = with_tables_of_nobody(spec[0], mapping[0])
    changes, changes_document = corrections or (None, None)
    return Inputs(told, spec[1], mapping[0], mapping[1], changes, changes_document, maps, bundle, verbs)


def with_tables_of_nobody(source: Source, mapping: MappingSpec) -> Source:
    """The source with `person: []` where only rules of the health system read a table that names no person."""
    facts: dict[str, set[str]] = {}
    for rule in mapping.rules:
        facts.setdefault(rule.from_, set()).add(rule.fact)
    nobody: tuple[str, ...] = ()
    tables = {
        name: table.model_copy(update={"person": nobody})
        if table.person is None and facts.get(name, {"person"}) <= HEALTH_SYSTEM_FACTS
        else table
        for name, table in source.tables.items()
    }
    return source.model_copy(update={"tables": tables})


def pattern_problems(source: Source, document: Document) -> list[Problem]:
    """Date patterns that tell no date, and times of which some are brought to UTC and some are not."""
    found: list[Problem] = []
    clocks: dict[bool, list[tuple[Loc, str]]] = {True: [], False: []}
    for table, spec in source.tables.items():
        for name, field in spec.fields.items():
            for i, text in enumerate(field.formats):
                loc: Loc = ("tables", table, "fields", name, "formats", i)
                try:
                    pattern = read_patterns(text)[-1]
                except KindError as error:
                    found.append(document.problem("date-pattern", str(error), loc))
                    continue
                if pattern.time and not pattern.time.endswith("Z"):
                    clocks[pattern.offset].append((loc, text))
    if clocks[True] and clocks[False]:
        mend = "one clock for all: give every time an offset (%z) or Z, or ask the source for local times"
        found += [
            document.problem(
                "date-pattern", f"`{text}` has no offset, while other times are brought to UTC", loc, help=mend
            )
            for loc, text in clocks[False]
        ]
    return found


def _tried(load: Callable[[], Any], problems: list[Problem]) -> Any:
    try:
        return load()
    except SpecError as error:
        problems.extend(error.problems)
        return None


def _maps(
    project: Project, source: str, mapping: tuple[MappingSpec, Document] | None, problems: list[Problem]
) -> dict[str, ConceptMap]:
    """Every concept map that the mapping names; one that is not there is a problem at the place that names it."""
    if mapping is None:
        return {}
    known = content.concept_maps(project, source)
    maps: dict[str, ConceptMap] = {}
    for name, loc in map_places(mapping[0]):
        path = known.get(name)
        if path is None:
            message = f"there is no concept map `{name}`"
            mend = f"{nearest(name, known)} or make it: concepts/{name}.csv beside mapping.yaml".removeprefix(" or ")
            problems.append(mapping[1].problem("concept-map", message, loc, help=mend))
        elif name not in maps:
            found = _tried(lambda p=path: load_concept_map(p, project.root), problems)  # type: ignore[misc]
            maps |= {name: found} if found else {}
    return maps


def map_places(mapping: MappingSpec) -> list[tuple[str, tuple[str | int, ...]]]:
    """Each concept map that the mapping names, with the place of the name."""
    return [
        (name, (*loc, "map"))
        for number, rule in enumerate(mapping.rules)
        for loc, name in _map_refs(rule, ("rules", number))
    ]


def _map_refs(model: Any, loc: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(model, MapRef | CodingRef):
        return [(loc, model.map)] if model.map else []
    if isinstance(model, dict):
        return [found for key, value in model.items() for found in _map_refs(value, (*loc, key))]
    if hasattr(type(model), "model_fields"):
        fields = ((name, getattr(model, name)) for name in type(model).model_fields)
        return [found for name, value in fields for found in _map_refs(value, (*loc, name))]
    return []


def _bundle(project: Project, mapping: tuple[MappingSpec, Document] | None, problems: list[Problem]) -> Bundle | None:
    if mapping is None:
        return None
    try:
        return open_release(project, mapping[0].vocabulary)
    except (UsageError, SpecError) as error:
        problems.append(mapping[1].problem("vocabulary", error.message, ("vocabulary",), help=error.mend))
        return None

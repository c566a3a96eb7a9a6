"""Where a project's mappings name concepts, and how many events of the last runs hold them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from oncoweave import content
from oncoweave.compiler.inputs import map_places
from oncoweave.engine.connection import connect, without_values
from oncoweave.errors import EnvironmentFault
from oncoweave.events import TYPES, select_events
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import EventFile, EventIndex
from oncoweave.spec.concept_map import load_concept_map
from oncoweave.spec.load import load_mapping
from oncoweave.vocabulary.bundle import Bundle
from oncoweave.vocabulary.difference import Change, changes

_CONCEPT = re.compile(r"^OMOP:(?P<id>[0-9]+)(?: |$)")
_COLUMNS = tuple(name for name in TYPES if name.endswith("concept_id"))


@dataclass(frozen=True, order=True)
class Use:
    """One place where a concept is named: the source, the file, and the code that leads to it (empty: the mapping itself)."""

    source: str
    file: str
    code: str


@dataclass(frozen=True)
class Touched:
    """A change with what it touches: where the concept is named, and the events of each source's last run that hold it."""

    change: Change
    uses: tuple[Use, ...]
    events: Mapping[str, int]


def touched(project: Project, before: Bundle, after: Bundle) -> list[Touched]:
    """The changes between two releases of the concepts that the project names or its last runs hold, by concept.

    Raises SpecError for a mapping or a concept map that cannot be read.
    """
    uses: dict[int, set[Use]] = {}
    events: dict[int, dict[str, int]] = {}
    for source in project.sources():
        for concept_id, use in _uses(project, source):
            uses.setdefault(concept_id, set()).add(use)
        for concept_id, number in _events(_last_run(project, source), after).items():
            events.setdefault(concept_id, {})[source] = number
    found = changes(before, after, (uses.keys() | events.keys()) - {0})
    return [Touched(c, tuple(sorted(uses.get(c.concept_id, ()))), events.get(c.concept_id, {})) for c in found]


def _uses(project: Project, source: str) -> Iterator[tuple[int, Use]]:
    """Every concept that a source's mapping, or a concept map that it looks up, names."""
    mapping, document = load_mapping(project, source)
    folder = project.source_folder(source)
    for file in document.files:
        name = file.path.relative_to(folder).as_posix()
        standing = [mapping.defaults.model_dump(mode="json")] if file is document.files[0] else []
        for text in _texts([file.data, *standing]):
            if match := _CONCEPT.match(text):
                yield int(match["id"]), Use(source, name, "")
    maps = content.concept_maps(project, source)
    for name in sorted({name for name, _ in map_places(mapping)} & maps.keys()):
        for row in load_concept_map(maps[name], project.root).rows:
            if row.concept_id and row.status != "IGNORED":
                yield row.concept_id, Use(source, f"concepts/{name}.csv", row.source_code)


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, (dict, list)):
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from _texts(branch)


def _last_run(project: Project, source: str) -> RunFolder | None:
    """The run of a source that was mapped last."""
    records = (project.runs / source).glob("*/map.json")
    last = max(records, key=lambda record: (record.stat().st_mtime_ns, record), default=None)
    return RunFolder(last.parent) if last else None


def _events(run: RunFolder | None, after: Bundle) -> dict[int, int]:
    """How many events of a run hold each concept in whatever column, or have a code unknown then that is its code in `after`.

    None of a run that another version mapped.
    """
    if run is None or not (run.events / "events.json").is_file():
        return {}
    try:
        index = read_record(run.events / "events.json", EventIndex)
    except EnvironmentFault:
        return {}
    known = set(after.vocabularies())
    found: Counter[int] = Counter()
    for file in index.files:
        found.update(dict(_counted(run, file)))
        if file.constants.get("source_vocabulary") in known:
            found.update(_newly_known(run, file, after))
    return dict(found)


def _newly_known(run: RunFolder, file: EventFile, after: Bundle) -> dict[int, int]:
    """The events whose code had no concept, by the concept that it has in `after`."""
    columns = ["source_code", "source_concept_id"]
    sql = f"""SELECT source_code, count(*) FROM ({select_events(run.events, file, columns)})
        WHERE source_concept_id = 0 AND source_code IS NOT NULL GROUP BY 1"""
    counts = {str(code): int(number) for code, number in _rows(run, file, sql)}
    concepts = after.by_codes(str(file.constants["source_vocabulary"]), counts) if counts else {}
    found: Counter[int] = Counter()
    for code, concept in concepts.items():
        found[concept.concept_id] += counts[code]
    return found


def _counted(run: RunFolder, file: EventFile) -> list[tuple[int, int]]:
    constant = {int(value) for name in _COLUMNS if (value := file.constants.get(name)) is not None}
    varying = [name for name in _COLUMNS if name in file.columns]
    found = [(concept_id, file.rows) for concept_id in constant]
    if not varying:
        return found
    sql = f"""SELECT id, count(*) FROM (SELECT unnest(list_distinct([{", ".join(varying)}])) AS id
        FROM ({select_events(run.events, file, varying)})) WHERE id IS NOT NULL GROUP BY 1"""
    return found + [(int(row[0]), int(row[1])) for row in _rows(run, file, sql) if int(row[0]) not in constant]


def _rows(run: RunFolder, file: EventFile, sql: str) -> list[tuple[Any, ...]]:
    with (
        TemporaryDirectory() as work,
        connect(work=Path(work), allow=[run.events]) as connection,
        without_values(f"counting the events of {file.rule}"),
    ):
        return connection.execute(sql).fetchall()

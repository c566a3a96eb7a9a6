"""Which source codes have no approved target: the codes of coded fields that enough persons share, by frequency.

A code that comes from free text or an identifier is not in `source_value` of an event, and not here either. A code of
fewer persons than the small-cell limit is not named; neither is the next one where its count would follow from a sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import duckdb

from oncoweave import content
from oncoweave.engine.connection import connect, without_values
from oncoweave.errors import OncoweaveError
from oncoweave.events import select_events
from oncoweave.files import read_record, work_folder
from oncoweave.project import Project, RunFolder
from oncoweave.records import EventFile, EventIndex
from oncoweave.spec.concept_map import load_concept_map

SMALL_CELL = 5
"""A count of persons from 1 to 4 is not shown (DARWIN EU, OHDSI)."""
NAMED = 50
"""How many codes a page names."""

_WITH_A_CODE = frozenset({"concept_id", "source_code", "source_value", "person_id"})


@dataclass(frozen=True)
class UnmappedCode:
    """A source code without an approved target: where it is mapped, how often it occurs, and its label in the concept map."""

    rule: str
    column: str | None
    concept_map: str | None
    code: str
    label: str
    events: int
    persons: int


@dataclass(frozen=True)
class UnmappedCodes:
    """The codes that may be named, the commonest first; of the others only how many there are."""

    named: tuple[UnmappedCode, ...]
    others: int


def unmapped_codes(run: RunFolder, project: Project, *, limit: int = SMALL_CELL, most: int = NAMED) -> UnmappedCodes:
    """The unmapped codes of a run that has been mapped; none of a run whose events were removed since."""
    index = run.events / "events.json"
    events = read_record(index, EventIndex).files if index.is_file() else ()
    files = [file for file in events if file.rows and _looks_up(file)]
    with work_folder(run, "report") as work, closing(connect(work=work, allow=[run.events], threads=1)) as connection:
        groups = [_codes(connection, run, file) for file in files]
    shown: list[UnmappedCode] = []
    hidden: list[UnmappedCode] = []
    for group in groups:
        some, rest = withheld(group, limit)
        shown += some
        hidden += rest
    shown.sort(key=lambda code: (-code.events, code.rule, code.column or "", code.code))
    hidden += shown[most:]
    labels = _labels(project, run.source, {code.concept_map for code in shown[:most]})
    named = tuple(_labelled(code, labels) for code in shown[:most])
    return UnmappedCodes(named, len(hidden))


def withheld(codes: Sequence[UnmappedCode], limit: int) -> tuple[list[UnmappedCode], list[UnmappedCode]]:
    """The codes of one column that may be named, and those that may not.

    Where the ones left out are of fewer persons than the limit together, the smallest of the others joins them, for the
    column's total would tell their count.
    """
    ranked = sorted(codes, key=lambda code: (-code.persons, -code.events, code.code))
    shown = [code for code in ranked if code.persons >= limit]
    hidden = ranked[len(shown) :]
    while hidden and shown and sum(code.persons for code in hidden) < limit:
        hidden.insert(0, shown.pop())
    return shown, hidden


def _looks_up(file: EventFile) -> bool:
    return file.constants.get("source_vocabulary") is not None and "source_code" in {*file.columns, *file.derived}


def _codes(connection: duckdb.DuckDBPyConnection, run: RunFolder, file: EventFile) -> list[UnmappedCode]:
    source = select_events(run.events, file, sorted(_WITH_A_CODE))
    sql = f"""SELECT source_code, count(*), count(DISTINCT person_id) FROM ({source})
        WHERE concept_id = 0 AND source_code IS NOT NULL AND source_value IS NOT NULL GROUP BY ALL ORDER BY ALL"""
    with without_values("counting unmapped codes"):
        rows = connection.execute(sql).fetchall()
    place = (file.rule, file.column, str(file.constants["source_vocabulary"]))
    return [UnmappedCode(*place, str(code), "", int(events), int(persons)) for code, events, persons in rows]


def _labels(project: Project, source: str, maps: Iterable[str | None]) -> Mapping[str, Mapping[str, str]]:
    """The label of each code in the concept maps, as they are now; none of a map that is gone."""
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    for name, code, label in _label_rows(project, source, {name for name in maps if name}):
        labels[name].setdefault(code, label)
    return labels


def _label_rows(project: Project, source: str, maps: set[str]) -> Iterator[tuple[str, str, str]]:
    try:
        paths = {name: path for name, path in content.concept_maps(project, source).items() if name in maps}
        for name, path in sorted(paths.items()):
            for row in load_concept_map(path, project.root).rows:
                yield name, row.source_code, row.source_name
    except OncoweaveError:
        return  # lint says what is wrong with a map; here its labels are only missing


def _labelled(code: UnmappedCode, labels: Mapping[str, Mapping[str, str]]) -> UnmappedCode:
    label = labels.get(code.concept_map or "", {}).get(code.code, "")
    return UnmappedCode(code.rule, code.column, code.concept_map, code.code, label, code.events, code.persons)

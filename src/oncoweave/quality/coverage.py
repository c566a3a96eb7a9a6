"""How much of the source's codes is mapped: codes and records by concept map, and the commonest codes without an approved target.

A code that comes from free text or an identifier is not in `source_value` of an event, and not named here either. A code of
fewer persons than the small-cell limit is not named; neither is the next one where its count would follow from a sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import duckdb

from oncoweave import content
from oncoweave.engine.connection import connect, fetch_rows, without_values
from oncoweave.engine.parquet import literal
from oncoweave.errors import OncoweaveError
from oncoweave.events import remaining_event_files, select_events
from oncoweave.project import Project, RunFolder
from oncoweave.record import Record
from oncoweave.records import EventFile
from oncoweave.spec.concept_map import MapRow, load_concept_map

NAMED = 50
"""How many codes are named."""
_WITH_A_CODE = ("concept_id", "person_id", "source_code", "source_value")


class UnmappedCode(Record):
    """A source code without an approved target: where it is mapped, how often it occurs, and its label in the concept map."""

    rule: str
    column: str | None
    concept_map: str | None
    code: str
    label: str
    events: int
    persons: int


class MapCoverage(Record):
    """What of the codes and records that a concept map (or vocabulary) is asked for has a standard concept."""

    concept_map: str
    codes: int
    codes_mapped: int
    records: int
    records_mapped: int


class Coverage(Record):
    """coverage.json: by concept map, and the codes that may be named, the commonest first; `others` counts those that may not.

    `smallest` is the least number of persons whose code is named.
    """

    smallest: int
    maps: tuple[MapCoverage, ...]
    unmapped: tuple[UnmappedCode, ...]
    others: int


def coverage(run: RunFolder, project: Project, work: Path, smallest: int, most: int = NAMED) -> Coverage:
    """The coverage of a run that has been mapped; of nothing where its events were removed since."""
    files = [file for file in remaining_event_files(run) if file.rows and _looks_up(file)]
    with closing(connect(work=work, allow=[run.events])) as connection:
        for number, file in enumerate(files):
            _count(connection, run, file, number)
        maps = _maps(connection, len(files))
        groups = [_unmapped(connection, file, number) for number, file in enumerate(files)]
    shown: list[UnmappedCode] = []
    hidden: list[UnmappedCode] = []
    for group in groups:
        some, rest = withheld(group, smallest)
        shown += some
        hidden += rest
    shown.sort(key=lambda code: (-code.events, code.rule, code.column or "", code.code))
    hidden += shown[most:]
    labels = _labels(project, run.source, {code.concept_map for code in shown[:most]})
    named = tuple(_labelled(code, labels) for code in shown[:most])
    return Coverage(smallest=smallest, maps=maps, unmapped=named, others=len(hidden))


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


def _count(connection: duckdb.DuckDBPyConnection, run: RunFolder, file: EventFile, number: int) -> None:
    """Make the table `codes_<number>`: each code of the file, whether it is mapped, and how often it occurs."""
    source = select_events(run.events, file, _WITH_A_CODE)
    name = literal(file.constants["source_vocabulary"])
    sql = f"""CREATE TABLE codes_{number} AS SELECT {name} AS map, source_code AS code, coalesce(concept_id, 0) <> 0 AS mapped,
        source_value IS NOT NULL AS tellable, count(*) AS events, count(DISTINCT person_id) AS persons
        FROM ({source}) WHERE source_code IS NOT NULL GROUP BY ALL"""
    with without_values("counting codes"):
        connection.execute(sql)


def _maps(connection: duckdb.DuckDBPyConnection, files: int) -> tuple[MapCoverage, ...]:
    if not files:
        return ()
    union = " UNION ALL ".join(f"SELECT map, code, mapped, events FROM codes_{number}" for number in range(files))
    sql = f"""SELECT map, count(DISTINCT code), count(DISTINCT code) FILTER (mapped), sum(events),
        coalesce(sum(events) FILTER (mapped), 0) FROM ({union}) GROUP BY map ORDER BY map"""
    rows = fetch_rows(connection, sql, "counting codes")
    names = ("codes", "codes_mapped", "records", "records_mapped")
    return tuple(MapCoverage(concept_map=m, **dict(zip(names, map(int, counts), strict=True))) for m, *counts in rows)


def _unmapped(connection: duckdb.DuckDBPyConnection, file: EventFile, number: int) -> list[UnmappedCode]:
    sql = f"SELECT code, events, persons FROM codes_{number} WHERE NOT mapped AND tellable ORDER BY ALL"
    rows = fetch_rows(connection, sql, "counting unmapped codes")
    place = {"rule": file.rule, "column": file.column, "concept_map": str(file.constants["source_vocabulary"])}
    return [UnmappedCode(**place, code=str(c), label="", events=int(e), persons=int(p)) for c, e, p in rows]


def _labels(project: Project, source: str, maps: Iterable[str | None]) -> Mapping[str, Mapping[str, str]]:
    """The label of each code in the concept maps; none of a map that cannot be read."""
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    for name, rows in map_rows(project, source, {name for name in maps if name}):
        for row in rows:
            labels[name].setdefault(row.source_code, row.source_name)
    return labels


def map_rows(project: Project, source: str, maps: Collection[str]) -> Iterator[tuple[str, Sequence[MapRow]]]:
    """The rows of some concept maps of a source, as they are now, by name; none from one on that cannot be read, which lint tells."""
    with suppress(OncoweaveError):
        for name, path in sorted(content.concept_maps(project, source).items()):
            if name in maps:
                yield name, load_concept_map(path, project.root).rows


def _labelled(code: UnmappedCode, labels: Mapping[str, Mapping[str, str]]) -> UnmappedCode:
    return code.model_copy(update={"label": labels.get(code.concept_map or "", {}).get(code.code, "")})

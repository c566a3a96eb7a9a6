"""Whether what a run wrote is FHIR R4, by type: what the engine sees of every resource, and what the validator says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import duckdb

from oncoweave.engine.connection import fetch_rows
from oncoweave.engine.fhir.lines import LONGEST, endings_of, lines_of
from oncoweave.fhir.resource_text import ID
from oncoweave.quality.fhir.failing import Kept
from oncoweave.quality.fhir.resources import sample_select
from oncoweave.quality.fhir.strict import faults_of
from oncoweave.quality.run_checks.finding import Finding

SAMPLE = 200
"""How many resources of each type and profile the validator looks at in an ordinary run."""
_STEP = 20_000
_NOTHING = (0,) * 8
UNREADABLE = f"its files are no UTF-8, or have a line of more than {LONGEST // 1024 // 1024} MB"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Validated:
    """How many resources of a type the validator looked at, how many of them are wrong, and the seconds that it took."""

    type: str
    resources: int
    wrong: int
    seconds: float


_WRONG = {
    "fhir_types_foreign": "NOT is_of_type",
    "fhir_ids_malformed": f"NOT coalesce(regexp_full_match(id, '{ID}'), false)",
    "fhir_empty_elements": "has_nothing",
    "fhir_codes_foreign": "NOT code_is_listed",
}
"""By check: the condition under which a resource fails it; they are judged of whatever is an object."""
_KEPT_BY = {
    **_WRONG,
    "fhir_ids_repeated": "(type, id) IN (SELECT (type, id) FROM fhir_resources GROUP BY type, id HAVING count(*) > 1)",
    "fhir_profiles_foreign": "strange_profiles > 0",
}
KEPT = frozenset({*_KEPT_BY, "fhir_invalid"})
"""The checks of which the ids of the resources that fail are kept."""


def findings(
    connection: duckdb.DuckDBPyConnection, files: Mapping[str, Sequence[Path]], unread: Sequence[str], kept: Kept
) -> list[Finding]:
    """What the engine finds in the relations of `resources`, by type."""
    found = [*_unread(unread)]
    counted = dict(_counted(connection))
    for type_, paths in sorted(files.items()):
        if type_ not in unread:
            found += _of_type(type_, paths, counted.get(type_, _NOTHING))
    found += _references(connection)
    for check in sorted({finding.check for finding in found if finding.unexpected} & _KEPT_BY.keys()):
        kept.add_rows(check, f"SELECT type, id FROM fhir_resources WHERE is_object AND ({_KEPT_BY[check]})")
    return found


def _unread(types: Sequence[str]) -> Iterator[Finding]:
    for type_ in types:
        for check in (
            "fhir_lines_broken",
            *_WRONG,
            "fhir_ids_repeated",
            "fhir_profiles_foreign",
            "fhir_references_open",
        ):
            yield Finding(check, (type_,), type_, error=UNREADABLE)


def _of_type(type_: str, paths: Sequence[Path], counts: tuple[int, ...]) -> Iterator[Finding]:
    objects, *wrong, profiles, strange, repeated = counts
    yield _lines(type_, paths, objects)
    for check, number in zip(_WRONG, wrong, strict=True):
        yield Finding(check, (type_,), type_, objects, number)
    yield Finding("fhir_ids_repeated", (type_,), type_, objects, repeated)
    yield Finding("fhir_profiles_foreign", (type_,), type_, profiles, strange)


def validate(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[str, Sequence[Path]],
    kept: Kept,
    *,
    every: bool,
    tell: Tell | None = None,
) -> tuple[list[Finding], list[Validated]]:
    """What the validator finds in a sample of each type and profile, or in every resource."""
    found, told = [], []
    for type_, paths in sorted(files.items()):
        total = sum(endings_of(path).lines for path in paths) if every and tell else 0
        began = perf_counter()
        lines = (line for path in paths for line in lines_of(path)) if every else _sample(connection, paths)
        resources = wrong = 0
        for line in lines:
            faults = faults_of(line)
            resources += 1
            if faults:
                wrong += 1
                kept.add("fhir_invalid", type_, line, faults)
            if tell and every and resources % _STEP == 0:
                speed = resources / (perf_counter() - began)
                tell(f"{type_}: {resources:,} of {total:,}, {speed:,.0f}/s")
        found.append(Finding("fhir_invalid", (type_,), type_, resources, wrong))
        told.append(Validated(type_, resources, wrong, perf_counter() - began))
    return found, told


def _sample(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> Iterator[bytes]:
    if paths:
        try:
            rows = connection.execute(sample_select(paths, SAMPLE)).fetchall()
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return  # the checks of the engine say so
        yield from (line.encode() for (line,) in rows)


def _lines(type_: str, paths: Sequence[Path], objects: int) -> Finding:
    """Lines that hold no object: other JSON, none, nothing; and a last line without an end, which may be cut off."""
    endings = [endings_of(path) for path in paths]
    lines = sum(file.lines + (not file.whole) for file in endings)
    cut_off = sum(not file.whole for file in endings)
    return Finding("fhir_lines_broken", (type_,), type_, lines, max(lines - objects, cut_off))


def _counted(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, tuple[int, ...]]]:
    """By type: the objects, how many fail each check of `_WRONG`, profiles, foreign profiles, ids beyond the first."""
    wrong = ", ".join(f"count(*) FILTER (is_object AND ({condition}))" for condition in _WRONG.values())
    sql = f"""SELECT type, count(*) FILTER (is_object), {wrong},
        coalesce(sum(profiles), 0)::BIGINT, coalesce(sum(strange_profiles), 0)::BIGINT, coalesce(any_value(repeated), 0)::BIGINT
        FROM fhir_resources LEFT JOIN (SELECT type, sum(times - 1) AS repeated FROM (
            SELECT type, count(*) AS times FROM fhir_resources WHERE id IS NOT NULL GROUP BY type, id) GROUP BY type) USING (type)
        GROUP BY type ORDER BY type"""
    for type_, *counts in fetch_rows(connection, sql, "counting FHIR resources"):
        yield type_, tuple(counts)


def _references(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """References by the type that has them; a resource of the run is named by type and id, and by nothing else."""
    sql = """SELECT type, sum(times)::BIGINT, coalesce(sum(times) FILTER (known.id IS NULL), 0)::BIGINT
        FROM fhir_references LEFT JOIN (SELECT DISTINCT type || '/' || id AS id FROM fhir_resources) AS known
        ON known.id = reference GROUP BY type ORDER BY type"""
    for type_, references, unresolved in fetch_rows(connection, sql, "following FHIR references"):
        yield Finding("fhir_references_open", (type_,), type_, references, unresolved)

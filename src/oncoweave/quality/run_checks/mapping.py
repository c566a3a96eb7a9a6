"""Checks of what the mapping made: by the ledger and the other counts of map.json, and by the codes of the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import duckdb

from oncoweave.engine.connection import fetch_rows
from oncoweave.engine.parquet import identifier
from oncoweave.errors import OncoweaveError
from oncoweave.events import remaining_event_files, select_events
from oncoweave.project import Project, RunFolder
from oncoweave.quality.coverage import map_rows
from oncoweave.quality.run_checks.drift import GONE
from oncoweave.quality.run_checks.finding import Finding
from oncoweave.quality.snapshot_tables import snapshot_select
from oncoweave.records import EventFile, ExtractRecord, LedgerEntry, MapRecord, events_by_fact
from oncoweave.spec.load import load_mapping
from oncoweave.spec.source import Source

UNUSABLE = ("person not mapped", "duplicate key")
"""Reasons of the ledger for rows that no rule of their table could use, told before a rule's own condition."""
EMPTY = "empty"
"""The reason by which the ledger excludes an empty cell."""


@dataclass(frozen=True)
class Mapped:
    """A run that was mapped, and what it was mapped by."""

    run: RunFolder
    project: Project
    spec: Source
    extracted: ExtractRecord
    record: MapRecord

    @property
    def rows(self) -> dict[str, int]:
        """The rows of each target table."""
        return {file.name.removesuffix(".parquet"): file.rows or 0 for file in self.record.tables}


def findings(connection: duckdb.DuckDBPyConnection, given: Mapped) -> Iterator[Finding]:
    """What was counted of the mapping; `connection` may read snapshot, events and tables of the run."""
    optional = _optional(given)
    for entry in given.record.ledger:
        yield from _rule(entry, given.spec, "the rule is optional" if entry.rule in optional else "")
    for fact, counts in events_by_fact(given.record.ledger).items():
        yield Finding("facts_unmapped", (fact,), "", *counts)
    yield from _shares(given)
    yield from _persons(connection, given)
    yield from _codes(connection, given)


def rule_place(entry: LedgerEntry) -> tuple[str, ...]:
    """The place of a rule, and of one of its columns, in the id of a check."""
    return (entry.rule, entry.column) if entry.column else (entry.rule,)


def _optional(given: Mapped) -> set[str]:
    """The rules that may take no row; none of a mapping that is no longer there, or cannot be read."""
    with suppress(OncoweaveError):
        return {rule.name for rule in load_mapping(given.project, given.run.source)[0].rules if rule.optional}
    return set()


def _rule(entry: LedgerEntry, spec: Source, optional: str) -> Iterator[Finding]:
    """`optional` says why the rule may take no row, and is empty where it may not."""

    def found(check: str, evaluated: int, unexpected: int, why_not: str = "") -> Finding:
        return Finding(check, rule_place(entry), entry.table, evaluated, unexpected, entry.column, why_not)

    accounted = entry.mapped + entry.quarantined + entry.excluded
    kept, empty = (
        entry.read - entry.excluded,
        sum(n for kind, why, n in entry.reasons if (kind, why) == ("excluded", EMPTY)),
    )
    unread = _unread(entry)
    yield found("ledger_unbalanced", entry.read, abs(entry.read - accounted))
    yield found("rule_made_nothing", kept - unread, 0 if entry.mapped else kept - unread)
    idle = optional if not kept else ""
    yield found("rule_excluded_all", entry.read - empty, 0 if kept else entry.read - empty, idle)
    table = spec.tables.get(entry.table)
    absent = "the table is optional, and has no row" if table and table.optional else optional
    yield found("rule_read_nothing", 1, int(not entry.read), absent if not entry.read else "")
    yield found("rows_held_back", kept - unread, entry.quarantined - unread)
    yield found("rows_excluded", entry.read, entry.excluded)
    yield found("events_unmapped", entry.events, entry.unmapped)


def _unread(entry: LedgerEntry) -> int:
    """The rows that no rule could use, of a rule that excludes rows: whether it would have read these, nobody can tell.

    Where many rules share a table, as those of FHIR's Observation, one patient who is not mapped is no fault of all of them.
    """
    early = sum(n for kind, why, n in entry.reasons if kind == "quarantined" and why in UNUSABLE)
    return early if entry.excluded else 0


def _shares(given: Mapped) -> Iterator[Finding]:
    """Imputed dates, cut texts, units that were not converted, rows without a partner."""
    record, rows = given.record, given.rows
    for field, by_precision in record.imputed.items():
        table, _, which = field.partition(".")
        yield Finding("dates_imputed", (table, which), table, rows.get(table, 0), sum(by_precision.values()), which)
    for field, cut in record.truncated.items():
        table, _, which = field.partition(".")
        yield Finding("texts_truncated", (table, which), table, rows.get(table, 0), cut, which)
    other = {(count.rule, count.column): count.events for count in record.unconverted}
    for entry in record.ledger:
        if (entry.rule, entry.column) in other:
            values = other[entry.rule, entry.column]
            yield Finding("values_unconverted", rule_place(entry), entry.table, entry.events, values, entry.column)
    for join in record.joins:
        looking = join.rows - join.empty
        yield Finding("rows_without_partner", (join.table, join.join), join.table, looking, join.without)


def _persons(connection: duckdb.DuckDBPyConnection, given: Mapped) -> Iterator[Finding]:
    """PERSON against what the rule of the persons made, and against the persons that the source tells of."""
    rows, made = given.rows.get("person", 0), given.record.persons
    yield Finding("persons_unreconciled", (), "person", made, abs(rows - made))
    rule = next((entry for entry in given.record.ledger if entry.fact == "person"), None)
    table = given.spec.tables.get(rule.table) if rule else None
    taken = next((t for t in given.extracted.tables if rule and t.table == rule.table), None)
    if table is None or taken is None or not (fields := table.person or table.row.fields):
        why = "the source names its persons by the content of their rows"
        yield Finding("persons_lost", (), "person", not_applicable=why)
        return
    key, path = ", ".join(map(identifier, fields)), given.run.snapshot / taken.snapshot.name
    filled = " AND ".join(f"{identifier(field)} IS NOT NULL" for field in fields)
    if not path.is_file() or not set(fields) <= set(taken.columns):
        yield Finding("persons_lost", (), "person", not_applicable=GONE)
        return
    select = snapshot_select(table, taken.columns, path)
    sql = f"SELECT count(DISTINCT hash({key})) FROM ({select}) WHERE {filled}"
    ((told,),) = fetch_rows(connection, sql, "counting the persons of the source")
    yield Finding("persons_lost", (), "person", told, max(0, told - rows))


def _codes(connection: duckdb.DuckDBPyConnection, given: Mapped) -> Iterator[Finding]:
    """The codes that occur, by the concept map or vocabulary that they are looked up in: unmapped, waiting, unlisted."""
    by_map: dict[str, list[EventFile]] = defaultdict(list)
    for file in remaining_event_files(given.run):
        if file.rows and isinstance(name := file.constants.get("source_vocabulary"), str) and _has_codes(file):
            by_map[name].append(file)
    statuses = _statuses(given, set(by_map))
    for name, of_map in sorted(by_map.items()):
        events = " UNION ALL ".join(select_events(given.run.events, f, ["source_code", "concept_id"]) for f in of_map)
        sql = f"""SELECT source_code, min(concept_id) = 0 FROM ({events}) WHERE source_code IS NOT NULL
            GROUP BY 1 ORDER BY 1"""
        found = fetch_rows(connection, sql, "counting codes")
        unmapped = [code for code, without in found if without]
        place = (_place_of(name),)
        yield Finding("codes_unmapped", place, "", len(found), len(unmapped))
        if name in statuses:
            waiting = sum(code in statuses[name] for code in unmapped)
            yield Finding("codes_waiting", place, "", len(found), waiting)
            yield Finding("codes_unlisted", place, "", len(found), len(unmapped) - waiting)


def _has_codes(file: EventFile) -> bool:
    return {"source_code", "concept_id"} <= {*file.columns, *file.derived, *file.constants}


def _place_of(name: str) -> str:
    """A vocabulary's name as a part of the id of a check: RxNorm Extension is rxnorm_extension."""
    return "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in name.lower())


def _statuses(given: Mapped, names: set[str]) -> Mapping[str, set[str]]:
    """The codes that each concept map has, as it is now; what cannot be read is told by lint."""
    rows = map_rows(given.project, given.run.source, names)
    return {name: {row.source_code for row in of_map} for name, of_map in rows}

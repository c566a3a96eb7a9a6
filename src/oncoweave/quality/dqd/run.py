"""Runs the DQD checks: a few grouped queries a table, each query telling the counts of many checks.

Where a grouped query cannot run, its checks are run in halves and at last alone, so that a check that cannot run is an
error of that check only. Everything counted is a whole number: the result does not depend on the order of rows or the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import duckdb

from oncoweave.quality.dqd import tallies
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.counts import Counts
from oncoweave.quality.dqd.forms import TODAY
from oncoweave.quality.dqd.present import Present, Value, rows_of
from oncoweave.quality.dqd.queries import query
from oncoweave.quality.dqd.relations import PERSONS, VISITS, VOCABULARY
from oncoweave.quality.dqd.scans import PERSON, SCANNED, VISIT, Scans

Grouped = Callable[[Sequence[DqdCheck]], dict[str, Counts]]


def run_dqd(connection: duckdb.DuckDBPyConnection, checks: Iterable[DqdCheck]) -> dict[str, Counts]:
    """The counts of every check, by its id.

    The connection holds the target tables and `check_delivery` of `quality.relations.prepare`, and the tables of the
    vocabulary (`prepare_vocabulary`). It stays open and is left with no more than it had.
    """
    present = Present.of(connection)
    found: dict[str, Counts] = {}
    able: list[DqdCheck] = []
    for check in checks:
        known = _without_rows(check, present)
        if known is None:
            able.append(check)
        else:
            found[check.id] = known
    try:
        found |= _Run(connection, present, able).counts()
    finally:
        for relation in ("dqd_person", "dqd_visit"):
            connection.execute(f"DROP TABLE IF EXISTS {relation}")
    return found


def _without_rows(check: DqdCheck, present: Present) -> Counts | None:
    """The result of a check that no row needs to be read for."""
    table_missing = check.table not in present.types
    if check.name == "cdmTable":
        return Counts(int(table_missing), 1)
    if table_missing:
        return Counts(absent=check.table)
    if check.name == "cdmField":
        return Counts(int(check.field not in present.types[check.table]), 1)
    absent = present.absent(check)
    return Counts(absent=absent) if absent else None


class _Run:
    """One run of checks that have all that they need."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, present: Present, checks: Sequence[DqdCheck]) -> None:
        self._connection = connection
        self._checks = checks
        self._present = present
        self._rows = rows_of(connection, {_judges(check) for check in checks})
        self._filled: dict[tuple[str, str], Value] = {}
        self._scans = Scans(connection, present, _today(connection))

    def counts(self) -> dict[str, Counts]:
        found: dict[str, Counts] = {}
        by_table: dict[str, list[DqdCheck]] = {}
        for check in self._checks:
            by_table.setdefault(_judges(check), []).append(check)
        full = {table: checks for table, checks in by_table.items() if self._rows[table] != 0}
        self._prepare([check for checks in full.values() for check in checks])
        for table, checks in by_table.items():
            of_table = self._of_full_table(table, checks) if table in full else self._of_empty_table(checks)
            found |= {check.id: self._with_facts(check, of_table[check.id]) for check in checks}
        return found

    def _prepare(self, checks: Sequence[DqdCheck]) -> None:
        """Make the relations that grouped queries join; without, their checks run alone."""
        joins = {self._scans.pair(check).join for check in checks if check.name in SCANNED}
        joins |= {PERSON for check in checks if check.name in _GENDERS}
        for join, relation in ((PERSON, PERSONS), (VISIT, VISITS)):
            if join in joins:
                with suppress(duckdb.Error):
                    self._connection.execute(relation)

    def _of_empty_table(self, checks: Sequence[DqdCheck]) -> dict[str, Counts]:
        """No row, none that fails; but a check of a whole table may judge persons."""
        apart = [check for check in checks if check.level == "TABLE"]
        return {check.id: Counts(0, 0) for check in checks} | self._singly(apart)

    def _of_full_table(self, table: str, checks: Sequence[DqdCheck]) -> dict[str, Counts]:
        rows = self._rows[table]
        if isinstance(rows, str):
            return {check.id: Counts(error=rows) for check in checks}
        scanned = [check for check in checks if check.name in SCANNED]
        fields = sorted({check.field for check in checks if check.field})
        found, filled = self._scans.scan(table, scanned, fields)
        self._filled |= {(table, name): value for name, value in filled.items()}
        for grouped, some in self._groups(table, rows, [c for c in checks if c.name not in SCANNED]):
            found |= self._together(grouped, some)
        return found | self._singly([check for check in scanned if found[check.id].error])

    def _together(self, grouped: Grouped, checks: Sequence[DqdCheck]) -> dict[str, Counts]:
        """The counts of the checks; where they cannot be had together, of each half."""
        try:
            return grouped(checks)
        except duckdb.Error:
            if len(checks) == 1:
                return self._singly(checks)
        middle = len(checks) // 2
        return self._together(grouped, checks[:middle]) | self._together(grouped, checks[middle:])

    def _groups(
        self, table: str, rows: int, checks: Sequence[DqdCheck]
    ) -> Iterable[tuple[Grouped, Sequence[DqdCheck]]]:
        """The checks in groups, each with the function that counts for all of a group."""
        connection = self._connection
        groups: dict[str, list[DqdCheck]] = {}
        for check in checks:
            groups.setdefault(_group(check), []).append(check)
        counting: Mapping[str, Grouped] = {
            "concepts": lambda some: tallies.concepts(connection, table, some, rows),
            "units": lambda some: tallies.units(connection, table, some),
            "": self._singly,
        }
        for name, some in groups.items():
            yield counting.get(name, lambda some: tallies.genders(connection, table, some)), some

    def _singly(self, checks: Sequence[DqdCheck]) -> dict[str, Counts]:
        return {check.id: self._single(check) for check in checks}

    def _single(self, check: DqdCheck) -> Counts:
        """A check that has a query of its own."""
        table, rows = check.table, self._rows.get(check.table)
        if check.name in _OF_FILLED and self._filled.get((table, check.field)) == 0 and isinstance(rows, int):
            return Counts(0, rows)
        try:
            row = self._connection.execute(query(check)).fetchone()
        except duckdb.Error as error:
            return Counts(error=type(error).__name__)
        assert row is not None
        return Counts(int(row[0]), int(row[1]))

    def _with_facts(self, check: DqdCheck, counts: Counts) -> Counts:
        empty = self._rows[_judges(check)] == 0
        return replace(
            counts,
            table_empty=empty,
            field_empty=not empty and self._filled.get((check.table, check.field)) == 0,
        )


_GENDERS = ("plausibleGender", "plausibleGenderUseDescendants")
_OF_FILLED = ("isPrimaryKey", "isForeignKey")
"""Where the field is empty nothing fails, and nothing needs to be read."""


def _judges(check: DqdCheck) -> str:
    """The table whose being empty makes the check judge nothing."""
    return "condition_occurrence" if check.name == "measureConditionEraCompleteness" else check.table


def _group(check: DqdCheck) -> str:
    if check.name == "plausibleUnitConceptIds":
        return "units"
    if check.name in _GENDERS:
        return check.name
    if check.name not in tallies.ASKED_OF_CONCEPTS or check.table in VOCABULARY:
        return ""
    return "concepts" if check.name != "isForeignKey" or check.parameters.fk_table == "concept" else ""


def _today(connection: duckdb.DuckDBPyConnection) -> str:
    """The day of the delivery as a literal: a query that asks for it in every condition is slow."""
    with suppress(duckdb.Error):
        row = connection.execute("SELECT delivery FROM check_delivery").fetchone()
        if row is not None and row[0] is not None:
            return f"DATE '{row[0].isoformat()}'"
    return TODAY

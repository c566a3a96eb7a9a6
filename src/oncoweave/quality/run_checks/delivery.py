"""Checks of a delivery by its records alone: columns, volumes and days, against the last delivery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from oncoweave.quality.run_checks.finding import Finding
from oncoweave.quality.run_checks.previous import NO_EARLIER, REMOVED, Previous
from oncoweave.records import ExtractRecord, SourceTableRecord
from oncoweave.spec.language import span
from oncoweave.spec.source import Source

NEW_TABLE = "the last delivery had no such table"
_COMPARED = ("columns_gone", "columns_new", "columns_moved", "reading_changed", "records_dropped", "records_jumped")


@dataclass(frozen=True)
class Delivered:
    """A delivery and the one before: the record of the last one is None where there is none to compare with, and why."""

    spec: Source
    now: ExtractRecord
    previous: Previous | None
    before: ExtractRecord | None

    @property
    def why_not(self) -> str:
        """Why nothing can be compared; empty where it can."""
        if self.before is not None:
            return ""
        return NO_EARLIER if self.previous is None else REMOVED

    def table_before(self, name: str) -> SourceTableRecord | None:
        """The record of a table in the last delivery."""
        return next((t for t in self.before.tables if t.table == name), None) if self.before else None


def findings(given: Delivered) -> Iterator[Finding]:
    """What the records say of each table, and of the delivery as a whole."""
    for table in given.now.tables:
        before = given.table_before(table.table)
        yield from _alone(table)
        if before is None:
            why = given.why_not or NEW_TABLE
            yield from (_none(check, table, why) for check in _COMPARED)
        else:
            yield from _schema(table, before)
            yield from _volumes(table, before)
    yield _repeated(given)
    yield _late(given)


def _none(check: str, table: SourceTableRecord, why: str) -> Finding:
    return Finding(check, (table.table,), table.table, not_applicable=why)


def _alone(table: SourceTableRecord) -> Iterator[Finding]:
    place = ((table.table,), table.table)
    columns = len(table.columns)
    yield Finding("columns_undeclared", *place, columns, len(table.undeclared))
    yield Finding("records_unreadable", *place, table.records, table.quarantined)


def _columns(table: SourceTableRecord) -> list[str]:
    """The columns that the files of a table had."""
    return [name for name in table.columns if name not in table.absent] if table.files else []


def _schema(now: SourceTableRecord, before: SourceTableRecord) -> Iterator[Finding]:
    place = ((now.table,), now.table)
    here, there = _columns(now), _columns(before)
    if here and there:
        both_here, both_there = [c for c in here if c in there], [c for c in there if c in here]
        yield Finding("columns_gone", *place, len(there), len(there) - len(both_there))
        yield Finding("columns_new", *place, len(here), len(here) - len(both_here))
        moved = sum(a != b for a, b in zip(both_here, both_there, strict=True))
        yield Finding("columns_moved", *place, len(both_here), moved)
    else:
        why = "one of the two deliveries lacks the table"
        yield from (_none(check, now, why) for check in ("columns_gone", "columns_new", "columns_moved"))
    yield Finding("reading_changed", *place, 1, int(now.layout != before.layout))


def _volumes(now: SourceTableRecord, before: SourceTableRecord) -> Iterator[Finding]:
    place = ((now.table,), now.table)
    yield Finding("records_dropped", *place, before.records, max(0, before.records - now.records))
    if before.records:
        yield Finding("records_jumped", *place, now.records, max(0, now.records - before.records))
    else:
        yield _none("records_jumped", now, "the table had no record by the last delivery")


def _repeated(given: Delivered) -> Finding:
    if given.before is None:
        return _of_source(given, "delivery_repeated", given.why_not)
    if len(given.now.chain) > 1:
        changes = [table.change for table in given.now.tables if table.change]
        return _of_source(
            given, "delivery_repeated", "", 1, int(not any(c.added or c.replaced or c.removed for c in changes))
        )
    files = {file.sha256 for table in given.now.tables for file in table.files}
    known = {file.sha256 for table in given.before.tables for file in table.files}
    return _of_source(given, "delivery_repeated", "", 1, int(bool(files) and files <= known))


def _late(given: Delivered) -> Finding:
    """By the days that the deliveries bear, not by a clock: the same run says the same on any day."""
    if given.spec.expect_every is None:
        return _of_source(given, "delivery_late", "source.yaml does not say `expect_every`")
    if given.previous is None:
        return _of_source(given, "delivery_late", NO_EARLIER)
    days = _days(given.previous.day, given.now.delivery_date)
    expected = span(given.spec.expect_every).days
    return _of_source(given, "delivery_late", "", days, max(0, days - expected))


def _days(before: date, now: date) -> int:
    return (now - before).days


def _of_source(given: Delivered, check: str, why_not: str, *counts: int) -> Finding:
    evaluated, unexpected = counts or (None, None)
    return Finding(check, (), "", evaluated, unexpected, not_applicable=why_not)

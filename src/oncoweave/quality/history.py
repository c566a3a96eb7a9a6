"""The history of a source: what each of its runs counted, in one Parquet file that outlives the runs.

`runs/<source>/.history/quality.parquet` (0600 in 0700) holds counts by run and check, table and rule, and no value of
the data; it never leaves the site. It is written whole, sorted, without a clock, and a run is in it once, as it was judged
last. A file that cannot be read is made anew of the runs that are still there.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import duckdb

from oncoweave.engine.connection import connect
from oncoweave.engine.parquet import copy_sorted
from oncoweave.errors import OncoweaveError
from oncoweave.files import clear_away, faults, make_private_folder, patient_lock, read_record, sync
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord, ExtractRecord, MapRecord, events_by_fact

FOLDER = ".history"
FILE = "quality.parquet"
PATIENCE = 30.0
"""Seconds that a run waits for another one that writes into the history of the same source."""

Kind = Literal["run", "check", "table", "source_table", "rule", "fact"]
_LOG = logging.getLogger(__name__)


class HistoryRow(NamedTuple):
    """One row of the history.

    kind          name              evaluated            unexpected
    run           ""                checks               checks that failed; `success` is the verdict
    check         id of the check   what was judged      what of it failed
    table         target table      rows                 -
    source_table  source table      records              those that extract quarantined
    rule          rule[.column]     events               events with concept 0
    fact          kind of fact      events               events with concept 0; "all" for all of them
    """

    run_id: str
    delivery_date: date
    kind: Kind
    name: str
    severity: str | None
    evaluated: int | None
    unexpected: int | None
    mostly: float | None
    success: bool | None
    waived: bool
    error: bool
    not_applicable: bool


_TYPES = {
    "run_id": "VARCHAR", "delivery_date": "DATE", "kind": "VARCHAR", "name": "VARCHAR", "severity": "VARCHAR",
    "evaluated": "BIGINT", "unexpected": "BIGINT", "mostly": "DOUBLE", "success": "BOOLEAN", "waived": "BOOLEAN",
    "error": "BOOLEAN", "not_applicable": "BOOLEAN",
}  # fmt: skip
_ORDER = ("delivery_date", "run_id", "kind", "name")


@dataclass(frozen=True)
class Series:
    """The history of a source by run, the earliest delivery first: `of(kind)` gives the rows of each name in that order.

    Runs of the same delivery stand in the order of their ids, since no clock is kept.
    """

    rows: Mapping[Kind, Mapping[str, tuple[HistoryRow, ...]]] = field(default_factory=dict)

    def of(self, kind: Kind) -> Mapping[str, tuple[HistoryRow, ...]]:
        """The rows of a kind by name: `of("check")["person.unique"]` is how that check fared from run to run."""
        return self.rows.get(kind, {})

    @property
    def runs(self) -> tuple[HistoryRow, ...]:
        """One row a run."""
        return self.of("run").get("", ())

    def at(self, run_id: str, kind: Kind) -> Mapping[str, HistoryRow]:
        """The rows of one run by name."""
        return {name: row for name, rows in self.of(kind).items() for row in rows if row.run_id == run_id}


def series(project: Project, source: str) -> Series:
    """The history of a source; without its file, or with one that cannot be read, that of the runs which are there."""
    found: dict[Kind, dict[str, list[HistoryRow]]] = defaultdict(lambda: defaultdict(list))
    for row in _kept(project, source) or _of_runs(project, source):
        found[row.kind][row.name].append(row)
    return Series({kind: {name: tuple(rows) for name, rows in names.items()} for kind, names in found.items()})


def keep(run: RunFolder, project: Project) -> bool:
    """Put a checked run into the history of its source, as it is judged now; returns whether the file changed.

    A sample is no part of the history. A file that cannot be read is told and made anew of the runs that are there.
    """
    if run.is_sample:
        return False
    folder = make_private_folder(_folder(project, run.source))
    with patient_lock(folder / ".lock", f"history of {run.source}", run.run_id, patience=PATIENCE, pause=0.05):
        before = _kept(project, run.source)
        if before is None:
            before = _of_runs(project, run.source)
            if (folder / FILE).exists():
                _LOG.warning(
                    "the history of `%s` could not be read; it was made anew of the %d runs that are there",
                    run.source,
                    len({row.run_id for row in before}),
                )
        elif [row for row in before if row.run_id == run.run_id] == (own := sorted(_rows_of(run), key=_place)):
            return False
        else:
            before = [*(row for row in before if row.run_id != run.run_id), *own]
        _write(folder, before)
    return True


def _folder(project: Project, source: str) -> Path:
    return project.runs / source / FOLDER


def _kept(project: Project, source: str) -> list[HistoryRow] | None:
    """The rows of the file in their order; None where there is none that can be read."""
    folder = _folder(project, source)
    if not (folder / FILE).is_file():
        return None
    columns = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in _TYPES.items())
    sql = f"SELECT {columns} FROM read_parquet(?) ORDER BY {', '.join(_ORDER)}"
    try:
        with closing(connect(work=folder, allow=[folder], threads=1)) as connection:
            rows = [HistoryRow(*row) for row in connection.execute(sql, [str(folder / FILE)]).fetchall()]
    except duckdb.Error:
        return None
    kinds = get_args(Kind)
    whole = all(row.kind in kinds and None not in (row.run_id, row.delivery_date, row.name) for row in rows)
    return rows if whole else None


def _of_runs(project: Project, source: str) -> list[HistoryRow]:
    """The rows of every checked run that is there; a run whose records cannot be read is passed over."""
    found: list[HistoryRow] = []
    for path in sorted((project.runs / source).glob("*/check.json")):
        try:
            found += _rows_of(RunFolder(path.parent))
        except OncoweaveError:
            continue
    return sorted(found, key=_place)


def _place(row: HistoryRow) -> tuple[date, str, str, str]:
    return (row.delivery_date, row.run_id, row.kind, row.name)


def _rows_of(run: RunFolder) -> list[HistoryRow]:
    """What the records of a checked run say; of each kind and name one row."""
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    mapped = read_record(run.path / "map.json", MapRecord)
    checked = read_record(run.path / "check.json", CheckRecord)

    def row(kind: Kind, name: str, evaluated: int | None, unexpected: int | None = None) -> HistoryRow:
        place = (run.run_id, extracted.delivery_date, kind, name)
        return HistoryRow(*place, None, evaluated, unexpected, None, None, False, False, False)

    rows = [*_judged(run, extracted.delivery_date, checked)]
    rows += [row("table", file.name.removesuffix(".parquet"), file.rows) for file in mapped.tables]
    rows += [row("source_table", table.table, table.records, table.quarantined) for table in extracted.tables]
    rows += [row("rule", entry.name, entry.events, entry.unmapped) for entry in mapped.ledger]
    return [*rows, *(row("fact", fact, *counts) for fact, counts in events_by_fact(mapped.ledger).items())]


def _judged(run: RunFolder, day: date, checked: CheckRecord) -> Iterator[HistoryRow]:
    results = {result.check: result for result in checked.results if result.check}
    failed = sum(not result.success for result in checked.results)
    passed = checked.verdict == "pass"
    yield HistoryRow(run.run_id, day, "run", "", None, len(checked.results), failed, None, passed, False, False, False)
    for name, r in results.items():
        yield HistoryRow(
            run.run_id, day, "check", name, r.severity, r.evaluated, r.unexpected, r.mostly, r.success,
            r.waiver is not None, r.error is not None, bool(r.not_applicable),
        )  # fmt: skip


def _write(folder: Path, rows: Sequence[HistoryRow]) -> None:
    """Write the file beside, bring it to the disk, and put it in its place."""
    beside, target = folder / f".{FILE}.tmp", folder / FILE
    given: dict[str, object] = {name: [row[place] for row in rows] for place, name in enumerate(_TYPES)}
    sql = "SELECT " + ", ".join(f"unnest(CAST(${name} AS {kind}[])) AS {name}" for name, kind in _TYPES.items())
    try:
        with closing(connect(work=folder, allow=[folder], threads=1)) as connection:
            copy_sorted(connection, sql, beside, order_by=_ORDER, parameters=given)
        with faults(target):
            sync(beside)
            beside.rename(target)
            sync(folder)
    finally:
        clear_away(beside)

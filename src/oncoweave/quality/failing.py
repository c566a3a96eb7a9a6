"""The rows that fail a check, for use on site: their keys, and the line of the source file that each of them comes from.

`quarantine/failing/<check>.parquet` of a run (0600) holds keys and nothing else: the target table, and the pseudonymous id of
the row. It never leaves the site.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass

import duckdb

from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import copy_sorted, identifier, row_count
from oncoweave.events import union_of
from oncoweave.files import make_private_folder, read_record, stage_folder, work_folder
from oncoweave.project import RunFolder
from oncoweave.records import EventIndex

FOLDER = "failing"
KEY = ("table", "key", "file")
"""What is kept of a failing row: `key` is its id; of a row of the snapshot its line, and then `file` is there too."""
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_.,-]{0,150}")
_BY = {"person": "person_id", "death": "person_id", "location": "location"}
"""The event column that the key of a row is, where it is not the event's own id."""
_PLACE = (
    "event_id",
    "person_id",
    "location",
    "target",
    "rule",
    "rule_column",
    "source_table",
    "source_file",
    "source_line",
)


@dataclass(frozen=True)
class FailingRow:
    """A row that fails a check: its table and key, and where it comes from, as far as that is known.

    `rule` is the rule of the mapping (and its column) that made the row; `line` the line of the source row in `file`, of a
    group its first one. A row that was derived of others, as an era, comes from no line.
    """

    table: str
    key: int
    rule: str = ""
    source_table: str = ""
    file: str = ""
    line: int | None = None


def keep_failing(connection: duckdb.DuckDBPyConnection, run: RunFolder, queries: Mapping[str, str | None]) -> None:
    """Keep the keys of failing rows by check, in place of those that were kept before; `queries` as `keys_query` gives them.

    A check that could not be run, and one whose rows have no key, keeps none.
    """
    make_private_folder(run.quarantine)
    with stage_folder(RunFolder(run.quarantine), FOLDER) as folder:
        for check, sql in queries.items():
            if sql is not None and _can_run(connection, sql):
                given = [column[0] for column in connection.execute("FROM check_keys LIMIT 0").description or ()]
                columns = [name for name in KEY if name in given]
                keys = f"SELECT {', '.join(map(identifier, columns))} FROM check_keys"
                copy_sorted(connection, keys, folder / _file(check), order_by=columns)


def _can_run(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether a query runs to its end; one that does not is of a check that could not be run, and has failed already."""
    with suppress(duckdb.Error):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE check_keys AS {sql}")
        return True
    return False


def failing_rows(run: RunFolder, check: str, most: int, *, places: bool = False) -> tuple[list[FailingRow], int] | None:
    """The first `most` rows that fail a check, by table and key, and how many keys are kept; None where none are.

    With `places`, the rule and the line of the source file that each of them comes from.
    """
    kept = run.quarantine / FOLDER / _file(check)
    if not kept.is_file():
        return None
    with (
        work_folder(run, "failing") as work,
        closing(connect(work=work, allow=[run.path])) as connection,
        without_values("reading the keys of failing rows"),
    ):
        number = row_count(connection, kept)
        sql = "SELECT * FROM read_parquet(?) ORDER BY ALL LIMIT ?"
        rows = connection.execute(sql, [str(kept), most]).fetchall()
        failing = [_of_key(*row) for row in rows]
        known = all(row.file for row in failing)
        return (_placed(connection, run, failing) if places and not known else failing), number


def _of_key(table: str, key: int, file: str | None = None) -> FailingRow:
    """The row of a key that was kept; a row of the snapshot is its own place."""
    if file is None:
        return FailingRow(table, int(key))
    return FailingRow(table, int(key), source_table=table, file=file, line=int(key))


def _file(check: str) -> str:
    """The name of the file of a check: its id, or a hash of it where that is no name for a file."""
    name = check if _PLAIN.fullmatch(check) else hashlib.sha256(check.encode()).hexdigest()[:32]
    return f"{name}.parquet"


def _placed(connection: duckdb.DuckDBPyConnection, run: RunFolder, rows: list[FailingRow]) -> list[FailingRow]:
    """The rows with the place that each comes from; a place is that of the first line where several made one row."""
    files = read_record(run.events / "events.json", EventIndex).files
    found: dict[tuple[str, int], FailingRow] = {}
    for table in sorted({row.table for row in rows}):
        by, keys = _BY.get(table, "event_id"), [row.key for row in rows if row.table == table]
        events = union_of(run.events, [file for file in files if table in file.targets], _PLACE)
        sql = f"""SELECT {by}, rule, rule_column, source_table, source_file, source_line FROM ({events})
            WHERE target = $table AND list_contains($keys, {by}) ORDER BY ALL"""
        for key, rule, column, source, file, line in connection.execute(sql, {"table": table, "keys": keys}).fetchall():
            made_by = f"{rule}.{column}" if column else str(rule)
            place = FailingRow(table, int(key), made_by, source or "", file or "", line)
            found.setdefault((table, int(key)), place)
    return [found.get((row.table, row.key), row) for row in rows]

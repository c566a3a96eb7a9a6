"""The resources that fail a check of FHIR, for use on site: type and id, and what the validator says without a value.

`quarantine/fhir.parquet` of a run (0600). It never leaves the site.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import copy_sorted
from oncoweave.fhir.resource_text import ID
from oncoweave.files import work_folder
from oncoweave.project import RunFolder
from oncoweave.quality.conditions import KEYS_A_CHECK
from oncoweave.quality.fhir.strict import Fault

FILE = "fhir.parquet"
_TABLE = 'CREATE TABLE fhir_failing ("check" VARCHAR, type VARCHAR, id VARCHAR, element VARCHAR, problem VARCHAR)'
_COLUMNS = ("check", "type", "id", "element", "problem")


@dataclass(frozen=True)
class FailingResource:
    """A resource that fails a check; `element` and `problem` are what the validator says, where it said it."""

    type: str
    id: str
    element: str = ""
    problem: str = ""


class Kept:
    """What is kept while the checks run, in a table of `connection`: at most so many resources of a check and type."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._refused: dict[tuple[str, str], list[tuple[str, Fault]]] = defaultdict(list)
        connection.execute(_TABLE)

    def add(self, check: str, type_: str, line: bytes, faults: Sequence[Fault]) -> None:
        """Keep a resource that the validator refuses, once for each fault."""
        of_check = self._refused[check, type_]
        if len(of_check) < KEYS_A_CHECK:
            of_check += [(_id_of(line), fault) for fault in faults]

    def add_rows(self, check: str, sql: str) -> None:
        """Keep the resources whose `type` and `id` a query finds, the first ones."""
        rows = f"""SELECT ?, type, CASE WHEN regexp_full_match(id, '{ID}') THEN id ELSE '' END, '', ''
            FROM ({sql}) ORDER BY 2, 3 LIMIT {KEYS_A_CHECK}"""
        with without_values(f"keeping the resources that fail {check}"):
            self._connection.execute(f"INSERT INTO fhir_failing {rows}", [check])

    def write(self, target: Path) -> None:
        """Write what was kept."""
        rows = [(*of, id_, f.element, f.problem) for of, refused in self._refused.items() for id_, f in refused]
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            self._connection.execute(f"INSERT INTO fhir_failing SELECT {', '.join(['unnest(?)'] * 5)}", columns)
        copy_sorted(self._connection, "FROM fhir_failing", target, order_by=_COLUMNS)


def failing_resources(run: RunFolder, check: str, type_: str, most: int) -> tuple[list[FailingResource], int] | None:
    """The first `most` resources of a type that fail a check of FHIR, and how many are kept; None without any."""
    path = run.quarantine / FILE
    if not path.is_file():
        return None
    with (
        work_folder(run, "failing") as work,
        closing(connect(work=work, allow=[run.quarantine])) as connection,
        without_values("reading the resources that fail"),
    ):
        found = connection.execute(
            'SELECT type, id, element, problem FROM read_parquet(?) WHERE "check" = ? AND type = ? ORDER BY ALL',
            [str(path), check, type_],
        ).fetchall()
    return ([FailingResource(*row) for row in found[:most]], len(found)) if found else None


def _id_of(line: bytes) -> str:
    """The id of a resource that the validator refuses; empty where it has none that can be told."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    id_ = found.get("id") if isinstance(found, dict) else None
    return id_ if isinstance(id_, str) and re.fullmatch(ID, id_) else ""

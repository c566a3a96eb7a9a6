"""A bench for the readers: write a file, read it, get the rows of its snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.engine.reading import DeliveredFile, Reject
from oncoweave.engine.snapshot import reader, take_snapshot
from oncoweave.spec.source import CsvTable, Table
from tests.extract.deliveries import Site, made


@dataclass(frozen=True)
class Taken:
    """What a snapshot holds: columns, rows (texts, `_file`, `_line`), and rejects."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    rejects: tuple[Reject, ...]

    @property
    def texts(self) -> list[tuple[str, ...]]:
        return [row[:-2] for row in self.rows]

    @property
    def lines(self) -> list[int]:
        return [row[-1] for row in self.rows]


Take = Callable[..., Taken]


def csv_table(**options: Any) -> CsvTable:
    return CsvTable.model_validate({"format": "csv", "files": "*", "row": {"content": True}, **options})


def taken(folder: Path, table: Table, files: dict[str, bytes]) -> Taken:
    for name in ("in", "out", "work"):
        (folder / name).mkdir(exist_ok=True)
    delivered = []
    for name, content in files.items():
        (folder / "in" / name).write_bytes(content)
        delivered.append(DeliveredFile(name, folder / "in" / name))
    with reader(delivered, folder / "work", [folder / "out"]) as connection:
        target = folder / "out" / "table.parquet"
        snapshot = take_snapshot(connection, "table", table, delivered, target, folder / "work")
    rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(snapshot.path)]).fetchall()
    return Taken(snapshot.columns, rows, snapshot.rejects)


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """take(content, name="t.csv", **options of the table) -> Taken"""

    def one(content: bytes, name: str = "t.csv", **options: Any) -> Taken:
        return taken(tmp_path, csv_table(**options), {name: content})

    return one


@pytest.fixture
def site(tmp_path: Path, key: str) -> Site:
    """A source without a delivery yet."""
    return Site(made(tmp_path))

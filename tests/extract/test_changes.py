"""A delta of one table: which rows go, what is counted, and that the bytes depend on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.engine.changes import Change, apply_change
from oncoweave.records import TableChange
from oncoweave.spec.source import CsvTable

KEYED: dict[str, Any] = {"row": {"fields": ["id"]}, "fields": {"id": {"type": "identifier"}, "n": {"type": "code"}}}
LOOSE: dict[str, Any] = {"row": {"content": True}, "fields": {"id": {"type": "code"}, "n": {"type": "code"}}}
Row = tuple[str | None, ...]


class Bench:
    """Writes the snapshots of a table with the fields id and n, applies a delta, and reads the result."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "work").mkdir()

    def write(self, name: str, rows: list[Row], columns: str = "id, n") -> Path:
        path = self.folder / f"{name}.parquet"
        names = columns.split(", ")
        with duckdb.connect() as connection:
            declared = ", ".join(f"{column} VARCHAR" for column in names)
            connection.execute(f"CREATE TABLE t ({declared}, _file VARCHAR, _line BIGINT)")
            for line, row in enumerate(rows, 2):
                connection.execute(f"INSERT INTO t VALUES ({'?, ' * len(names)}?, ?)", [*row, f"{name}.csv", line])
            connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
        return path

    def apply(self, table: dict[str, Any], base: Path | None, given: Path, removed: Path | None = None) -> TableChange:
        spec = CsvTable.model_validate({"format": "csv", "files": "t.csv", **table})
        return apply_change(Change(spec, base, given, removed), self.folder / "out.parquet", self.folder / "work")

    def rows(self) -> list[tuple[Any, ...]]:
        with duckdb.connect() as connection:
            return connection.execute(f"SELECT * FROM read_parquet('{self.folder / 'out.parquet'}')").fetchall()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_key_is_the_same_without_the_blanks_around_it(bench: Bench) -> None:
    base = bench.write("base", [(" 1", "a"), ("2 ", "a"), ("01", "a")])
    change = bench.apply(KEYED, base, bench.write("given", [("1 ", "b")]), bench.write("gone", [(" 2",)], "id"))
    assert bench.rows() == [("01", "a", "base.csv", 4), ("1 ", "b", "given.csv", 2)]
    assert change == TableChange(base=3, added=1, replaced=1, removed=1, unmatched=0, total=2)


def test_a_row_without_a_key_replaces_nothing_and_a_removal_without_one_is_counted(bench: Bench) -> None:
    table = {**KEYED, "missing": ["", "NA"]}
    base = bench.write("base", [("", "a"), ("NA", "a"), (None, "a")])
    given, gone = bench.write("given", [("NA", "b"), (None, "b")]), bench.write("gone", [("NA",), ("",)], "id")
    assert bench.apply(table, base, given, gone) == TableChange(
        base=3, added=2, replaced=0, removed=0, unmatched=2, total=5
    )


def test_every_row_of_a_key_that_stands_twice_gives_way(bench: Bench) -> None:
    base = bench.write("base", [("1", "a"), ("1", "b"), ("2", "c")])
    change = bench.apply(KEYED, base, bench.write("given", [("1", "c"), ("1", "d"), ("3", "e")]))
    assert change == TableChange(base=3, added=3, replaced=2, removed=0, unmatched=0, total=4)


def test_a_row_that_is_removed_and_delivered_is_replaced(bench: Bench) -> None:
    base = bench.write("base", [("1", "a")])
    change = bench.apply(KEYED, base, bench.write("given", [("1", "b")]), bench.write("gone", [("1",), ("1",)], "id"))
    assert change == TableChange(base=1, added=1, replaced=1, removed=0, unmatched=0, total=1)


def test_fields_may_have_the_names_that_an_engine_likes(bench: Bench) -> None:
    names = ["key", "id", "removed", "replaced", "place"]
    table = {"row": {"fields": names[:2]}, "fields": {name: {"type": "code"} for name in names}}
    base = bench.write("base", [("1", "2", "3", "4", "5"), ("1", "3", "3", "4", "5")], ", ".join(names))
    given = bench.write("given", [("1", "2", "x", "x", "x")], ", ".join(names))
    assert bench.apply(table, base, given).total == 2
    loose = {**table, "row": {"content": True}}
    assert (
        bench.apply(loose, base, given, bench.write("gone", [("1", "3", "3", "4", "5")], ", ".join(names))).removed == 1
    )


def test_as_many_rows_of_a_content_go_as_are_named(bench: Bench) -> None:
    base = bench.write("base", [("1", "a"), ("1", "a"), ("1", "a"), ("1", ""), ("1", None)])
    gone = bench.write("gone", [("1", "a"), ("1", "a"), ("1", None), ("2", "a")])
    change = bench.apply(LOOSE, base, bench.write("given", [("1", "a")]), gone)
    assert bench.rows() == [("1", "a", "base.csv", 4), ("1", "", "base.csv", 5), ("1", "a", "given.csv", 2)]
    assert change == TableChange(base=5, added=1, replaced=0, removed=3, unmatched=1, total=3)


def test_content_is_that_of_the_declared_fields(bench: Bench) -> None:
    base = bench.write("base", [("1", "a", "z"), ("1", "a", "y"), ("2", "b", "x")], "id, n, more")
    change = bench.apply(LOOSE, base, bench.write("given", []), bench.write("gone", [("1", "a")]))
    assert (change.removed, change.unmatched) == (1, 0)
    assert [row[:3] for row in bench.rows()] == [("1", "a", "z"), ("2", "b", "x")], "the first by all else goes"


def test_nothing_new_copies_the_base(bench: Bench) -> None:
    base = bench.write("base", [("1", "a")])
    change = bench.apply(KEYED, base, bench.write("given", []), bench.write("gone", [("2",)], "id"))
    assert change == TableChange(base=1, added=0, replaced=0, removed=0, unmatched=1, total=1)
    assert (bench.folder / "out.parquet").read_bytes() == base.read_bytes()
    assert (bench.folder / "out.parquet").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("table", [KEYED, LOOSE], ids=["keyed", "by content"])
def test_the_bytes_depend_on_no_number_of_threads(
    table: dict[str, Any], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {name: bench.folder / f"{name}.parquet" for name in ("base", "given", "gone")}
    with duckdb.connect() as connection:
        for name, step in (("base", 1), ("given", 70), ("gone", 90)):
            sql = f"SELECT CAST(i AS VARCHAR) AS id, CAST(i % 97 AS VARCHAR) AS n, '{name}' AS _file, i AS _line"
            connection.execute(
                f"COPY ({sql} FROM range(0, 400000, {step}) AS r(i)) TO '{paths[name]}' (FORMAT parquet)"
            )
    made = set()
    for threads in ("1", "2", "2"):
        monkeypatch.setenv("ONCOWEAVE_THREADS", threads)
        bench.apply(table, paths["base"], paths["given"], paths["gone"])
        made.add((bench.folder / "out.parquet").read_bytes())
    assert len(made) == 1

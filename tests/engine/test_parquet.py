"""Parquet files are sorted, private, and the same bytes for the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoweave.engine.connection import connect
from oncoweave.engine.parquet import copy_sorted, identifier, row_count

ROWS = "SELECT hash(range) AS id, CAST(range AS VARCHAR) AS text FROM range($rows) ORDER BY hash(range + $shuffle)"


@pytest.mark.parametrize(("threads", "shuffle"), [(1, 0), (2, 0), (2, 7)])
def test_same_rows_give_same_bytes(threads: int, shuffle: int, tmp_path: Path) -> None:
    def written(name: str, threads: int, shuffle: int) -> bytes:
        connection = connect(work=tmp_path, allow=[], threads=threads)
        parameters = {"rows": 300_000, "shuffle": shuffle}
        count = copy_sorted(connection, ROWS, tmp_path / name, order_by=["id"], parameters=parameters)
        assert count == row_count(connection, tmp_path / name) == 300_000
        return (tmp_path / name).read_bytes()

    assert written("a.parquet", threads, shuffle) == written("b.parquet", 1, 3)


def test_a_file_is_private_and_carries_its_metadata(tmp_path: Path) -> None:
    connection = connect(work=tmp_path, allow=[])
    target = tmp_path / "it's.parquet"
    copy_sorted(connection, "SELECT 1 AS a", target, order_by=["a"], metadata={"plan": "o'clock"})
    assert target.stat().st_mode & 0o777 == 0o600
    sql = "SELECT key, value FROM parquet_kv_metadata(?)"
    assert connection.execute(sql, [str(target)]).fetchall() == [(b"plan", b"o'clock")]


def test_an_identifier_is_always_quoted() -> None:
    assert identifier('a"; DROP TABLE x') == '"a""; DROP TABLE x"'

"""A connection reaches the folders it was given and nothing else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from oncoweave.engine.connection import connect, without_values
from oncoweave.errors import EnvironmentFault, OncoweaveError, UsageError


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    folder = tmp_path / "inside, o'clock"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path, inside: Path) -> Path:
    file = tmp_path / "outside.csv"
    file.write_text("a\n1\n")
    (inside / "link.csv").symlink_to(file)
    (inside / "inside.csv").write_text("a\n1\n")
    return file


@pytest.fixture
def connection(tmp_path: Path, inside: Path) -> duckdb.DuckDBPyConnection:
    work = tmp_path / "work"
    work.mkdir()
    return connect(work=work, allow=[inside])


def test_reads_and_writes_inside_the_allowed_folders(
    connection: duckdb.DuckDBPyConnection, inside: Path, outside: Path
) -> None:
    assert connection.execute("SELECT * FROM read_csv(?)", [str(inside / "inside.csv")]).fetchall() == [(1,)]
    connection.execute("COPY (SELECT 1) TO ? (FORMAT parquet)", [str(inside / "x.parquet")])
    assert (inside / "x.parquet").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM read_text('{outside}')",
        "SELECT * FROM read_blob('{inside}/../outside.csv')",
        "SELECT * FROM read_csv('{inside}/link.csv')",
        "SELECT * FROM glob('{parent}/*')",
        "SELECT * FROM sniff_csv('{outside}')",
        "SELECT * FROM '{outside}'",
        "COPY (SELECT 1) TO '{parent}/written.csv'",
        "COPY (SELECT 1) TO '{inside}/../written.csv'",
        "ATTACH '{parent}/written.db'",
        "EXPORT DATABASE '{parent}/written'",
        "INSTALL httpfs",
        "LOAD '{parent}/x.duckdb_extension'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET memory_limit = '1TB'",
        "RESET lock_configuration",
        "SELECT * FROM outside",
    ],
)
def test_everything_else_is_denied(
    sql: str, connection: duckdb.DuckDBPyConnection, inside: Path, outside: Path, tmp_path: Path
) -> None:
    text = sql.format(outside=outside, inside=str(inside).replace("'", "''"), parent=tmp_path)
    with pytest.raises(duckdb.Error):
        connection.execute(text).fetchall()
    assert not list(tmp_path.glob("written*"))


def test_settings_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCOWEAVE_THREADS", "1")
    monkeypatch.setenv("ONCOWEAVE_MEMORY", "300MB")
    connection = connect(work=tmp_path, allow=[], threads=2)
    sql = "SELECT current_setting('threads'), current_setting('memory_limit'), current_setting('TimeZone')"
    assert connection.execute(sql).fetchall() == [(1, "286.1 MiB", "UTC")]


@pytest.mark.parametrize("variable", ["ONCOWEAVE_THREADS", "ONCOWEAVE_MEMORY"])
def test_a_wrong_setting_is_a_usage_error(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "plenty")
    with pytest.raises(UsageError, match="plenty"):
        connect(work=tmp_path, allow=[])


def test_an_engine_error_never_carries_its_value(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(OncoweaveError) as caught, without_values("casting"):
        connection.execute("SELECT CAST('Maria' AS INTEGER)").fetchall()
    assert "Maria" not in str(caught.value) and caught.value.__cause__ is None
    assert caught.value.exit_code == 1


def test_memory_at_its_limit_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    connection = connect(work=tmp_path, allow=[], memory="20MB", threads=1)
    with pytest.raises(EnvironmentFault, match="memory limit"), without_values("counting"):
        connection.execute("SELECT list(range) FROM range(100000000)").fetchall()

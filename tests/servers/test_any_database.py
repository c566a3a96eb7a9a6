"""Any database that SQLAlchemy knows is read by the same code; a cursor and PostgreSQL's COPY give the same rows."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from oncoweave.engine.servers.any_database import AnyDatabase
from oncoweave.engine.servers.connections import PREFIX
from oncoweave.engine.servers.database import ask, snapshot
from oncoweave.engine.servers.postgresql import PostgreSQL, as_text
from oncoweave.engine.servers.row_text import MARK, RowText
from oncoweave.errors import DataError, EnvironmentFault, SourceUnreachable, SpecError, UsageError
from oncoweave.spec.delivery import DatabaseDelivery
from oncoweave.spec.load import load_source
from oncoweave.spec.queries import Query
from oncoweave.spec.source_queries import queries_of
from tests.servers.conftest import Database, Registry

SQLITE = """
CREATE TABLE patients (id TEXT, born TEXT, size REAL, n INTEGER, note TEXT);
INSERT INTO patients VALUES ('P2', '1950-01-02', 1e-7, 9007199254740993, ''), ('P1', NULL, 12.0, 1, 'a "b",' || char(13, 10)),
  ('P10', '007', 0.1, NULL, 'é');
"""


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "registry.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(SQLITE)
    connection.close()
    monkeypatch.setenv(f"{PREFIX}REGISTRY", f"sqlite:///{path}")
    return path


def test_sqlite_is_read_as_text(registry: Registry, sqlite: Path) -> None:
    registry.query("SELECT * FROM patients", server="sqlite")
    taken = registry.taken()["rows"]
    assert taken.columns == ["id", "born", "size", "n", "note"]
    assert taken.rows == [
        ("P1", None, "12", "1", 'a "b",\r\n'),
        ("P10", "007", "0.1", None, "é"),
        ("P2", "1950-01-02", "0.0000001", "9007199254740993", ""),
    ]


def test_sqlite_gets_parameters_and_refuses_to_write(registry: Registry, sqlite: Path) -> None:
    query = "SELECT id, ':x' AS x, '10:30' AS t FROM patients WHERE id = :who"
    registry.query(query, server="sqlite", parameters="{who: P1}")
    assert registry.rows() == [("P1", ":x", "10:30")]
    delivery = DatabaseDelivery.model_validate(
        {"by": "database", "connection": "registry", "date": "2026-05-01", "server": "sqlite"}
    )
    with snapshot(delivery) as (session, _), pytest.raises(OperationalError, match="readonly"):
        session.connection.exec_driver_sql("DELETE FROM patients")  # type: ignore[attr-defined]


def test_faults_of_sqlite_are_told(registry: Registry, sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.query("SELECT agge FROM patients", server="sqlite")
    with pytest.raises(SpecError, match="no such column: agge"):
        registry.taken()
    registry.query("SELECT x'00ff' AS picture", server="sqlite")
    with pytest.raises(DataError, match="column `picture` holds values of the type bytes, which are not text"):
        registry.taken()
    registry.query("SELECT CAST(x'ff' AS TEXT) AS a", server="sqlite")
    with pytest.raises(DataError, match="cannot answer on its data"):
        registry.taken()
    monkeypatch.setenv(f"{PREFIX}REGISTRY", "sqlite:////nowhere/at/all.sqlite")
    with pytest.raises(SourceUnreachable, match="it has no such database now"):
        registry.taken()


def test_the_kind_of_server_must_be_the_connections(registry: Registry, sqlite: Path) -> None:
    registry.query("SELECT 1 AS a")
    with pytest.raises(UsageError, match=r"leads to sqlite, and source\.yaml says postgresql"):
        registry.taken()


def test_a_driver_that_is_not_installed_is_named(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}REGISTRY", "mysql+pymysql://a:b@127.0.0.1/c")
    registry.query("SELECT 1 AS a", server="mysql")
    with pytest.raises(EnvironmentFault, match="the driver `pymysql` for the mysql server") as caught:
        registry.taken()
    assert caught.value.mend == "install pymysql"


def test_duckdb_is_read_by_the_same_code(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "registry.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT 'P1' AS id, DATE '2020-01-02' AS day, 1.50::DECIMAL(9,2) AS d, 1e-7 AS f, "
            "TIMESTAMP '2020-01-02 03:04:05' AS seen, true AS yes, NULL::TEXT AS nothing, [1] AS list"
        )
    monkeypatch.setenv(f"{PREFIX}REGISTRY", f"duckdb:///{path}")
    registry.query("SELECT * EXCLUDE (list) FROM t", server="duckdb")
    assert registry.rows() == [("P1", "2020-01-02", "1.50", "0.0000001", "2020-01-02 03:04:05", "true", None)]
    registry.query("SELECT list FROM t", server="duckdb")
    with pytest.raises(DataError, match="holds values of the type list"):
        registry.taken()
    registry.query("SELECT x FROM nothing", server="duckdb")
    with pytest.raises(SpecError, match="Table with name nothing does not exist"):
        registry.taken()


def test_one_value_can_be_asked_for(registry: Registry, sqlite: Path) -> None:
    registry.query("SELECT max(n) FROM patients", server="sqlite")
    spec, _ = load_source(registry.project, "registry")
    query = queries_of(registry.project, spec).tables["rows"]
    assert ask(registry.project, spec, query) == "9007199254740993"


def test_a_cursor_and_copy_give_the_same_bytes(database: Database, tmp_path: Path) -> None:
    database.execute(
        "CREATE TABLE t AS SELECT n, CASE WHEN n % 3 = 0 THEN NULL WHEN n % 5 = 0 THEN '' ELSE E'a\\r\\n\"' || n END AS note, "
        "n / 7.0::float8 * 10 ^ (n % 40 - 20) AS f, date '1900-01-01' + n AS day, array[n, NULL] AS list, n % 2 = 0 AS yes "
        "FROM generate_series(1, 3000) AS s(n)"
    )
    query = Query("t", "t", "SELECT * FROM t ORDER BY n")
    with database.connect() as connection, RowText(tmp_path / "copy") as rows:
        session = PostgreSQL(connection, {})
        columns = session.columns(query)
        session.copy(query, columns, rows)
    statement = as_text(len(columns), [2]).replace(f"'{MARK}', ", "", 1).format(query.text)
    engine = create_engine(database.server.url(database.name, "postgres").replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as other, RowText(tmp_path / "cursor") as rows:
        AnyDatabase(other.execution_options(stream_results=True), {}).copy(Query("t", "t", statement), columns, rows)
    engine.dispose()
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "cursor").read_bytes()


MEASURED = """
import sys
from pathlib import Path
from oncoweave.engine.servers.fetch import fetched
from oncoweave.project import Project
from oncoweave.spec.load import load_source
project = Project.at(Path(sys.argv[1]))
spec, _ = load_source(project, "registry")
with fetched(project, spec, None) as there:
    print((there.files["rows"][0].path).stat().st_size)
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.slow
def test_a_million_rows_need_no_more_memory_than_the_engine_may_take(
    database: Database, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are half a gigabyte as text; the engine may take 512 MB, and what is around it, as the drivers, up to as much again."""
    registry.query(
        "SELECT n, md5(n::text) || repeat('x', 400) AS note, n % 7 AS code FROM generate_series(1, 1000000) s(n)"
    )
    monkeypatch.setenv("ONCOWEAVE_MEMORY", "512MB")
    command = [sys.executable, "-c", MEASURED, str(registry.project.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    megabytes = int(done.stdout.split()[1])
    assert megabytes < 1200

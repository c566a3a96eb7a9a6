"""A delivery of a database is one consistent, read-only snapshot; the same rows are the same bytes; a fault names its place."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
import pytest

from oncoweave.engine.servers.connections import PREFIX
from oncoweave.engine.servers.database import snapshot
from oncoweave.errors import DataError, OncoweaveError, SourceUnreachable, SpecError, UsageError
from oncoweave.spec.delivery import DatabaseDelivery
from oncoweave.spec.queries import Query
from tests.servers.conftest import Database, Registry
from tests.servers.postgres_server import PASSWORD, Server

PATIENTS = "CREATE TABLE patients AS SELECT 'P' || n AS id, n % 3 AS sex FROM generate_series(1, 50) AS s(n)"
INTERRUPTED = """
from pathlib import Path
from oncoweave.project import Project
from oncoweave.run import _stoppable
from oncoweave.spec.load import load_source
project = Project.at(Path(sys.argv[1]))
with _stoppable(), fetched(project, load_source(project, "registry")[0], None):
    pass
"""
BOTH = """\
  patients: {format: sql, table: public.patients, row: {fields: [id]}, fields: {id: {type: identifier}}}
  seen: {format: sql, query: sql/seen.sql, row: {content: true}}
"""
FROM_REGISTRY = "{by: database, connection: registry, date: 2026-05-01}"


def test_a_row_is_known_by_its_query_and_its_place_in_the_order_of_the_key(
    database: Database, registry: Registry
) -> None:
    database.execute("CREATE TABLE t (id text, n int); INSERT INTO t VALUES ('b', 1), ('a', 9), ('a', 10), (NULL, 0)")
    tables = (
        "  rows: {format: sql, table: public.t, row: {fields: [number]}, fields: {number: {type: code, header: n}}}\n"
    )
    registry.declare(FROM_REGISTRY, tables)
    taken = registry.taken()["rows"]
    assert (taken.name, taken.columns) == ("public.t", ["id", "n"])
    assert taken.rows == [(None, "0"), ("b", "1"), ("a", "10"), ("a", "9")]


def test_the_same_rows_are_the_same_bytes_in_whatever_order_the_server_gives_them(
    database: Database, registry: Registry
) -> None:
    database.execute(PATIENTS)
    registry.query("SELECT * FROM patients")
    first = registry.taken()["rows"].content
    registry.query("SELECT * FROM patients ORDER BY md5(id)")
    assert registry.taken()["rows"].content == first
    database.execute("UPDATE patients SET sex = 7 WHERE id = 'P9'")
    assert registry.taken()["rows"].content != first


def test_all_tables_are_of_one_moment_while_others_write(database: Database, registry: Registry) -> None:
    """A writer moves rows from one table to the other, so that at every moment there are a hundred of them."""
    database.execute("CREATE TABLE waiting AS SELECT n FROM generate_series(1, 100) s(n); CREATE TABLE done (n int)")
    tables = "".join(
        f"  {name}: {{format: sql, table: public.{name}, row: {{content: true}}, optional: true}}\n"
        for name in ("waiting", "done")
    )
    registry.declare(FROM_REGISTRY, tables)
    stop, moved = threading.Event(), []

    def move() -> None:
        with database.connect() as connection:
            while not stop.is_set():
                for before, after in (("waiting", "done"), ("done", "waiting")):
                    connection.execute(
                        f"WITH gone AS (DELETE FROM {before} RETURNING n) INSERT INTO {after} SELECT n FROM gone".encode()
                    )
                    moved.append(after)

    writer = threading.Thread(target=move)
    writer.start()
    try:
        for _ in range(8):
            before = len(moved)
            taken = registry.taken()
            numbers = sorted(int(n) for table in taken.values() for (n,) in table.rows)
            assert numbers == list(range(1, 101))
            assert len(moved) > before
    finally:
        stop.set()
        writer.join()


def test_the_session_can_write_nothing_even_with_the_rights_of_the_owner(
    database: Database, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function hides what it does from the parser; the server refuses it."""
    database.execute("CREATE TABLE t (n int); CREATE SEQUENCE s")
    database.execute("CREATE FUNCTION harmless() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING n'")
    monkeypatch.setenv(f"{PREFIX}REGISTRY", database.server.url(database.name, "postgres"))
    for query in ("SELECT harmless() AS n", "SELECT nextval('s') AS n"):
        registry.query(query)
        with pytest.raises(SpecError) as caught:
            registry.taken()
        (problem,) = caught.value.problems
        assert "the query writes, which the server refuses" in problem.message
    delivery = DatabaseDelivery.model_validate({"by": "database", "connection": "registry", "date": "2026-05-01"})
    with snapshot(delivery) as (session, _), pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.connection.execute("INSERT INTO t VALUES (1)")  # type: ignore[attr-defined]
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_text_that_our_parser_would_misread_is_still_one_statement(database: Database) -> None:
    """The parser is passed over: the server itself refuses a text that closes the brackets around it."""
    hostile = "SELECT 1 AS a) AS asked LIMIT 0; COMMIT; SET default_transaction_read_only = off; CREATE TABLE evil (n int); SELECT * FROM (SELECT 1 AS a"
    delivery = DatabaseDelivery.model_validate({"by": "database", "connection": "registry", "date": "2026-05-01"})
    with snapshot(delivery) as (session, _), pytest.raises(psycopg.errors.SyntaxError, match="multiple commands"):
        session.columns(Query("q", "q", hostile))
    with database.connect() as connection:
        assert connection.execute("SELECT to_regclass('evil')").fetchone() == (None,)


def test_a_fault_of_the_query_is_told_with_its_line(database: Database, registry: Registry) -> None:
    database.execute(PATIENTS)
    cases = {
        "SELECT id,\n       agge\nFROM patients": (2, 8, 'column "agge" does not exist'),
        "-- all of them\nSELECT *\n  FROM pateints -- end\n;": (3, 8, 'relation "pateints" does not exist'),
        "SELECT id\nFROM patients -- at 100%\nWHERE sex = :long_name AND :delivery_date IS NOT NULL AND sex = :long_name\n AND agge = 1": (
            4,
            6,
            'column "agge" does not exist',
        ),
        "SELECT id\nFROM patients\nWHERE sex = 'x' || 1": (3, 11, "operator does not exist: integer = text"),
    }
    for query, (line, column, said) in cases.items():
        registry.query(query, parameters="{long_name: f}")
        with pytest.raises(SpecError) as caught:
            registry.taken()
        (problem,) = caught.value.problems
        assert (problem.line, problem.column) == (line, column)
        assert problem.message == f"the server says: {said}"
        assert problem.file == "mappings/sources/registry/sql/rows.sql"


def test_a_fault_of_the_query_for_the_day_is_told_with_its_line(database: Database, registry: Registry) -> None:
    database.execute(PATIENTS)
    registry.query("SELECT id FROM patients", date_query="sql/day.sql")
    (registry.folder / "sql" / "day.sql").write_text("-- the last load\nSELECT max(loaded)\nFROM patients\n")
    with pytest.raises(SpecError) as caught:
        registry.taken()
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.message) == (2, 12, 'the server says: column "loaded" does not exist')


def test_two_columns_of_one_name_are_for_the_query_to_mend(database: Database, registry: Registry) -> None:
    database.execute(PATIENTS)
    registry.query("SELECT *, sex FROM patients")
    with pytest.raises(DataError, match="have the same header") as caught:
        registry.taken()
    assert "in a query under sql/" in caught.value.mend


@pytest.mark.parametrize("option", ["sslmod=verify-full", "sslmode=verify"])
def test_an_option_of_the_url_that_is_none_is_for_the_url_to_mend(
    option: str, database: Database, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}REGISTRY", f"{database.url}?{option}")
    registry.query("SELECT 1 AS id")
    with pytest.raises(UsageError, match="the URL of the connection `registry` cannot be read") as caught:
        registry.taken()
    assert database.url not in str(caught.value)


def test_a_fault_of_any_query_is_told_before_a_row_of_any_is_read(
    database: Database, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oncoweave.engine.servers.postgresql import PostgreSQL

    database.execute(PATIENTS)
    registry.declare(FROM_REGISTRY, BOTH, {"seen.sql": "SELECT idd FROM patients"})
    monkeypatch.setattr(PostgreSQL, "copy", lambda *_: pytest.fail("rows were read"))
    with pytest.raises(SpecError) as caught:
        registry.taken()
    (problem,) = caught.value.problems
    assert problem.message == 'the server says: column "idd" does not exist'
    assert problem.help == 'Perhaps you meant to reference the column "patients.id".'


def test_a_table_without_the_right_to_read_it_is_told(database: Database, registry: Registry) -> None:
    database.execute("CREATE TABLE secret (n int); REVOKE ALL ON secret FROM reader")
    registry.declare(FROM_REGISTRY, "  rows: {format: sql, table: public.secret, row: {content: true}}\n")
    with pytest.raises(SpecError, match=r"table `public\.secret`: the server refuses: permission denied") as caught:
        registry.taken()
    assert caught.value.mend == "ask for the right to SELECT from it"


def test_a_column_that_the_table_lacks_is_told_before_any_row_is_read(database: Database, registry: Registry) -> None:
    database.execute(PATIENTS)
    tables = "  rows: {format: sql, table: public.patients, row: {fields: [id]}, fields: {id: {type: identifier}, age: {type: code}}}\n"
    registry.declare(FROM_REGISTRY, tables)
    with pytest.raises(DataError, match=r"public\.patients: the server gives no column `age`, declared as fields\.age"):
        registry.taken()


def test_two_columns_of_one_name_are_refused(database: Database, registry: Registry) -> None:
    registry.query("SELECT 1 AS a, 2 AS a")
    with pytest.raises(DataError, match="columns 1 and 2 have the same header"):
        registry.taken()


def test_a_query_that_gives_other_rows_each_time_is_refused(database: Database, registry: Registry) -> None:
    registry.query("SELECT n FROM generate_series(1, 400000) s(n) WHERE random() < 0.5")
    with pytest.raises(DataError, match=r"the server counts .* rows, and .* have come"):
        registry.taken()


def test_parameters_are_bound_and_never_pasted(database: Database, registry: Registry) -> None:
    query = "SELECT :site AS site, :delivery_date::date - 1 AS eve, '100%' AS share, ':site' AS same, 'a:b' AS c"
    hostile = "x'; DROP TABLE patients; --"
    registry.query(query, parameters=f'{{site: "{hostile}"}}')
    assert registry.rows() == [(hostile, "2026-04-30", "100%", ":site", "a:b")]


def test_the_server_may_say_of_which_day_it_is(database: Database, registry: Registry) -> None:
    database.execute("CREATE TABLE log AS SELECT timestamptz '2026-04-03 23:59:00Z' AS loaded_at")
    registry.query("SELECT :delivery_date::date AS day", date_query="sql/date.sql")
    (registry.folder / "sql" / "date.sql").write_text("SELECT max(loaded_at) FROM log")
    assert registry.rows() == [("2026-04-03",)]
    database.execute("TRUNCATE log")
    with pytest.raises(DataError, match=r"sql/date.sql gives no day"):
        registry.taken()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://reader:{password}@127.0.0.1:1/x", "nothing listens there"),
        ("postgresql://reader:{password}x@127.0.0.1:{port}/{name}", "it does not accept the user or the password"),
        ("postgresql://nobody:{password}@127.0.0.1:{port}/{name}", "it does not accept the user or the password"),
        ("postgresql://reader:{password}@127.0.0.1:{port}/nothing", "it has no such database now"),
        ("postgresql://reader:{password}@does-not-exist.invalid/x", "its name is not known"),
    ],
)
def test_a_server_that_does_not_let_us_in_may_be_retried_and_no_password_is_shown(
    database: Database, registry: Registry, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    values = {"password": PASSWORD, "port": database.server.port, "name": database.name}
    monkeypatch.setenv(f"{PREFIX}REGISTRY", url.format(**values))
    registry.query("SELECT 1 AS a")
    with pytest.raises(SourceUnreachable, match=said) as caught:
        registry.taken()
    shown = f"{caught.value!r} {caught.value.mend}"
    assert PASSWORD not in shown and "127.0.0.1" not in shown and "postgresql://" not in shown
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert not registry.left_over()


def test_a_connection_that_nobody_gave_is_named(registry: Registry) -> None:
    registry.query("SELECT 1 AS a")
    with pytest.raises(UsageError, match="nobody has said where the connection `registry` leads") as caught:
        registry.taken()
    assert "ONCOWEAVE_CONNECTION_REGISTRY" in caught.value.mend


@pytest.mark.parametrize("url", ["no url", f"postgresql://reader:{PASSWORD}@host:port/x", f"nosuch://a:{PASSWORD}@b/c"])
def test_a_url_that_is_none_is_not_shown(registry: Registry, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(f"{PREFIX}REGISTRY", url)
    registry.query("SELECT 1 AS a")
    with pytest.raises(UsageError) as caught:
        registry.taken()
    assert PASSWORD not in f"{caught.value!r} {caught.value.mend}"


def test_a_query_that_takes_too_long_may_be_retried(database: Database, registry: Registry) -> None:
    registry.query("SELECT count(*) FROM generate_series(1, 1000000000) s(n)", timeout=1)
    with pytest.raises(SourceUnreachable, match="the server took longer than 1 seconds"):
        registry.taken()
    assert not registry.left_over()


def test_a_session_that_is_ended_in_the_middle_leaves_nothing_behind(
    database: Database, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends the session while rows come: after the first of them has been written."""
    from oncoweave.engine.servers import row_text

    whole = row_text.RowText.add_copied

    def ended(self: row_text.RowText, blocks: Iterable[bytes]) -> None:
        def watched() -> Iterator[bytes]:
            for number, block in enumerate(blocks):
                if number == 1:
                    database.server.kill_sessions()
                yield block

        whole(self, watched())

    monkeypatch.setattr(row_text.RowText, "add_copied", ended)
    registry.query("SELECT n, repeat('x', 1000) AS x FROM generate_series(1, 200000) s(n)")
    with pytest.raises(SourceUnreachable):
        registry.taken()
    assert not registry.left_over()


def test_a_server_that_dies_in_the_middle_may_be_retried(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, postgres: Server
) -> None:
    from tests.servers.postgres_server import binaries, running

    programs = binaries()
    assert programs
    with running(programs) as server:
        server.make_database("mortal")
        monkeypatch.setenv(f"{PREFIX}REGISTRY", server.url("mortal"))
        registry.query("SELECT n, repeat('x', 1000) AS x FROM generate_series(1, 3000000) s(n)")
        threading.Timer(1.0, server.process.kill).start()
        with pytest.raises(SourceUnreachable, match="postgresql server of the connection `registry`"):
            registry.taken()
    assert not registry.left_over()


def test_a_signal_ends_the_reading_soon_and_leaves_nothing_behind(
    database: Database, registry: Registry, key: str
) -> None:
    registry.query("SELECT n, md5(n::text) AS x FROM generate_series(1, 1000000000) s(n)")
    command = [sys.executable, "-c", "import sys; from oncoweave.engine.servers.fetch import fetched\n" + INTERRUPTED]
    process = subprocess.Popen([*command, str(registry.project.root)])
    reading = registry.project.runs / "deliveries" / ".registry.reading" / "work" / "rows.text"
    for _ in range(600):
        if reading.exists() and reading.stat().st_size > 1_000_000:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143
    assert not registry.left_over()


def test_the_files_are_private_while_they_are_there(
    database: Database, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oncoweave.engine.servers import row_text

    seen: dict[str, int] = {}
    whole = row_text.RowText.sorted_into

    def looked_at(self: row_text.RowText, target: Path, *rest: object) -> int:
        rows = whole(self, target, *rest)  # type: ignore[arg-type]
        for path in (registry.project.runs / "deliveries").rglob("*"):
            seen[path.name] = path.stat().st_mode & 0o777
        return rows

    monkeypatch.setattr(row_text.RowText, "sorted_into", looked_at)
    registry.query("SELECT 1 AS a")
    registry.taken()
    assert seen == {".registry.reading": 0o700, "rows": 0o700, "work": 0o700, "rows.text": 0o600, "0.parquet": 0o600}


def test_every_error_is_ours(database: Database, registry: Registry) -> None:
    for query in ("SELECT 1/0 AS a", "SELECT lag(1) AS a", "SELECT a FROM (SELECT 1) AS x(b)", "SELECT 'x'::date AS d"):
        registry.query(query)
        with pytest.raises(OncoweaveError) as caught:
            registry.taken()
        assert caught.value.exit_code in (2, 3) and not caught.value.transient

"""A query file is one SELECT that only reads; whatever else it is, is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoweave.errors import SpecError
from oncoweave.spec.queries import Query, read_query, whole_table

PARAMETERS = ("delivery_date", "site")


def read(folder: Path, text: str | bytes, server: str = "postgresql", name: str = "sql/q.sql") -> Query:
    (folder / "sql").mkdir(exist_ok=True)
    (folder / "sql" / "q.sql").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_query(folder, folder, name, server, PARAMETERS)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 AS a",
        "-- first\nSELECT a FROM t -- last\n;\n\n-- the end\n",
        "WITH x AS (SELECT 1 AS a) SELECT * FROM x UNION ALL SELECT 2",
        "(SELECT 1) UNION (SELECT 2) ORDER BY 1",
        "SELECT a[1:2], b::date, '10:30', $$ ; delete $$, 'into' FROM t WHERE d < :delivery_date AND s IN (:site)",
        "SELECT p.*, row_number() OVER (PARTITION BY id ORDER BY seen) FROM p, LATERAL (SELECT 1) AS l",
        'SELECT "update", "drop table" FROM "into"',
    ],
)
def test_what_only_reads_is_taken(tmp_path: Path, text: str) -> None:
    query = read(tmp_path, text)
    assert not query.text.rstrip().endswith(";") and text.startswith(query.text[:6])


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, 1, "the file holds no query"),
        ("-- nothing\n", 1, 1, "the file holds no query"),
        ("SELECT 1;\nSELECT 2", 2, 1, "a second statement begins here"),
        ("DELETE FROM t", 1, 1, "`DELETE` is not a query"),
        ("\n  UPDATE t SET a = 1", 2, 3, "`UPDATE` is not a query"),
        ("DROP TABLE t", 1, 1, "`DROP` is not a query"),
        ("COPY t TO PROGRAM 'rm -rf /'", 1, 1, "`COPY` is not a query"),
        ("DO $$ BEGIN DELETE FROM t; END $$", 1, 1, "`DO` is not a query"),
        ("CALL f()", 1, 1, "`CALL` is not a query"),
        ("SET ROLE postgres", 1, 1, "`SET` is not a query"),
        ("WITH x AS (\n  DELETE FROM t RETURNING *)\nSELECT * FROM x", 2, 3, "`DELETE` writes"),
        ("WITH x AS (SELECT 1)\nINSERT INTO t SELECT * FROM x", 2, 1, "`INSERT` writes"),
        ("SELECT * INTO t2 FROM t", 1, 10, "`INTO` writes"),
        ("SELECT *\nFROM t\nFOR UPDATE", 3, 1, "`FOR` locks rows"),
        ("SELECT pg_read_file('/etc/passwd')", 1, 8, "`pg_read_file` reaches beyond the tables"),
        ("SELECT *\nFROM dblink('host=x', 'select 1') AS x(a int)", 2, 6, "`dblink` reaches beyond the tables"),
        ("SELECT pg_terminate_backend(1)", 1, 8, "`pg_terminate_backend` reaches beyond the tables"),
        ("SELECT set_config('transaction_read_only', 'off', false)", 1, 8, "`set_config` reaches"),
        ("SELECT a,\nFROM t WHERE (b = 1", 2, 19, "Expecting )"),
        ("SELECT 'a\nFROM t", 1, 8, "a text in quotes, or a comment, is not closed"),
        ("SELECT a FROM t\nWHERE s = :sit", 2, 11, "there is no parameter `sit`"),
        ("SELECT a FROM t WHERE s = $1", 1, 1, "a parameter has no name"),
        ("SELECT a FROM t WHERE s = ?", 1, 1, "a parameter has no name"),
        ("SELECT a FROM t WHERE s = %s", 1, 1, "a parameter has no name"),
    ],
)
def test_what_writes_locks_reaches_out_or_cannot_be_read_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    problem = caught.value.problems[0]
    assert said in problem.message
    assert (problem.file, problem.line, problem.column) == ("sql/q.sql", line, column)
    assert problem.help


@pytest.mark.parametrize(
    "text",
    ["SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM glob('*')"],
)
def test_files_of_the_machine_are_no_tables(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError, match=r"sql/q\.sql"):
        read(tmp_path, text, "duckdb")


def test_a_query_is_read_in_the_sql_of_its_server(tmp_path: Path) -> None:
    text = "SELECT TOP 5 [id] FROM [dbo].[patients]"
    assert read(tmp_path, text, "mssql").text == text
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    assert caught.value.problems[0].help == "this is read as the SQL of postgresql: is `server` in source.yaml right?"


def test_parameters_are_known_by_their_places(tmp_path: Path) -> None:
    query = read(tmp_path, "SELECT '100%', ':site', x::text FROM t WHERE s=:site AND d<:delivery_date")
    assert query.with_parameters("%({})s", "%", "%%") == (
        "SELECT '100%%', ':site', x::text FROM t WHERE s=%(site)s AND d<%(delivery_date)s"
    )


def test_a_file_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.sql").write_text("SELECT 1")
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "link.sql").symlink_to(tmp_path / "other.sql")
    with pytest.raises(SpecError, match=r"leads out of the folder sql/"):
        read_query(tmp_path, tmp_path, "sql/link.sql", "postgresql", ())
    with pytest.raises(SpecError, match="there is no such file"):
        read_query(tmp_path, tmp_path, "sql/nothing.sql", "postgresql", ())


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is not UTF-8"):
        read(tmp_path, b"SELECT 'caf\xe9'")


def test_a_whole_table_is_named_in_the_quotes_of_its_server() -> None:
    hostile = 'a"; DROP TABLE t; --'
    assert whole_table("reg.patients", "postgresql").text == 'SELECT * FROM "reg"."patients"'
    assert whole_table("dbo.patients", "mssql").text == "SELECT * FROM [dbo].[patients]"
    assert whole_table(hostile, "postgresql").text == 'SELECT * FROM "a""; DROP TABLE t; --"'

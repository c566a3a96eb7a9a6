"""Wrong keys of a delivery that comes from a server are told with their lines and their mends."""

from __future__ import annotations

import pytest

from oncoweave.errors import Problem, SpecError
from oncoweave.spec.document import parse_document
from oncoweave.spec.load import validate
from oncoweave.spec.one_file import source_problems
from oncoweave.spec.source import Source

HEAD = "version: 1\nsource: s\ntitle: t\nholder: h\nkind: registry\n"
SQL = "tables:\n  rows: {format: sql, query: sql/rows.sql, row: {content: true}}\n"
CSV = "tables:\n  rows: {format: csv, files: 'rows.csv', row: {content: true}}\n"
DATABASE = "delivery: {by: database, connection: registry, date: 2026-05-01}\n"


def problems(text: str) -> list[Problem]:
    from pathlib import Path

    path = Path("/p/mappings/sources/s/source.yaml")
    document = parse_document(HEAD + text, path, Path("/p"))
    try:
        validate(Source, document, source_problems("s"))
    except SpecError as error:
        return list(error.problems)
    return []


def download(keys: str, files: str = "rows.csv") -> str:
    return f"delivery: {{by: download, date: 2026-05-01, {keys}}}\n{CSV.replace('rows.csv', files)}"


@pytest.mark.parametrize(
    "text",
    [
        DATABASE + SQL,
        DATABASE.replace("date: 2026-05-01", "date_query: sql/day.sql, server: oracle, parameters: {site: 007}") + SQL,
        DATABASE + SQL.replace("query: sql/rows.sql", "table: registry.patients"),
        download("url: 's3://bucket/folder/', connection: store"),
        download("url: sftp://host:2222/folder", "data/*.csv"),
        download("url: https://host/folder/, checksums: SHA256SUMS", "*.csv"),
        download("url: http://127.0.0.1:8000/folder/"),
    ],
)
def test_what_is_right_has_no_problem(text: str) -> None:
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "said", "mend"),
    [
        (DATABASE + CSV, "a database gives no csv files", "format: sql"),
        (download("url: s3://b/").replace(CSV, SQL), "`format: sql` is for a database", "by: database"),
        (DATABASE.replace(", date: 2026-05-01", "") + SQL, "give either `date` or `date_query`", "date_query: sql/date.sql"),
        (DATABASE.replace("date: 2026", "date_query: sql/day.sql, date: 2026") + SQL, "give either `date` or", ""),
        (DATABASE.replace("registry", "postgresql://u:p@h/d") + SQL, "is not a name", ""),
        (DATABASE.replace("connection: registry", "connection: registry, url: 'postgresql://u:p@h/d'") + SQL, "url", ""),
        (DATABASE.replace("registry", "registry, server: postgres") + SQL, "`postgres` is not a value of `server`", "postgresql"),
        (DATABASE.replace("registry", "registry, timeout: 0") + SQL, "timeout", ""),
        (DATABASE.replace("registry", "registry, parameters: {delivery_date: x}") + SQL, "`delivery_date` is there by itself", "leave it out"),
        (DATABASE + SQL.replace("sql/rows.sql", "../rows.sql"), "must be a file in the folder sql/", ""),
        (DATABASE + SQL.replace("sql/rows.sql", "sql/rows.sql, table: a.b"), "give either `query` or `table`", "sql/patients.sql"),
        (DATABASE + SQL.replace("query: sql/rows.sql", "table: 'a b'"), "goes into a query under sql/", ""),
        (DATABASE + SQL + SQL.replace("tables:\n", "").replace("rows:", "more:"), "another table reads `sql/rows.sql`", "one table"),
        (DATABASE + SQL.replace("row: {content: true}", "row: {content: true}, removed: {files: x.csv}"), "no files of removed rows", "query"),
        (download("url: 's3://key:secret@bucket/'"), "must be an address without user and password", ""),
        (download("url: 'ftp://host/'"), "must be an address", ""),
        (download("url: 'http://registry.example/'"), "not fetched without encryption", "https://"),
        (download("url: https://host/", "*.csv"), "does not say which files fit a pattern", "checksums"),
        (download("url: https://host/, checksums: ../SHA256SUMS"), "leads out of the delivery", "in the folder"),
        (download("url: https://host/, checksums: S, sha256: {a: " + "0" * 64 + "}"), "give either `checksums` or `sha256`", ""),
        (download("url: https://host/, sha256: {a: abc}"), "64 digits", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(text: str, said: str, mend: str) -> None:
    found = problems(text)
    assert any(said in problem.message and mend in problem.help and problem.line > 5 for problem in found), found

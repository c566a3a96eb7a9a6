"""Servers on loopback, and sources that read from them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from oncoweave.engine.delivery import locate
from oncoweave.engine.reading import DeliveredFile
from oncoweave.engine.servers.connections import PREFIX
from oncoweave.engine.servers.fetch import fetched
from oncoweave.project import Project
from oncoweave.spec.load import load_source
from tests.servers.postgres_server import Server, binaries, running

NUMBERS = count(1)
HEAD = "version: 1\nsource: registry\ntitle: t\nholder: h\nkind: registry\n"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL of the tests' own."""
    programs = binaries()
    if programs is None:
        message = "PostgreSQL is not installed (apt-get install postgresql): nothing is read from a server"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with running(programs) as server:
        yield server


@dataclass(frozen=True)
class Database:
    """One database of the server; `execute` is its owner's."""

    server: Server
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def execute(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode())

    def connect(self) -> psycopg.Connection[Any]:
        return self.server.connect(self.name)


@pytest.fixture
def database(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An empty database, which the connection `registry` leads to, as a user who may only read."""
    name = f"registry_{next(NUMBERS)}"
    postgres.make_database(name)
    found = Database(postgres, name)
    monkeypatch.setenv(f"{PREFIX}REGISTRY", found.url)
    return found


@dataclass(frozen=True)
class Taken:
    """What was brought from a server: the columns and rows of a table, its file, its hash."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    name: str
    content: bytes


@dataclass(frozen=True)
class Registry:
    """A project with one source, `registry`, and what it brings from its server."""

    project: Project

    @property
    def folder(self) -> Path:
        return self.project.root / "mappings" / "sources" / "registry"

    def declare(self, delivery: str, tables: str, queries: Mapping[str, str] | None = None) -> None:
        (self.folder / "sql").mkdir(parents=True, exist_ok=True)
        (self.folder / "source.yaml").write_text(f"{HEAD}delivery: {delivery}\ntables:\n{tables}")
        for name, query in (queries or {}).items():
            (self.folder / "sql" / name).write_text(query)

    def query(self, query: str, key: str = "{content: true}", **delivery: Any) -> None:
        """Declares one table, `rows`, that a query gives."""
        given = {"by": "database", "connection": "registry", **delivery}
        if "date_query" not in given:
            given["date"] = "2026-05-01"
        written = ", ".join(f"{name}: {value}" for name, value in given.items())
        self.declare(
            f"{{{written}}}", f"  rows: {{format: sql, query: sql/rows.sql, row: {key}}}\n", {"rows.sql": query}
        )

    def taken(self) -> dict[str, Taken]:
        """What the tables hold, each field as text."""
        spec, _ = load_source(self.project, "registry")
        with fetched(self.project, spec, None) as there:
            assert there.files
            return {name: _taken(file.name, file.path) for name, (file,) in there.files.items()}

    def rows(self) -> list[tuple[Any, ...]]:
        return self.taken()["rows"].rows

    def fetched(self) -> dict[str, bytes]:
        """The files that were fetched."""
        spec, _ = load_source(self.project, "registry")
        with fetched(self.project, spec, None) as there:
            assert there.folder
            files = {p.relative_to(there.folder).as_posix(): p for p in there.folder.rglob("*") if p.is_file()}
            return {name: path.read_bytes() for name, path in files.items()}

    def located(self) -> dict[str, list[DeliveredFile]]:
        """The files of each table."""
        spec, _ = load_source(self.project, "registry")
        with fetched(self.project, spec, None) as there:
            return locate(self.project, there.source, there.folder)

    def left_over(self) -> list[Path]:
        """Everything below runs/deliveries."""
        return list((self.project.runs / "deliveries").rglob("*"))


def _taken(name: str, path: Path) -> Taken:
    with duckdb.connect() as connection:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        columns = [column for column, *_ in result.description or []]
        return Taken(columns, result.fetchall(), name, path.read_bytes())


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Project.at(tmp_path / "project"))

"""The servers of a source are found by the Airflow connections of their names, for the time of the stage only."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from oncoweave.engine.servers.connections import PREFIX
from oncoweave.project import Project
from tests.servers.conftest import Database, database, postgres  # noqa: F401 - fixtures
from tests.servers.postgres_server import PASSWORD
from tests.servers.tiny_in_database import fill, move_to_database

REGISTRY = "postgresql://reader:p%40ss@db.example:5432/registry?sslmode=require"
DATABASE = "{by: database, connection: registry, date: 2026-05-01}"


@pytest.fixture
def from_server(tiny_project: Project) -> Project:
    source = tiny_project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    text = source.read_text(encoding="utf-8")
    text = text.replace("{by: folder, date: 2024-01-31, path: ../../../deliveries/2024-01-31}", DATABASE)
    for name in ("patients", "tumours"):
        old = f'    format: csv\n    files: {name}.csv\n    delimiter: ";"\n'
        assert old in text
        text = text.replace(old, f"    format: sql\n    table: public.{name}\n")
    source.write_text(text, encoding="utf-8")
    return tiny_project


def test_a_connection_of_airflow_is_the_address(from_server: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import make_url

    from oncoweave.airflow.connections import connections

    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY", REGISTRY)
    with connections(from_server, "tiny"):
        given = make_url(os.environ[f"{PREFIX}REGISTRY"])
    assert (given.username, given.password, given.host, given.port) == ("reader", "p@ss", "db.example", 5432)
    assert (given.database, dict(given.query)) == ("registry", {"sslmode": "require"})
    assert f"{PREFIX}REGISTRY" not in os.environ


def test_the_environment_wins(from_server: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from oncoweave.airflow.connections import connections

    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY", REGISTRY)
    monkeypatch.setenv(f"{PREFIX}REGISTRY", "postgresql://other")
    with connections(from_server, "tiny"):
        assert os.environ[f"{PREFIX}REGISTRY"] == "postgresql://other"
    assert os.environ[f"{PREFIX}REGISTRY"] == "postgresql://other"


def test_a_source_without_a_server_needs_no_connection(tiny_project: Project) -> None:
    from oncoweave.airflow.connections import connections

    before = dict(os.environ)
    with connections(tiny_project, "tiny"):
        assert dict(os.environ) == before


@pytest.mark.slow
def test_a_pipeline_reads_its_source_by_the_connection_and_shows_no_password(
    tiny_project: Project,
    database: Database,  # noqa: F811 - the fixture
    run_dag: Callable[..., dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(f"{PREFIX}REGISTRY")
    fill(database, tiny_project.root / "deliveries" / "2024-01-31")
    move_to_database(tiny_project)
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY", database.url)
    source = tiny_project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    source.write_text(source.read_text(encoding="utf-8") + "retries: 0\n", encoding="utf-8")
    assert run_dag(tiny_project, "harmonise__tiny") == dict.fromkeys(("extract", "map", "check"), "success")
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY", f"postgresql://reader:{PASSWORD}@127.0.0.1:1/x")
    states = run_dag(tiny_project, "harmonise__tiny")
    said = "".join(capfd.readouterr())
    assert states["extract"] == "failed"
    assert "cannot be read: nothing listens there" in said
    assert PASSWORD not in said

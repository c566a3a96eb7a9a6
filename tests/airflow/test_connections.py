"""The servers of a source are found by the Airflow connections of their names, for the time of the stage only."""

from __future__ import annotations

import os

import pytest

from oncoweave.engine.servers.connections import PREFIX
from oncoweave.project import Project

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

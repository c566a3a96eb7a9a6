"""A database says by a query that it has something new; the value itself is kept nowhere."""

from __future__ import annotations

import json
import time

import pytest

from oncoweave.errors import SourceUnreachable, SpecError
from oncoweave.orchestration.arrivals import Arrived, Moment, survey
from oncoweave.orchestration.claims import claim
from oncoweave.orchestration.watch import payload_of
from oncoweave.spec.load import load_source
from oncoweave.spec.source_queries import query_problems
from oncoweave.stages.extract import extract
from tests.servers.conftest import Database, Registry

VALUE = "4711-canary"


@pytest.fixture
def watched(registry: Registry, database: Database) -> Registry:
    """A registry whose database tells what it has by `SELECT max(mark) FROM loads`."""
    database.execute(
        "CREATE TABLE patients (id text PRIMARY KEY, born date); INSERT INTO patients VALUES ('a', '1950-01-01')"
    )
    database.execute("CREATE TABLE loads (mark text)")
    registry.declare(
        "{by: database, connection: registry, date_query: sql/day.sql}",
        "  patients: {format: sql, table: patients, row: {fields: [id]}, fields: {id: {type: identifier}}}\n"
        "schedule: on arrival\narrival: {watermark: sql/changed.sql, settle: 1s}\n",
        {"day.sql": "SELECT DATE '2024-02-29'", "changed.sql": "SELECT max(mark) FROM loads"},
    )
    return registry


def now(registry: Registry) -> Arrived:
    (one,) = survey(registry.project, "registry", Moment(time.time())).arrived
    return one


def test_nothing_then_something_then_something_new(watched: Registry, database: Database) -> None:
    empty = now(watched)
    assert (empty.state, empty.reason) == (
        "refused",
        "mappings/sources/registry/sql/changed.sql gives no value: there is nothing yet",
    )
    database.execute(f"INSERT INTO loads VALUES ('{VALUE}')")
    first = now(watched)
    assert (first.state, first.day) == ("complete", None)
    assert VALUE not in json.dumps(payload_of("registry", first))
    database.execute("INSERT INTO loads VALUES ('4712')")
    second = now(watched)
    assert second.state == "complete"
    assert second.signature != first.signature


def test_a_watermark_is_taken_once(
    watched: Registry, database: Database, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oncoweave.run_identity.identity", _identity)
    database.execute(f"INSERT INTO loads VALUES ('{VALUE}')")
    project = watched.project
    seen = now(watched)
    taken = claim(project, "registry", "run 1", {(seen.name, seen.signature)}, time.time())
    assert taken is not None
    assert now(watched).state == "claimed"
    run = extract(project, "registry")
    assert (now(watched).state, now(watched).run_id) == ("taken", run.run_id)
    database.execute("INSERT INTO loads VALUES ('4712')")
    assert now(watched).state == "complete"
    assert extract(project, "registry") == run, "the rows are the same"
    assert now(watched).state == "taken"
    kept = [path for path in project.runs.rglob("*.json") if VALUE in path.read_text()]
    assert kept == []


def _identity(project: object, source: str) -> object:
    """What a run rests on, without a mapping."""
    from oncoweave.run_identity import Identity

    return Identity(software="s", code_sha256="c", mapping_sha256="m", vocabulary="v", key_id="k", domain="d", files={})


def test_a_server_that_is_gone_is_told_and_may_be_asked_again(
    watched: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCOWEAVE_CONNECTION_REGISTRY", "postgresql://u:hidden@127.0.0.1:1/none")
    with pytest.raises(SourceUnreachable) as gone:
        now(watched)
    assert "hidden" not in gone.value.message


def test_a_query_that_writes_is_refused_with_its_line(watched: Registry) -> None:
    (watched.folder / "sql" / "changed.sql").write_text("-- what is new\nDELETE FROM loads\n")
    spec, _ = load_source(watched.project, "registry")
    assert spec.arrival is not None
    with pytest.raises(SpecError) as refused:
        now(watched)
    assert [(p.file.rsplit("/", 1)[-1], p.line) for p in refused.value.problems] == [("changed.sql", 2)]
    assert query_problems(watched.project, spec) == list(refused.value.problems)

"""Notices out of Airflow: sent where source.yaml asks for it, and never in the way of a task."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oncoweave.errors import DataError
from oncoweave.project import Project
from oncoweave.spec.notify import Notify
from tests.orchestration.test_notices import CANARY, Hook, Mailbox, serving

TASK = SimpleNamespace(dag_id="harmonise__one", run_id="manual__2026-01-01T00:00:00+00:00", task_id="map")
WANTED = Notify(on=("failure", "published"), email=("qa@registry.example",), webhook="ONCOWEAVE_WEBHOOK")


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A mail server that Airflow's connection leads to."""
    server = Mailbox()
    connection = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": server.port,
        "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "oncoweave@registry.example"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    with serving(server):
        yield server


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What arrives at the webhook."""
    from http.server import HTTPServer

    got: list[tuple[str, dict[str, Any]]] = []
    server = HTTPServer(("127.0.0.1", 0), type("KeepingHook", (Hook,), {"got": got}))
    monkeypatch.setenv("ONCOWEAVE_WEBHOOK", f"http://127.0.0.1:{server.server_address[1]}/token-{CANARY}")
    with serving(server):
        yield got


def notifier(occasion: str, notify: Notify | None = WANTED) -> Any:
    from oncoweave.airflow.notifier import Notifier

    return Notifier(occasion, "one", notify)  # type: ignore[arg-type]


def test_a_notice_goes_both_ways(mailbox: Mailbox, hook: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.registry.example/")
    notifier("failure")({"ti": TASK, "exception": DataError(CANARY)})
    ((_, mail),) = mailbox.mails
    ((_, tree),) = hook
    assert b"Subject: one: task map failed" in mail
    assert tree["facts"] == {"What": "the data did not pass (DataError)"}
    assert tree["links"]["In Airflow"].endswith(
        "/dags/harmonise__one/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/map"
    )
    assert CANARY.encode() not in mail and CANARY not in json.dumps(tree)


def test_the_link_of_a_waiting_approval_opens_its_form(hook: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.registry.example/")
    notifier("approval", Notify(on=("approval",), webhook="ONCOWEAVE_WEBHOOK"))({"ti": TASK})
    ((_, tree),) = hook
    assert tree["links"]["In Airflow"].endswith("/tasks/map/required_actions")


def test_nobody_is_told_what_they_did_not_ask_for(mailbox: Mailbox, hook: list[Any]) -> None:
    for told in (notifier("approval"), notifier("failure", None)):
        told({"ti": TASK})
    assert (mailbox.mails, hook) == ([], [])


@pytest.mark.parametrize("context", [{}, {"ti": None}, {"ti": object()}, {"ti": TASK, "exception": "killed"}])
def test_a_poor_context_is_no_fault(context: dict[str, Any], mailbox: Mailbox, hook: list[Any]) -> None:
    notifier("failure")(context)
    assert len(mailbox.mails) in (0, 1)


def test_what_cannot_be_sent_is_logged_without_addresses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://u:{CANARY}@127.0.0.1:1/?disable_ssl=true&from_email=a@b.example"
    )
    monkeypatch.setenv("ONCOWEAVE_WEBHOOK", f"http://127.0.0.1:1/{CANARY}")
    with caplog.at_level(logging.DEBUG, logger="oncoweave"):
        notifier("failure")({"ti": TASK, "exception": DataError("x")})
    assert "no notice by mail" in caplog.text and "no notice by webhook" in caplog.text
    assert CANARY not in caplog.text and "127.0.0.1" not in caplog.text


def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT", raising=False)
    with caplog.at_level(logging.WARNING, logger="oncoweave"):
        notifier("failure")({"ti": TASK})
    assert "smtp_default cannot be used" in caplog.text
    assert "ONCOWEAVE_WEBHOOK is not set" in caplog.text


def test_a_server_that_hangs_holds_up_no_task(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from oncoweave.airflow import notifier as module

    mailbox.slow = True
    monkeypatch.setattr(module, "LONGEST", 0.5)
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="oncoweave"):
        notifier("failure", Notify(email=("qa@registry.example",)))({"ti": TASK})
    assert time.monotonic() - begun < 2.5
    assert "it took longer" in caplog.text


def test_a_run_that_an_arrival_started_is_named(
    hook: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCOWEAVE_PROJECT", str(tmp_path))
    monkeypatch.setenv("ONCOWEAVE_RUNS", str(tmp_path / "runs"))
    run = "0123456789abcdef0123"
    (tmp_path / "runs" / "one" / run).mkdir(parents=True)
    arrived = SimpleNamespace(timestamp=datetime(2026, 1, 1, tzinfo=UTC), extra={"payload": {"delivery": "2026-01-01"}})
    task = SimpleNamespace(**vars(TASK), xcom_pull=lambda task_ids: run)
    context = {"ti": task, "triggering_asset_events": {"arrival": [arrived]}, "exception": DataError("x")}
    notifier("failure", Notify(webhook="ONCOWEAVE_WEBHOOK"))(context)
    ((_, tree),) = hook
    assert tree["facts"]["Run"] == run


@pytest.mark.parametrize("written", [True, False])
def test_a_notice_leads_only_to_a_page_that_is_there(
    written: bool, hook: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.registry.example/")
    monkeypatch.setenv("ONCOWEAVE_PROJECT", str(tmp_path))
    monkeypatch.setenv("ONCOWEAVE_RUNS", str(tmp_path / "runs"))
    run = "0123456789abcdef0123"
    folder = tmp_path / "runs" / "one" / run
    folder.mkdir(parents=True)
    if written:
        (folder / "report.html").touch()
    task = SimpleNamespace(**vars(TASK), xcom_pull=lambda task_ids: run)
    notifier("failure", Notify(webhook="ONCOWEAVE_WEBHOOK"))({"ti": task, "exception": DataError("x")})
    ((_, tree),) = hook
    assert "In Airflow" in tree["links"]
    assert ("Quality report" in tree["links"]) is written


def test_a_task_that_fails_tells_and_keeps_its_error(
    tiny_project: Project, run_dag: Callable[..., dict[str, str]], mailbox: Mailbox, hook: list[Any]
) -> None:
    path = tiny_project.source_folder("tiny") / "source.yaml"
    text = (
        path.read_text(encoding="utf-8")
        .replace("2024-01-31}", "2023-01-31}")
        .replace("deliveries/2024-01-31", "deliveries/x")
    )
    path.write_text(
        text + "notify: {email: [qa@registry.example], webhook: ONCOWEAVE_WEBHOOK}\nretries: 0\n", encoding="utf-8"
    )
    mailbox.broken = True
    states = run_dag(tiny_project, "harmonise__tiny")
    assert states["extract"] == "failed"
    ((_, tree),) = hook
    assert tree["text"].startswith("tiny: task extract failed")
    assert (
        tree["facts"]["What"].endswith("Error)")
        or tree["facts"]["What"].endswith("Fault)")
        or "reached" in tree["facts"]["What"]
    )
    assert str(tiny_project.root) not in json.dumps(tree)

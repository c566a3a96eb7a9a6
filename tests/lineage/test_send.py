"""Lineage events of a real run: to a file and to an endpoint, without values, and never in the way of a stage."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from oncoweave.errors import DataError, UsageError
from oncoweave.project import Project
from oncoweave.run import check, extract, map, publish, run  # noqa: A004  the stages' names

pytest.importorskip("openlineage.client", reason="the extra `lineage` is not installed")
CANARY = "Kanarienvogel"


def _events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["eventType"], event["job"]["name"]) for event in events]


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lineage.jsonl"
    monkeypatch.setenv("ONCOWEAVE_LINEAGE", str(path))
    return path


def test_every_stage_tells_of_what_it_read_and_wrote(tiny_project: Project, events: Path) -> None:
    run(tiny_project, "tiny")
    found = _events(events)
    stages = ["extract", "map", "check", "publish"]
    assert _told(found) == [
        ("START", "tiny.run"),
        *((state, f"tiny.{stage}") for stage in stages for state in ("START", "COMPLETE")),
        ("COMPLETE", "tiny.run"),
    ]
    mapped = next(e for e in found if e["job"]["name"] == "tiny.map" and e["eventType"] == "COMPLETE")
    assert {d["name"] for d in mapped["inputs"]} == {"tiny.patients", "tiny.tumours"}
    death = next(d for d in mapped["outputs"] if d["name"] == "tiny.omop.death")
    lineage = death["facets"]["columnLineage"]
    assert [i["field"] for i in lineage["fields"]["death_date"]["inputFields"]] == ["last_contact"]
    assert [i["field"] for i in lineage["dataset"]] == ["vital"]
    assert lineage["fields"]["person_id"]["inputFields"][0]["transformations"][0]["masking"] is True
    patients = (tiny_project.root / "deliveries" / "2024-01-31" / "patients.csv").read_text(encoding="utf-8")
    assert death["outputFacets"]["outputStatistics"]["rowCount"] == patients.count(";D\n")
    extracted = next(e for e in found if e["job"]["name"] == "tiny.extract" and e["eventType"] == "COMPLETE")
    counts = {d["name"]: d["inputFacets"]["inputStatistics"]["rowCount"] for d in extracted["inputs"]}
    assert counts["tiny.delivery.patients"] == len(patients.splitlines()) - 1
    checked = next(e for e in found if e["job"]["name"] == "tiny.check" and e["eventType"] == "COMPLETE")
    persons = next(d for d in checked["inputs"] if d["name"] == "tiny.omop.person")
    assertions = persons["inputFacets"]["dataQualityAssertions"]["assertions"]
    (folder,) = (tiny_project.runs / "tiny").glob("*/check.json")
    results = json.loads(folder.read_text(encoding="utf-8"))["results"]
    expected = [(r["expectation"], r["column"], r["success"]) for r in results if r["table"] == "person"]
    assert [(a["assertion"], a.get("column"), a["success"]) for a in assertions] == expected
    assert len(expected) > 5


def test_the_stages_of_a_run_are_its_parts(tiny_project: Project, events: Path) -> None:
    run(tiny_project, "tiny")
    found = _events(events)
    (whole,) = {e["run"]["runId"] for e in found if e["job"]["name"] == "tiny.run"}
    parents = {e["run"]["facets"].get("parent", {}).get("run", {}).get("runId") for e in found[1:-1]}
    assert parents == {whole}


def test_a_stage_names_the_task_that_started_it(
    tiny_project: Project, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = "7f3c2c1e-0b56-4c0e-8a8a-000000000001"
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", f"airflow/harmonise__tiny.extract/{task}")
    extract(tiny_project, "tiny")
    parent = _events(events)[0]["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]["name"]) == (task, "harmonise__tiny.extract")


def test_no_value_and_no_path_is_in_an_event(tiny_project: Project, events: Path) -> None:
    patients = tiny_project.root / "deliveries" / "2024-01-31" / "patients.csv"
    rows = patients.read_text(encoding="utf-8").replace("P001;F", f"{CANARY};F").splitlines()
    rows = [f"{row};{'extra_' + CANARY if number == 0 else CANARY}" for number, row in enumerate(rows)]
    patients.write_text("\n".join([*rows, ""]), encoding="utf-8")
    tumours = tiny_project.root / "deliveries" / "2024-01-31" / "tumours.csv"
    tumours.write_text(
        tumours.read_text(encoding="utf-8").replace("left, upper outer quadrant", CANARY), encoding="utf-8"
    )
    run(tiny_project, "tiny")
    written = events.read_text(encoding="utf-8")
    assert written.count("COMPLETE") == 5
    assert CANARY not in written
    assert str(tiny_project.root) not in written


def test_a_failed_stage_says_why(tiny_project: Project, events: Path) -> None:
    (tiny_project.root / "deliveries" / "2024-01-31" / "tumours.csv").unlink()
    with pytest.raises(DataError):
        extract(tiny_project, "tiny")
    failed = _events(events)[-1]
    assert failed["eventType"] == "FAIL"
    assert "tumours" in failed["run"]["facets"]["errorMessage"]["message"]


class _Endpoint(BaseHTTPRequestHandler):
    received: list[dict[str, Any]] = []  # noqa: RUF012  one server, one list

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in the standard library
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_events_go_to_an_endpoint(tiny_project: Project, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCOWEAVE_LINEAGE", endpoint)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    _Endpoint.received.clear()
    extract(tiny_project, "tiny")
    assert _told(_Endpoint.received) == [("START", "tiny.extract"), ("COMPLETE", "tiny.extract")]


def test_an_endpoint_that_is_away_stops_nothing(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ONCOWEAVE_LINEAGE", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with caplog.at_level(logging.WARNING):
        folder = extract(tiny_project, "tiny")
    assert (folder.path / "extract.json").is_file()
    assert [r.getMessage() for r in caplog.records if r.name.startswith("oncoweave")] == [
        "a lineage event of tiny.extract could not be sent: ConnectionError"
    ] * 2


def test_without_the_package_the_setting_is_an_error(
    tiny_project: Project, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openlineage.client", None)
    with pytest.raises(UsageError, match="not installed"):
        extract(tiny_project, "tiny")
    assert not events.exists()


def test_nothing_is_sent_where_nothing_is_asked_for(tiny_project: Project, events: Path) -> None:
    del os.environ["ONCOWEAVE_LINEAGE"]
    folder = extract(tiny_project, "tiny")
    map(folder, tiny_project)
    check(folder, tiny_project)
    publish(folder, tiny_project)
    assert not events.exists()

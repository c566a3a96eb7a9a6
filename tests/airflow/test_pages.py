"""The pages in Airflow: who may see them, what is never served, and how a DAG run finds those of its run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oncoweave.project import Project

RUN = "0123456789abcdef0123"
PAGE = "<!doctype html><title>the page</title>"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one run that has its pages, a quarantine, and all sorts of traps."""
    project = Project.at(tmp_path / "project")
    (project.root / "mappings" / "sources" / "one").mkdir(parents=True)
    (project.root / "mappings" / "sources" / "one" / "source.yaml").write_text("version: 1\n")
    run = project.runs / "one" / RUN
    (run / "quarantine").mkdir(parents=True)
    for name in ("run.html", "report.html"):
        (run / name).write_text(PAGE)
    (run / "check.json").write_text("{}")
    (run / "quarantine" / "report.html").write_text("a patient")
    (tmp_path / "secret").mkdir()
    for name in ("run.html", "report.html", "release.html"):
        (tmp_path / "secret" / name).write_text("a secret")
    (run / "release.html").symlink_to(tmp_path / "secret" / "release.html")
    (project.runs / "one" / ("a" * 20)).symlink_to(tmp_path / "secret", target_is_directory=True)
    (project.runs / "two").symlink_to(project.runs / "one", target_is_directory=True)
    fifo = project.runs / "one" / ("b" * 20)
    fifo.mkdir()
    os.mkfifo(fifo / "run.html")
    monkeypatch.setenv("ONCOWEAVE_PROJECT", str(project.root))
    return project


@pytest.fixture
def client(_database: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The API server's application with the pages under their prefix, and Airflow's own log-in."""
    monkeypatch.setenv(
        "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of the tests that is long enough for them, 64 characters"
    )
    from airflow.api_fastapi.app import init_auth_manager
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from oncoweave.airflow.addresses import PREFIX
    from oncoweave.airflow.plugin import Pages

    app = FastAPI()
    init_auth_manager(app)
    app.mount(PREFIX, Pages())
    return TestClient(app, follow_redirects=False)


def as_user(role: str | None) -> dict[str, str]:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="somebody", role=role))
    return {"Authorization": f"Bearer {token}"}


def test_every_route_asks_who_calls(client: Any, site: Project) -> None:
    from oncoweave.airflow.pages import application

    paths = [str(getattr(route, "path", "")) for route in application().routes]
    assert len(paths) == 5
    values = {"source": "one", "run_id": RUN, "page": "run.html", "dag_id": "harmonise__one", "dag_run_id": "x"}
    for path in paths:
        address = "/oncoweave" + path.format(**values)
        assert client.get(address).status_code == 401, path
        assert client.get(address, headers={"Authorization": "Bearer nonsense"}).status_code in (401, 403), path
        assert client.get(address, cookies={"_token": "nonsense"}).status_code in (401, 403), path


def test_who_is_not_logged_in_is_led_to_where_one_logs_in(client: Any, site: Project) -> None:
    answer = client.get(f"/oncoweave/sources/one/{RUN}/run.html")
    assert f'href="/auth/login?next=%2Foncoweave%2Fsources%2Fone%2F{RUN}%2Frun.html"' in answer.text
    hostile = client.get("/oncoweave/of-dag/%22%3E%3Cscript%3Ealert(1)")
    assert hostile.status_code == 401 and "<script" not in hostile.text


def test_a_viewer_sees_the_pages_and_nothing_can_be_loaded(client: Any, site: Project) -> None:
    for path in ("index.html", "one/index.html", f"one/{RUN}/run.html", f"one/{RUN}/report.html"):
        answer = client.get(f"/oncoweave/sources/{path}", headers=as_user("viewer"))
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and policy.endswith("frame-ancestors 'self'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert client.get(f"/oncoweave/sources/one/{RUN}/run.html", headers=as_user("viewer")).text == PAGE


def test_who_may_not_see_the_dag_may_not_see_its_pages(client: Any, site: Project) -> None:
    for path in ("sources/one/index.html", f"sources/one/{RUN}/run.html", "of-run/publish__one/x/run.html"):
        answer = client.get(f"/oncoweave/{path}", headers=as_user(None))
        assert answer.status_code == 403 and PAGE not in answer.text
    overview = client.get("/oncoweave/sources/index.html", headers=as_user(None))
    assert overview.status_code == 200 and "one/index.html" not in overview.text


@pytest.mark.parametrize(
    "path",
    [
        f"one/{RUN}/check.json",
        f"one/{RUN}/quarantine",
        f"one/{RUN}/quarantine/report.html",
        f"one/{RUN}/quarantine%2Freport.html",
        f"one/{RUN}/release.html",
        f"one/{RUN}/..%2Freport.html",
        f"one/{RUN}/report.html%00",
        f"one/{RUN}/%2e%2e/{RUN}/report.html/..",
        f"one/{'a' * 20}/run.html",
        f"one/{'b' * 20}/run.html",
        f"two/{RUN}/run.html",
        f"one/{RUN.upper()}/run.html",
        f"one/{'c' * 20}/run.html",
        "one/../run.html",
        "one/%2e%2e%2f%2e%2e%2fsecret/run.html",
        f"%2e%2e/{RUN}/run.html",
        f"one%2F..%2Fone/{RUN}/run.html",
        f"{'x' * 300}/{RUN}/run.html",
        "nobody/index.html",
        "two/index.html",
        "%C3%B6ne/index.html",
        "",
    ],
)
def test_nothing_else_is_served(path: str, client: Any, site: Project) -> None:
    answer = client.get(f"/oncoweave/sources/{path}", headers=as_user("admin"))
    assert answer.status_code == 404
    assert "secret" not in answer.text and "a patient" not in answer.text and str(site.root) not in answer.text


def test_there_is_no_list_of_the_interface(client: Any, site: Project) -> None:
    for path in ("docs", "redoc", "openapi.json", ""):
        assert client.get(f"/oncoweave/{path}", headers=as_user("admin")).status_code == 404


def test_a_foreign_dag_has_no_pages(client: Any, site: Project) -> None:
    for path in (
        "of-dag/example",
        "of-run/example/manual/run.html",
        "of-dag/harmonise__../x",
        "of-run/harmonise__one/x/check.json",
    ):
        assert client.get(f"/oncoweave/{path}", headers=as_user("admin")).status_code == 404
    moved = client.get("/oncoweave/of-dag/publish__one", headers=as_user("viewer"))
    assert (moved.status_code, moved.headers["location"]) == (303, "/oncoweave/sources/one/index.html")


@pytest.mark.usefixtures("_database")
def test_a_link_never_raises(site: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from oncoweave.airflow import dag_runs
    from oncoweave.airflow.plugin import LINKS

    for link in LINKS:
        assert link.get_link(None, ti_key=SimpleNamespace(dag_id="harmonise__one", run_id="none")) == ""
        assert link.get_link(None, ti_key=SimpleNamespace(dag_id="example", run_id="none")) == ""
        assert link.get_link(None, ti_key=object()) == ""
    monkeypatch.setattr(dag_runs, "create_session", None)
    monkeypatch.delenv("ONCOWEAVE_PROJECT")
    assert LINKS[0].get_link(None, ti_key=SimpleNamespace(dag_id="harmonise__one", run_id="x")) == ""


def test_a_task_process_does_not_import_what_serves_the_pages() -> None:
    code = (
        "import sys, oncoweave.airflow.plugin\n"
        "print([m for m in ('oncoweave.airflow.pages', 'oncoweave.report.page', 'duckdb', 'jinja2.environment') "
        "if m in sys.modules and m.startswith(('oncoweave', 'duckdb'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_dag_run_finds_the_pages_of_its_run(
    client: Any, tiny_project: Project, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from oncoweave.airflow.plugin import LINKS

    assert set(run_dag(tiny_project, "harmonise__tiny").values()) == {"success"}
    (run,) = (tiny_project.runs / "tiny").glob("*/extract.json")
    run_id = run.parent.name
    with create_session() as session:
        asked = select(DagRun.run_id).where(DagRun.dag_id == "harmonise__tiny").order_by(DagRun.id.desc())
        dag_run_id = session.scalars(asked).first()
    moved = client.get(f"/oncoweave/of-run/harmonise__tiny/{dag_run_id}/report.html", headers=as_user("viewer"))
    address = f"/oncoweave/sources/tiny/{run_id}/report.html"
    assert (moved.status_code, moved.headers["location"]) == (303, address)
    assert client.get(address, headers=as_user("viewer")).status_code == 200
    key = SimpleNamespace(dag_id="harmonise__tiny", run_id=dag_run_id)
    quality, recap, release = (link.get_link(None, ti_key=key) for link in LINKS)
    assert (quality, recap, release) == (address, address.replace("report", "run"), "")

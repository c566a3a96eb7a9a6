"""One true Airflow, from a delivery that arrives to a release in the hub: scheduler, API server, triggerer, DAG processor.

The pages that people look at are kept as pictures in .artifacts/, for whoever looks at a change.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pytest

from oncoweave.files import read_record
from oncoweave.project import Project
from oncoweave.release.verify import verify
from oncoweave.release_records import ReleaseManifest
from oncoweave.run import extract, map  # noqa: A004  the stage's name
from tests.conftest import HERE, KEY
from tests.report.conftest import browser

if TYPE_CHECKING:
    from oncoweave.airflow.local import LocalAirflow
    from oncoweave.airflow.rest import Api

__all__ = ["browser"]
pytestmark = pytest.mark.slow
CANARY = "Kanarienvogel"
PICTURES = HERE.parent / ".artifacts"
PATIENCE = 300.0
Found = TypeVar("Found")
HARMONISE, PUBLISH = "harmonise__tiny", "publish__tiny"
PROCEDURE = """
schedule: on arrival
arrival: {folder: ../../../deliveries/%Y-%m-%d, marker: _READY, every: 2s}
approval: {by: [reviewer, steward], within: 8h, four_eyes: true}
retry_delay: 2s
owner: Registry
"""


@dataclass(frozen=True)
class Site:
    """A project with a running Airflow, and two people who are signed in."""

    project: Project
    airflow: LocalAirflow
    steward: Api
    reviewer: Api

    def deliver(self, day: str, *, patients: int = 4, canary: bool = False) -> None:
        """Put a delivery of that day where deliveries arrive; the marker comes last of all."""
        folder = self.project.root / "deliveries" / day
        folder.mkdir()
        given = HERE / "projects" / "tiny" / "deliveries" / "2024-01-31"
        for name in ("patients.csv", "tumours.csv"):
            header, *rows = (given / name).read_text(encoding="utf-8").splitlines()
            many = [row.replace("P00", f"{day}-{n}-P00") for n in range(max(1, patients // 4)) for row in rows]
            text = "\n".join([header, *many, ""])
            if canary:
                text = text.replace("P001;F", f"{CANARY};F").replace("left, upper outer quadrant", CANARY)
                text = text.replace(f"{day}-0-P001", f"{CANARY}-0-P001")
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "_READY").touch()

    def new_run(self, dag: str, known: set[str]) -> str:
        """The first run of a DAG that is not among the known ones."""
        return _found(lambda: next((r for r in self.ids(dag) if r not in known), ""))

    def ids(self, dag: str) -> list[str]:
        """The ids of a DAG's runs, the oldest first."""
        runs = self.reviewer.get(f"/dags/{dag}/dagRuns?order_by=run_after&limit=100")["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    def ended(self, dag: str, run: str) -> str:
        """The state in which a run ends."""

        def end() -> str:
            state = self.reviewer.state(dag, run)
            return state if state in ("success", "failed") else ""

        return _found(end)

    def attempt(self, dag: str, run: str, task: str) -> int:
        """Which attempt a task is at."""
        return int(self.reviewer.get(f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}")["try_number"])

    def releases(self) -> dict[str, ReleaseManifest]:
        """What is published, by id."""
        folders = [f for f in (self.project.releases / "tiny").glob("*") if f.is_dir() and not f.is_symlink()]
        return {f.name: read_record(f / "manifest.json", ReleaseManifest) for f in folders if f.name[0] != "."}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    from oncoweave.airflow.local import running

    root = tmp_path_factory.mktemp("site")
    shutil.copytree(HERE / "projects" / "tiny" / "mappings", root / "mappings")
    (root / "deliveries").mkdir()
    source = root / "mappings" / "sources" / "tiny" / "source.yaml"
    source.write_text(source.read_text(encoding="utf-8") + PROCEDURE, encoding="utf-8")
    project = Project.at(root)
    settings = {
        "ONCOWEAVE_KEY": KEY,
        "ONCOWEAVE_HUB": str(root / "hub"),
        "ONCOWEAVE_LINEAGE": str(root / "lineage.jsonl"),
    }
    with running(project, root / ".airflow", settings=settings) as airflow:
        people = [airflow.api(name) for name in ("steward", "reviewer")]
        made = Site(project, airflow, *people)
        _found(lambda: {HARMONISE, PUBLISH} <= {d["dag_id"] for d in made.steward.get("/dags?limit=100")["dags"]})
        yield made


def test_a_delivery_becomes_a_release_when_a_reviewer_approves(site: Site, browser: Any) -> None:
    site.deliver("2024-02-29", canary=True)
    harmonised = site.new_run(HARMONISE, set())
    assert site.ended(HARMONISE, harmonised) == "success"
    asked = site.new_run(PUBLISH, set())
    _found(lambda: site.reviewer.questions(PUBLISH, asked))
    assert not site.releases()
    _picture(site, browser, "grid", f"/dags/{HARMONISE}/runs/{harmonised}")
    _picture(site, browser, "approval", f"/dags/{PUBLISH}/runs/{asked}/tasks/approve/required_actions")
    site.reviewer.answer(PUBLISH, asked, "Approve", "looked at it")
    assert site.ended(PUBLISH, asked) == "success"
    ((name, manifest),) = site.releases().items()
    assert verify(site.project.releases / "tiny" / name) == []
    assert str(manifest.delivery_date) == "2024-02-29"
    assert manifest.signoff is not None
    told = json.loads(manifest.signoff.model_dump_json())
    assert "reviewer" in json.dumps(told) and "looked at it" in json.dumps(told)
    _picture(site, browser, "report", f"/dags/{HARMONISE}/runs/{harmonised}/plugin/oncoweave-quality")


def test_what_is_rejected_is_not_published_and_is_seen_to_be(site: Site) -> None:
    published, known = set(site.releases()), set(site.ids(PUBLISH))
    site.deliver("2024-03-31")
    asked = site.new_run(PUBLISH, known)
    _found(lambda: site.reviewer.questions(PUBLISH, asked))
    site.reviewer.answer(PUBLISH, asked, "Reject", "too few tumours")
    assert site.ended(PUBLISH, asked) == "failed"
    tasks = {task["task_id"]: task["state"] for task in site.reviewer.tasks(PUBLISH, asked)}
    assert tasks == {"approve": "failed", "publish": "upstream_failed"}
    log = f"approve/logs/{site.attempt(PUBLISH, asked, 'approve')}?full_content=true"
    told = site.reviewer.get(f"/dags/{PUBLISH}/dagRuns/{asked}/taskInstances/{log}")
    assert "too few tumours" in json.dumps(told)
    assert set(site.releases()) == published


def test_a_killed_task_is_tried_again_and_its_release_is_the_same(site: Site, tmp_path: Path) -> None:
    published, runs, asked_before = set(site.releases()), set(site.ids(HARMONISE)), set(site.ids(PUBLISH))
    site.deliver("2024-04-30", patients=120_000)
    harmonised = site.new_run(HARMONISE, runs)
    killed = _found(lambda: _kill_map(site))
    assert site.ended(HARMONISE, harmonised) == "success", f"process {killed} was killed"
    assert site.attempt(HARMONISE, harmonised, "map") == 2
    asked = site.new_run(PUBLISH, asked_before)
    _found(lambda: site.reviewer.questions(PUBLISH, asked))
    site.reviewer.answer(PUBLISH, asked, "Approve", "")
    assert site.ended(PUBLISH, asked) == "success"
    ((name, manifest),) = [item for item in site.releases().items() if item[0] not in published]
    assert verify(site.project.releases / "tiny" / name) == []
    assert {f.name: f.sha256 for f in manifest.tables} == _tables_of_a_quiet_run(site, tmp_path)


def test_the_hub_has_taken_what_was_published(site: Site) -> None:
    taken = _found(lambda: len(list((site.project.root / "hub").rglob("manifest.json"))) == 2)
    assert taken


def test_no_value_is_in_a_log_an_xcom_a_page_or_a_lineage_event(site: Site) -> None:
    """The canary is the key and the remark of a patient of the first delivery."""
    home = site.airflow.home
    for path in [*home.rglob("*.log"), site.project.root / "lineage.jsonl", *home.rglob("*.db*")]:
        assert CANARY.encode() not in path.read_bytes(), path
    pages = list(site.project.root.rglob("*.html"))
    assert pages
    assert not [p for p in pages if CANARY in p.read_text(encoding="utf-8")]
    assert (site.project.root / "lineage.jsonl").read_text(encoding="utf-8").count('"COMPLETE"') >= 8
    snapshots = str(site.project.runs / "tiny" / "*" / "snapshot" / "patients.parquet")
    with duckdb.connect() as connection:
        sql = "SELECT count(*) FROM read_parquet(?) WHERE patient LIKE ?"
        ((found,),) = connection.execute(sql, [snapshots, f"%{CANARY}%"]).fetchall()
    assert found, "the canary was in no delivery"


def _found(look: Callable[[], Found]) -> Found:
    """What `look` finds as soon as it finds something."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, "nothing came in time"
        time.sleep(0.5)
    return found


def _kill_map(site: Site) -> int:
    """Kill the process that maps, once it has begun; its number, or 0 when none is mapping."""
    lock = site.project.runs / "tiny" / ".map.lock"
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
        number = int(holder["pid"])
        run = site.project.runs / "tiny" / holder["run"]
        if (run / "map.json").exists() or not Path(f"/proc/{number}").exists():
            return 0
        if time.time() - lock.stat().st_mtime < 0.3:
            return 0
        os.kill(number, signal.SIGKILL)
    except (OSError, ValueError, KeyError):
        return 0
    return number


def _tables_of_a_quiet_run(site: Site, folder: Path) -> dict[str, str]:
    """The hashes of the tables that the command line makes of the last delivery."""
    os.environ["ONCOWEAVE_KEY"] = KEY
    try:
        shutil.copytree(site.project.root / "mappings", folder / "mappings")
        quiet = Project.at(folder)
        run = extract(quiet, "tiny", site.project.root / "deliveries" / "2024-04-30")
        return {f"omop/{file.name}": file.sha256 for file in map(run, quiet).tables}
    finally:
        del os.environ["ONCOWEAVE_KEY"]


def _picture(site: Site, browser: Any, name: str, path: str) -> None:
    """Keep what a reviewer sees at an address."""
    PICTURES.mkdir(exist_ok=True)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "_token", "value": site.reviewer.token, "url": site.airflow.url}])
    page = context.new_page()
    page.goto(site.airflow.url + path)
    page.wait_for_load_state("networkidle")
    time.sleep(2)
    page.screenshot(path=str(PICTURES / f"airflow-{name}.png"))
    context.close()

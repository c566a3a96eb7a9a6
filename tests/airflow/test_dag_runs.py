"""A pipeline run by Airflow end to end, in this process: from the delivery to the release, and what may go wrong."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oncoweave import run as stages
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import MapRecord

Run = Callable[..., dict[str, str]]
pytestmark = pytest.mark.slow
DONE = {"extract": "success", "map": "success", "check": "success"}
CHECKOUT = Path(__file__).resolve().parents[2]


def run_of(project: Project) -> RunFolder:
    (record,) = (project.runs / "tiny").glob("*/extract.json")
    return RunFolder(record.parent)


def events_of(uri: str) -> list[dict[str, Any]]:
    """What the events of an asset carry, the oldest first."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        chosen = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        events = session.scalars(chosen.where(AssetModel.uri == uri).order_by(AssetEvent.id))
        return [dict(event.extra) for event in events]


def bytes_of(release: Path) -> dict[str, str]:
    files = (path for path in release.rglob("*") if path.is_file())
    return {str(path.relative_to(release)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def undisturbed(project: Project, folder: Path) -> dict[str, str]:
    """The release that the command line makes of the same project elsewhere."""
    shutil.copytree(project.root, folder)
    release = stages.run(Project.at(folder), "tiny").release
    assert release is not None
    return bytes_of(release)


@pytest.fixture
def tiny_project(tiny_project: Project) -> Project:
    """The tiny project, whose runs are published without anybody being asked; approvals are tried elsewhere."""
    source = tiny_project.source_folder("tiny") / "source.yaml"
    source.write_text(source.read_text(encoding="utf-8") + "approval: {needed: false}\n", encoding="utf-8")
    return tiny_project


def test_a_delivery_becomes_the_release_that_the_command_line_makes(
    tiny_project: Project, run_dag: Run, tmp_path: Path
) -> None:
    expected = undisturbed(tiny_project, tmp_path / "by_hand")
    assert run_dag(tiny_project, "harmonise__tiny") == DONE
    run = run_of(tiny_project)
    manifest = stages.candidate(run)
    assert events_of("oncoweave://candidate/tiny")[-1] == {
        "run_id": run.run_id,
        "triggered_by": "dag_test",
        "delivery": "2024-01-31",
        "persons": 6,
        "rows": sum(file.rows or 0 for file in manifest.tables),
        "verdict": "pass",
    }
    assert not tiny_project.releases.exists()

    assert run_dag(tiny_project, "publish__tiny", run_id=run.run_id) == {"publish": "success"}
    release = tiny_project.releases / "tiny" / manifest.release_id
    assert bytes_of(release) == expected
    told = events_of("oncoweave://release/tiny")[-1]
    assert told["sha256"] == hashlib.sha256((release / "manifest.json").read_bytes()).hexdigest()
    assert (told["run_id"], told["release_id"]) == (run.run_id, manifest.release_id)

    before = len(events_of("oncoweave://candidate/tiny"))
    assert run_dag(tiny_project, "harmonise__tiny") == DONE
    assert len(events_of("oncoweave://candidate/tiny")) == before, "what is published need not be looked at again"
    assert bytes_of(release) == expected


def test_a_source_mapped_table_by_table_gives_the_same_release(
    tiny_project: Project, run_dag: Run, tmp_path: Path
) -> None:
    spec = tiny_project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    spec.write_text(spec.read_text(encoding="utf-8") + "map_by: tables\n", encoding="utf-8")
    expected = undisturbed(tiny_project, tmp_path / "by_hand")
    assert set(run_dag(tiny_project, "harmonise__tiny").values()) == {"success"}
    run = run_of(tiny_project)
    assert "person" in names_in_the_grid("write_table")
    assert run_dag(tiny_project, "publish__tiny", run_id=run.run_id) == {"publish": "success"}
    assert bytes_of(tiny_project.releases / "tiny" / "current") == expected


def names_in_the_grid(task_id: str) -> set[str | None]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(TaskInstance).where(TaskInstance.task_id == task_id))
        return {ti.rendered_map_index for ti in found}


def test_a_dry_run_is_no_candidate(tiny_project: Project, run_dag: Run) -> None:
    before = len(events_of("oncoweave://candidate/tiny"))
    assert run_dag(tiny_project, "harmonise__tiny", dry_run=True, sample=2) == DONE
    assert len(events_of("oncoweave://candidate/tiny")) == before
    assert not (run_of(tiny_project).path / "map.json").exists(), "a sample is mapped apart"
    (record,) = (tiny_project.runs / ".samples" / "tiny").glob("*/map.json")
    assert read_record(record, MapRecord).persons == 2
    assert run_dag(tiny_project, "harmonise__tiny", dry_run=True) == DONE
    assert len(events_of("oncoweave://candidate/tiny")) == before
    assert run_dag(tiny_project, "harmonise__tiny", sample=2)["extract"] == "failed"


def test_a_delivery_without_its_files_fails_for_good(
    tiny_project: Project, run_dag: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    (tiny_project.root / "deliveries" / "2024-01-31" / "tumours.csv").unlink()
    assert run_dag(tiny_project, "harmonise__tiny") == {
        "extract": "failed",
        "map": "upstream_failed",
        "check": "upstream_failed",
    }


def test_publishing_asks_for_a_run(tiny_project: Project, run_dag: Run) -> None:
    assert run_dag(tiny_project, "publish__tiny") == {"publish": "failed"}
    assert run_dag(tiny_project, "publish__tiny", run_id="0" * 20) == {"publish": "failed"}


def test_no_value_of_a_patient_gets_into_airflow(
    tiny_project: Project, run_dag: Run, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither when all goes well nor when it does not: a canary's key, date and free text are in no database, log or output."""
    caplog.set_level(logging.DEBUG)
    delivery = tiny_project.root / "deliveries" / "2024-01-31"
    patients, tumours = delivery / "patients.csv", delivery / "tumours.csv"
    patients.write_text(patients.read_text("utf-8") + "CANARYKEY;F;07.08.1931;2;01.01.2020;;1\n", "utf-8")
    rows = tumours.read_text("utf-8")
    columns = rows.splitlines()[0].count(";")
    tumours.write_text(rows + "CANARYKEY;1;09.08.1931" + ";CANARYTEXT" * (columns - 2) + "\n", "utf-8")
    assert set(run_dag(tiny_project, "harmonise__tiny").values()) <= {"success", "failed", "upstream_failed"}
    assert list((tiny_project.runs / "tiny").glob("*/map.json")), "the canary was mapped"
    patients.write_text(patients.read_text("utf-8") + '"CANARYKEY;not closed\n', "utf-8")
    tumours.write_bytes(tumours.read_bytes() + b"CANARYKEY;\xff\xfe\n")
    run_dag(tiny_project, "harmonise__tiny")

    seen = [*capfd.readouterr(), caplog.text]
    home = Path(os.environ["AIRFLOW_HOME"])
    seen += [path.read_bytes().decode("latin-1") for path in home.rglob("*") if path.is_file()]
    assert any("harmonise__tiny" in text for text in seen)
    for canary in ("CANARYKEY", "CANARYTEXT", "07.08.1931", "1931-08-07"):
        assert not [text[max(0, text.find(canary) - 200) :][:400] for text in seen if canary in text]


KILLED = """
import sys
from pathlib import Path
from oncoweave import run
from oncoweave.project import Project
project = Project.at(Path(sys.argv[1]))
folder = run.extract(project, "tiny")
print("extracted", flush=True)
run.map(folder, project)
"""


def test_what_a_killed_task_left_is_made_good_by_its_retry(tiny_project: Project, run_dag: Run, tmp_path: Path) -> None:
    expected = undisturbed(tiny_project, tmp_path / "by_hand")
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tiny_project.root)],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT / "src")},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"extracted\n"
    run = run_of(tiny_project)
    while not (run.path / ".tables.tmp").exists():
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not (run.path / "map.json").exists()

    assert run_dag(tiny_project, "harmonise__tiny") == DONE
    assert run_dag(tiny_project, "publish__tiny", run_id=run.run_id) == {"publish": "success"}
    assert bytes_of(tiny_project.releases / "tiny" / "current") == expected

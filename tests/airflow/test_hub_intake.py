"""The hub's DAG: scheduled on all releases, one named task for each that the hub lacks, a refusal seen and keeping none out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oncoweave.hub.bucket import open_place
from oncoweave.hub.place import Place, taken
from oncoweave.orchestration.hub import missing
from oncoweave.project import Project
from oncoweave.release.verify import release_id
from oncoweave.run import run
from tests.hub.conftest import read_manifest, seal

if TYPE_CHECKING:
    from airflow.sdk import DAG

Dags = Callable[[Project], dict[str, "DAG"]]


@pytest.fixture
def place(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty hub, which the environment names."""
    monkeypatch.setenv("ONCOWEAVE_HUB", str(tiny_project.root / "hub"))
    return open_place(str(tiny_project.root / "hub"))


def publish_another(project: Project, source: str, day: str) -> Path:
    """A release of another source and day, made of the first."""
    first = (project.releases / "tiny" / "current").resolve()
    manifest = read_manifest(first)
    made = type(manifest).model_validate({**manifest.model_dump(), "source": source, "delivery_date": day})
    made = made.model_copy(update={"release_id": release_id(day, made.run_id)})
    folder = Path(shutil.copytree(first, project.releases / source / made.release_id))
    seal(folder, made)
    return folder


def states_of(project: Project, dags_of: Dags, **conf: Any) -> tuple[str, dict[tuple[str, str], str]]:
    """The state of the run, and that of each task by its id and the name that the grid shows."""
    done = dags_of(project)["hub_intake"].test(run_conf=conf)
    return str(done.state), {
        (ti.task_id, ti.rendered_map_index or ""): str(ti.state) for ti in done.get_task_instances()
    }


def test_there_is_no_dag_without_a_hub(tiny_project: Project, dags_of: Dags) -> None:
    assert "hub_intake" not in dags_of(tiny_project)


def test_it_is_scheduled_on_the_release_of_any_source(tiny_project: Project, dags_of: Dags, place: Place) -> None:
    shutil.copytree(
        tiny_project.root / "mappings" / "sources" / "tiny", tiny_project.root / "mappings" / "sources" / "broken"
    )
    (tiny_project.root / "mappings" / "sources" / "broken" / "source.yaml").write_text("version: [\n")
    dag = dags_of(tiny_project)["hub_intake"]
    condition: Any = dag.timetable.asset_condition
    assert type(condition).__name__ == "AssetAny"
    assert [asset.uri for asset in condition.objects] == ["oncoweave://release/broken", "oncoweave://release/tiny"]
    assert dag.task_dict["refresh"].upstream_task_ids == {"release.take"}
    assert "release.verify" in dag.task_dict["release.take"].upstream_task_ids


def test_the_same_project_gives_the_same_dag(tiny_project: Project, dags_of: Dags, place: Place) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    first, again = (json.dumps(DagSerialization.to_dict(dags_of(tiny_project)["hub_intake"])) for _ in range(2))
    assert first == again


@pytest.mark.slow
@pytest.mark.usefixtures("_database")
def test_new_releases_are_taken_in_and_a_refusal_is_seen_and_keeps_none_out(
    tiny_project: Project, dags_of: Dags, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(tiny_project, "tiny").release
    assert first is not None
    other = publish_another(tiny_project, "other", "2024-02-29")
    spoilt = publish_another(tiny_project, "spoilt", "2024-03-01")
    person = spoilt / "omop" / "person.parquet"
    person.chmod(0o600)
    person.write_bytes(person.read_bytes()[:-1])

    names = [f"tiny/{first.name}", f"other/{other.name}", f"spoilt/{spoilt.name}"]
    assert missing(tiny_project, place) == names
    state, tasks = states_of(tiny_project, dags_of)
    assert state == "failed"
    assert tasks["find", ""] == "success"
    assert tasks["refresh", ""] == "failed"
    for name in names[:2]:
        assert (tasks["release.verify", name], tasks["release.take", name]) == ("success", "success")
    assert tasks["release.verify", names[2]] == "failed"
    assert taken(place) == [("other", other.name), ("tiny", first.name)]
    compared = json.loads(place.read("comparison.json") or b"")
    assert [one["source"] for one in compared["sources"]] == ["other", "tiny"]
    assert [name.split("/")[1][:6] for name in place.names("refused")] == ["spoilt"]

    assert missing(tiny_project, place) == []
    assert missing(tiny_project, place, again=True) == names[2:]
    state, tasks = states_of(tiny_project, dags_of)
    assert state == "success"
    assert tasks["refresh", ""] == "success"

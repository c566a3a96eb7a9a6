"""The DAGs of a project: ids, shape, schedules, what the form takes; deterministic, and light to import."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from oncoweave.project import Project

Dags = Callable[[Project], dict[str, Any]]
CHECKOUT = Path(__file__).resolve().parents[2]


def set_keys(project: Project, source: str, keys: str) -> None:
    """Add keys to a source.yaml."""
    path = project.root / "mappings" / "sources" / source / "source.yaml"
    path.write_text(path.read_text(encoding="utf-8") + keys, encoding="utf-8")


def edges(dag: Any) -> set[tuple[str, str]]:
    return {(task.task_id, below) for task in dag.tasks for below in task.downstream_task_ids}


def test_a_source_has_a_pair_of_dags_that_meet_in_an_asset(tiny_project: Project, dags_of: Dags) -> None:
    dags = dags_of(tiny_project)
    assert sorted(dags) == ["harmonise__tiny", "publish__tiny"]
    harmonise, publish = dags["harmonise__tiny"], dags["publish__tiny"]
    assert edges(harmonise) == {("extract", "map"), ("map", "check")}
    assert edges(publish) == {("approve", "publish")}
    assert [asset.uri for asset in harmonise.get_task("check").outlets] == ["oncoweave://candidate/tiny"]
    assert [asset.uri for asset in publish.timetable.asset_condition.objects] == ["oncoweave://candidate/tiny"]
    assert [asset.uri for asset in publish.get_task("publish").outlets] == ["oncoweave://release/tiny"]
    assert not harmonise.catchup
    assert harmonise.max_active_runs == 1 < publish.max_active_runs


def test_a_source_that_nobody_approves_says_so(tiny_project: Project, dags_of: Dags) -> None:
    set_keys(tiny_project, "tiny", "approval: {needed: false}\n")
    publish = dags_of(tiny_project)["publish__tiny"]
    assert [task.task_id for task in publish.tasks] == ["publish"]
    assert publish.max_active_runs == 1


def test_source_yaml_says_when_and_how(tiny_project: Project, dags_of: Dags) -> None:
    set_keys(
        tiny_project,
        "tiny",
        'schedule: {cron: "30 6 * * mon-fri", timezone: Europe/Lisbon}\nowner: Registry team\ntags: [breast, north]\n'
        "retries: 5\nretry_delay: 90s\npool: duckdb\n",
    )
    harmonise = dags_of(tiny_project)["harmonise__tiny"]
    assert (harmonise.timetable.expression, str(harmonise.timetable.timezone)) == ("30 6 * * mon-fri", "Europe/Lisbon")
    assert {"breast", "north", "tiny"} <= harmonise.tags
    for task in harmonise.tasks:
        assert (task.owner, task.retries, task.retry_delay, task.pool) == (
            "Registry team",
            5,
            timedelta(seconds=90),
            "duckdb",
        )
        assert task.retry_exponential_backoff == 2
        assert tuple(task.template_fields) == ()


def test_a_source_may_be_mapped_table_by_table(tiny_project: Project, dags_of: Dags) -> None:
    set_keys(tiny_project, "tiny", "map_by: tables\n")
    harmonise = dags_of(tiny_project)["harmonise__tiny"]
    chain = ["extract", "map_events", "write_table", "map_record", "check"]
    assert edges(harmonise) == set(itertools.pairwise(chain))
    assert harmonise.get_task("write_table").is_mapped
    assert harmonise.get_task("write_table").partial_kwargs["map_index_template"] == "{{ table }}"


def test_a_source_may_wait_for_the_release_of_another(tiny_project: Project, dags_of: Dags) -> None:
    set_keys(tiny_project, "tiny", "schedule: {asset: oncoweave://release/other}\n")
    condition = dags_of(tiny_project)["harmonise__tiny"].timetable.asset_condition
    assert [ref.name for ref in condition.objects] == ["oncoweave://release/other"]


@pytest.mark.parametrize(
    ("conf", "wrong"),
    [
        ({"delivery": 7}, "delivery"),
        ({"delivery": ""}, "delivery"),
        ({"dry_run": "perhaps"}, "dry_run"),
        ({"mode": "delta"}, "mode"),
    ],
)
def test_the_form_refuses_what_does_not_fit(
    tiny_project: Project, dags_of: Dags, conf: dict[str, Any], wrong: str
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    params = dags_of(tiny_project)["harmonise__tiny"].params
    with pytest.raises(ParamValidationError, match=wrong):
        params.update(conf)


def test_the_form_refuses_a_run_id_that_is_none(tiny_project: Project, dags_of: Dags) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    params = dags_of(tiny_project)["publish__tiny"].params
    with pytest.raises(ParamValidationError, match="run_id"):
        params.update({"run_id": "../../etc"})


HOSTILE = {
    "long": f"owner: {'ä' * 100}\ntags: [{'t' * 100}, a, a]\n",
    "signs": 'owner: "{{ 7 * 7 }}, <b>"\ntags: ["{{ config }}", "a,b", "%s"]\npool: "{{ x }}"\n',
    "often": 'schedule: {cron: "* * * * *", timezone: Etc/GMT+12}\nretries: 20\nretry_delay: 9999d\n',
    "waits": 'schedule: {asset: "x\'; DROP TABLE dag; --"}\n',
    "broken": "schedule: {cron: }\n",
}


def test_hostile_values_break_no_other_pipeline(tiny_project: Project, dags_of: Dags) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    sources = tiny_project.root / "mappings" / "sources"
    names = [*HOSTILE, "x" * 200, "x" * 201, "My Source", "{{ 7 * 7 }}", "ünï"]
    for name in names:
        shutil.copytree(sources / "tiny", sources / name)
        for file in ("source.yaml", "mapping.yaml"):
            path = sources / name / file
            path.write_text(path.read_text("utf-8").replace("source: tiny", f"source: {name}"), "utf-8")
        set_keys(tiny_project, name, HOSTILE.get(name, ""))
    dags = dags_of(tiny_project)
    whole = {"tiny", *HOSTILE, "x" * 200} - {"broken"}
    assert {name.removeprefix("publish__") for name in dags if name.startswith("publish__")} == whole
    assert len([name for name in dags if name.startswith("harmonise__")]) == len(names) + 1
    assert [task.task_id for task in dags["harmonise__broken"].tasks] == ["fault"]
    assert "broken" in dags["harmonise__broken"].tags
    for dag in dags.values():
        DagSerialization.to_dict(dag)


LOOK = """
import sys, json, runpy
import airflow.sdk
before = set(sys.modules)
made = runpy.run_path(sys.argv[1])
more = set(sys.modules) - before
dags = {name: dag for name, dag in made.items() if "__" in name and not name.startswith("__")}
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.serialized_objects import DagSerialization
hashes = {name: SerializedDagModel.hash(DagSerialization.to_dict(dag)) for name, dag in dags.items()}
heavy = {"duckdb", "pandas", "great_expectations", "sqlglot", "numpy", "sqlalchemy"} & more
print(json.dumps({"heavy": sorted(heavy), "hashes": hashes, "more": len(more)}))
"""


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two fresh processes make of the DAG file, each with a copy of the project and an order of sets of its own."""
    return [look(tmp_path_factory.mktemp("look") / name, seed) for name, seed in (("one", "1"), ("another", "2"))]


def look(root: Path, seed: str) -> dict[str, Any]:
    shutil.copytree(CHECKOUT / "tests" / "projects" / "tiny", root)
    set_keys(Project.at(root), "tiny", "tags: [b, a, d, c]\n")
    settings = {"ONCOWEAVE_PROJECT": str(root), "PYTHONPATH": str(CHECKOUT / "src"), "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", LOOK, str(CHECKOUT / "dags" / "harmonise.py")]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_parsing_imports_nothing_that_is_heavy(looks: list[dict[str, Any]]) -> None:
    assert looks[0]["heavy"] == []
    assert looks[0]["more"] < 400  # modules; the package with its engine is 1,000 and more


def test_the_same_project_gives_the_same_version_of_each_dag(looks: list[dict[str, Any]]) -> None:
    assert sorted(looks[0]["hashes"]) == ["harmonise__tiny", "publish__tiny"]
    assert looks[0]["hashes"] == looks[1]["hashes"]


def test_a_worker_builds_the_pipeline_of_its_own_dag_only(
    tiny_project: Project, dags_of: Dags, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_project.root / "mappings" / "sources" / "other"
    folder.mkdir()
    (folder / "source.yaml").write_text("no: source\n", encoding="utf-8")
    assert sorted(dags_of(tiny_project)) == ["harmonise__other", "harmonise__tiny", "publish__tiny"]
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "publish__tiny")
    assert sorted(dags_of(tiny_project)) == ["harmonise__tiny", "publish__tiny"]
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "harmonise__other")
    assert sorted(dags_of(tiny_project)) == ["harmonise__other"]


def test_without_a_project_the_file_says_so(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("ONCOWEAVE_PROJECT", str(tiny_project.root / "nowhere"))
    (error,) = DagBag(str(CHECKOUT / "dags")).import_errors.values()
    assert "set ONCOWEAVE_PROJECT" in error

"""The DAGs of a project: ids, shape, schedules, what the form takes; deterministic, and light to import."""

from __future__ import annotations

import json
import os
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
    assert (harmonise.max_active_runs, publish.max_active_runs) == (1, 1)


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


def test_a_second_look_finds_no_new_version(tiny_project: Project, dags_of: Dags) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    set_keys(tiny_project, "tiny", "tags: [b, a, d, c]\n")
    first, second = ({k: DagSerialization.to_dict(v) for k, v in dags_of(tiny_project).items()} for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


LOOK = """
import sys, json, runpy, importlib
import airflow.sdk
before = set(sys.modules)
made = runpy.run_path(sys.argv[1])
print(json.dumps({"heavy": sorted({"duckdb", "pandas", "great_expectations", "sqlglot", "numpy", "sqlalchemy"} & (set(sys.modules) - before)),
    "dags": sorted(name for name in made if "__" in name and not name.startswith("__")),
    "more": len(set(sys.modules) - before)}))
"""


def look(project: Project) -> dict[str, Any]:
    """What a fresh process imports beyond airflow.sdk, and which DAGs it makes of the DAG file."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(CHECKOUT / "dags" / "harmonise.py")],
        env=os.environ
        | {"ONCOWEAVE_PROJECT": str(project.root), "PYTHONPATH": str(CHECKOUT / "src"), "PYTHONHASHSEED": "random"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_parsing_imports_nothing_that_is_heavy(tiny_project: Project) -> None:
    found = look(tiny_project)
    assert found["heavy"] == []
    assert found["dags"] == ["harmonise__tiny", "publish__tiny"]
    assert found["more"] < 400  # modules; the package with its engine is 1,000 and more


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

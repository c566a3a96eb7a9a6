"""An Airflow of the test's own: its home in a temporary folder, set before Airflow is imported anywhere."""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oncoweave.project import Project

if TYPE_CHECKING:
    from airflow.sdk import DAG

DAGS = Path(__file__).resolve().parents[2] / "dags"
HERE = Path(__file__).resolve().parent
MISSING = "Airflow is not installed: `make setup-airflow`, then these tests run too"

_home = tempfile.TemporaryDirectory(prefix="oncoweave-airflow-")
os.environ |= {
    "AIRFLOW_HOME": _home.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home.name}/airflow.db",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
}

Dags = dict[str, "DAG"]
States = dict[str, str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Airflow, say so; with it, its own warnings are no errors of ours."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))
            if importlib.util.find_spec("airflow") is None:
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def _database() -> None:
    """The metadata database, made once."""
    from airflow.utils.db import initdb

    initdb()
    logging.getLogger("airflow").setLevel(logging.WARNING)


@pytest.fixture
def dags_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Project], Dags]:
    """The DAGs of a project, as the DAG processor finds them; its import errors fail the test."""

    def parse(project: Project) -> Dags:
        from airflow.dag_processing.dagbag import DagBag

        monkeypatch.setenv("ONCOWEAVE_PROJECT", str(project.root))
        bag = DagBag(str(DAGS))
        assert bag.import_errors == {}
        return dict(bag.dags)

    return parse


@pytest.fixture
def run_dag(_database: None, dags_of: Callable[[Project], Dags]) -> Callable[..., States]:
    """Runs a DAG of a project with a conf to its end, in this process; the state of each task."""

    def run(project: Project, dag_id: str, **conf: Any) -> States:
        done = dags_of(project)[dag_id].test(run_conf=conf)
        return {ti.task_id: str(ti.state) for ti in done.get_task_instances()}

    return run

"""Finds in Airflow's database which run of ours a DAG run is about, and how many approvals wait; for the API server only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from airflow.models.asset import AssetEvent
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select

from oncoweave.orchestration.pipeline import HARMONISE, PUBLISH
from oncoweave.project import RUN_ID, SOURCE_NAME, Project, RunFolder

_TELLING = ("publish", "approve", "check", "extract")
"""The tasks whose XCom may name a run."""


def source_of(dag_id: str) -> str | None:
    """The source that a DAG is about; None for a DAG of somebody else's."""
    for prefix in (HARMONISE, PUBLISH):
        if dag_id.startswith(prefix):
            name = dag_id.removeprefix(prefix)
            return name if SOURCE_NAME.fullmatch(name) else None
    return None


def run_of(project: Project, dag_id: str, dag_run_id: str) -> RunFolder | None:
    """The run that a DAG run is about, where its folder is there; of several, the one that came last."""
    source = source_of(dag_id)
    if source is None:
        return None
    with create_session() as session:
        named = list(_named(session, dag_id, dag_run_id))
    folders = (project.runs / source / run_id for run_id in reversed(named))
    return next((RunFolder(folder) for folder in folders if folder.is_dir()), None)


def waiting_approvals() -> Mapping[str, int]:
    """How many approvals wait for an answer, by source."""
    asked = (
        select(TaskInstance.dag_id)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(HITLDetail.responded_at.is_(None), TaskInstance.dag_id.startswith(PUBLISH, autoescape=True))
        .where(TaskInstance.state.in_([TaskInstanceState.AWAITING_INPUT, TaskInstanceState.DEFERRED]))
    )
    with create_session() as session:
        dags = session.scalars(asked).all()
    return Counter(source for dag_id in dags if (source := source_of(dag_id)))


def _named(session: Any, dag_id: str, dag_run_id: str) -> Iterator[str]:
    """The run ids that a DAG run names: in its form, in the events that started it, in what its tasks tell; oldest first."""
    dag_run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == dag_run_id))
    if dag_run is None:
        return
    yield from _run_ids((dag_run.conf or {}).get("run_id"))
    events: list[AssetEvent] = sorted(dag_run.consumed_asset_events, key=lambda event: (event.timestamp, event.id))
    for event in events:
        yield from _run_ids((event.extra or {}).get("run_id"))
    told = XComModel.get_many(run_id=dag_run_id, key="return_value", dag_ids=dag_id, task_ids=_TELLING)
    for xcom in session.scalars(told.order_by(None).order_by(XComModel.timestamp)):
        yield from _run_ids(XComModel.deserialize_value(xcom))


def _run_ids(value: object) -> Iterator[str]:
    """The run ids in what a task told: itself, in a list, or under `run_id` in a map."""
    if isinstance(value, str):
        if RUN_ID.fullmatch(value):
            yield value
    elif isinstance(value, list):
        for part in value:
            yield from _run_ids(part)
    elif isinstance(value, dict):
        yield from _run_ids(value.get("run_id"))

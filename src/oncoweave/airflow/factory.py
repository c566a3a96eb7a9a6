"""Makes the DAGs of a pipeline, empty: when they run, who owns them, what they may be asked for. Shape is in dags/."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, Context, CronTriggerTimetable, Param, get_parsing_context

from oncoweave.airflow.approval import NotApproved
from oncoweave.airflow.arrivals import arrival_of
from oncoweave.airflow.failure import told as faults_told
from oncoweave.airflow.notifier import Notifier
from oncoweave.airflow.project import project_here
from oncoweave.orchestration.form import Form
from oncoweave.orchestration.pipeline import Pipeline, pipelines
from oncoweave.spec.language import span
from oncoweave.spec.notify import Occasion
from oncoweave.spec.schedule import AssetSchedule, CronSchedule

LONGEST_WAIT = timedelta(days=1)
LONGEST_TAG = 100
"""Characters of a tag that Airflow takes."""
MOST_APPROVALS = 100
"""How many approvals of a source may wait at once; all but the newest are superseded."""


def pipelines_to_build() -> list[Pipeline]:
    """The pipelines of the project; a worker needs that of its own DAG only."""
    with faults_told():
        return pipelines(project_here(), get_parsing_context().dag_id)


def harmonise_dag(pipeline: Pipeline) -> DAG:
    """The DAG that makes a candidate of a delivery, without its tasks."""
    return _dag(pipeline, pipeline.harmonise_id, _schedule(pipeline), pipeline.harmonise_form)


def publish_dag(pipeline: Pipeline) -> DAG:
    """The DAG that publishes the candidates of a source, without its tasks.

    One run at a time, so that they stay in order; where somebody approves them, a newer candidate is asked for at once, and
    supersedes those that wait.
    """
    dag = _dag(pipeline, pipeline.publish_id, [candidate_of(pipeline)], pipeline.publish_form)
    if pipeline.spec and pipeline.spec.airflow_approval:
        dag.max_active_runs = MOST_APPROVALS
    return dag


def candidate_of(pipeline: Pipeline) -> Asset:
    """The asset of the source's candidates."""
    return Asset(pipeline.candidate)


def release_of(pipeline: Pipeline) -> Asset:
    """The asset of the source's releases."""
    return Asset(pipeline.release)


def teller(pipeline: Pipeline, occasion: Occasion) -> Notifier | None:
    """What tells people of an occasion, where source.yaml asks for it."""
    notify = pipeline.spec.notify if pipeline.spec else None
    return Notifier(occasion, pipeline.source, notify) if notify and occasion in notify.on else None


def refusal_teller(pipeline: Pipeline) -> Callable[[Context], None]:
    """Tells people that a candidate was not approved, or else that the task which asks has failed."""
    rejected, failure = teller(pipeline, "rejected"), teller(pipeline, "failure")

    def tell(context: Context) -> None:
        told = rejected if isinstance(context.get("exception"), NotApproved) else failure
        if told:
            told(context)

    return tell


def _dag(pipeline: Pipeline, dag_id: str, schedule: Any, form: Form) -> DAG:
    scheduling = pipeline.scheduling
    return DAG(
        dag_id,
        description=pipeline.title,
        doc_md=pipeline.doc,
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=sorted(
            {"oncoweave", pipeline.name[:LONGEST_TAG], *scheduling.tags, *(["broken"] if pipeline.fault else [])}
        ),
        params={name: _param(form, name) for name in form},
        default_args={
            "owner": scheduling.owner,
            "retries": scheduling.retries,
            "retry_delay": span(scheduling.retry_delay),
            "retry_exponential_backoff": 2,
            "max_retry_delay": LONGEST_WAIT,
            **({"pool": scheduling.pool} if scheduling.pool else {}),
            **({"on_failure_callback": told} if (told := teller(pipeline, "failure")) else {}),
        },
    )


def _schedule(pipeline: Pipeline) -> Any:
    schedule = pipeline.scheduling.schedule
    if isinstance(schedule, CronSchedule):
        return CronTriggerTimetable(schedule.cron, timezone=schedule.timezone)
    if isinstance(schedule, AssetSchedule):
        return [Asset.ref(name=schedule.asset)]
    return [arrival_of(pipeline)] if pipeline.arrives else None


def _param(form: Form, name: str) -> Param:
    field = form[name]
    return Param(field.default, title=field.title, description=field.description, **field.schema)

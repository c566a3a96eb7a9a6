"""The hub in Airflow: a DAG that runs when any source has published, and takes in what the hub does not have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, AssetAny, BaseOperator, Context, Param, get_parsing_context
from airflow.sdk.exceptions import AirflowFailException

from oncoweave.airflow.failure import told
from oncoweave.airflow.project import project_here
from oncoweave.orchestration.pipeline import releases
from oncoweave.project import Project

if TYPE_CHECKING:
    from oncoweave.hub.place import Place
    from oncoweave.orchestration.hub import HubSettings

DAG_ID = "hub_intake"
DOC = """# Intake of the hub

Runs when any source has published. **find** looks which releases the hub does not have; each of them is verified and taken in by a
task of its own, **take**, which is named after it; **refresh** makes catalogue and comparison anew, and fails when a release is not
there after all. What was refused is told in the log of its task and under `refused/` in the hub, and is not tried again as it is:
trigger this DAG with *Again* to try it. By hand the same is done by `oncoweave hub take`.
"""
AGAIN = "Take also what was refused before, as after other settings of the hub."


def is_wanted() -> bool:
    """Whether there is a hub, and this process wants its DAG."""
    return bool(os.environ.get("ONCOWEAVE_HUB")) and get_parsing_context().dag_id in (None, DAG_ID)


def hub_dag() -> DAG:
    """The DAG without its tasks, scheduled on the releases of all sources."""
    with told():
        assets = [Asset(name) for name in releases(project_here())]
    return DAG(
        DAG_ID,
        description="Takes new releases into the hub, and refreshes its catalogue and comparison",
        doc_md=DOC,
        schedule=AssetAny(*assets) if assets else None,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=["hub", "oncoweave"],
        params={"again": Param(False, type="boolean", title="Again", description=AGAIN)},
        default_args={
            "owner": "hub",
            "retries": 3,
            "retry_delay": timedelta(minutes=5),
            "retry_exponential_backoff": 2,
            "max_retry_delay": timedelta(days=1),
        },
    )


class HubOperator(BaseOperator):
    """A task of the hub. Nothing of it is a template, and what is heavy is imported when it runs."""

    ui_color = "#eef3e8"

    def execute(self, context: Context) -> Any:
        """Do the task; an error of Oncoweave's is told in Airflow's terms."""
        from oncoweave.orchestration.hub import hub_settings

        with told():
            settings = hub_settings()
            with _place(settings) as place:
                return self.work(context, project_here(), place, settings)

    def work(self, context: Context, project: Project, place: Place, settings: HubSettings) -> Any:
        """What this task does; names and counts go to the next, never data."""
        raise NotImplementedError


class FindOperator(HubOperator):
    """Gives the names of the releases that the hub does not have; events only wake, for one of two may be lost."""

    def work(self, context: Context, project: Project, place: Place, settings: HubSettings) -> list[str]:
        from oncoweave.orchestration.hub import missing

        return missing(project, place, again=bool(context["params"].get("again")))


class ReleaseOperator(HubOperator):
    """A task for one release, after which it is named in the grid."""

    def __init__(self, *, release: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release

    template_fields = ("release",)  # a mapped argument is resolved as a template is; the name itself holds none


class VerifyOperator(ReleaseOperator):
    """Verifies a release where it lies."""

    def work(self, context: Context, project: Project, place: Place, settings: HubSettings) -> str:
        from oncoweave.hub.intake import look_at
        from oncoweave.orchestration.hub import folder_of

        context["release"] = self.release  # type: ignore[typeddict-unknown-key]
        return look_at(folder_of(project, self.release), place, settings.policy, self.release).release_id


class TakeOperator(ReleaseOperator):
    """Takes a release in: it is copied, verified again, and there."""

    def work(self, context: Context, project: Project, place: Place, settings: HubSettings) -> dict[str, Any]:
        from dataclasses import asdict

        from oncoweave.hub.intake import take
        from oncoweave.orchestration.hub import folder_of

        context["release"] = self.release  # type: ignore[typeddict-unknown-key]
        return asdict(take(folder_of(project, self.release), place, settings.policy, self.release))


class RefreshOperator(HubOperator):
    """Makes catalogue and comparison anew, whatever became of the releases; fails when one of them is not there."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trigger_rule="all_done", **kwargs)

    def work(self, context: Context, project: Project, place: Place, settings: HubSettings) -> int:
        from oncoweave.hub.refresh import refresh
        from oncoweave.orchestration.hub import not_there

        compared = refresh(place)
        wanted = context["ti"].xcom_pull(task_ids="find")
        if wanted is None:
            raise AirflowFailException("it is not known what the hub lacks: see the task find")
        if lacking := not_there(place, wanted):
            raise AirflowFailException(f"not taken in: {', '.join(lacking)}; see their tasks, and refused/ in the hub")
        return len(compared)


@contextmanager
def _place(settings: HubSettings) -> Iterator[Place]:
    """The hub, with the login of its connection in the environment for the time of the block."""
    from oncoweave.airflow.connections import logins
    from oncoweave.hub.bucket import open_place

    with logins([settings.connection] if settings.connection else []):
        yield open_place(settings.where, settings.connection)

"""The tasks of a pipeline. Each calls one function of oncoweave.run; between them go run ids and counts, never data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Asset, BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from oncoweave.airflow.failure import told
from oncoweave.airflow.lineage import started_by
from oncoweave.airflow.project import project_here
from oncoweave.project import Project, RunFolder


class StageOperator(BaseOperator):
    """One stage of a source. Nothing of it is a template, and what is heavy is imported when it runs."""

    ui_color = "#e8f1f5"

    def __init__(self, *, source: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source

    def execute(self, context: Context) -> Any:
        """Run the stage; an error of Oncoweave's is told in Airflow's terms."""
        with told(), started_by(context["ti"]):
            return self.stage(context, project_here())

    def stage(self, context: Context, project: Project) -> Any:
        """What this stage does; what it returns goes to the next: run ids and counts."""
        raise NotImplementedError

    def run_of(self, context: Context, project: Project) -> RunFolder:
        """The run that the task `extract` opened."""
        return RunFolder(project.runs / self.source / str(context["ti"].xcom_pull(task_ids="extract")))


class ExtractOperator(StageOperator):
    """Copies the delivery into a snapshot; gives the run id."""

    def stage(self, context: Context, project: Project) -> str:
        from oncoweave.orchestration.request import read_request
        from oncoweave.run import extract

        asked = read_request(project, self.source, context["params"])
        return extract(project, self.source, asked.delivery, asked.base).run_id


class MapOperator(StageOperator):
    """Makes events and OMOP tables of the snapshot; gives the number of rows by table."""

    def stage(self, context: Context, project: Project) -> dict[str, int]:
        from oncoweave.run import map as map_run

        mapped = map_run(self.run_of(context, project), project)
        return {file.name: file.rows or 0 for file in mapped.tables}


class CheckOperator(StageOperator):
    """Checks the tables; what may be published is a new event of the candidate asset, its only outlet."""

    def __init__(self, *, candidate: Asset, **kwargs: Any) -> None:
        super().__init__(outlets=[candidate], **kwargs)
        self.candidate = candidate

    def stage(self, context: Context, project: Project) -> str:
        from oncoweave.run import candidate, check

        run = self.run_of(context, project)
        check(run, project)
        manifest = candidate(run)
        if context["params"].get("dry_run"):
            self.outlets = []  # a trial is no candidate
            return manifest.verdict
        context["outlet_events"][self.candidate].extra = {
            "run_id": run.run_id,
            "delivery": manifest.delivery_date.isoformat(),
            "persons": manifest.persons,
            "rows": sum(file.rows or 0 for file in manifest.tables),
            "verdict": manifest.verdict,
        }
        return manifest.verdict


class ApproveOperator(StageOperator):
    """Lets pass, in the order in which they came, the candidates that passed their checks; gives their run ids."""

    def stage(self, context: Context, project: Project) -> list[str]:
        from oncoweave.run import candidate

        asked = context["params"].get("run_id")
        events = [event for found in context["triggering_asset_events"].values() for event in found]
        runs = [event.extra["run_id"] for event in sorted(events, key=lambda event: event.timestamp)]
        wanted = [asked] if asked else list(dict.fromkeys(runs))
        for run_id in wanted:
            candidate(RunFolder(project.runs / self.source / run_id))
        return wanted


class PublishOperator(StageOperator):
    """Publishes the runs that were approved, the newest last; the release asset is its outlet."""

    def __init__(self, *, release: Asset, **kwargs: Any) -> None:
        super().__init__(outlets=[release], **kwargs)
        self.release = release

    def stage(self, context: Context, project: Project) -> list[str]:
        from oncoweave.run import publish

        wanted: Sequence[str] = context["ti"].xcom_pull(task_ids="approve")
        return [publish(RunFolder(project.runs / self.source / run_id), project).name for run_id in wanted]


class FaultOperator(BaseOperator):
    """The only task of a source whose specification is broken: it fails, and says what is wrong."""

    ui_color = "#f5e8e8"

    def __init__(self, *, fault: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fault = fault

    def execute(self, context: Context) -> None:
        """Fail for good."""
        raise AirflowFailException(self.fault)

"""The tasks of a pipeline. Each calls one function of oncoweave.run; between them go run ids and counts, never data."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import Asset, BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from oncoweave.airflow.candidates import candidates
from oncoweave.airflow.failure import told
from oncoweave.airflow.lineage import started_by
from oncoweave.airflow.project import project_here
from oncoweave.project import Project, RunFolder

if TYPE_CHECKING:
    from oncoweave.orchestration.request import Request
    from oncoweave.records import MapRecord


class StageOperator(BaseOperator):
    """One stage of a source. Nothing of it is a template, and what is heavy is imported when it runs."""

    ui_color = "#e8f1f5"

    def __init__(self, *, source: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source

    def execute(self, context: Context) -> Any:
        """Run the stage; an error of Oncoweave's is told in Airflow's terms."""
        with told(), started_by(context["ti"]):
            return self.stage(context, self.project_of(context))

    def project_of(self, context: Context) -> Project:
        """The project; of a dry run with a sample, the place in which the sample lies."""
        from oncoweave.stages.sample import sample_project

        return sample_project(project_here()) if context["params"].get("sample") else project_here()

    def stage(self, context: Context, project: Project) -> Any:
        """What this stage does; what it returns goes to the next: run ids and counts."""
        raise NotImplementedError

    def run_of(self, context: Context, project: Project) -> RunFolder:
        """The run that the task `extract` opened."""
        return RunFolder(project.runs / self.source / str(context["ti"].xcom_pull(task_ids="extract")))


class ExtractOperator(StageOperator):
    """Copies the delivery into a snapshot; gives the run id. It is the delivery that the task `arrive` took, if there is one."""

    def project_of(self, context: Context) -> Project:
        """The project: a sample is taken of the whole."""
        return project_here()

    def stage(self, context: Context, project: Project) -> str:
        from oncoweave.orchestration.counts import extracted_line
        from oncoweave.orchestration.request import read_request
        from oncoweave.run import sample

        asked = read_request(project, self.source, context["params"])
        run = self.extract(context, project, asked)
        self.log.info(extracted_line(run))
        if asked.sample:
            sample(run, project, asked.sample)
            self.log.info("A sample of %s persons of run %s is mapped, for a trial.", asked.sample, run.run_id)
        return run.run_id

    def extract(self, context: Context, project: Project, asked: Request) -> RunFolder:
        """The run of the delivery that was asked for, or else has arrived."""
        from oncoweave.airflow.connections import connections
        from oncoweave.run import extract

        by = context["dag_run"].triggering_user_name or ""
        arrived = context["ti"].xcom_pull(task_ids="arrive") if "arrive" in self.upstream_task_ids else None
        with connections(project, self.source):
            if arrived is None:
                return extract(project, self.source, asked.delivery, asked.base, by, asked.day)
            from oncoweave.orchestration.claims import set_aside_when_faulty

            folder = Path(arrived["path"]) if arrived else None  # of a database neither folder nor day
            day = date.fromisoformat(arrived["day"]) if arrived else None
            with set_aside_when_faulty(project, self.source, str(context["run_id"])):
                return extract(project, self.source, folder, asked.base, by, day)


class MapOperator(StageOperator):
    """Makes events and OMOP tables of the snapshot; gives the number of rows by table."""

    def stage(self, context: Context, project: Project) -> dict[str, int]:
        from oncoweave.run import map as map_run

        return self.tell(map_run(self.run_of(context, project), project))

    def tell(self, mapped: MapRecord) -> dict[str, int]:
        """What was mapped, in the log; the number of rows by table."""
        from oncoweave.orchestration.counts import mapped_lines

        for line in mapped_lines(mapped):
            self.log.info(line)
        return {file.name: file.rows or 0 for file in mapped.tables}


class MapEventsOperator(StageOperator):
    """The first part of mapping by tables: the events; gives the tables that they go to."""

    def stage(self, context: Context, project: Project) -> list[str]:
        from oncoweave.run import map_events

        return list(map_events(self.run_of(context, project), project))


class WriteTableOperator(StageOperator):
    """The part of one table; in the grid it has the table's name. Gives the number of its rows."""

    def __init__(self, *, table: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = table

    def stage(self, context: Context, project: Project) -> int:
        from oncoweave.run import write_table

        cast("dict[str, Any]", context)["table"] = self.table  # for map_index_template
        return write_table(self.run_of(context, project), project, self.table)


class MapRecordOperator(MapOperator):
    """The last part of mapping by tables: the other tables, and the record; gives the number of rows by table."""

    def stage(self, context: Context, project: Project) -> dict[str, int]:
        from oncoweave.run import map_record

        return self.tell(map_record(self.run_of(context, project), project))


class CheckOperator(StageOperator):
    """Checks the tables; what may be published is a new event of the candidate asset, its only outlet.

    A dry run makes no event, nor does a run whose release is the current one.
    """

    def __init__(self, *, candidate: Asset, **kwargs: Any) -> None:
        super().__init__(outlets=[candidate], **kwargs)
        self.candidate = candidate

    def stage(self, context: Context, project: Project) -> str:
        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        from oncoweave.orchestration.events import candidate_event, is_current
        from oncoweave.release.signoff import open_conventions
        from oncoweave.run import candidate, check

        run = self.run_of(context, project)
        checked = check(run, project)
        manifest = candidate(run)
        passed = f"may be approved ({failing})" if (failing := open_conventions(checked)) else "passed"
        if context["params"].get("dry_run"):
            self.outlets = []
            self.log.info("Run %s %s; a dry run puts nothing up for publication.", run.run_id, passed)
        elif is_current(run, project):
            self.outlets = []
            self.log.info("Run %s %s; its release %s is the current one.", run.run_id, passed, manifest.release_id)
        else:
            told = candidate_event(manifest, context["dag_run"].triggering_user_name)
            context["outlet_events"][self.candidate].extra = told
            self.log.info(
                "Run %s %s and is a candidate: %s persons, %s rows.",
                run.run_id,
                passed,
                told["persons"],
                told["rows"],
            )
        return run.run_id


class PublishOperator(StageOperator):
    """Publishes what was approved or, where nobody has to approve, every candidate, the newest last; the release asset is its
    outlet."""

    def __init__(self, *, release: Asset, **kwargs: Any) -> None:
        super().__init__(outlets=[release], **kwargs)
        self.release = release

    def stage(self, context: Context, project: Project) -> list[str]:
        from oncoweave.orchestration.events import release_event
        from oncoweave.run import publish

        if "approve" in self.upstream_task_ids:
            approved = context["ti"].xcom_pull(task_ids="approve")
            runs = [RunFolder(project.runs / self.source / run_id) for run_id in approved]
        else:
            runs = [candidate.run for candidate in candidates(context, project, self.source)]
        releases = [publish(run, project) for run in runs]
        told = [release_event(release) for release in releases]
        context["outlet_events"][self.release].extra = {**told[-1], **({"before": [*told[:-1]]} if told[1:] else {})}
        return [release.name for release in releases]


class FaultOperator(BaseOperator):
    """The only task of a source whose specification is broken: it fails, and says what is wrong."""

    ui_color = "#f5e8e8"

    def __init__(self, *, fault: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fault = fault

    def execute(self, context: Context) -> None:
        """Fail for good."""
        raise AirflowFailException(self.fault)

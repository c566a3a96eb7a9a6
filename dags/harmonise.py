"""A pair of Airflow DAGs for each source of the project: harmonise__<source> and publish__<source>.

Nobody edits this for a source: what differs between sources is in mappings/sources/<source>/source.yaml.
"""

from oncoweave.airflow import operators as task
from oncoweave.airflow.approval import ApproveOperator
from oncoweave.airflow.arrivals import ArriveOperator
from oncoweave.airflow.factory import (
    candidate_of,
    harmonise_dag,
    pipelines_to_build,
    publish_dag,
    refusal_teller,
    release_of,
    teller,
)

for pipeline in pipelines_to_build():
    source = pipeline.source

    with harmonise_dag(pipeline) as dag:
        if pipeline.fault:
            task.FaultOperator(task_id="fault", fault=pipeline.fault)
        else:
            extract = task.ExtractOperator(task_id="extract", source=source)
            check = task.CheckOperator(task_id="check", source=source, candidate=candidate_of(pipeline))
            if pipeline.scheduling.map_by == "tables":
                events = task.MapEventsOperator(task_id="map_events", source=source)
                table = task.WriteTableOperator.partial(
                    task_id="write_table",
                    source=source,
                    map_index_template="{{ table }}",
                    max_active_tis_per_dagrun=4,
                )
                record = task.MapRecordOperator(task_id="map_record", source=source)
                extract >> events >> table.expand(table=events.output) >> record >> check
            else:
                extract >> task.MapOperator(task_id="map", source=source) >> check
            if pipeline.arrives:
                ArriveOperator(task_id="arrive", source=source) >> extract
    globals()[dag.dag_id] = dag

    if pipeline.spec:
        with publish_dag(pipeline) as dag:
            publish = task.PublishOperator(
                task_id="publish",
                source=source,
                release=release_of(pipeline),
                on_success_callback=teller(pipeline, "published"),
            )
            if pipeline.spec.airflow_approval:
                approve = ApproveOperator(
                    task_id="approve",
                    source=source,
                    approval=pipeline.spec.airflow_approval,
                    notifiers=teller(pipeline, "approval"),
                    on_failure_callback=refusal_teller(pipeline),
                )
                approve >> publish
        globals()[dag.dag_id] = dag

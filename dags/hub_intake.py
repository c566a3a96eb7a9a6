"""The hub's Airflow DAG: takes in the releases of all sources that the hub in ONCOWEAVE_HUB does not have yet."""

from airflow.sdk import task_group

from oncoweave.airflow.hub import FindOperator, RefreshOperator, TakeOperator, VerifyOperator, hub_dag, is_wanted

if is_wanted():
    with hub_dag() as dag:
        find = FindOperator(task_id="find")

        @task_group(group_id="release")
        def release(name: str) -> None:
            """One release: verified, then taken in; another one that is refused does not keep it out."""
            verify = VerifyOperator(task_id="verify", release=name, map_index_template="{{ release }}")
            take = TakeOperator(task_id="take", release=name, map_index_template="{{ release }}")
            verify >> take

        find >> release.expand(name=find.output) >> RefreshOperator(task_id="refresh")

"""What Oncoweave adds to Airflow beside its DAGs; found by the entry point `airflow.plugins`."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class OncoweavePlugin(AirflowPlugin):
    """The plugin."""

    name = "oncoweave"

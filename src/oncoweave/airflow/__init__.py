"""Oncoweave in Airflow: the only package that imports it. Shape is in dags/, what a pipeline is in oncoweave.orchestration."""

"""Gives a stage the addresses of its source's servers: those of the Airflow connections that have the names in source.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from oncoweave.engine.servers.connections import addresses
from oncoweave.project import Project
from oncoweave.spec.delivery import connection_of
from oncoweave.spec.load import load_source


@contextmanager
def connections(project: Project, source: str) -> Iterator[None]:
    """The addresses of the source's servers, in the environment of this process for the time of the block.

    What ONCOWEAVE_CONNECTION_<NAME> says already wins. A connection that Airflow does not have is left to the stage to tell.
    """
    spec, _ = load_source(project, source)
    name = connection_of(spec.delivery)
    with logins([name] if name else []):
        yield


@contextmanager
def logins(names: Iterable[str]) -> Iterator[None]:
    """The addresses of the Airflow connections of these names, in the environment of this process for the time of the block."""
    with addresses({name: url for name in names if (url := _url(name))}):
        yield


def _url(name: str) -> str:
    try:
        return str(Connection.get(name).get_uri())
    except AirflowNotFoundException:
        return ""

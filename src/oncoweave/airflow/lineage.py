"""Hands the task on to the stages it runs, so that their lineage events name it as what started them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from oncoweave.lineage.send import PARENT, namespace

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol


@contextmanager
def started_by(task: RuntimeTaskInstanceProtocol) -> Iterator[None]:
    """Let lineage events of the block name this task as their parent: under the id that Airflow's own events have."""
    before = os.environ.get(PARENT)
    os.environ[PARENT] = _parent(task)
    try:
        yield
    finally:
        os.environ.pop(PARENT)
        if before is not None:
            os.environ[PARENT] = before


def _parent(task: RuntimeTaskInstanceProtocol) -> str:
    try:
        macros = import_module("airflow.providers.openlineage.plugins.macros")
    except ImportError:  # nobody else sends events of this task: its own id will do
        return f"{namespace()}/{task.dag_id}.{task.task_id}/{task.id}"
    return str(macros.lineage_parent_id(task))

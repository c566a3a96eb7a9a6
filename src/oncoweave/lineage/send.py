"""OpenLineage events of the stages: to a file or an endpoint, where the site asks for them.

A site asks by ONCOWEAVE_LINEAGE (a file, or the address of an endpoint) or by OpenLineage's own settings (OPENLINEAGE_URL,
OPENLINEAGE_CONFIG, OPENLINEAGE__TRANSPORT__…). An event names jobs, tables, fields, counts and hashes: no argument, no
path of a delivery, no text of an expression and no value. An event that cannot be sent is a warning in the log; the
stage goes on. With `facets`, the only module that imports OpenLineage.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from oncoweave.errors import OncoweaveError, UsageError
from oncoweave.project import Project, RunFolder

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

    from oncoweave.lineage.datasets import Dataset

SETTING = "ONCOWEAVE_LINEAGE"
PRODUCER = "https://pypi.org/project/oncoweave"
PARENT = "OPENLINEAGE_PARENT_ID"
"""The job that started this process, as namespace/job/run id: how OpenLineage's integrations hand it on."""
_OWN_SETTINGS = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT")
_LOG = logging.getLogger(__name__)
_AROUND: ContextVar[tuple[str, str, str] | None] = ContextVar("around", default=None)
"""The stage that the present one is a part of, as `_parent` gives it."""


@dataclass
class Telling:
    """A stage that is under way; `run` is its run, which extract knows only when it is done."""

    run: RunFolder | None = None
    job: str = ""
    run_id: str = field(default_factory=lambda: str(uuid4()))


@contextmanager
def telling(project: Project, source: str, stage: str, run_id: str = "") -> Iterator[Telling]:
    """Send START before the block, and COMPLETE, FAIL or ABORT after it.

    Raises UsageError where lineage is asked for and the package that sends it is not installed.
    """
    told = Telling(RunFolder(project.runs / source / run_id) if run_id else None, f"{source}.{stage}")
    client = _client()
    if client is None:
        yield told
        return
    _send(client, told, "START", [], [])
    within = _AROUND.set((namespace(), told.job, told.run_id))
    try:
        yield told
    except Exception as fault:
        _send(client, told, "FAIL", [], [], fault)
        raise
    except BaseException:
        _send(client, told, "ABORT", [], [])
        raise
    finally:
        _AROUND.reset(within)
    inputs, outputs = _datasets(source, stage, told)
    _send(client, told, "COMPLETE", inputs, outputs)


def _datasets(source: str, stage: str, told: Telling) -> tuple[list[Dataset], list[Dataset]]:
    from oncoweave.lineage.datasets import of_stage

    try:
        return of_stage(source, stage, told.run)
    except (OncoweaveError, OSError, ValueError) as fault:
        _LOG.warning("lineage of %s is incomplete: %s", told.job, type(fault).__name__)
        return [], []


def namespace() -> str:
    """The namespace of jobs and tables: OPENLINEAGE_NAMESPACE, by default `oncoweave`."""
    return os.environ.get("OPENLINEAGE_NAMESPACE") or "oncoweave"


def _client() -> OpenLineageClient | None:
    """The client that the environment asks for; None where it asks for none."""
    setting = os.environ.get(SETTING, "")
    if not setting and not any(name.startswith(_OWN_SETTINGS) for name in os.environ):
        return None
    try:
        from openlineage.client import OpenLineageClient
    except ImportError:
        raise UsageError(
            f"lineage events are asked for ({SETTING} or OPENLINEAGE_…), and the package that sends them is not installed",
            mend="install oncoweave with its extra `lineage`",
        ) from None
    if not setting:
        return OpenLineageClient()
    transport: dict[str, Any] = {"type": "file", "log_file_path": setting, "append": True}
    if setting.startswith(("http://", "https://")):
        transport = {"type": "http", "url": setting, "timeout": 5, "retry": {"total": 1, "backoff_factor": 0.2}}
    return OpenLineageClient(config={"transport": transport})


def _send(
    client: OpenLineageClient,
    told: Telling,
    state: str,
    inputs: list[Dataset],
    outputs: list[Dataset],
    fault: Exception | None = None,
) -> None:
    from openlineage.client import event_v2 as event

    from oncoweave.lineage import facets

    try:
        run = event.Run(runId=told.run_id, facets=facets.of_run(_parent(), fault))
        job = event.Job(namespace=namespace(), name=told.job, facets=facets.of_job())
        client.emit(
            event.RunEvent(
                eventTime=datetime.now(UTC).isoformat(),
                producer=PRODUCER,
                eventType=event.RunState[state],
                run=run,
                job=job,
                inputs=[facets.as_input(d, namespace()) for d in inputs],
                outputs=[facets.as_output(d, namespace()) for d in outputs],
            )
        )
    except Exception as failed:
        _LOG.warning("a lineage event of %s could not be sent: %s", told.job, type(failed).__name__)


def _parent() -> tuple[str, str, str] | None:
    """Namespace, job and run id of the stage around this one, or of what started this process, where it says so."""
    around = _AROUND.get()
    if around is not None:
        return around
    parts = os.environ.get(PARENT, "").split("/")
    if len(parts) < 3:
        return None
    space, *names, run_id = parts
    try:
        return space, "/".join(names), str(UUID(run_id))
    except ValueError:
        return None

"""The links of the tasks `check`, `approve` and `publish` to the pages of their run.

The API server makes them, so they are there while a task still runs or waits. A task without a run has no link.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from airflow.sdk import BaseOperatorLink

from oncoweave.airflow.addresses import address_of
from oncoweave.airflow.approval import ApproveOperator
from oncoweave.airflow.operators import CheckOperator, PublishOperator

log = logging.getLogger(__name__)


class PageLink(BaseOperatorLink):
    """A link to one of the pages of a run."""

    page: ClassVar[str]
    title: ClassVar[str]
    operators: ClassVar[list[Any]] = [CheckOperator, ApproveOperator, PublishOperator]

    @property
    def name(self) -> str:
        """What the button says."""
        return self.title

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address of the page; empty while there is none. It never raises: the page of the task would not open."""
        try:
            return _address(str(ti_key.dag_id), str(ti_key.run_id), self.page)
        except Exception:
            log.warning("no link to %s for a task of %s", self.page, ti_key, exc_info=True)
            return ""


class QualityLink(PageLink):
    """To the quality report."""

    page, title = "report.html", "Quality report"


class RecapLink(PageLink):
    """To the recap of the run."""

    page, title = "run.html", "Recap"


class ReleaseLink(PageLink):
    """To the page of the release, once it is published."""

    page, title = "release.html", "Release"
    operators: ClassVar[list[Any]] = [PublishOperator]


def _address(dag_id: str, dag_run_id: str, page: str) -> str:
    from oncoweave.airflow.dag_runs import run_of
    from oncoweave.airflow.project import project_here

    run = run_of(project_here(), dag_id, dag_run_id)
    if run is None or not (run.path / page).is_file():
        return ""
    return address_of(run, page)

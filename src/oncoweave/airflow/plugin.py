"""What Oncoweave adds to Airflow beside its DAGs; found by the entry point `airflow.plugins`.

Every process of Airflow imports this, also one that runs a task, so what serves the pages is imported when the first page
is asked for.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from oncoweave.airflow.addresses import PREFIX
from oncoweave.airflow.links import QualityLink, RecapLink, ReleaseLink


class Pages:
    """The pages as an application; made when it is first called."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        await _application()(scope, receive, send)

    def __repr__(self) -> str:
        return "oncoweave.airflow.pages"


@cache
def _application() -> Any:
    from oncoweave.airflow.pages import application

    return application()


def _tab(name: str, destination: str, href: str, route: str) -> dict[str, Any]:
    return {"name": name, "destination": destination, "href": f"{PREFIX}{href}", "url_route": route}


VIEWS = [
    {**_tab("Oncoweave", "nav", "/sources/index.html", "oncoweave"), "nav_top_level": True},
    _tab("Runs and releases", "dag", "/of-dag/{DAG_ID}", "oncoweave-runs"),
    _tab("Quality report", "dag_run", "/of-run/{DAG_ID}/{RUN_ID}/report.html", "oncoweave-quality"),
    _tab("Recap", "dag_run", "/of-run/{DAG_ID}/{RUN_ID}/run.html", "oncoweave-recap"),
    _tab("Release", "dag_run", "/of-run/{DAG_ID}/{RUN_ID}/release.html", "oncoweave-release"),
    _tab("Quality report", "task_instance", "/of-run/{DAG_ID}/{RUN_ID}/report.html", "oncoweave-task-quality"),
]
APPLICATIONS = [{"app": Pages(), "url_prefix": PREFIX, "name": "Oncoweave"}]
LINKS = [QualityLink(), RecapLink(), ReleaseLink()]


class OncoweavePlugin(AirflowPlugin):
    """The pages of runs and releases, their places in the user interface, and the links of tasks to them."""

    name = "oncoweave"
    fastapi_apps = APPLICATIONS
    external_views = VIEWS
    operator_extra_links = LINKS

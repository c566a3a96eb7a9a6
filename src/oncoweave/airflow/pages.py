"""Serves the pages of runs to logged-in users of Airflow, each only those of the sources whose DAGs they may see.

Applications of plugins are open to everybody unless they ask who calls, so each route does. Nothing but the known pages
is served, from the folders of runs: no quarantine, no failing rows, no other file, and nothing through a link.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.models.dag import DagModel
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteException

from oncoweave.airflow.dag_runs import run_of, source_of, waiting_approvals
from oncoweave.airflow.project import project_here
from oncoweave.orchestration.pipeline import HARMONISE, PUBLISH
from oncoweave.project import RUN_ID, SOURCE_NAME, Project
from oncoweave.release.status import status
from oncoweave.report.overview import overview_page, source_page
from oncoweave.report.page import policy, render
from oncoweave.report.write import PAGES

User = Annotated[Any, Depends(get_user)]

_LARGEST = 64 * 1024 * 1024

_TOLD = {
    401: "You are not logged in. Log in, or open this page from Airflow: the menu “Oncoweave”, or the tabs of a DAG and its runs.",
    403: "You may not see the pages of this source; whoever may see its DAG may see them.",
    404: "There is no such page, or not yet: the task “check” writes the recap and the quality report of a run, the task "
    "“publish” the page of its release.",
}


def application() -> FastAPI:
    """The application that the API server has under its prefix."""
    app = FastAPI(title="Oncoweave", docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(_guarded)
    app.add_exception_handler(StarletteException, _fault)
    app.get("/sources/index.html")(overview)
    app.get("/sources/{source}/index.html")(runs_of_source)
    app.get("/sources/{source}/{run_id}/{page}")(page_of_run)
    app.get("/of-dag/{dag_id}")(runs_of_dag)
    app.get("/of-run/{dag_id}/{dag_run_id}/{page}")(page_of_dag_run)
    return app


def overview(user: User) -> HTMLResponse:
    """All sources that the user may see."""
    project = project_here()
    sources = [name for name in _sources(project) if _may_see(user, name)]
    return HTMLResponse(overview_page(project, sources, waiting_approvals()))


def runs_of_source(source: str, user: User) -> HTMLResponse:
    """The runs of a source."""
    project = project_here()
    _refuse_unseen(user, source)
    if source not in _sources(project):
        raise HTTPException(404)
    return HTMLResponse(source_page(project, source))


def page_of_run(source: str, run_id: str, page: str, user: User) -> HTMLResponse:
    """One of the pages of a run."""
    _refuse_unseen(user, source)
    return HTMLResponse(_read(project_here(), source, run_id, page))


def runs_of_dag(dag_id: str, request: Request, user: User) -> Response:
    """The runs of the source that a DAG is about."""
    source = source_of(dag_id)
    if source is None:
        raise HTTPException(404)
    return _to(request, f"/sources/{source}/index.html")


def page_of_dag_run(dag_id: str, dag_run_id: str, page: str, request: Request, user: User) -> Response:
    """A page of the run that a DAG run is about."""
    source = source_of(dag_id)
    if source is None or page not in PAGES:
        raise HTTPException(404)
    _refuse_unseen(user, source)
    run = run_of(project_here(), dag_id, dag_run_id)
    if run is None:
        raise HTTPException(404)
    return _to(request, f"/sources/{run.source}/{run.run_id}/{page}")


def _sources(project: Project) -> list[str]:
    """The sources that the project maps, has run or has published."""
    return [line.source for line in status(project) if SOURCE_NAME.fullmatch(line.source)]


def _may_see(user: Any, source: str) -> bool:
    """Whether the auth manager lets the user see one of the source's two DAGs."""
    return any(
        get_auth_manager().is_authorized_dag(
            method="GET", details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)), user=user
        )
        for dag_id in (HARMONISE + source, PUBLISH + source)
    )


def _refuse_unseen(user: Any, source: str) -> None:
    if not SOURCE_NAME.fullmatch(source):
        raise HTTPException(404)
    if not _may_see(user, source):
        raise HTTPException(403)


def _read(project: Project, source: str, run_id: str, page: str) -> bytes:
    """The content of a page; only of a plain file that lies where its name says."""
    if page not in PAGES or not RUN_ID.fullmatch(run_id) or not SOURCE_NAME.fullmatch(source):
        raise HTTPException(404)
    path = project.runs.resolve() / source / run_id / page
    try:
        if path.resolve(strict=True) != path:
            raise HTTPException(404)
        return _content(path)
    except OSError:
        raise HTTPException(404) from None


def _content(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(handle, "rb") as file:  # noqa: PTH123  a handle, so that what was looked at is what is read
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            raise HTTPException(404)
        return file.read()


def _to(request: Request, address: str) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{address}", status_code=303)


async def _guarded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    """Add what keeps a page from loading, being framed, kept or taken for something else."""
    response = await go_on(request)
    response.headers["Content-Security-Policy"] = f"{policy()}; frame-ancestors 'self'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _fault(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, StarletteException) else 500
    login = get_auth_manager().get_url_login(next_url=request.url.path[:200]) if status == 401 else ""
    page = render("message.html", title=f"{status}", text=_TOLD.get(status, "This cannot be done."), login=login)
    return HTMLResponse(page, status_code=status)

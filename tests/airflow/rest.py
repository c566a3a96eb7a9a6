"""A client of Airflow's REST API with nothing but the standard library: signs in, triggers, waits, and answers approvals."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Found = TypeVar("Found")


@dataclass(frozen=True)
class Response:
    """What came back: the status, and the body as JSON where it is some."""

    status: int
    body: Any


class Rest:
    """One person who is signed in."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address
        self.user = user
        self._token = ""
        signed = self.call("POST", "/auth/token", {"username": user, "password": password})
        assert signed.status in (200, 201), signed
        self._token = signed.body["access_token"]

    @property
    def token(self) -> str:
        """The token of the session, as the cookie of a browser has it."""
        return self._token

    def call(self, method: str, path: str, body: object = None) -> Response:
        """One call; an error status is no exception."""
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Response(answer.status, _json(answer.read()))
        except urllib.error.HTTPError as error:
            return Response(error.code, _json(error.read()))

    def get(self, path: str) -> Any:
        """The body of a GET that succeeds."""
        found = self.call("GET", f"/api/v2{path}")
        assert found.status == 200, found
        return found.body

    def trigger(self, dag: str, conf: dict[str, object] | None = None) -> str:
        """Trigger a DAG; the id of its run."""
        made = self.call("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf or {}})
        assert made.status == 200, made
        return str(made.body["dag_run_id"])

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """The runs of a DAG, the newest first."""
        return list(self.get(f"/dags/{dag}/dagRuns?order_by=-run_after&limit=100")["dag_runs"])

    def state(self, dag: str, run: str) -> str:
        """The state of a run."""
        return str(self.get(f"/dags/{dag}/dagRuns/{run}")["state"])

    def tasks(self, dag: str, run: str) -> dict[str, str | None]:
        """The state of each task of a run."""
        found = self.get(f"/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def attempt(self, dag: str, run: str, task: str) -> int:
        """Which attempt a task is at."""
        return int(self.get(f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}")["try_number"])

    def log(self, dag: str, run: str, task: str, attempt: int) -> str:
        """The log of one attempt of a task, as it comes."""
        return json.dumps(self.get(f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}?full_content=true"))

    def questions(self, dag: str, run: str = "~") -> list[dict[str, Any]]:
        """The approvals of a DAG that wait for an answer."""
        path = f"/dags/{dag}/dagRuns/{run}/hitlDetails?response_received=false&state=awaiting_input"
        return list(self.get(path)["hitl_details"])

    def answer(self, dag: str, run: str, options: object, form: object = None) -> Response:
        """Answer the approval of a run."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"
        return self.call("PATCH", path, {"chosen_options": options, "params_input": {} if form is None else form})

    def clear(self, dag: str, run: str, tasks: list[str]) -> None:
        """Let tasks of a run be done again."""
        asked = {
            "dry_run": False,
            "dag_run_id": run,
            "task_ids": tasks,
            "include_downstream": True,
            "only_failed": False,
        }
        done = self.call("POST", f"/api/v2/dags/{dag}/clearTaskInstances", asked)
        assert done.status == 200, done


def wait_for(look: Callable[[], Found], seconds: float = 120.0) -> Found:
    """What `look` finds as soon as it finds something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "nothing came in time"
        time.sleep(0.5)
    return found


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")

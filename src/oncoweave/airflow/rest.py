"""A small client of Airflow's REST API, for what is done beside the pages: the standard library is enough."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from oncoweave.errors import SourceUnreachable, UsageError
from oncoweave.orchestration.approval import COMMENT

Json = dict[str, Any]


@dataclass(frozen=True)
class Api:
    """The REST API of an Airflow at `url`, spoken to as the holder of `token`."""

    url: str
    token: str = ""

    @classmethod
    def log_in(cls, url: str, user: str, password: str) -> Api:
        """The API for a user of the simple auth manager."""
        found = cls(url).ask("POST", "/auth/token", {"username": user, "password": password})
        return cls(url, str(found["access_token"]))

    def get(self, path: str) -> Json:
        """What is at a path of /api/v2."""
        return self.ask("GET", f"/api/v2{path}")

    def post(self, path: str, body: Json) -> Json:
        """The answer to what is posted to a path of /api/v2."""
        return self.ask("POST", f"/api/v2{path}", body)

    def patch(self, path: str, body: Json) -> Json:
        """The answer to a change of what is at a path of /api/v2."""
        return self.ask("PATCH", f"/api/v2{path}", body)

    def trigger(self, dag: str) -> str:
        """Trigger a DAG; the id of its run."""
        return str(self.post(f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": {}})["dag_run_id"])

    def state(self, dag: str, run: str) -> str:
        """The state of a run of a DAG."""
        return str(self.get(f"/dags/{dag}/dagRuns/{run}")["state"])

    def tasks(self, dag: str, run: str) -> list[Json]:
        """The task instances of a run of a DAG."""
        return list(self.get(f"/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"])

    def questions(self, dag: str, run: str = "~") -> list[Json]:
        """The approvals that wait for an answer, of a run of a DAG or of all of them; not one whose task is not yet waiting."""
        path = f"/dags/{dag}/dagRuns/{run}/hitlDetails?response_received=false&state=awaiting_input"
        return list(self.get(path)["hitl_details"])

    def answer(self, dag: str, run: str, option: str, comment: str) -> None:
        """Answer the approval that a run of a DAG waits for."""
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"
        self.patch(path, {"chosen_options": [option], "params_input": {COMMENT: comment}})

    def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """The JSON answer to a request.

        Raises UsageError when Airflow refuses it, SourceUnreachable when nobody answers.
        """
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        content = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, content, headers, method=method)  # noqa: S310 - loopback, http
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as error:
            detail = error.read().decode("utf-8", "replace")[:1000]
            raise UsageError(f"Airflow answers {error.code} to {method} {path}: {detail}") from None
        except (OSError, ValueError) as error:
            raise SourceUnreachable(f"Airflow at {self.url} does not answer: {type(error).__name__}") from None

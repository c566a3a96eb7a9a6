"""A pipeline from trigger to release in a true Airflow, with nobody at the keys: `make airflow-demo`.

It starts an Airflow of its own, triggers a source as a steward, approves as a reviewer through the REST API, waits for the
release, verifies it, and stops. Runs and releases lie beside that Airflow, and are made anew each time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from oncoweave.airflow.local import LocalAirflow, running, say
from oncoweave.airflow.rest import Api, Json
from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError
from oncoweave.orchestration.approval import APPROVE
from oncoweave.orchestration.documentation import fault_text
from oncoweave.orchestration.pipeline import HARMONISE, PUBLISH
from oncoweave.project import Project
from oncoweave.release.verify import verify

PATIENCE = 900
"""Seconds that each step may take; a minute is usual on a machine that has nothing else to do."""
PLACES = ("RUNS", "RELEASES", "RESTRICTED")
COMMENT = "the demonstration approves by itself"
Found = TypeVar("Found")


def main(arguments: list[str] | None = None) -> int:
    """Demonstrate one source, and say each step."""
    parser = argparse.ArgumentParser(
        prog="python -m oncoweave.airflow.demonstration", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--project", type=Path, default=None, help="the project; this folder if unset")
    parser.add_argument("source", help="the source to run")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return demonstrate(Project.at(chosen.project), chosen.source)
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except OncoweaveError as error:
        say(fault_text(error))
        return error.exit_code


def demonstrate(project: Project, source: str) -> int:
    """Bring `source` from trigger to release.

    Raises UsageError when there is no such source, EnvironmentFault when Airflow does not come up or takes too long, and
    DataError when the pipeline fails.
    """
    project.source_folder(source)
    home = project.root / ".airflow" / "demo"
    for place in PLACES:
        shutil.rmtree(home / place.lower(), ignore_errors=True)
    places = {f"ONCOWEAVE_{place}": str(home / place.lower()) for place in PLACES}
    os.environ.update(places)
    say(f"starting an Airflow for the demonstration (half a minute; what it says goes to {home / 'airflow.log'})")
    with running(Project.at(project.root), home) as airflow:
        say(f"  it is at {airflow.url}")
        release = _Demonstration(airflow, source).run(Path(places["ONCOWEAVE_RELEASES"]))
    say(f"released: {release}")
    return 0


class _Demonstration:
    """The steps, each as the person who would do it."""

    def __init__(self, airflow: LocalAirflow, source: str) -> None:
        self.airflow = airflow
        self.source = source
        self.harmonise, self.publish = HARMONISE + source, PUBLISH + source
        self.steward, self.reviewer = airflow.api("steward"), airflow.api("reviewer")

    def run(self, releases: Path) -> Path:
        """Trigger, approve, wait, verify; the folder of the release."""
        _until("Airflow has read the pipelines", self._parsed)
        triggered = self.steward.trigger(self.harmonise)
        say(f"{self.harmonise}: triggered by the steward")
        self._ends(self.steward, self.harmonise, triggered)
        question = _until("a candidate to approve", self._question)
        run_id = str(question["task_instance"]["dag_run_id"])
        say(f"{self.publish}: asks “{question['subject']}”")
        self.reviewer.answer(self.publish, run_id, APPROVE, COMMENT)
        say(f"{self.publish}: approved by the reviewer")
        self._ends(self.reviewer, self.publish, run_id)
        release = (releases / self.source / "current").resolve()
        faults = verify(release)
        if faults:
            raise EnvironmentFault(f"the release in {release} is not whole", mend="\n".join(map(str, faults)))
        return release

    def _parsed(self) -> bool:
        known = {dag["dag_id"] for dag in self.steward.get("/dags?limit=1000")["dags"]}
        return {self.harmonise, self.publish} <= known

    def _question(self) -> Json | None:
        return next(iter(self.reviewer.questions(self.publish)), None)

    def _ends(self, api: Api, dag: str, run_id: str) -> None:
        """Wait for a run, and say what became of each task."""

        def end() -> str | None:
            if self.airflow.stopped:
                raise EnvironmentFault(f"Airflow's {self.airflow.stopped} has ended", mend="see its log, airflow.log")
            state = api.state(dag, run_id)
            return state if state in ("success", "failed") else None

        state = _until(f"{dag} ends", end)
        for task in sorted(api.tasks(dag, run_id), key=lambda task: str(task["start_date"])):
            say(f"{dag}: {task['task_id']} {task['state']}, {task['duration'] or 0:.0f} s")
        if state != "success":
            raise DataError(f"{dag} failed", mend=f"the logs of its tasks are in {self.airflow.home / 'logs'}")


def _until(what: str, look: Callable[[], Found | None]) -> Found:
    """What `look` finds, as soon as it finds something."""
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > until:
            raise EnvironmentFault(
                f"it took longer than {PATIENCE} seconds until {what}", mend="try on a quieter machine"
            )
        time.sleep(1)
    return found


if __name__ == "__main__":
    sys.exit(main())

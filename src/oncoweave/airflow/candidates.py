"""Which candidates a run of publish__<source> is about: those whose asset events started it, or the one it was asked for."""

from __future__ import annotations

from airflow.sdk import Context

from oncoweave.errors import UsageError
from oncoweave.orchestration.approval import Candidate
from oncoweave.project import RUN_ID, Project, RunFolder


def candidates(context: Context, project: Project, source: str) -> list[Candidate]:
    """The candidates in the order in which they came, each run once; an event that names no run of the source is passed over.

    Raises UsageError when there is none.
    """
    asked = context["params"].get("run_id")
    if asked:
        found = [Candidate(_run(project, source, asked), context["dag_run"].run_after)]
    else:
        events = [event for of_asset in context["triggering_asset_events"].values() for event in of_asset]
        found = [
            Candidate(_run(project, source, event.extra.get("run_id")), event.timestamp, _name(event.extra))
            for event in sorted(events, key=lambda event: event.timestamp)
        ]
    newest = {candidate.run: candidate for candidate in found if (candidate.run.path / "check.json").is_file()}
    if not newest:
        raise UsageError(
            f"there is no candidate of `{source}` to publish",
            mend=f"run the pipeline harmonise__{source}, or name a run in the form",
        )
    return sorted(newest.values(), key=lambda candidate: candidate.at)


def _run(project: Project, source: str, run_id: object) -> RunFolder:
    """The folder of a run; one that is not there where the id is none, for an event may be made by anybody."""
    fit = isinstance(run_id, str) and RUN_ID.fullmatch(run_id)
    return RunFolder(project.runs / source / (str(run_id) if fit else "none"))


def _name(extra: dict[str, object]) -> str:
    name = extra.get("triggered_by")
    return name if isinstance(name, str) else ""

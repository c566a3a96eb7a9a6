"""The approval inside Airflow's own run of a DAG; a true scheduler and its REST API are tried end to end elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from oncoweave.project import Project, RunFolder
from oncoweave.release.signoff import read_signoff
from tests.run.test_judge_again import CHECK, SUITE

Run = Callable[..., dict[str, str]]
Dags = Callable[[Project], dict[str, Any]]


@pytest.fixture
def asking(tiny_project: Project) -> Project:
    """A project whose source asks for an approval."""
    path = tiny_project.source_folder("tiny") / "source.yaml"
    path.write_text(path.read_text() + "approval: {by: [qa, dag_test], within: 8h, four_eyes: true}\n")
    return tiny_project


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The answers that come, one after the other, as soon as it is asked; what Airflow was given to show is put in front."""
    from airflow.sdk.exceptions import TaskAwaitingInput

    from oncoweave.airflow import approval

    given: list[Any] = []
    asks = approval.ApproveOperator.execute

    def execute(self: Any, context: Any) -> Any:
        try:
            return asks(self, context)
        except TaskAwaitingInput as waits:
            options, form, user = given.pop(0)
            event = {
                "chosen_options": options,
                "params_input": form,
                "responded_at": datetime.now(UTC),
                "responded_by_user": {"id": user, "name": user},
                "timedout": False,
            }
            return self.resume_execution(waits.method_name, {**(waits.kwargs or {}), "event": event}, context)

    monkeypatch.setattr(approval, "upsert_hitl_detail", lambda **shown: given.append(shown))
    monkeypatch.setattr(approval.ApproveOperator, "execute", execute)
    return given


def candidate(project: Project, run_dag: Run) -> RunFolder:
    assert set(run_dag(project, "harmonise__tiny").values()) == {"success"}
    (record,) = (project.runs / "tiny").glob("*/check.json")
    return RunFolder(record.parent)


def test_only_a_source_that_asks_has_the_task(asking: Project, dags_of: Dags) -> None:
    publish = dags_of(asking)["publish__tiny"]
    approve = publish.get_task("approve")
    assert approve.downstream_task_ids == {"publish"}
    assert [user["id"] for user in approve.assigned_users] == ["qa", "dag_test"]
    assert approve.template_fields == () and approve.retries == 50
    assert publish.max_active_runs > 1, "a newer candidate is asked for while the older waits"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "states"),
    [
        ("Approve", {"approve": "success", "publish": "success"}),
        ("Reject", {"approve": "failed", "publish": "upstream_failed"}),
    ],
)
def test_the_answer_decides(
    choice: str, states: dict[str, str], asking: Project, run_dag: Run, answers: list[Any]
) -> None:
    run = candidate(asking, run_dag)
    answers.append(([choice], {"comment": "seen"}, "qa"))
    assert run_dag(asking, "publish__tiny", run_id=run.run_id) == states
    signed = read_signoff(run)
    assert signed is not None and (signed.comment, signed.how, signed.started_by) == ("seen", "airflow", ("dag_test",))
    assert len(list((asking.releases / "tiny").glob("2*"))) == (choice == "Approve")
    (shown,) = answers
    assert shown["subject"].startswith("Publish tiny, delivery of 2024-01-31? 6 persons")
    assert f"/oncoweave/sources/tiny/{run.run_id}/report.html" in shown["body"]
    assert "dag\\_test started this run, and may not approve it" in shown["body"]


@pytest.mark.slow
def test_what_is_no_answer_is_asked_for_again(
    asking: Project, run_dag: Run, answers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from oncoweave.airflow import approval

    monkeypatch.setattr(approval, "ATTEMPTS", 0)
    run = candidate(asking, run_dag)
    complete = approval.ApproveOperator.execute_complete

    def once_more(self: Any, context: Any, event: Any, asked: str = "") -> Any:
        from airflow.sdk.exceptions import TaskAwaitingInput

        with pytest.raises(TaskAwaitingInput) as again:  # no attempt is left: the same one asks again
            complete(self, context, event, asked)
        event |= {"responded_by_user": {"id": "qa", "name": "qa"}}
        return complete(self, context, event, **(again.value.kwargs or {}))

    monkeypatch.setattr(approval.ApproveOperator, "execute_complete", once_more)
    answers.append((["Approve"], {}, "dag_test"))
    assert run_dag(asking, "publish__tiny", run_id=run.run_id) == {"approve": "success", "publish": "success"}
    assert len(answers) == 2, "it was shown twice"
    signed = read_signoff(run)
    assert signed is not None and signed.by is not None and signed.by.id == "qa"


@pytest.mark.slow
@pytest.mark.parametrize("severity", ["convention", "fatal"])
def test_open_conventions_are_asked_about_and_a_fatal_failure_is_not(
    severity: str, asking: Project, run_dag: Run, answers: list[Any]
) -> None:
    suites = asking.root / "expectations" / "sources"
    suites.mkdir(parents=True)
    (suites / "tiny.yaml").write_text(SUITE.replace("convention", severity))
    if severity == "fatal":
        states = run_dag(asking, "harmonise__tiny")
        assert states["check"] == "failed" and not (asking.releases / "tiny").exists()
        return
    run = candidate(asking, run_dag)
    answers.append((["Approve"], {"comment": "known"}, "qa"))
    assert run_dag(asking, "publish__tiny", run_id=run.run_id) == {"approve": "success", "publish": "success"}
    signed = read_signoff(run)
    assert signed is not None and [one.check for one in signed.accepts if not one.waived] == [CHECK]
    (shown,) = answers
    assert "**1 convention check fails (5 rows).**" in shown["body"].split("\n\n")[1]

"""The task `approve` of publish__<source>: asks a person in Airflow's own form, and waits without a worker for the answer.

Airflow checks little of what comes back. What is no answer fails the attempt, whose log says why, and the next one asks again;
when no attempt is left, the same one does. So nothing that is sent closes the question but a decision, or its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskAwaitingInput
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from oncoweave.airflow.addresses import address_of
from oncoweave.airflow.candidates import candidates
from oncoweave.airflow.failure import told
from oncoweave.airflow.project import project_here
from oncoweave.decisions import Question
from oncoweave.errors import OncoweaveError
from oncoweave.orchestration.approval import APPROVE, COMMENT, REJECT, Candidate, Outcome, begin, left, settle
from oncoweave.project import Project, RunFolder
from oncoweave.release.question import asked_by, read_question
from oncoweave.spec.approval import Approval
from oncoweave.spec.load import load_source

ATTEMPTS = 50
"""How often Airflow counts up; an answer that is none takes two, the wait and its end."""
LOOK_AFTER = timedelta(minutes=10)
"""How long it waits before it looks: whether a newer candidate came, somebody signed elsewhere, or Airflow kept an answer back."""
COMMENT_FIELD = Param(
    "",
    description="Why. It becomes part of the release: write nothing about a patient.",
    type=["null", "string"],
    title="Comment",
    format="multiline",
)


class NotApproved(AirflowFailException):
    """Somebody rejected a candidate, nobody answered, or a newer one superseded it: it is not published."""


class ApproveOperator(HITLOperator):
    """Asks whether the newest candidate may be published; gives the run id when it may, and fails, saying why, when not."""

    template_fields = ()
    ui_color = "#f3e9d2"

    def __init__(self, *, source: str, approval: Approval, **kwargs: Any) -> None:
        own = {
            "subject": f"Publish {source}?",
            "options": [APPROVE, REJECT],
            "params": {COMMENT: COMMENT_FIELD},
            "assigned_users": [{"id": name, "name": name} for name in approval.by] or None,
            "retries": ATTEMPTS,
            "retry_delay": timedelta(seconds=1),
            "retry_exponential_backoff": 0,
        }
        super().__init__(
            **(kwargs | own)
        )  # what Airflow hands down from the DAG is for tasks that are retried otherwise
        self.source = source
        self.approval = approval

    def execute(self, context: Context) -> list[str]:
        """Ask, unless it has been decided."""
        with told():
            project = project_here()
            candidate, outcome = begin(candidates(context, project, self.source), self.approval, *_asked_in(context))
        self._write_pages(project, candidate.run)
        if outcome.state == "open":
            raise self._waiting(context, project, candidate)
        return self._end(candidate, outcome)

    def execute_complete(self, context: Context, event: Mapping[str, Any], asked: str = "") -> list[str]:
        """Take what came back for the question `asked`, a record in JSON."""
        with told():
            project = project_here()
            candidate = candidates(context, project, self.source)[-1]
            question = Question.model_validate_json(asked) if asked else read_question(candidate.run)
            assert question is not None
            outcome = settle(candidate, self.approval, question, event)
        self._write_pages(project, candidate.run)
        if outcome.state == "waiting":
            raise self._waiting(context, project, candidate)
        if outcome.state != "open":
            return self._end(candidate, outcome)
        if context["ti"].try_number <= context["ti"].max_tries:
            raise AirflowException(outcome.told)
        self.log.warning("%s; it is asked again", outcome.told)
        raise self._waiting(context, project, candidate, anew=True)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on with what came back; what Airflow itself could not take in is an answer that is none."""
        if next_method == TRIGGER_FAIL_REPR:
            return self.execute_complete(context, {"chosen_options": None})
        return super().resume_execution(next_method, next_kwargs, context)

    def _waiting(
        self, context: Context, project: Project, candidate: Candidate, *, anew: bool = False
    ) -> TaskAwaitingInput:
        """Open the question; what is given back is raised to wait for the answer.

        An attempt that has asked already asks `anew` only where its answer was none. Else it waits as before: Airflow may have
        lost its way after an answer that came at once, and then hands over what it kept of it.
        """
        with told():
            question, attempt = read_question(candidate.run), str(context["ti"].id)
            assert question is not None
            if anew or question.asked_as != attempt:
                self._open(context, project, candidate.run, question)
                question = asked_by(candidate.run, question, attempt)
            seconds = left(question)
        wait = LOOK_AFTER if seconds is None else min(LOOK_AFTER, timedelta(seconds=max(seconds, 1.0)))
        asked = question.model_dump_json(exclude={"refused"})
        return TaskAwaitingInput(method_name="execute_complete", kwargs={"asked": asked}, timeout=wait)

    def _open(self, context: Context, project: Project, run: RunFolder, question: Question) -> None:
        """Show the question, and tell those who want to know."""
        from oncoweave.orchestration.candidate import body, subject

        spec, _ = load_source(project, self.source)
        upsert_hitl_detail(
            ti_id=context["ti"].id,
            options=self.options,
            subject=subject(spec, run),
            body=body(project, run, spec, question, address_of(run, "report.html")),
            params=self.serialized_params,
            assigned_users=self.assigned_users,
        )
        for notifier in self.notifiers:
            notifier(context)

    def _write_pages(self, project: Project, run: RunFolder) -> None:
        """Let the pages of the run tell how it stands; where they cannot, that stops nothing."""
        from oncoweave.run import write_report

        try:
            write_report(run, project)
        except OncoweaveError as error:
            self.log.warning("the pages of the run do not tell this yet: %s", error.message)

    def _end(self, candidate: Candidate, outcome: Outcome) -> list[str]:
        """Give the run on, or fail for good."""
        if outcome.state == "stopped":
            raise NotApproved(outcome.told)
        self.log.info(outcome.told)
        return [candidate.run.run_id]


def _asked_in(context: Context) -> tuple[str, int]:
    """The run of Airflow that asks, and how often it was cleared: then it asks anew."""
    run = context["dag_run"]
    return f"{run.dag_id}/{run.run_id}", run.clear_number or 0

"""Whatever comes back to an approval, it ends in a decision of somebody who may, or the question stays open; told without Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoweave import run as stages
from oncoweave.decisions import Person, Question
from oncoweave.files import write_json
from oncoweave.orchestration.approval import APPROVE, REJECT, Candidate, Outcome, begin, left, read_reply, settle
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord
from oncoweave.release.question import read_question
from oncoweave.release.signoff import Answer, note_starter, read_signoff
from oncoweave.report.banners import of_the_run
from oncoweave.spec.approval import Approval
from oncoweave.spec.load import load_source
from tests.release.conftest import SOURCE, MakeRun

NOW = datetime.now(UTC)
ASKS = Approval(role="QA reviewer", within="8h", four_eyes=True)


@pytest.fixture
def run(make_run: MakeRun, project: Project) -> RunFolder:
    """A run of a source that asks for an approval."""
    (project.source_folder("one") / "source.yaml").write_text(SOURCE + "approval: {within: 8h, four_eyes: true}\n")
    return make_run()


def reply(options: object = (APPROVE,), form: object = None, user: object = "qa", **more: object) -> dict[str, Any]:
    """What Airflow hands over when somebody answered."""
    who = {"id": user, "name": user} if isinstance(user, str) else user
    chosen = list(options) if isinstance(options, tuple) else options
    event = {"chosen_options": chosen, "params_input": form, "responded_by_user": who, "responded_at": NOW}
    return {**event, "timedout": False, **more}


def asked(run: RunFolder, approval: Approval = ASKS, by: str = "sam", at: datetime = NOW) -> tuple[Candidate, Question]:
    """The question about a run, put."""
    candidate, outcome = begin([Candidate(run, at, by)], approval, f"publish/{run.run_id}")
    assert outcome == Outcome("open", "")
    question = read_question(run)
    assert question is not None
    return candidate, question


def over(question: Question) -> Question:
    """The question when its time is over."""
    return question.model_copy(update={"until": NOW - timedelta(minutes=1)})


def answered(run: RunFolder, event: Mapping[str, Any], approval: Approval = ASKS) -> Outcome:
    candidate, question = asked(run, approval)
    return settle(candidate, approval, question, event)


def test_an_approval_is_written_down_and_lets_the_run_be_published(run: RunFolder, project: Project) -> None:
    outcome = answered(run, reply(form={"comment": "as last year", "other": 1}))
    signed = read_signoff(run)
    assert outcome.state == "approved" and signed is not None
    assert (signed.by, signed.role, signed.comment, signed.how) == (
        Person(id="qa", name="qa"), "QA reviewer", "as last year", "airflow"
    )  # fmt: skip
    assert (signed.started_by, signed.four_eyes) == (("sam",), True)
    assert stages.publish(run, project).is_dir()


def test_a_rejection_stops_and_says_who_and_why(run: RunFolder) -> None:
    outcome = answered(run, reply((REJECT,), {"comment": "stage is missing"}))
    assert outcome.state == "stopped" and "not published: rejected by qa, QA reviewer, on" in outcome.told
    assert "stage is missing" in outcome.told and "oncoweave signoff one" in outcome.told


@pytest.mark.parametrize("event", [{"error": "e", "error_type": "timeout"}, reply((REJECT,), timedout=True, user=None)])
def test_no_answer_in_time_is_recorded_as_expired(event: dict[str, Any], run: RunFolder) -> None:
    candidate, question = asked(run)
    outcome = settle(candidate, ASKS, over(question), event)
    signed = read_signoff(run)
    assert outcome.state == "stopped" and "nobody answered within 8h" in outcome.told
    assert signed is not None and (signed.decision, signed.by) == ("expired", None)


def test_while_it_waits_it_looks_whether_something_was_decided_elsewhere(
    two: tuple[Candidate, Candidate], project: Project
) -> None:
    older, newer = two
    candidate, question = asked(older.run, at=older.at)
    look = {"error": "e", "error_type": "timeout"}
    endless = question.model_copy(update={"until": None})
    assert settle(candidate, ASKS, question, look).state == settle(candidate, ASKS, endless, look).state == "waiting"
    asked(newer.run, at=newer.at)
    assert "superseded by" in settle(candidate, ASKS, question, look).told
    _, question = asked(newer.run, at=newer.at)
    jane = Person(id="jane", name="Jane")
    stages.signoff(newer.run, project, Answer("approved", jane, "QA", "", "command line"))
    assert settle(newer, ASKS, question, look).state == "approved"


NO_ANSWERS = {
    "an unknown option": reply(("Maybe",)),
    "two options": reply((APPROVE, REJECT)),
    "no option": reply(()),
    "an option that is no list": reply(APPROVE),
    "options of another kind": reply(({"a": 1},)),
    "nothing": {},
    "nobody": reply(user=None),
    "somebody without an id": reply(user={"name": "qa"}),
    "somebody with a long name": reply(user={"id": "q" * 5000}),
    "a comment that is a list": reply(form={"comment": ["a"]}),
    "a comment that is a map": reply(form={"comment": {"__classname__": "os.system"}}),
    "a comment that is a number": reply(form={"comment": 1}),
    "a comment of a megabyte": reply(form={"comment": "x" * 1_000_000}),
    "a form that is no map": reply(form=[1]),
    "an error of Airflow's": {"error": "e", "error_type": "validation"},
    "an approval by who started it": reply(user="SAM"),
    "an approval under the name of who started it": reply(user={"id": "17", "name": "sam"}),
}


@pytest.mark.parametrize("event", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_is_kept_and_leaves_the_question_open(event: dict[str, Any], run: RunFolder) -> None:
    outcome = answered(run, event)
    question = read_question(run)
    assert outcome.state == "open" and "was not accepted: " in outcome.told
    assert read_signoff(run) is None and question is not None
    assert [refused.why for refused in question.refused] == [outcome.told.split("was not accepted: ")[1]]
    assert (run.path / "question.json").stat().st_size < 2_000
    candidate, again = asked(run)
    assert again == question
    assert settle(candidate, ASKS, question, reply()).state == "approved"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.sampled_from([APPROVE, REJECT, "comment"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("comment"), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(options=JSON, form=JSON, user=JSON)
def test_any_answer_is_read_without_an_error(options: Any, form: Any, user: Any) -> None:
    read = read_reply({"chosen_options": options, "params_input": form, "responded_by_user": user})
    assert (read.decision is None) == bool(read.fault)
    assert read.decision is None or (read.by is not None and options in ([APPROVE], [REJECT]))


def test_the_pages_of_the_run_say_why_an_answer_was_not_accepted(run: RunFolder, project: Project) -> None:
    asked(run)
    assert "Airflow asks since" in of_the_run(run, project).meaning
    answered(run, reply(user="sam"))
    told = of_the_run(run, project)
    assert told.title == "Waits for an approval" and "The last answer of sam, at " in told.meaning
    assert "was not accepted: the one who approves started the run" in told.meaning
    answered(run, reply())
    assert of_the_run(run, project).title == "Approved"


def test_the_last_twenty_refused_answers_are_kept(run: RunFolder) -> None:
    candidate, question = asked(run)
    for number in range(25):
        settle(candidate, ASKS, question, reply((f"no {number}",)))
    kept = read_question(run)
    assert kept is not None and [r.chosen for r in kept.refused] == [f"no {n}" for n in range(5, 25)]


def test_who_started_a_run_may_reject_it(run: RunFolder) -> None:
    assert "rejected by sam" in answered(run, reply((REJECT,), user="sam")).told


def test_the_schedule_is_no_person(run: RunFolder) -> None:
    _, outcome = begin([Candidate(run, NOW)], ASKS, "publish/1")
    question = read_question(run)
    assert outcome.state == "open" and question is not None
    assert settle(Candidate(run, NOW), ASKS, question, reply(user="sam")).state == "approved"


def test_an_event_that_hides_who_started_the_run_does_not_help(run: RunFolder) -> None:
    note_starter(run, "sam")
    candidate, question = asked(run, by="")
    assert settle(candidate, ASKS, question, reply(user="sam")).state == "open"


def test_only_those_whom_source_yaml_names_may_answer(run: RunFolder) -> None:
    only = Approval(by=("qa", "jane"))
    assert "`eve` is not in `approval.by`" in answered(run, reply(user="eve"), only).told
    assert answered(run, reply(user="jane"), only).state == "approved"


def change_results(run: RunFolder) -> None:
    write_json(run.path / "check.json", CheckRecord.model_validate({"verdict": "pass", "results": []}))
    path = run.path / "map.json"
    path.write_text(path.read_text().replace('"corrections": 0', '"corrections": 1'))


def test_results_that_change_while_it_waits_are_not_approved_with_the_old_ones(run: RunFolder) -> None:
    candidate, question = asked(run)
    change_results(run)
    outcome = settle(candidate, ASKS, question, reply())
    assert outcome.state == "stopped" and "have changed since its question was put" in outcome.told
    assert read_signoff(run) is None
    assert begin([candidate], ASKS, f"publish/{run.run_id}", 1)[1].state == "stopped", "its text would be the old one"
    assert begin([candidate], ASKS, "publish/another")[1].state == "open"


def test_a_cleared_run_asks_anew_with_its_time_from_the_start(run: RunFolder) -> None:
    candidate, question = asked(run)
    settle(candidate, ASKS, over(question), {"error_type": "timeout"})
    again, outcome = begin([candidate], ASKS, f"publish/{run.run_id}", 1)
    anew = read_question(run)
    assert outcome.state == "open" and anew is not None and anew.asked_at > question.asked_at
    assert settle(again, ASKS, anew, reply()).state == "approved"
    signed = read_signoff(run)
    assert signed is not None and [d.decision for d in signed.history] == ["expired"]


def test_a_decision_that_could_not_be_told_is_not_asked_for_again(run: RunFolder) -> None:
    candidate, question = asked(run)
    settle(candidate, ASKS, question, reply((REJECT,)))
    assert "rejected by qa" in begin([candidate], ASKS, f"publish/{run.run_id}")[1].told


def test_what_is_approved_already_is_not_asked_for(run: RunFolder, project: Project) -> None:
    stages.signoff(run, project, Answer("approved", Person(id="jane", name="Jane"), "QA", "", "command line"))
    assert begin([Candidate(run, NOW)], ASKS, "publish/1")[1].state == "approved"
    assert read_question(run) is None


def test_a_question_whose_time_is_over_expires_when_it_is_looked_at(run: RunFolder) -> None:
    candidate, question = asked(run)
    assert left(question) is not None and 28_700 < (left(question) or 0) <= 28_800
    write_json(run.path / "question.json", over(question))
    assert "nobody answered within 8h" in begin([candidate], ASKS, f"publish/{run.run_id}")[1].told


@pytest.fixture
def two(run: RunFolder, make_run: MakeRun) -> tuple[Candidate, Candidate]:
    newer = make_run("f" * 20, persons=5)
    return Candidate(run, NOW), Candidate(newer, NOW + timedelta(minutes=5))


def test_of_several_candidates_the_newest_is_asked_for(two: tuple[Candidate, Candidate]) -> None:
    older, newer = two
    chosen, outcome = begin([older, newer], ASKS, "publish/1")
    signed = read_signoff(older.run)
    assert (chosen, outcome.state) == (newer, "open")
    assert signed is not None and signed.decision == "superseded"
    assert signed.comment == "by the delivery of 2024-01-31 (run ffffffffffff)"


def test_a_newer_candidate_supersedes_one_that_waits(two: tuple[Candidate, Candidate]) -> None:
    older, newer = two
    _, question = asked(older.run, at=older.at)
    asked(newer.run, at=newer.at)
    outcome = settle(older, ASKS, question, reply())
    assert outcome.state == "stopped" and "superseded by the delivery of 2024-01-31 (run ffffffffffff)" in outcome.told
    signed = read_signoff(older.run)
    assert signed is not None and (signed.decision, signed.history) == ("superseded", ())


def test_an_older_candidate_that_comes_late_is_superseded_at_once(two: tuple[Candidate, Candidate]) -> None:
    older, newer = two
    asked(newer.run, at=newer.at)
    assert "superseded by" in begin([older], ASKS, "publish/1")[1].told
    assert begin([newer], ASKS, f"publish/{newer.run.run_id}")[1].state == "open"


def test_when_the_newer_is_rejected_the_older_may_be_asked_for(two: tuple[Candidate, Candidate]) -> None:
    older, newer = two
    begin([older, newer], ASKS, "publish/1")
    question = read_question(newer.run)
    assert question is not None
    settle(newer, ASKS, question, reply((REJECT,)))
    assert begin([older], ASKS, "publish/2")[1].state == "open"


def test_a_question_that_cannot_be_read_stops_no_other(two: tuple[Candidate, Candidate]) -> None:
    older, newer = two
    (older.run.path / "question.json").write_text("{}")
    assert begin([newer], ASKS, "publish/1")[1].state == "open"
    (newer.run.path / "question.json").write_text("[" * 1000)
    assert begin([newer], ASKS, "publish/1")[1].state == "open"


def test_a_decided_candidate_is_not_superseded(two: tuple[Candidate, Candidate]) -> None:
    older, newer = two
    candidate, question = asked(older.run, at=older.at)
    settle(candidate, ASKS, question, reply())
    begin([older, newer], ASKS, "publish/2")
    signed = read_signoff(older.run)
    assert signed is not None and signed.decision == "approved"


def test_two_questions_about_one_run_keep_their_own_times(run: RunFolder) -> None:
    first, question = asked(run)
    begin([replace(first, at=NOW + timedelta(minutes=1))], ASKS, "publish/second")
    assert settle(first, ASKS, question, reply()).state == "approved"


def test_a_disk_that_is_full_loses_no_answer(run: RunFolder, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from oncoweave.errors import EnvironmentFault
    from oncoweave.release import signoff

    candidate, question = asked(run)

    def full(path: Path, *_: object) -> None:
        raise EnvironmentFault(f"{path}: no space left on the disk")

    monkeypatch.setattr(signoff, "write_json", full)
    outcome = settle(candidate, ASKS, question, reply())
    assert outcome.state == "open" and "no space left on the disk" in outcome.told
    assert load_source(project, "one")[0].approval is not None

"""A run with open conventions is asked about, with what fails first; to approve is to accept it. Told without Airflow."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from oncoweave import run as stages
from oncoweave.files import write_json
from oncoweave.orchestration.approval import APPROVE, REJECT, Candidate, begin, settle
from oncoweave.orchestration.candidate import body
from oncoweave.orchestration.notices import Occurrence, notice_of
from oncoweave.orchestration.taken import history
from oncoweave.project import Project, RunFolder
from oncoweave.quality.failures_since import new_failures
from oncoweave.quality.history import keep
from oncoweave.quality.judge import judge
from oncoweave.quality.waivers import FiledWaiver
from oncoweave.records import ExtractRecord
from oncoweave.release.question import read_question
from oncoweave.release.signoff import read_signoff
from oncoweave.spec.approval import Approval
from oncoweave.spec.load import load_source
from oncoweave.spec.waivers import Waiver
from oncoweave.stages.publish import publish
from tests.orchestration.test_approval import reply
from tests.release.conftest import SOURCE, MakeRun
from tests.release.test_accepting import FAILING, FATAL, fact

NOW = datetime.now(UTC)
ASKS = Approval()


@pytest.fixture
def failing(make_run: MakeRun) -> RunFolder:
    """A run in which two conventions fail, of a source whose source.yaml says nothing of an approval."""
    return make_run(results=FAILING)


def answered(run: RunFolder, chosen: str) -> str:
    candidate, outcome = begin([Candidate(run, NOW)], ASKS, "publish/1")
    question = read_question(run)
    assert outcome.state == "open" and question is not None
    return settle(candidate, ASKS, question, reply((chosen,))).state


def test_approving_in_airflow_accepts_what_fails_and_publishes(failing: RunFolder, project: Project) -> None:
    assert stages.candidate(failing).verdict == "fail"
    assert answered(failing, APPROVE) == "approved"
    signed = read_signoff(failing)
    assert signed is not None and [one.check for one in signed.accepts] == ["person.a", "person.b"]
    assert publish(failing, project).is_dir()


def test_rejecting_accepts_nothing(failing: RunFolder) -> None:
    assert answered(failing, REJECT) == "stopped"
    signed = read_signoff(failing)
    assert signed is not None and signed.accepts == ()


def test_a_run_with_a_fatal_failure_is_no_candidate(make_run: MakeRun) -> None:
    from oncoweave.errors import DataError

    with pytest.raises(DataError, match="did not pass"):
        stages.candidate(make_run(results=FATAL))


def test_the_question_begins_with_what_fails(failing: RunFolder, project: Project) -> None:
    keys = {"check": "person.b", "at_most": "9 rows", "reason": "r", "owner": "<b>QA", "expires": date(2099, 1, 1)}
    write_json(
        failing.path / "check.json", judge(FAILING, (), [FiledWaiver(Waiver.model_validate(keys), "w")], NOW.date())
    )
    begin([Candidate(failing, NOW)], ASKS, "publish/1")
    question = read_question(failing)
    assert question is not None
    told = body(project, failing, load_source(project, "one")[0], question, "/report.html").split("\n\n")
    assert told[1].startswith("**1 convention check fails (2 rows).** To approve is to accept this")
    assert "person\\.c: why a | convention | 2 |" in told[2] and "why b" not in told[2]
    assert "1 waived" in told[3]
    assert "why b | convention | 3 | waived until 2099-01-01 by \\<b\\>QA |" in told[4]
    assert told[5].startswith("|  | this run |")


def test_a_source_of_which_nobody_is_asked_does_not_hold_up_the_next_delta(
    failing: RunFolder, project: Project
) -> None:
    assert history(project, "one").pending == failing.run_id
    (project.source_folder("one") / "source.yaml").write_text(SOURCE + "approval: {needed: false}\n")
    assert history(project, "one").pending == ""


def test_a_notice_names_what_did_not_fail_in_the_last_delivery(make_run: MakeRun, project: Project) -> None:
    before = make_run("1" * 20, results=(fact("a"), fact("b", unexpected=0)))
    assert new_failures(project, before) is None, "there is no earlier delivery"
    write_json(before.path / "extract.json", extracted(before, date(2023, 1, 31)))
    keep(before, project)
    run = make_run("2" * 20, results=(*FAILING, fact("c", "fatal")))
    keep(run, project)
    assert new_failures(project, run) == ("person.b", "person.c")
    facts = notice_of(Occurrence("approval", "one", "approve", run, project=project)).facts
    assert facts["New failures"] == "2: person.b, person.c" and facts["Checks failed, convention"] == 2
    assert "New failures" not in notice_of(Occurrence("approval", "one", "approve", run)).facts


def extracted(run: RunFolder, day: date) -> ExtractRecord:
    return ExtractRecord(source="one", run_id=run.run_id, delivery_date=day, tables=())


def test_what_is_told_names_no_key_of_a_row(failing: RunFolder, project: Project, tmp_path: Path) -> None:
    """Nothing that is told of a run reads the quarantine: where it cannot be read, all is told as before."""
    folder = failing.quarantine / "failing"
    folder.mkdir(parents=True)
    (folder / "person.a.parquet").write_bytes(b"Zyxomme")
    begin([Candidate(failing, NOW)], ASKS, "publish/1")
    question = read_question(failing)
    assert question is not None
    told = body(project, failing, load_source(project, "one")[0], question)
    assert "Zyxomme" not in told + notice_of(Occurrence("approval", "one", "approve", failing, project=project)).text

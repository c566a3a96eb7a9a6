"""A run that has to be approved is published by an approval of exactly these results and tables, and by nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from oncoweave import run as stages
from oncoweave.decisions import Person, SignOff
from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError, UsageError
from oncoweave.files import read_record, write_json
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord
from oncoweave.release.signoff import Answer, Chosen, How, note_starter, read_signoff, told
from oncoweave.release.verify import verify
from oncoweave.release_records import ReleaseManifest
from oncoweave.stages.publish import publish
from tests.release.conftest import SOURCE, MakeRun

JANE = Person(id="jane", name="Jane Doe")


def ask(project: Project, approval: str = "{role: QA reviewer}") -> None:
    """Let source.yaml ask for an approval."""
    (project.source_folder("one") / "source.yaml").write_text(f"{SOURCE}approval: {approval}\n")


def answer(
    decision: Chosen = "approved", by: Person | None = JANE, comment: str = "", how: How = "command line"
) -> Answer:
    return Answer(decision, by, "QA reviewer", comment, how)


def manifest_of(release: Path) -> ReleaseManifest:
    return read_record(release / "manifest.json", ReleaseManifest)


def change_results(run: RunFolder) -> None:
    write_json(run.path / "check.json", CheckRecord.model_validate({"verdict": "pass", "results": [RESULT]}))


def change_tables(run: RunFolder) -> None:
    path = run.path / "map.json"
    path.write_text(path.read_text().replace('"corrections": 0', '"corrections": 1'))


RESULT = {
    "suite": "person", "table": "person", "expectation": "e", "column": None, "severity": "fatal",
    "category": "conformance", "why": "w", "success": True,
}  # fmt: skip


def test_an_approval_lets_a_run_be_published_and_stands_in_the_release(run: RunFolder, project: Project) -> None:
    ask(project)
    note_starter(run, "sam")
    stages.signoff(run, project, answer(comment="as last year"))
    release = publish(run, project)
    signoff = manifest_of(release).signoff
    assert signoff is not None and verify(release) == []
    assert (signoff.decision, signoff.by, signoff.role, signoff.comment) == (
        "approved",
        JANE,
        "QA reviewer",
        "as last year",
    )
    assert (signoff.started_by, signoff.four_eyes, signoff.how) == (("sam",), True, "command line")
    assert signoff.at.utcoffset() is not None and signoff.at.utcoffset().total_seconds() == 0  # type: ignore[union-attr]


def test_a_source_that_asks_for_nothing_is_published_without_a_sign_off(run: RunFolder, project: Project) -> None:
    assert manifest_of(publish(run, project)).signoff is None


@pytest.mark.parametrize("change", [change_results, change_tables])
def test_an_approval_of_other_results_or_tables_is_void(
    change: Callable[[RunFolder], None], run: RunFolder, project: Project
) -> None:
    ask(project)
    stages.signoff(run, project, answer())
    change(run)
    assert stages.approval_of(run, project).state == "void"
    with pytest.raises(DataError, match="since then the results have changed: approved by Jane Doe"):
        publish(run, project)
    stages.signoff(run, project, answer())
    assert publish(run, project).is_dir()


@pytest.mark.parametrize(
    ("decided", "state", "words"),
    [
        ([], "waiting", "nobody has decided"),
        ([answer("rejected", comment="stage is missing")], "rejected", "rejected by Jane Doe.*stage is missing"),
        ([answer(), answer("rejected")], "rejected", "rejected by"),
        (
            [answer("expired", None, "nobody answered in 8h", "airflow")],
            "expired",
            "expired on .*nobody answered in 8h",
        ),
        ([answer("superseded", None, "by the run 2", "airflow")], "superseded", "superseded on"),
    ],
)
def test_without_an_approval_nothing_is_published_and_why_is_told(
    decided: list[Answer], state: str, words: str, run: RunFolder, project: Project
) -> None:
    ask(project)
    for one in decided:
        stages.signoff(run, project, one)
    assert stages.approval_of(run, project).state == state
    with pytest.raises(DataError, match=f"(?s)is not approved; nothing was published.*{words}") as caught:
        publish(run, project)
    assert caught.value.exit_code == 3 and "oncoweave signoff one 0123456789ab --approve" in caught.value.mend
    assert not project.releases.exists()


def test_a_rejection_stops_a_run_that_nobody_had_to_approve(run: RunFolder, project: Project) -> None:
    stages.signoff(run, project, answer("rejected"))
    with pytest.raises(DataError, match="rejected by Jane Doe"):
        publish(run, project)


def test_a_later_decision_counts_and_the_earlier_ones_are_kept(run: RunFolder, project: Project) -> None:
    ask(project)
    for decision in ("rejected", "approved", "rejected", "approved"):
        stages.signoff(run, project, answer(decision, comment=decision))
    signed = read_signoff(run)
    assert signed is not None and signed.decision == "approved"
    assert [earlier.decision for earlier in signed.history] == ["rejected", "approved", "rejected"]
    assert (run.path / "signoff.json").stat().st_mode & 0o777 == 0o600


def test_a_run_that_is_signed_again_keeps_its_release_and_the_first_sign_off(run: RunFolder, project: Project) -> None:
    ask(project)
    stages.signoff(run, project, answer(comment="first"))
    release = publish(run, project)
    stages.signoff(run, project, answer(comment="second"))
    assert publish(run, project) == release
    signoff = manifest_of(release).signoff
    assert signoff is not None and signoff.comment == "first"


@pytest.mark.parametrize(
    ("approval", "given", "words"),
    [
        ("{by: [qa, 17]}", answer(), "`jane` is not in `approval.by`"),
        ("{by: [qa]}", answer("rejected"), "`jane` is not in `approval.by`"),
        ("{four_eyes: true}", answer(by=Person(id="sam", name="Sam")), "asks for four eyes"),
        ("{four_eyes: true}", answer(by=Person(id="7", name=" SAM ")), "asks for four eyes"),
        ("{}", answer(by=Person(id=" \t", name="")), "nobody is named"),
        ("{}", answer(comment="x" * 2001), "the comment is longer than 2,000 characters"),
        ("{}", answer("auto-approved", None, "", "demo: nobody looked"), "the demo's public cohorts"),
    ],
)
def test_what_source_yaml_does_not_accept_is_not_written(
    approval: str, given: Answer, words: str, run: RunFolder, project: Project
) -> None:
    ask(project, approval)
    note_starter(run, "sam")
    with pytest.raises(UsageError, match=words):
        stages.signoff(run, project, given)
    assert read_signoff(run) is None


def test_who_started_a_run_may_reject_it(run: RunFolder, project: Project) -> None:
    ask(project, "{four_eyes: true}")
    note_starter(run, "jane")
    stages.signoff(run, project, answer("rejected"))
    assert stages.approval_of(run, project).state == "rejected"


def test_a_run_of_the_schedule_was_started_by_nobody(run: RunFolder, project: Project) -> None:
    ask(project, "{four_eyes: true}")
    note_starter(run, "")
    stages.signoff(run, project, answer())
    assert publish(run, project).is_dir()


def test_an_approval_no_longer_counts_when_source_yaml_asks_for_more(run: RunFolder, project: Project) -> None:
    ask(project)
    note_starter(run, "jane")
    stages.signoff(run, project, answer())
    ask(project, "{four_eyes: true}")
    assert stages.approval_of(run, project).state == "not accepted"
    with pytest.raises(DataError, match="asks for four eyes"):
        publish(run, project)


def test_an_auto_approval_that_was_copied_into_a_source_of_patients_counts_for_nothing(
    run: RunFolder, project: Project
) -> None:
    ask(project)
    stages.signoff(run, project, answer())
    path = run.path / "signoff.json"
    path.write_text(path.read_text().replace('"approved"', '"auto-approved"'))
    assert stages.approval_of(run, project).state == "not accepted"


def test_a_public_cohort_may_be_published_with_nobody_looking_and_the_release_says_so(
    run: RunFolder, project: Project
) -> None:
    wheel = f"delivery: {{by: wheel, date: 2024-01-31, package: p, version: '1', sha256: {'0' * 64}}}"
    text = SOURCE.replace("delivery: {by: folder, date: 2024-01-31, path: files}", wheel)
    (project.source_folder("one") / "source.yaml").write_text(text + "approval: {four_eyes: true, by: [qa]}\n")
    assert stages.waits(run, project)
    assert not stages.waits(run, project, auto_approve=True)
    signoff = manifest_of(publish(run, project)).signoff
    assert signoff is not None
    assert (signoff.decision, signoff.by, signoff.how) == ("auto-approved", None, "demo: nobody looked")
    assert "auto-approved on" in stages.approval_of(run, project).why
    assert "nobody looked at it" in (project.releases / "one" / "current" / "release.html").read_text()
    stages.signoff(run, project, answer("rejected", by=Person(id="qa", name="qa")))
    assert not stages.waits(run, project, auto_approve=True)
    assert stages.approval_of(run, project).state == "rejected", "a rejection is not overridden"


def test_a_run_that_did_not_pass_cannot_be_approved(make_run: MakeRun, project: Project) -> None:
    ask(project)
    run = make_run(verdict="fail")
    with pytest.raises(DataError, match="did not pass: it cannot be approved"):
        stages.signoff(run, project, answer())
    stages.signoff(run, project, answer("rejected"))
    (run.path / "check.json").unlink()
    with pytest.raises(DataError, match="has not been checked"):
        stages.signoff(run, project, answer("rejected"))


@pytest.mark.parametrize("fault", ["", "{}", '{"decision": "approved"}', "[" * 100_000, "\0"])
def test_a_sign_off_that_cannot_be_read_publishes_nothing(fault: str, run: RunFolder, project: Project) -> None:
    ask(project)
    (run.path / "signoff.json").write_text(fault)
    with pytest.raises(OncoweaveError) as caught:
        publish(run, project)
    assert caught.value.exit_code == 5 and not project.releases.exists()


def test_the_sign_off_of_another_run_is_refused(make_run: MakeRun, project: Project) -> None:
    ask(project)
    first, second = make_run("1" * 20), make_run("2" * 20)
    stages.signoff(first, project, answer())
    (second.path / "signoff.json").write_bytes((first.path / "signoff.json").read_bytes())
    with pytest.raises(EnvironmentFault, match="is the sign-off of another run"):
        publish(second, project)


def test_decisions_at_the_same_moment_are_all_kept(run: RunFolder, project: Project) -> None:
    writers = [
        threading.Thread(target=stages.signoff, args=(run, project, answer(comment=str(number))))
        for number in range(12)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    signed = read_signoff(run)
    assert signed is not None
    assert sorted(int(d.comment) for d in (signed, *signed.history)) == list(range(12))


HOSTILE = "a\r\nb\x00\x1b[31mc\u202e\u2066d\x85e\u2028<script>alert(1)</script> **x** | [y](javascript:z) {{ 1 }}\ud800"


def test_a_hostile_comment_is_kept_as_text(run: RunFolder, project: Project) -> None:
    ask(project)
    stages.signoff(run, project, answer(by=Person(id="ja\nne", name="<b>Jane</b>\x07"), comment=HOSTILE))
    signed = read_record(run.path / "signoff.json", SignOff)
    assert signed.comment == "a\nb[31mcd\ne\n<script>alert(1)</script> **x** | [y](javascript:z) {{ 1 }}"
    assert signed.by == Person(id="ja ne", name="<b>Jane</b>")
    assert "\n" not in told(signed) and len(told(signed.model_copy(update={"comment": "x" * 2000}))) < 400
    assert verify(publish(run, project)) == []


def test_a_sign_off_that_was_edited_in_a_release_is_found(run: RunFolder, project: Project) -> None:
    ask(project)
    stages.signoff(run, project, answer(comment="fine"))
    path = publish(run, project) / "manifest.json"
    for there, instead in (("Jane Doe", "John Doe"), ('"fine"', '"so so"'), ('"approved"', '"rejected"')):
        text = path.read_text()
        path.chmod(0o640)
        path.write_text(text.replace(there, instead))
        assert "the sign-off is not the one whose SHA-256 it states" in str([str(f) for f in verify(path.parent)])
        path.write_text(text)
    assert verify(path.parent) == [] and json.loads(text)["signoff"]["sha256"]

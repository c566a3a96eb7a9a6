"""A failing convention stops publication unless it is waived, or a person accepts it by name; nothing lets a fatal one pass."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta

import pytest

from oncoweave import run as stages
from oncoweave.decisions import Person
from oncoweave.errors import DataError
from oncoweave.files import read_record, write_json
from oncoweave.project import Project, RunFolder
from oncoweave.quality.judge import judge
from oncoweave.quality.waivers import FiledWaiver
from oncoweave.records import ExpectationResult, Severity
from oncoweave.release.signoff import Answer, Chosen, read_signoff, told
from oncoweave.release.verify import verify
from oncoweave.release_records import ReleaseManifest
from oncoweave.spec.waivers import Waiver
from oncoweave.stages.publish import publish
from tests.release.conftest import SOURCE, MakeRun

WHEEL = f"delivery: {{by: wheel, date: 2024-01-31, package: p, version: '1', sha256: {'0' * 64}}}"


def fact(name: str, severity: Severity = "convention", unexpected: int = 2) -> ExpectationResult:
    return ExpectationResult(
        check=f"person.{name}", suite="person", table="person", expectation="e", column="c", severity=severity,
        category="plausibility", why=f"why {name}", success=False, evaluated=10, unexpected=unexpected,
    )  # fmt: skip


FAILING = (fact("a"), fact("b", unexpected=3), fact("met", unexpected=0), fact("told", "characterization"))
FATAL = (*FAILING, fact("broken", "fatal", 1))


def answer(decision: Chosen = "approved", by: str = "jane") -> Answer:
    return Answer(decision, Person(id=by, name=by), "QA reviewer", "known", "command line")


def waive(run: RunFolder, until: date, *checks: str) -> None:
    """Judge the run by waivers for these checks, as it was judged on the last day on which they counted."""
    keys = {"at_most": "3 rows", "reason": "asked for", "owner": "QA", "expires": until}
    entries = [FiledWaiver(Waiver.model_validate({"check": name, **keys}), "waivers.yaml") for name in checks]
    write_json(run.path / "check.json", judge(FAILING, (), entries, until))


@pytest.fixture
def failing(make_run: MakeRun) -> RunFolder:
    """A run of a source that asks nobody, in which two conventions fail."""
    return make_run(results=FAILING)


def test_open_conventions_stop_publication_and_say_what_can_be_done(failing: RunFolder, project: Project) -> None:
    assert stages.approval_of(failing, project).state == "open failures"
    assert not stages.waits(failing, project), "nobody is asked: publish tells it"
    with pytest.raises(DataError) as caught:
        publish(failing, project)
    assert caught.value.exit_code == 3 and not project.releases.exists()
    assert "2 convention checks fail without a waiver" in caught.value.message
    assert "person.c (person.a, 2 rows)\n    why a" in caught.value.message and "person.met" not in caught.value.message
    for way in ("mend the mapping", "`oncoweave waive one CHECK", "`oncoweave signoff one 0123456789ab --approve"):
        assert way in caught.value.mend


def test_a_person_who_signs_accepts_what_fails_by_name_and_the_release_says_so(
    failing: RunFolder, project: Project
) -> None:
    signed = stages.signoff(failing, project, answer())
    named = [(one.check, one.unexpected, one.evaluated, one.waived) for one in signed.accepts]
    assert named == [("person.a", 2, 10, False), ("person.b", 3, 10, False)]
    assert "accepting 2 failing convention checks: known" in told(signed)
    release = publish(failing, project)
    manifest = read_record(release / "manifest.json", ReleaseManifest)
    assert manifest.verdict == "fail" and manifest.signoff is not None and manifest.signoff.accepts == signed.accepts
    assert verify(release) == [] and stages.published(failing, project) == release


def test_failures_that_came_after_the_approval_are_not_accepted(make_run: MakeRun, project: Project) -> None:
    run = make_run(results=(fact("a"),))
    stages.signoff(run, project, answer())
    write_json(run.path / "check.json", judge(FAILING))
    assert stages.approval_of(run, project).state == "open failures"
    with pytest.raises(DataError, match=r"2 convention checks fail.*since then the results have changed"):
        publish(run, project)


def test_waived_conventions_let_a_run_pass_and_are_named_by_whoever_signs(failing: RunFolder, project: Project) -> None:
    waive(failing, date.today(), "person.a", "person.b")
    assert verify(publish(failing, project)) == []
    signed = stages.signoff(failing, project, answer())
    assert [(one.check, one.waived) for one in signed.accepts] == [("person.a", True), ("person.b", True)]


def test_a_waiver_that_expired_since_the_run_was_judged_publishes_nothing(failing: RunFolder, project: Project) -> None:
    waive(failing, date.today() - timedelta(days=1), "person.*")
    for attempt in (lambda: publish(failing, project), lambda: stages.signoff(failing, project, answer())):
        with pytest.raises(
            DataError, match=r"judged by waivers that have expired since: `person\.a`, `person\.b`"
        ) as caught:
            attempt()
        assert "oncoweave check one --run 0123456789ab" in caught.value.mend


def test_a_fatal_failure_is_not_signed_away(make_run: MakeRun, project: Project) -> None:
    run = make_run(results=FATAL)
    with pytest.raises(DataError, match="did not pass: it cannot be approved"):
        stages.signoff(run, project, answer())
    path = run.path / "signoff.json"
    write_json(run.path / "check.json", judge(FAILING))
    stages.signoff(run, project, answer())
    write_json(run.path / "check.json", judge(FATAL))
    digest = hashlib.sha256((run.path / "check.json").read_bytes()).hexdigest()
    signed = read_signoff(run)
    assert signed is not None
    write_json(path, signed.model_copy(update={"results_sha256": digest}))  # by hand, as if it were about these results
    with pytest.raises(DataError, match=r"(?s)did not pass; nothing was published.*person\.broken"):
        publish(run, project)


def test_nobody_looking_accepts_no_failure(failing: RunFolder, project: Project) -> None:
    text = SOURCE.replace("delivery: {by: folder, date: 2024-01-31, path: files}", WHEEL)
    (project.source_folder("one") / "source.yaml").write_text(text + "approval: {role: QA reviewer}\n")
    with pytest.raises(DataError, match="is not approved by itself: 2 convention checks fail"):
        stages.waits(failing, project, auto_approve=True)
    write_json(failing.path / "check.json", judge((fact("met", unexpected=0),)))
    assert not stages.waits(failing, project, auto_approve=True)
    path, digest = failing.path / "signoff.json", hashlib.sha256()
    write_json(failing.path / "check.json", judge(FAILING))
    digest.update((failing.path / "check.json").read_bytes())
    signed = read_signoff(failing)
    assert signed is not None
    write_json(path, signed.model_copy(update={"results_sha256": digest.hexdigest()}))
    assert stages.approval_of(failing, project).state == "not accepted"


def test_a_source_that_asks_waits_with_the_failures_told(failing: RunFolder, project: Project) -> None:
    (project.source_folder("one") / "source.yaml").write_text(SOURCE + "approval: {role: QA reviewer}\n")
    stands = stages.approval_of(failing, project)
    assert (stands.state, stands.why) == ("waiting", "2 convention checks fail without a waiver; nobody has decided")
    assert stages.waits(failing, project)


@pytest.mark.parametrize("forged", ["accepts", "fatal", "rejected"])
def test_verify_finds_a_release_that_nobody_accepted(forged: str, failing: RunFolder, project: Project) -> None:
    stages.signoff(failing, project, answer())
    path = publish(failing, project) / "manifest.json"
    path.chmod(0o640)
    manifest = json.loads(path.read_text())
    if forged == "accepts":
        manifest["signoff"]["accepts"] = manifest["signoff"]["accepts"][:1]
    elif forged == "fatal":
        manifest["expectations"][0]["severity"] = "fatal"
    else:
        manifest["signoff"] = None
    path.write_text(json.dumps(manifest))
    assert "no approval accepts what failed" in " ".join(map(str, verify(path.parent)))


def test_a_sign_off_of_an_older_release_keeps_its_hash(make_run: MakeRun, project: Project) -> None:
    """Releases that were made before a sign-off could accept anything have a hash without it."""
    run = make_run()
    stages.signoff(run, project, answer())
    path = publish(run, project) / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["signoff"]["accepts"]
    without = {name: value for name, value in manifest["signoff"].items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(without, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
    assert manifest["signoff"]["sha256"] == digest


def test_a_run_judged_again_keeps_its_release(failing: RunFolder, project: Project) -> None:
    waive(failing, date.today(), "person.*")
    release = publish(failing, project)
    before = (release / "manifest.json").read_bytes()
    waive(failing, date.today() + timedelta(days=9), "person.*")
    assert publish(failing, project) == release and (release / "manifest.json").read_bytes() == before

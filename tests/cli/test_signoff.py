"""A source that asks for an approval ends its run with a candidate; somebody signs, then it is published."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from oncoweave.files import read_record
from oncoweave.project import Project
from oncoweave.release_records import ReleaseManifest
from tests.cli.test_flow import Terminal


@pytest.fixture
def cli(tiny_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr(getpass, "getuser", lambda: "sam")
    source = tiny_project.source_folder("tiny") / "source.yaml"
    asks = "approval: {role: QA reviewer, by: [jane, sam], four_eyes: true}\n"
    source.write_text(source.read_text().replace("kind: registry\n", f"kind: registry\n{asks}"))
    return Terminal(tiny_project, capsys)


def fails(cli: Terminal, *arguments: str) -> tuple[int, str]:
    """The exit code of a call that fails, and what it says."""
    cli.capture.readouterr()
    code = cli.code(*arguments, "--project", cli.project.root)
    return code, cli.capture.readouterr().err


def test_from_a_candidate_to_a_release(cli: Terminal) -> None:
    recap = cli.says("run", "tiny")
    assert "- (a candidate: it waits for an approval)" in recap and "a candidate, not a release" in recap
    assert max(map(len, recap.splitlines())) <= 100
    (told,) = cli.json("run", "tiny")["runs"]
    assert (told["release"], told["approval"]["state"], told["verdict"]) == (None, "waiting", "pass")
    run_id = told["run_id"]
    assert f"oncoweave signoff tiny {run_id[:12]} --approve" in " ".join(recap.split())
    assert not (cli.project.releases / "tiny").exists() or not list((cli.project.releases / "tiny").iterdir())

    code, said = fails(cli, "publish", "tiny")
    assert code == 3 and "is not approved; nothing was published" in said
    code, said = fails(cli, "signoff", "tiny", "--approve")
    assert code == 2 and "asks for four eyes" in said and "these may sign: `jane`, `sam`" in said
    code, said = fails(cli, "signoff", "tiny", "--approve", "--by", "eve")
    assert code == 2 and "`eve` is not in `approval.by`" in said

    said = cli.says("signoff", "tiny", run_id[:6], "--approve", "--by", "jane", "--comment", "as\nlast year")
    assert "approved by jane, QA reviewer, on " in said and "UTC: as last year" in said
    assert f"oncoweave publish tiny --run {run_id[:12]}" in said
    (source,) = cli.json("status")["sources"]
    assert source["approval"] == "approved" and source["decision"].startswith("approved by jane")
    assert "approval" in cli.says("status")

    release = Path(cli.json("publish", "tiny")["release"])
    signoff = read_record(release / "manifest.json", ReleaseManifest).signoff
    assert signoff is not None and (signoff.comment, signoff.how, signoff.started_by) == (
        "as\nlast year", "command line", ("sam",)
    )  # fmt: skip
    (again,) = cli.json("run", "tiny")["runs"]
    assert again["repeated"] and Path(again["release"]) == release
    assert "approved by jane" in cli.says("run", "tiny")


def test_a_rejected_run_stays_unpublished_until_somebody_changes_their_mind(cli: Terminal) -> None:
    cli.says("run", "tiny")
    assert "rejected by sam" in cli.says("signoff", "tiny", "--reject", "--comment", "no stage")
    code, said = fails(cli, "run", "tiny")
    assert code == 3 and "rejected by sam, QA reviewer, on " in said and "no stage" in said
    assert "who changes their mind" in said
    stands = cli.json("signoff", "tiny", "--approve", "--by", "jane")["approval"]
    assert stands["state"] == "approved" and [d["decision"] for d in stands["signoff"]["history"]] == ["rejected"]
    assert cli.json("run", "tiny")["runs"][0]["release"] is not None
    told = [line.strip() for line in cli.says("signoff", "tiny").splitlines()]
    assert [line.split()[0] for line in told if " by " in line and " UTC" in line] == ["approved", "rejected"]


def test_auto_approval_is_not_for_patients(cli: Terminal) -> None:
    code, said = fails(cli, "run", "tiny", "--auto-approve")
    assert code == 2 and "that is for the demo's public cohorts" in said
    assert not list(cli.project.runs.glob("tiny/*/extract.json"))


def test_there_must_be_something_to_sign_and_a_role(cli: Terminal) -> None:
    code, said = fails(cli, "signoff", "tiny")
    assert code == 2 and "has no run yet" in said
    cli.says("extract", "tiny")
    code, said = fails(cli, "signoff", "tiny")
    assert code == 3 and "has not been checked" in said
    cli.says("map", "tiny")
    code, said = fails(cli, "signoff", "tiny", "--approve", "--by", "jane")
    assert code == 3 and "has not been checked" in said


def test_a_source_that_asks_for_nothing_may_be_signed_with_a_role(
    tiny_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = Terminal(tiny_project, capsys)
    assert cli.json("run", "tiny")["runs"][0]["release"] is not None
    code, said = fails(cli, "signoff", "tiny", "--approve", "--by", "jane")
    assert code == 2 and "in which role is it signed?" in said
    assert "approved by jane, data manager, on" in cli.says(
        "signoff", "tiny", "--approve", "--by", "jane", "--role", "data manager"
    )

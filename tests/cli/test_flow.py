"""What a DAG does can be done by hand with the same verbs; `--json` prints stable keys."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from oncoweave import content
from oncoweave.cli.demo import demo_sources
from oncoweave.cli.main import main
from oncoweave.project import Project


class Terminal:
    """Calls the command line in this process, in a project."""

    def __init__(self, project: Project, capture: pytest.CaptureFixture[str]) -> None:
        self.project = project
        self.capture = capture

    def code(self, *arguments: str | Path) -> int:
        """The exit code of a call."""
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        assert isinstance(left.value.code, int)
        return left.value.code

    def says(self, verb: str, *arguments: str | Path) -> str:
        """What a call that ends well prints."""
        self.capture.readouterr()
        project: list[str | Path] = [] if verb == "verify" else ["--project", self.project.root]
        code = self.code(verb, *arguments, *project)
        told = self.capture.readouterr()
        assert code == 0, told.err
        return told.out

    def json(self, verb: str, *arguments: str | Path) -> Any:
        """What it prints for a machine."""
        return json.loads(self.says(verb, *arguments, "--json"))


@pytest.fixture
def terminal(tiny_project: Project, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tiny_project, capsys)


def test_the_stages_by_hand_make_a_release_that_verifies(terminal: Terminal) -> None:
    extracted = terminal.json("extract", "tiny")
    assert extracted.keys() == {
        "source",
        "run_id",
        "delivery_date",
        "tables",
        "chain",
        "unclaimed",
        "left_out",
        "resources",
    }
    mapped = terminal.json("map", "tiny")
    assert {"ledger", "events", "persons", "unmapped", "unconfirmed_concepts"} <= mapped.keys()
    assert terminal.json("check", "tiny", "--run", extracted["run_id"][:8]).keys() >= {"verdict", "results"}
    published = terminal.json("publish", "tiny")
    assert published.keys() == {"source", "release"}
    assert terminal.json("verify", published["release"]) == {
        "release": published["release"], "whole": True, "findings": []
    }  # fmt: skip
    status = terminal.json("status")
    assert status.keys() == {"project", "sources"}
    (source,) = status["sources"]
    assert source.keys() == {
        "source", "runs", "last_run", "deliveries", "stages", "verdict", "approval", "decision", "releases", "current"
    }  # fmt: skip
    assert (source["last_run"], source["verdict"], source["runs"]) == (extracted["run_id"], "pass", 1)
    assert Path(published["release"]).name == source["current"]


def test_a_run_ends_with_a_recap_that_fits_a_hundred_columns(terminal: Terminal) -> None:
    recap = terminal.says("run", "tiny")
    assert [title for title in ("Rows", "Records per OMOP table", "Notes", "Releases") if title not in recap] == []
    assert "mapped + quarantined + excluded" in recap
    assert max(map(len, recap.splitlines()[:20])) <= 100
    again = terminal.json("run", "tiny")
    assert again.keys() == {"runs", "failures"}
    assert again["runs"][0]["repeated"] is True
    assert again["runs"][0]["persons"] == 6


def test_the_plan_and_the_ledger_are_explained(terminal: Terminal) -> None:
    plan = terminal.json("explain", "tiny", "findings")
    assert plan.keys() == {"source", "plan", "ledger"}
    assert plan["ledger"] == []
    terminal.says("extract", "tiny")
    terminal.says("map", "tiny")
    assert "findings.size_mm" in terminal.says("explain", "tiny", "findings")
    ledger = terminal.json("explain", "tiny", "findings")["ledger"]
    assert [entry["column"] for entry in ledger] == ["t", "size_mm", "nodes"]


def test_lint_tells_a_machine_every_problem(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.json("lint")["errors"] == 0
    mapping = terminal.project.source_folder("tiny") / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("date: surgery_date", "date: surgery_dat"))
    assert terminal.code("lint", "--json", "--project", terminal.project.root) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem.keys() == {"file", "line", "column", "code", "message", "help", "source", "severity"}
    assert "surgery_date" in problem["help"]


def test_the_schemas_are_written_into_the_project(terminal: Terminal) -> None:
    written = terminal.json("schema")["schemas"]
    assert {Path(path).name for path in written} == {
        "source.json",
        "mapping.json",
        "mapping_part.json",
        "corrections.json",
        "suite.json",
        "thresholds.json",
        "trends.json",
        "waivers.json",
    }
    assert all(json.loads(Path(path).read_text())["$schema"] for path in written)


def test_a_run_is_found_by_how_its_id_begins(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.says("extract", "tiny")
    assert terminal.code("map", "tiny", "--run", "zzz", "--project", terminal.project.root) == 2
    assert "no run begins with `zzz`" in capsys.readouterr().err


def test_a_changed_release_is_told_and_fails_with_code_5(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.says("run", "tiny")
    release = (terminal.project.releases / "tiny" / "current").resolve()
    table = release / "omop" / "person.parquet"
    table.chmod(0o640)
    table.write_bytes(table.read_bytes() + b" ")
    assert terminal.code("verify", release) == 5
    assert "omop/person.parquet: changed" in capsys.readouterr().err
    assert terminal.code("verify", release, "--json") == 5
    assert json.loads(capsys.readouterr().out)["whole"] is False


def test_a_delivery_belongs_to_one_source(terminal: Terminal, tmp_path: Path) -> None:
    assert terminal.code("run", "tiny", "tiny", "--delivery", tmp_path, "--project", terminal.project.root) == 2


def test_a_source_that_comes_along_without_its_vocabulary_is_warned_of_unless_it_was_asked_for(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = terminal.project.source_folder("tiny") / "mapping.yaml"
    mapping.write_text(re.sub("(?m)^vocabulary: .*$", "vocabulary: v5.0 01-JAN-99", mapping.read_text()))
    assert terminal.code("lint", "--project", terminal.project.root) == 2
    capsys.readouterr()
    shutil.copytree(content.standard() / "expectations", terminal.project.root / "expectations")
    monkeypatch.setattr("oncoweave.content.standard", lambda: terminal.project.root)
    (problem,) = terminal.json("lint")["problems"]
    assert (problem["severity"], problem["code"]) == ("warning", "vocabulary")
    assert "v5.0 01-JAN-99" in problem["message"] and "were not checked" in problem["message"]
    assert "vocab load" in problem["help"]
    assert terminal.code("lint", "tiny", "--project", terminal.project.root) == 2
    assert "error[vocabulary]" in capsys.readouterr().out


def test_the_demo_has_the_sources_that_can_be_fetched() -> None:
    assert demo_sources() == ["colon", "gbsg", "seer_breast"]

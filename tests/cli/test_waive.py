"""From a failing convention by hand to a release: look at the rows, waive or sign, publish. Keys stay on site."""

from __future__ import annotations

import getpass
import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from oncoweave.project import Project, RunFolder
from tests.cli.test_flow import Terminal
from tests.run.test_judge_again import CHECK, SUITE

CANARY = "Zyxomme-Quagga-1899"
TOMORROW, YESTERDAY = [(date.today() + timedelta(days=days)).isoformat() for days in (1, -1)]
"""A waiver that these tests make counts until tomorrow, for midnight may pass while they run."""


@pytest.fixture
def cli(tiny_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The tiny project with a convention that five of six persons fail, and a delivery in which a free text is marked."""
    monkeypatch.setattr(getpass, "getuser", lambda: "sam")
    monkeypatch.setenv("COLUMNS", "80")
    suites = tiny_project.root / "expectations" / "sources"
    suites.mkdir(parents=True)
    (suites / "tiny.yaml").write_text(SUITE)
    return Terminal(tiny_project, capsys)


def fails(cli: Terminal, *arguments: str) -> tuple[int, str]:
    """The exit code of a call, and all that it says."""
    cli.capture.readouterr()
    code = cli.code(*arguments, "--project", cli.project.root)
    said = cli.capture.readouterr()
    return code, said.out + said.err


def test_from_a_failing_convention_to_a_release(cli: Terminal) -> None:
    code, said = fails(cli, "run", "tiny")
    assert code == 3 and "1 convention check fails without a waiver" in said and "oncoweave waive tiny CHECK" in said

    code, said = fails(cli, "check", "tiny")
    first, counts, *_ = said.splitlines()
    assert code == 3 and first.endswith("did not pass: 1 open convention") and "not met" in counts
    assert f"  {CHECK}\n    5 of 6 rows fail. A registry of prostate cancer." in said
    assert f"oncoweave failing tiny {CHECK} --rows" in said
    assert max(len(line) for line in said.splitlines() if " " in line.strip() and not line.startswith("  =")) <= 80

    said = cli.says("failing", "tiny")
    assert "convention" in said and CHECK in said
    rows = json.loads(cli.says("failing", "tiny", CHECK, "--rows", "--json"))
    assert (rows["unexpected"], rows["kept"], len(rows["rows"])) == (5, 5, 5)
    assert {(row["table"], row["rule"], row["file"]) for row in rows["rows"]} == {
        ("person", "patients", "patients.csv")
    }
    delivered = next(cli.project.root.glob("deliveries/*/patients.csv")).read_text().splitlines()
    women_and_unknown = [number for number, line in enumerate(delivered[1:], 2) if ";M;" not in line]
    assert sorted(row["line"] for row in rows["rows"]) == [n for n in women_and_unknown if n <= 7]
    assert "2 of 5 rows shown; --most N shows more" in cli.says("failing", "tiny", CHECK, "--most", "2")

    for call, words in (
        (("site.men_onli",), f"did you mean `{CHECK}`?"),
        (("person.person_id.be_unique",), "does not fail: there is nothing to waive"),
    ):
        code, said = fails(cli, "waive", "tiny", *call, "--reason", "r", "--owner", "QA", "--until", TOMORROW)
        assert code == 2 and words in said
    code, said = fails(cli, "waive", "tiny", CHECK, "--reason", "r", "--owner", "QA", "--until", YESTERDAY)
    assert code == 2 and "has expired lets nothing pass" in said
    code, said = fails(
        cli, "waive", "tiny", CHECK, "--at-most", "120", "--reason", "r", "--owner", "Q", "--until", TOMORROW
    )
    assert code == 2 and "`at_most` cannot be written so" in said
    file = cli.project.source_folder("tiny") / "waivers.yaml"
    before = file.read_text()
    assert "site" not in before, "what was refused is not written"

    said = cli.says(
        "waive", "tiny", CHECK, "--reason", "asked for\nat the registry", "--owner", "QA", "--until", TOMORROW
    )
    assert re.search(r": passed, with [0-9]+ waived$", said.splitlines()[0])
    assert f"waived for at most 5 rows until {TOMORROW} by QA: asked for at the registry" in " ".join(said.split())
    added = file.read_text().removeprefix(before).splitlines()
    assert added[:3] == [f"  - check: {CHECK}", "    at_most: 5 rows", "    reason: asked for at the registry"]
    release = Path(json.loads(cli.says("publish", "tiny", "--json"))["release"])
    assert '"waiver": {' in (release / "manifest.json").read_text()


def test_what_a_sign_off_accepts_is_shown_first_and_listed(cli: Terminal) -> None:
    assert fails(cli, "run", "tiny")[0] == 3
    said = cli.says("signoff", "tiny")
    assert said.startswith("Open conventions") and CHECK in said and ": open failures" in said
    told = cli.json("signoff", "tiny", "--approve", "--role", "QA reviewer")
    assert told["accepts"] == told["approval"]["signoff"]["accepts"]
    assert [one["check"] for one in told["accepts"] if not one["waived"]] == [CHECK]
    recap = cli.says("run", "tiny")
    assert "accepting 1 failing convention check" in " ".join(recap.split()) and "Releases" in recap


def test_keys_of_failing_rows_and_values_leave_nothing_behind_them_but_the_quarantine(cli: Terminal) -> None:
    """Marked identifiers in the delivery, and the keys of the rows that fail, in all that a run and a release hold."""
    for path in cli.project.root.glob("deliveries/*/*.csv"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("P00", CANARY), encoding="utf-8")
    code, said = fails(cli, "run", "tiny")
    assert code == 3 and CHECK in said and CANARY not in said
    cli.says("waive", "tiny", CHECK, "--reason", "r", "--owner", "QA", "--until", TOMORROW)
    listed = cli.says("failing", "tiny", CHECK, "--rows")
    keys = {row["key"] for row in json.loads(cli.says("failing", "tiny", CHECK, "--json"))["rows"]}
    cli.says("publish", "tiny")
    assert CANARY not in listed and len(keys) == 5
    (record,) = cli.project.runs.glob("tiny/*/check.json")
    run = RunFolder(record.parent)
    kept = run.quarantine / "failing"
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600} and kept.stat().st_mode & 0o777 == 0o700
    written = [path for path in [*run.path.rglob("*"), *cli.project.releases.rglob("*")] if path.is_file()]
    told = {
        path: path.read_bytes() for path in written if path.suffix in (".json", ".html", ".yaml") or path.parent == kept
    }
    assert {path.suffix for path in told} == {".json", ".html", ".parquet"}
    for path, content in told.items():
        assert CANARY.encode() not in content, path
        if path.suffix != ".parquet":
            assert not [key for key in keys if str(key).encode() in content], path

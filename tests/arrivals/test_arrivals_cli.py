"""`oncoweave arrivals`: what is there, and why something is not taken."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result

from oncoweave.cli.arrivals import arrivals
from oncoweave.project import Project
from oncoweave.run import extract
from tests.arrivals.conftest import Send


def call(project: Project, *arguments: str) -> Result:
    return CliRunner().invoke(arrivals, [*arguments, "--project", str(project.root)], standalone_mode=False)


def test_it_lists_what_is_there_and_why_it_is_not_taken(project: Project, send: Send) -> None:
    assert "tiny: nothing has arrived yet" in call(project).output
    run = extract(project, "tiny", send("2024-01-31"))
    send("2024-02-29")
    send("2024-03-01", marker=False)
    (project.root / "inbox" / "backup").mkdir()
    lines = [line.split() for line in call(project, "tiny").output.splitlines()]
    assert any(line[:3] == ["2024-01-31", "taken", "2"] and run.run_id[:12] in line for line in lines)
    assert ["2024-02-29", "complete"] in [line[:2] for line in lines]
    assert any(line[:2] == ["2024-03-01", "waiting"] and "_READY" in line for line in lines)
    assert any(line[:2] == ["backup", "refused"] for line in lines)


def test_for_machines(project: Project, send: Send) -> None:
    send("2024-02-29")
    told = json.loads(call(project, "--json").output)
    (source,) = told["sources"]
    (one,) = source["arrived"]
    assert (source["source"], one["name"], one["day"], one["state"], one["files"]) == (
        "tiny",
        "2024-02-29",
        "2024-02-29",
        "complete",
        2,
    )


def test_a_folder_that_is_not_there_is_told_with_its_exit_code(project: Project) -> None:
    (project.root / "inbox").rmdir()
    found = call(project)
    assert found.return_value == 4
    assert "cannot be read: no such file or directory" in found.output


def test_without_arrivals_it_says_how(tiny_project: Project) -> None:
    assert "no source says where deliveries arrive (`arrival:` in source.yaml)" in call(tiny_project).output

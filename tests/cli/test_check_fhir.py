"""`oncoweave check SOURCE --fhir` judges every resource of a run by hand, and `oncoweave failing` names those that fail."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from oncoweave.project import Project
from tests.cli.test_flow import Terminal


@pytest.fixture
def terminal(tiny_project: Project, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """The tiny project, which asks for FHIR, mapped."""
    _ask(tiny_project, "base")
    calls = Terminal(tiny_project, capsys)
    calls.says("extract", "tiny")
    calls.says("map", "tiny")
    return calls


def _ask(project: Project, profiles: str) -> None:
    mapping = project.source_folder("tiny") / "mapping.yaml"
    text = re.sub(r"^fhir: .*\n", "", mapping.read_text(), flags=re.MULTILINE)
    mapping.write_text(
        re.sub(r"^(vocabulary: .*\n)", rf"\1fhir: {profiles}\n" if profiles else r"\1", text, flags=re.MULTILINE)
    )


def patients(project: Project) -> Path:
    """The file of the Patients of the only run."""
    (path,) = (project.runs / "tiny").glob("*/fhir/Patient.000.ndjson")
    return path


def test_every_resource_is_judged_and_a_spoilt_one_named_without_its_values(terminal: Terminal) -> None:
    said = terminal.says("check", "tiny", "--fhir")
    assert "FHIR R4, profiles `base`" in said
    assert re.search(r"Patient +6 +6 +0\n", said)
    assert re.search(r"\d+ resources validated, [\d,]+ a second", said)
    path = patients(terminal.project)
    lines = path.read_text().splitlines()
    patient = json.loads(lines[0])
    path.write_text("\n".join([json.dumps({**patient, "birthDate": "Mustermann"}), *lines[1:]]) + "\n")
    assert terminal.code("check", "tiny", "--fhir", "--project", terminal.project.root) == 3
    said = terminal.capture.readouterr().out
    assert "did not pass: 1 fatal" in said
    assert "mapping.fhir_invalid.Patient" in said
    assert "oncoweave failing tiny mapping.fhir_invalid.Patient" in said
    said = terminal.says("failing", "tiny", "mapping.fhir_invalid.Patient")
    assert patient["id"] in said
    assert "Patient.birthDate  no valid date" in said
    told = terminal.json("failing", "tiny", "mapping.fhir_invalid.Patient")
    assert told["resources"] == [
        {"type": "Patient", "id": patient["id"], "element": "Patient.birthDate", "problem": "no valid date"}
    ]
    pages = [page.read_text() for page in path.parent.parent.glob("*.html")]
    assert pages
    assert not any("Mustermann" in page or patient["id"] in page for page in pages)


def test_the_tables_are_not_judged_again_and_what_was_found_stays(terminal: Terminal) -> None:
    before = terminal.json("check", "tiny")["results"]
    after = terminal.json("check", "tiny", "--fhir")["results"]
    assert [r["check"] for r in after] == [r["check"] for r in before]
    changed = {r["expectation"] for r, old in zip(after, before, strict=True) if r != old}
    assert changed <= {"fhir_invalid"}
    assert terminal.json("check", "tiny")["results"] == after


def test_a_run_without_fhir_says_so_and_what_asks_for_it(
    tiny_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    _ask(tiny_project, "")
    calls = Terminal(tiny_project, capsys)
    calls.says("extract", "tiny")
    calls.says("map", "tiny")
    for _ in range(2):
        assert calls.code("check", "tiny", "--fhir", "--project", tiny_project.root) == 2
        assert "`fhir: base` in its mapping.yaml asks for it" in capsys.readouterr().err
        calls.says("check", "tiny")
    assert not [r for r in calls.json("check", "tiny")["results"] if r["expectation"].startswith("fhir_")]

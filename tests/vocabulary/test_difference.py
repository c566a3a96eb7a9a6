"""Two releases are compared by what the project names, with the codes and the events that a change touches."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from oncoweave.cli.main import cli
from oncoweave.compiler.concept_uses import Touched, Use, touched
from oncoweave.project import Project
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.bundle import open_release

BREAST, SURGERY, T2, REGIMEN = 4162253, 4301351, 1635562, 32531
EDITS = (
    ("CONCEPT", "Disorder,S,372137005,,", "Disorder,,372137005,U,"),
    ("CONCEPT", "4273629,", "4112853,Malignant tumor of breast,Condition,SNOMED,Disorder,S,254837009,,confirmed\n4273629,"),
    ("CONCEPT", "Surgical procedure,Procedure", "Surgical procedure,Observation"),
    ("CONCEPT", "UICC T2 Category", "UICC T2"),
    ("CONCEPT", "32531,Treatment Regimen,Episode,Episode,Treatment Episode,S,,,unconfirmed\n", ""),
    ("CONCEPT_RELATIONSHIP", "4162253,4162253,", "4162253,4112853,"),
    ("VOCABULARY", "tiny-1", "tiny-2"),
)  # fmt: skip


@pytest.fixture
def project(tiny_project: Project) -> Project:
    """The tiny project with a second release, in which some of its concepts changed."""
    place = tiny_project.root / "mappings" / "vocabulary"
    shutil.copytree(place / "tiny-1", place / "tiny-2")
    for table, old, new in EDITS:
        path = place / "tiny-2" / f"{table}.csv"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
    return tiny_project


def compared(project: Project, before: str = "tiny-1", after: str = "tiny-2") -> list[Touched]:
    return touched(project, open_release(project, before), open_release(project, after))


def test_every_change_is_told_once_with_what_it_was_and_is(project: Project) -> None:
    found = {(t.change.concept_id, t.change.what): (t.change.before, t.change.after) for t in compared(project)}
    breast = "4162253 |Primary malignant neoplasm of breast|"
    assert found == {
        (REGIMEN, "presence"): ("present", "absent"),
        (T2, "name"): ("AJCC/UICC T2 Category", "AJCC/UICC T2"),
        (BREAST, "standard"): ("S", ""),
        (BREAST, "validity"): ("", "U"),
        (BREAST, "target"): (breast, "4112853 |Malignant tumor of breast|"),
        (SURGERY, "domain"): ("Procedure", "Observation"),
    }


def test_release_compared_with_itself_has_no_change(project: Project) -> None:
    assert compared(project, "tiny-1", "tiny-1") == []


def test_change_names_the_codes_that_lead_to_the_concept(project: Project) -> None:
    uses = {t.change.concept_id: t.uses for t in compared(project)}
    assert uses[T2] == (Use("tiny", "concepts/t_category.csv", "T2"),)
    assert uses[BREAST] == (Use("tiny", "mapping.yaml", ""),)


def test_change_names_the_further_file_of_the_mapping_that_names_the_concept(project: Project) -> None:
    folder = project.source_folder("tiny")
    line = '  breast_cancer: "OMOP:4162253 |Primary malignant neoplasm of breast|"\n'
    main = (folder / "mapping.yaml").read_text(encoding="utf-8")
    assert line in main
    (folder / "mapping.yaml").write_text(main.replace(line, ""), encoding="utf-8")
    (folder / "mapping").mkdir()
    (folder / "mapping" / "shared.yaml").write_text(f"concepts:\n{line}", encoding="utf-8")
    uses = {t.change.concept_id: t.uses for t in compared(project)}
    assert uses[BREAST] == (Use("tiny", "mapping/shared.yaml", ""),)


def test_without_a_run_no_event_is_touched(project: Project) -> None:
    assert {tuple(t.events.items()) for t in compared(project)} == {()}


def test_change_tells_how_many_events_of_the_last_run_hold_the_concept(project: Project) -> None:
    run = extract(project, "tiny")
    record = map_stage(run, project)
    events = {t.change.concept_id: t.events for t in compared(project)}
    mapped = {entry.rule: entry.events for entry in record.ledger}
    assert events[BREAST] == {"tiny": mapped["diagnosis"]}
    assert events[SURGERY] == {"tiny": mapped["operation"]}
    assert events[REGIMEN] == {"tiny": mapped["course"]}
    assert events[T2] == {"tiny": 2}


def test_code_that_becomes_known_is_a_change_with_its_events(project: Project) -> None:
    folder = project.source_folder("tiny")
    mapping = folder / "mapping.yaml"
    text = mapping.read_text(encoding="utf-8").replace(
        "concept: breast_cancer", 'concept: {vocabulary: Tiny, code: "{t}"}'
    )
    mapping.write_text(text, encoding="utf-8")
    concepts = project.root / "mappings" / "vocabulary" / "tiny-2" / "CONCEPT.csv"
    with concepts.open("a", encoding="utf-8") as file:
        file.write("1999999909,Local code T2,Condition,Tiny,Local,,T2,,unconfirmed\n")
    map_stage(extract(project, "tiny"), project)
    (found,) = [t for t in compared(project) if t.change.concept_id == 1999999909]
    assert (found.change.what, found.change.before, found.change.after) == ("presence", "absent", "present")
    assert found.events == {"tiny": 2}


def test_command_line_tells_what_a_change_touches(project: Project) -> None:
    asked = ["vocab", "diff", "tiny-1", "tiny-2", "--project", str(project.root)]
    told = CliRunner().invoke(cli, asked, catch_exceptions=False).output
    assert "tiny/concepts/t_category.csv `T2`" in told
    assert "4 concepts of the project changed" in told
    tree = json.loads(CliRunner().invoke(cli, [*asked, "--json"], catch_exceptions=False).output)
    assert {change["change"]["what"] for change in tree["changes"]} >= {"target", "domain", "validity", "standard"}


def test_release_that_is_not_there_is_an_error(project: Project, tmp_path: Path) -> None:
    asked = ["vocab", "diff", "tiny-1", "tiny-3", "--project", str(project.root)]
    assert CliRunner().invoke(cli, asked).exit_code != 0


def test_the_starter_is_compared_by_the_name_that_it_is_listed_under(project: Project) -> None:
    where = ["--project", str(project.root)]
    listed = json.loads(CliRunner().invoke(cli, ["vocab", "list", "--json", *where], catch_exceptions=False).output)
    assert "starter" in {release["release"] for release in listed["releases"]}
    done = CliRunner().invoke(cli, ["vocab", "diff", "tiny-1", "starter", *where], catch_exceptions=False)
    assert done.exit_code == 0 and "Changes from tiny-1 to starter" in done.output
    shown = CliRunner().invoke(cli, ["vocab", "show", "8507", "--release", "starter", *where], catch_exceptions=False)
    assert "MALE" in shown.output

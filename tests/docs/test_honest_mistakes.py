"""A mapping author's honest mistakes in the tutorial's files: each message names the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoweave.lint import lint
from oncoweave.project import Project
from tests.docs.test_tutorial import BLOCK, TUTORIAL

SOURCE, MAPPING, SEX = "source.yaml", "mapping.yaml", "concepts/sex.csv"
WHERE = "where: vital = '2'"
MISTAKES = {
    "a rule's condition without its reason": (
        MAPPING,
        "    because: alive at last contact\n",
        "",
        "`because` says why",
    ),
    "equality as in other languages": (MAPPING, WHERE, "where: vital == '2'", "a single `=`"),
    "and as in other languages": (MAPPING, WHERE, "where: vital = '2' && sex = '1'", "write `and`"),
    "a text in double quotes": (MAPPING, WHERE, 'where: vital = "2"', "write a text as 'text'"),
    "a code compared with a number": (MAPPING, WHERE, "where: vital = 2", "compare with '2'"),
    "if as in other languages": (MAPPING, "convert(size, 'cm', 'mm')", "if(size > 2, size, 0)", "case when"),
    "an id without its label": (
        MAPPING,
        '"OMOP:4162253 |Primary malignant neoplasm of breast|"',
        "4162253",
        "id and label",
    ),
    "a unit by its sign": (MAPPING, '"OMOP:8588 |millimeter|"', "mm", "name it under `concepts:`"),
    "concept 0 chosen": (
        MAPPING,
        "concept: breast_cancer",
        'concept: "OMOP:0 |No matching concept|"',
        "{map: variables",
    ),
    "a concept map that is not there": (MAPPING, "{map: sex,", "{map: gender,", "concepts/gender.csv"),
    "a person's year as one text": (MAPPING, "{date: born}", "born", "{date: …"),
    "the vocabulary's folder for its release": (MAPPING, "starter-1", "starter", "`vocabulary: starter-1`"),
    "a tag for a list": (SOURCE, 'formats: ["%d.%m.%Y", "%m.%Y", "%Y"]', 'formats: "%Y"', '["%Y"]'),
    "two figures of a year without their century": (SOURCE, '"%m.%Y", "%Y"]', '"%y"]', "first_year: 1920"),
    "a field by its type alone": (SOURCE, "{type: code, header: Sex}", "code", "{type: …}"),
    "a concept map saved with semicolons": (SEX, ",", ";", "save the file with commas"),
    "a fact misspelt": (MAPPING, "  - fact: death", "  - fact: deth", "did you mean `death`?"),
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The tutorial's project, as its page leaves it."""
    for block in BLOCK.finditer(TUTORIAL):
        if block["path"]:
            path = tmp_path / block["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_text(encoding="utf-8") if block["end"] else ""
            path.write_text(before + block["text"], encoding="utf-8")
    return Project(tmp_path, tmp_path / "runs", tmp_path / "releases", tmp_path / "restricted")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_names_the_mend(project: Project, mistake: str) -> None:
    file, right, wrong, mend = MISTAKES[mistake]
    path = project.source_folder("uplands") / file
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    helps = [f"{problem.message}; {problem.help}" for problem in lint(project, "uplands")]
    assert [told for told in helps if mend in told] != [], helps


def test_an_example_whose_row_was_held_back_says_why(project: Project) -> None:
    path = project.source_folder("uplands") / SOURCE
    text = path.read_text(encoding="utf-8")
    diagnosed = 'header: Diagnosed, formats: ["%d.%m.%Y", "%m.%Y", "%Y"]'
    path.write_text(text.replace(diagnosed, 'header: Diagnosed, formats: ["%Y-%m-%d"]'), encoding="utf-8")
    helps = [problem.help for problem in lint(project, "uplands")]
    assert any("findings.t quarantined: diagnosed: not a date" in told for told in helps), helps


def test_a_table_that_names_its_person_by_another_field_is_told(project: Project) -> None:
    folder = project.source_folder("uplands")
    source = (folder / SOURCE).read_text(encoding="utf-8")
    more = (
        "  visits: {format: csv, files: v.csv, row: {fields: [visit]}, "
        "fields: {visit: {type: identifier}, on: {type: date, formats: ['%Y']}}}\n"
    )
    (folder / SOURCE).write_text(source + more, encoding="utf-8")
    rule = (
        "  - {fact: observation, name: seen, from: visits, concept: {map: sex, value: \"'1'\"}, date: on}\n\nexamples:"
    )
    mapping = (folder / MAPPING).read_text(encoding="utf-8")
    (folder / MAPPING).write_text(mapping.replace("examples:", rule), encoding="utf-8")
    told = [problem.message for problem in lint(project, "uplands") if problem.severity == "warning"]
    assert any("a row of `visits` tells its person by `visit`, a row of `patients` by `patient`" in t for t in told), (
        told
    )

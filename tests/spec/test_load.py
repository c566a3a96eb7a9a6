"""A good specification file becomes a model with its values converted, and its document beside it."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from oncoweave.errors import SpecError, UsageError
from oncoweave.project import Project
from oncoweave.spec.clinical import MeasurementRule
from oncoweave.spec.concept_map import load_concept_map
from oncoweave.spec.load import load_corrections, load_mapping, load_source, load_suite
from oncoweave.spec.one_file import pattern_fault
from oncoweave.spec.rule import MapRef
from oncoweave.spec.source import CsvTable

SOURCE = """\
version: 1
source: gbsg
title: 007
holder: NO
kind: trial
delivery: {by: folder, date: 2008-07-31, path: files}
tables:
  patients:
    format: csv
    files: p.csv
    delimiter: "\\t"
    skip_lines: 2
    row: {content: true}
    missing: ["", 99, NULL]
    fields:
      seen: {type: date, formats: ["%d.%m.%y", "%Y"], first_year: 1930}
"""
MAPPING = """\
version: 1
source: gbsg
vocabulary: starter-1
rules:
  - {fact: person, name: patients, from: patients, birth: {year: year(seen) - 50}}
  - fact: measurement
    name: findings
    from: patients
    date: seen
    columns:
      size: {concept: {map: size}, unit: millimetre, between: [0, 3.5e2]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "mappings" / "sources" / "gbsg"
    folder.mkdir(parents=True)
    (folder / "source.yaml").write_text(SOURCE, encoding="utf-8")
    (folder / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    return Project.at(tmp_path)


def test_text_is_kept_and_numbers_and_dates_are_converted(project: Project) -> None:
    source, document = load_source(project, "gbsg")
    table = source.tables["patients"]
    assert isinstance(table, CsvTable)
    assert (source.title, source.holder, source.delivery.date) == ("007", "NO", datetime.date(2008, 7, 31))
    assert (table.delimiter, table.skip_lines, table.row.content) == ("\t", 2, True)
    assert table.missing == ("", "99", "NULL")
    assert table.fields["seen"].first_year == 1930
    assert document.name == "mappings/sources/gbsg/source.yaml"


def test_a_rule_becomes_the_model_of_its_fact(project: Project) -> None:
    mapping, document = load_mapping(project, "gbsg")
    rule = mapping.rules[1]
    assert isinstance(rule, MeasurementRule)
    assert rule.from_ == "patients"
    assert rule.columns["size"].concept == MapRef(map="size")
    assert rule.columns["size"].between == (0.0, 350.0)
    assert document.place(("rules", 1, "columns", "size", "unit")) == (11, 42)


def test_corrections_are_none_unless_there_is_a_file(project: Project) -> None:
    assert load_corrections(project, "gbsg") is None
    file = project.source_folder("gbsg") / "corrections.yaml"
    file.write_text("version: 1\ncorrections:\n  - {table: p, where: id = 7, set: {age: 050}, because: letter}\n")
    loaded = load_corrections(project, "gbsg")
    assert loaded is not None
    assert loaded[0].corrections[0].set == {"age": "050"}


def test_an_unknown_source_names_the_nearest(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        load_source(project, "gbgs")
    assert caught.value.mend == "did you mean `gbsg`?"


def test_a_source_without_a_mapping_says_so(project: Project) -> None:
    (project.source_folder("gbsg") / "mapping.yaml").unlink()
    with pytest.raises(SpecError) as caught:
        load_mapping(project, "gbsg")
    assert caught.value.problems[0].code == "no-file"


def test_a_suite_keeps_its_parameters_as_text(tmp_path: Path) -> None:
    (tmp_path / "person.yaml").write_text(
        "version: 1\nsuite: person\ntable: person\nexpectations:\n"
        "  - expect: expect_column_values_to_be_in_set\n"
        "    parameters: {column: gender_concept_id, value_set: [8507, 8532, 0]}\n"
        "    severity: fatal\n    category: conformance\n    mostly: 0.99\n    why: only two sexes are standard\n",
        encoding="utf-8",
    )
    suite, _ = load_suite(tmp_path / "person.yaml", tmp_path)
    expectation = suite.expectations[0]
    assert expectation.parameters == {"column": "gender_concept_id", "value_set": ("8507", "8532", "0")}
    assert expectation.mostly == 0.99


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_concept_map_keeps_the_columns_of_a_site_and_the_lines_of_the_file(tmp_path: Path, mark: str) -> None:
    (tmp_path / "grade.csv").write_text(
        mark
        + "sourceCode,sourceName,ADD_INFO:term_el,mappingStatus,conceptId,conceptName,domainId,mappingType,comment\n"
        ' G1 ,"Grade 1,\nwell differentiated",ένα,APPROVED,4,Grade 1,Measurement,MAPS_TO,\n'
        "\n"
        "G1,x,,APPROVED,5,Other,Measurement,MAPS_TO,\n"
        "G9,unknown,,IGNORED,0,,,MAPS_TO,not graded\n",
        encoding="utf-8",
    )
    concept_map = load_concept_map(tmp_path / "grade.csv", tmp_path)
    assert concept_map.name == "grade"
    told = [(row.line, row.source_code, row.concept_id, row.status, row.comment) for row in concept_map.rows]
    assert told == [(2, "G1", 4, "APPROVED", ""), (5, "G1", 5, "APPROVED", ""), (6, "G9", 0, "IGNORED", "not graded")]


@pytest.mark.parametrize(
    "pattern", ["%d-%m-%Y", "%Y", "%Y-%m", "%m/%Y", "%d.%m.%y", "%Y%m%d", "%Y-%j", "%j%Y", "%d %b %Y", "%b %Y"]
)
def test_these_date_patterns_are_good(pattern: str) -> None:
    assert pattern_fault(pattern) is None

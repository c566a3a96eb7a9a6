"""What is wrong with a mapping is told at its place, with the mend, before anything is run or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oncoweave.compiler import compile_mapping, explain
from oncoweave.errors import DataError, SpecError
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from tests.map.workshop import SOURCE, Workshop

TABLES: dict[str, Any] = {
    "patients": "id,born,sex\n1,1950,F",
    "tumours": "id,tumour,seen,left,size,code,grade\n1,1,2015,,5,a,1",
}
CANCER = "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}\n"
SIZES = "- {fact: measurement, name: sizes, from: tumours, date: seen, concept: size, value: size, %s}\n"

FAULTS = [
    # rule, where the place begins, words of the message, words of the mend
    ("- {fact: condition, name: c, from: tumors, concept: size, start: seen}", "tumors", "no source table", "`tumours`"),
    ("- {fact: condition, name: c, from: tumours, concept: breast_cancr, start: seen}", "breast_cancr", "no concept", "`breast_cancer`"),
    ("- {fact: condition, name: c, from: tumours, concept: breast_cancer, start: sen}", "sen", "no field `sen`", "`seen`"),
    ("- {fact: condition, name: c, from: tumours, concept: {map: codez, value: code}, start: seen}", "codez", "no concept map", "`codes`"),
    ("- {fact: condition, name: c, from: tumours, concept: {map: codes, value: cod}, start: seen}", "cod}", "no field `cod`", "`code`"),
    ("- {fact: condition, name: c, from: tumours, concept: {map: codes}, start: seen}", "{map: codes}", "needs a value", "add `value:`"),
    ("- {fact: condition, name: c, from: tumours, concept: breast_cancer, start: size}", "size", "must be a date", "type: date"),
    ("- {fact: condition, name: c, from: tumours, concept: breast_cancer, start: seen, where: code = 1, because: x}", "code = 1", "`code` is text", "compare with '1'"),
    ("- {fact: condition, name: c, from: tumours, concept: breast_cancer, start: seen, where: code, because: x}", "code", "boolean", ""),
    ('- {fact: condition, name: c, from: tumours, concept: "OMOP:999 |X|", start: seen}', '"OMOP:999', "no concept 999", ""),
    ('- {fact: condition, name: c, from: tumours, concept: "OMOP:101", start: seen}', '"OMOP:101', "no label", "|Breast cancer|"),
    ('- {fact: condition, name: c, from: tumours, concept: "OMOP:101 |Cancer|", start: seen}', '"OMOP:101', "not called `Cancer`", "|Breast cancer|"),
    ('- {fact: condition, name: c, from: tumours, concept: "OMOP:103 |Old name of breast cancer|", start: seen}', '"OMOP:103', "not a valid standard", ""),
    ('- {fact: condition, name: c, from: tumours, concept: "OMOP:104 |Neoplastic disease|", start: seen}', '"OMOP:104', "not a valid standard", ""),
    ("- {fact: condition, name: c, from: tumours, concept: tamoxifen, start: seen}", "tamoxifen", "domain Drug", "fact: drug"),
    ("- {fact: observation, name: c, from: tumours, concept: breast_cancer, date: seen}", "breast_cancer", "domain Condition", "fact: condition"),
    ("- {fact: condition, name: c, from: tumours, concept: millimeter, start: seen}", "millimeter", "no clinical fact", ""),
    (SIZES % "unit: breast_cancer", "breast_cancer", "domain Condition", "Unit"),
    (SIZES % "modifies: cancer", "cancer", "no rule `cancer`", ""),
    (SIZES % "modifies: persons", "persons", "a person cannot be named", ""),
    (SIZES % "group: [idd]", "idd", "not a field", "`id`"),
    (SIZES % "order: [id]", "order", "for groups", "group:"),
    ("- {fact: measurement, name: m, from: tumours, date: seen, columns: {sise: {concept: size}}}", "sise", "not a field", "`size`"),
    ("- {fact: measurement, name: m, from: tumours, date: seen, columns: {grade: {concept: size, between: [1, 4]}}}", "between", "`grade` is text", "number"),
    ("- {fact: measurement, name: m, from: tumours, date: seen, concept: size, value: code, between: [1, 4]}", "between", "text", "number"),
    ("- {fact: measurement, name: m, from: tumours, date: seen, columns: {grade: {concept: size, unit: millimeter}}}", "unit", "`grade` is text", "number"),
    ("- {fact: death, name: d, from: tumours, date: seen}", "death", "several rows", "group: [id]"),
    ("- {fact: person, name: p, from: patients, birth: {date: born}}", "person", "second rule for person", ""),
    ("- {fact: person, name: p, from: tumours, birth: {date: seen}}", "person", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "place", "message", "mend"), FAULTS, ids=[str(n) for n in range(len(FAULTS))])
def test_a_fault_is_told_at_its_place_with_the_mend(
    workshop: Workshop, rule: str, place: str, message: str, mend: str
) -> None:
    workshop.concept_map("codes", ("a", 101))
    found = [p for p in workshop.problems(rule, **TABLES) if p.severity == "error"]
    path = workshop.project.root / found[0].file
    line = path.read_text(encoding="utf-8").splitlines()[found[0].line - 1]
    assert line[found[0].column - 1 :].startswith(place), (found[0], line)
    assert message in found[0].message and mend in found[0].help


def test_all_faults_are_told_at_once(workshop: Workshop) -> None:
    rules = "\n".join(rule for rule, *_ in FAULTS[0:1] + FAULTS[6:8]).replace("name: c", "name: c{}")
    found = workshop.problems(rules.replace("{}", "1", 1).replace("{}", "2", 1).replace("{}", "3", 1), **TABLES)
    assert len([p for p in found if p.severity == "error"]) == 3


def test_a_circle_is_told_once(workshop: Workshop) -> None:
    place, message, _ = workshop.problem(
        "- {fact: condition, name: a, from: tumours, concept: breast_cancer, start: seen, modifies: b}\n"
        "- {fact: condition, name: b, from: tumours, concept: breast_cancer, start: seen, modifies: a}\n",
        **TABLES,
    )
    assert "leads back to it" in message and place.startswith("b}")


def test_a_person_rule_over_several_rows_needs_a_group(workshop: Workshop) -> None:
    _, message, mend = workshop.problem(
        CANCER,
        persons="- {fact: person, name: persons, from: tumours, birth: {date: seen}}\n",
        tumours=TABLES["tumours"],
    )
    assert "several rows" in message and mend == "add `group: [id]`"


def test_an_approved_row_of_a_concept_map_is_checked_and_others_are_not(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("a", 101), ("b", 103), ("c", 999, "UNCHECKED"), ("d", 8588), ("e", 0))
    rules = "- {fact: condition, name: c, from: tumours, concept: {map: codes, value: code}, start: seen}"
    found = [p for p in workshop.problems(rules, **TABLES) if p.severity == "error"]
    assert [(Path(p.file).name, p.line) for p in found] == [("codes.csv", 3), ("codes.csv", 5)]


def test_a_field_that_is_neither_mapped_nor_ignored_is_a_warning(workshop: Workshop) -> None:
    found = workshop.problems(CANCER, mapping="ignored: {sex: not needed, left: open}", **TABLES)
    message = "fields of `tumours` are neither mapped nor ignored: `size`, `code`, `grade`"
    assert [(p.severity, p.message) for p in found] == [("warning", message)]
    assert workshop.map(CANCER, **TABLES).record.warnings


def test_an_ignored_field_must_exist(workshop: Workshop) -> None:
    place, message, mend = workshop.problem(CANCER, mapping="ignored: {sexx: not needed}", **TABLES)
    assert place.startswith("sexx") and "not a declared field" in message and "`sex`" in mend


def test_a_mapping_with_errors_writes_nothing(workshop: Workshop) -> None:
    workshop.write("- {fact: condition, name: c, from: tumours, concept: nothing, start: seen}", **TABLES)
    run = extract(workshop.project, SOURCE)
    before = sorted(run.path.rglob("*"))
    with pytest.raises(SpecError) as caught:
        map_stage(run, workshop.project)
    assert caught.value.exit_code == 2 and caught.value.problems
    assert sorted(run.path.rglob("*")) == before


def test_compiling_reads_no_data_and_writes_no_file(workshop: Workshop) -> None:
    workshop.write(CANCER, **TABLES)
    for path in (workshop.project.root / "delivery").iterdir():
        path.unlink()
    before = sorted(workshop.project.root.rglob("*"))
    plan, _ = compile_mapping(workshop.project, SOURCE)
    assert [rule.name for rule in plan.rules] == ["persons", "cancer"]
    assert sorted(workshop.project.root.rglob("*")) == before


def test_the_same_specification_gives_the_same_plan(workshop: Workshop) -> None:
    workshop.write(CANCER, **TABLES)
    hashes = {compile_mapping(workshop.project, SOURCE)[0].sha256 for _ in range(3)}
    workshop.write(CANCER.replace("seen", "left"), **TABLES)
    assert len(hashes) == 1 and compile_mapping(workshop.project, SOURCE)[0].sha256 not in hashes


def test_the_plan_explains_itself(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("a", 101), ("b", 0))
    rules = (
        CANCER
        + "- {fact: measurement, name: findings, from: tumours, modifies: cancer, date: seen, where: size > 0, because: none, columns: {code: {concept: {map: codes}}}}"
    )
    workshop.write(rules, **TABLES)
    text = explain(workshop.project, SOURCE)
    for words in (
        "cancer",
        "-> condition_occurrence",
        "else excluded: none",
        "modifies: cancer",
        "1 without approved target",
    ):
        assert words in text
    assert "SELECT" not in text
    one = explain(workshop.project, SOURCE, "cancer", sql=True)
    assert "SELECT" in one and "findings" not in one


CORRECTION = "- {table: tumours, where: code = 'a', set: {code: b}, because: told by phone}"


def test_a_correction_replaces_the_text_before_the_rules_read_it(workshop: Workshop) -> None:
    workshop.concept_map("codes", ("b", 203))
    made = workshop.map(
        "- {fact: measurement, name: m, from: tumours, date: seen, columns: {code: {concept: {map: codes}}}}",
        corrections=CORRECTION,
        **TABLES,
    )
    assert made.rows("measurement", "measurement_concept_id", "measurement_source_value") == [(203, "b")]
    assert made.record.corrections == 1


@pytest.mark.parametrize("text", ['""', '"99"', '" 99 "'])
def test_a_correction_can_empty_a_field(workshop: Workshop, text: str) -> None:
    made = workshop.map(
        "- {fact: measurement, name: m, from: tumours, date: seen, columns: {nodes: {concept: nodes}}}",
        corrections=f"- {{table: tumours, where: nodes = 7, set: {{nodes: {text}}}, because: told by phone}}",
        patients=TABLES["patients"],
        tumours="id,tumour,seen,nodes\n1,1,2015,7",
    )
    assert made.reasons("m", "nodes") == {"excluded: empty": 1}


@pytest.mark.parametrize("where", ["code = 'zzz'", "grade = '1' or code = 'b'"])
def test_a_correction_that_matches_other_rows_than_it_says_stops_the_run(workshop: Workshop, where: str) -> None:
    workshop.write(
        CANCER,
        corrections=CORRECTION.replace("code = 'a'", where)
        + "\n- {table: tumours, where: grade = '1', set: {code: b}, because: x}",
        patients=TABLES["patients"],
        tumours=TABLES["tumours"] + "\n1,2,2015,,5,b,1",
    )
    run = extract(workshop.project, SOURCE)
    with pytest.raises(DataError, match="matches") as caught:
        map_stage(run, workshop.project)
    assert caught.value.exit_code == 3
    assert not (run.path / "map.json").exists() and not run.tables.exists()


def test_a_correction_of_a_table_that_no_rule_reads_is_checked_too(workshop: Workshop) -> None:
    workshop.write("", corrections=CORRECTION.replace("'a'", "'zzz'"), **TABLES)
    run = extract(workshop.project, SOURCE)
    with pytest.raises(DataError, match="matches 0 rows"):
        map_stage(run, workshop.project)


@pytest.mark.parametrize(
    ("correction", "place", "message"),
    [
        (CORRECTION.replace("tumours", "tumors"), "tumors", "no source table"),
        (CORRECTION.replace("set: {code", "set: {cod"), "cod:", "not a field"),
        (CORRECTION.replace("code = ", "cod = "), "cod =", "no field"),
        (CORRECTION.replace("code = 'a'", "code = 1"), "code = 1", "text"),
    ],
)
def test_a_faulty_correction_is_told_at_its_place(
    workshop: Workshop, correction: str, place: str, message: str
) -> None:
    text, told, _ = workshop.problem(CANCER, corrections=correction, **TABLES)
    assert text.startswith(place) and message in told

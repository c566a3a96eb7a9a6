"""Suites are what a reviewer edits: a fault in one is told with its line, and an edit takes effect at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoweave import content
from oncoweave.errors import SpecError
from oncoweave.quality.compilation import checks, lint_suites
from oncoweave.quality.conditions import query
from oncoweave.quality.definitions import CATALOGUE, MODEL
from oncoweave.records import ExpectationResult
from oncoweave.stages.check import check_tables
from tests.quality.small_cdm import DELIVERY, Cdm, failing

HEAD = "version: 1\nsuite: {suite}\ntable: {table}\nexpectations:\n"
REST = "    severity: fatal\n    category: conformance\n    why: because\n"


def site_suite(cdm: Cdm, expectation: str, *, name: str = "site", table: str = "person", rest: str = REST) -> Path:
    """A suite of the site with one expectation."""
    path = cdm.project.root / "expectations" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD.format(suite=path.stem, table=table) + f"  - {expectation}\n" + rest, encoding="utf-8")
    return path


def test_the_standard_suites_have_no_problem(cdm: Cdm) -> None:
    assert lint_suites(cdm.project, cdm.run.source) == []


def test_every_target_table_has_a_suite_of_its_name(cdm: Cdm) -> None:
    planned = checks(cdm.project, cdm.run.source)
    assert {check.table.name for check in planned if check.suite == check.table.name} == {
        "person", "observation_period", "condition_occurrence", "drug_exposure", "procedure_occurrence", "measurement",
            "visit_occurrence", "visit_detail", "device_exposure",
        "observation", "death", "episode", "episode_event", "cdm_source", "note", "specimen", "metadata", "location", "care_site", "provider",
        "condition_era", "drug_era", "dose_era", "fact_relationship",
    }  # fmt: skip


def test_every_expectation_and_parameter_is_described() -> None:
    for definition in CATALOGUE.values():
        assert definition.doc.endswith(".")
        assert all(parameter.doc.endswith(".") for parameter in definition.parameters.values())


def test_every_why_is_a_sentence(cdm: Cdm) -> None:
    for check in checks(cdm.project, cdm.run.source):
        assert check.spec.why.endswith("."), check.id


def test_the_required_fields_of_the_model_are_checked(cdm: Cdm) -> None:
    planned = checks(cdm.project, cdm.run.source)
    filled = {(c.table.name, c.column) for c in planned if c.spec.expect == "expect_column_values_to_not_be_null"}
    tables = {check.table.name: check.table for check in planned}
    assert {(t.name, f.name) for t in tables.values() for f in t.fields if f.required} <= filled


@pytest.mark.parametrize(
    ("expectation", "line", "message", "mend"),
    [
        (
            "expect: expect_column_values_to_be_uniqe",
            5,
            "there is no expectation",
            "`expect_column_values_to_be_unique`",
        ),
        (
            "expect: expect_column_values_to_be_unique\n    parameters:\n      colum: person_id",
            7,
            "has no parameter `colum`",
            "`column`",
        ),
        (
            "expect: expect_column_values_to_be_unique\n    parameters: {column: persn_id}",
            6,
            "there is no field `persn_id`",
            "`person_id`",
        ),
        ("expect: expect_column_values_to_be_unique", 5, "needs the parameter `column`", "The target field."),
        (
            "expect: expect_column_values_to_be_between\n    parameters: {column: year_of_birth, min_value: soon}",
            6,
            "`soon` is not a value of INTEGER",
            "Lowest value.",
        ),
        (
            "expect: expect_column_values_to_reference\n    parameters: {column: person_id, table: deth, field: person_id}",
            6,
            "there is no table `deth`",
            "`death`",
        ),
        (
            "expect: expect_column_values_to_reference\n    parameters: {column: person_id, table: death, field: id}",
            6,
            "there is no field `id`",
            "",
        ),
        (
            "expect: expect_column_values_to_be_in_set\n    parameters: {column: person_id, value_set: 1}",
            6,
            "a list is needed",
            "The values.",
        ),
        ("expect: expect_columns_of_the_model\n    mostly: 0.5", 6, "takes no `mostly`", "leave it out"),
    ],
)
def test_a_wrong_suite_is_told_with_its_line_before_any_data_is_read(
    cdm: Cdm, expectation: str, line: int, message: str, mend: str
) -> None:
    site_suite(cdm, expectation)
    problems = lint_suites(cdm.project, cdm.run.source)
    assert [(p.file, p.line) for p in problems if message in p.message] == [("expectations/site.yaml", line)]
    assert any(mend in p.help for p in problems)
    with pytest.raises(SpecError) as error:
        checks(cdm.project, cdm.run.source)
    assert list(error.value.problems) == problems


def test_an_unknown_table_is_told_with_the_nearest_name(cdm: Cdm) -> None:
    site_suite(cdm, "expect: expect_columns_of_the_model", table="persons")
    (problem,) = lint_suites(cdm.project, cdm.run.source)
    assert (problem.line, problem.help) == (3, "did you mean `person`?")


def test_a_syntax_fault_of_one_suite_does_not_hide_that_of_another(cdm: Cdm) -> None:
    site_suite(cdm, "expect: expect_nothing", name="one")
    site_suite(cdm, "expect: expect_columns_of_the_model", name="two", rest="    why: x\n")
    assert {p.file for p in lint_suites(cdm.project, "registry")} == {"expectations/one.yaml", "expectations/two.yaml"}


def test_two_suites_of_one_name_are_refused(cdm: Cdm) -> None:
    path = site_suite(cdm, "expect: expect_columns_of_the_model", name="another")
    path.write_text(path.read_text().replace("suite: another", "suite: person"))
    (problem,) = lint_suites(cdm.project, cdm.run.source)
    assert "the suite `person` is also in" in problem.message


@pytest.mark.parametrize("name", ["coverage", "source", "dqd"])
def test_a_suite_that_would_hide_another_file_of_the_results_is_refused(cdm: Cdm, name: str) -> None:
    site_suite(cdm, "expect: expect_columns_of_the_model", name=name)
    (problem,) = lint_suites(cdm.project, cdm.run.source)
    assert f"`{name}` is the name of another file" in problem.message


def test_a_site_s_file_of_the_same_name_replaces_the_standard_one(cdm: Cdm) -> None:
    site_suite(cdm, "expect: expect_columns_of_the_model", name="person")
    planned = checks(cdm.project, cdm.run.source)
    assert [c.spec.expect for c in planned if c.suite == "person"] == ["expect_columns_of_the_model"]
    assert any(c.suite == "measurement" for c in planned)


def test_a_suite_of_the_source_adds_to_the_standard_ones(cdm: Cdm) -> None:
    name = f"sources/{cdm.run.source}/women_only"
    text = "expect: expect_column_values_to_be_in_set\n    parameters: {column: gender_concept_id, value_set: [8532]}"
    site_suite(cdm, text, name=name)
    assert len(checks(cdm.project, cdm.run.source)) == len(checks(cdm.project, "another")) + 1
    cdm.plant("UPDATE person SET gender_concept_id = 0 WHERE person_id = 2")
    results = _check_now(cdm, "women_only")
    assert [(r.success, r.evaluated, r.unexpected) for r in results] == [(False, 2, 1)]


def test_an_edited_suite_takes_effect_without_python(cdm: Cdm) -> None:
    standard = (content.standard() / "expectations" / "death.yaml").read_text(encoding="utf-8")
    cdm.plant("UPDATE death SET death_date = '1940-01-01'")
    before = {
        r.severity
        for r in _check_now(cdm, "death")
        if r.expectation == "expect_dates_not_before_birth" and not r.success
    }
    assert before == {"convention"}

    head, check, tail = standard.partition("  - expect: expect_dates_not_before_birth")
    edited = head + check + tail.replace("severity: convention", "severity: fatal", 1)
    own = cdm.project.root / "expectations" / "death.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(edited, encoding="utf-8")
    assert ("death", "expect_dates_not_before_birth", "death_date", "fatal") in failing(_check_now(cdm, "death"))

    tolerant = edited.replace(
        "    severity: fatal\n    category: plausibility",
        "    mostly: 0\n    severity: fatal\n    category: plausibility",
    )
    own.write_text(tolerant, encoding="utf-8")
    assert not any(r[1] == "expect_dates_not_before_birth" for r in failing(_check_now(cdm, "death")))


def test_the_catalogue_says_what_great_expectations_takes(cdm: Cdm) -> None:
    from oncoweave.quality.validation import expectation_class

    for definition in CATALOGUE.values():
        if definition.sql is None and definition is not MODEL:
            taken = expectation_class(definition.name).__fields__
            assert set(definition.parameters) <= set(taken), definition.name
            assert ("mostly" in taken) == definition.mostly, definition.name


def test_a_text_with_quotes_and_braces_stays_a_literal(cdm: Cdm) -> None:
    text = 'expect: expect_concepts_to_be_in_domain\n    parameters: {column: gender_concept_id, domains: ["O\'Brien {batch}"]}'
    site_suite(cdm, text)
    check = next(c for c in checks(cdm.project, cdm.run.source) if c.suite == "site")
    assert "'O''Brien {{batch}}'" in str(query(check))
    (result,) = _check_now(cdm, "site")
    assert (result.success, result.error, result.unexpected) == (False, None, 2)


def _check_now(cdm: Cdm, suite: str) -> list[ExpectationResult]:
    """The results of one suite, as its file is now."""
    cdm.write()
    planned = [check for check in checks(cdm.project, cdm.run.source) if check.suite == suite]
    return check_tables(cdm.run, planned, cdm.concepts, DELIVERY)


@pytest.mark.parametrize(
    ("parameters", "unexpected"),
    [
        ("expect_column_values_to_match_regex\n    parameters: {column: condition_source_value, regex: C50}", 0),
        ("expect_column_values_to_match_regex\n    parameters: {column: condition_source_value, regex: ^C50}", 1),
        ("expect_column_values_to_be_in_set\n    parameters: {column: condition_source_value, value_set: [C50]}", 1),
        (
            "expect_column_values_to_be_between\n    parameters: {column: condition_start_date, min_value: 2000-03-01}",
            1,
        ),
        (
            "expect_column_values_to_be_between\n    parameters: {column: person_id, max_value: 2, strict_max: 'true'}",
            1,
        ),
    ],
)
def test_parameters_are_read_as_the_type_of_the_field(cdm: Cdm, parameters: str, unexpected: int) -> None:
    site_suite(cdm, f"expect: {parameters}", table="condition_occurrence")
    (result,) = _check_now(cdm, "site")
    assert (result.error, result.evaluated, result.unexpected) == (None, 2, unexpected)


def test_a_check_is_known_by_suite_field_and_what_must_hold(cdm: Cdm) -> None:
    ids = [check.id for check in checks(cdm.project, cdm.run.source)]
    assert len(ids) == len(set(ids))
    assert {"person.year_of_birth.be_between", "person.columns_of_the_model", "person.location_id.reference"} <= set(
        ids
    )

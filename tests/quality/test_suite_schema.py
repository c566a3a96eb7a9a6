"""The schema of a suite says while one types what the compiler would say later, and nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

from oncoweave import content
from oncoweave.project import Project
from oncoweave.quality.definitions import CATALOGUE
from oncoweave.quality.suite_schema import suite_schema
from oncoweave.spec.schema import json_schema

ENTRY = {"severity": "fatal", "category": "conformance", "why": "Because."}


@cache
def validator() -> Any:
    schema = suite_schema(json_schema("suite"))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def errors(expect: str, parameters: dict[str, object], table: str = "measurement", **more: object) -> list[str]:
    """What an editor marks, as place: message."""
    entry = {"expect": expect, "parameters": parameters, **ENTRY, **more}
    suite = {"version": 1, "suite": "s", "table": table, "expectations": [entry]}
    return ["/".join(map(str, e.absolute_path)) + ": " + e.message for e in validator().iter_errors(suite)]


def test_the_standard_suites_are_what_the_schema_says() -> None:
    for path in content.suites(Project.at(content.standard()), "registry"):
        found = [e.message for e in validator().iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))]
        assert found == [], path.name


@pytest.mark.parametrize(
    ("expect", "parameters", "more", "told"),
    [
        ("expect_column_values_to_be_uniqe", {"column": "person_id"}, {}, "is not one of"),
        ("expect_column_values_to_be_unique", {"colum": "person_id"}, {}, "'colum' was unexpected"),
        ("expect_column_values_to_be_unique", {}, {}, "'column' is a required property"),
        ("expect_column_values_to_be_unique", {"column": "persn_id"}, {}, "'persn_id' is not one of"),
        ("expect_columns_in_order", {"first": "x", "last": "measurement_date"}, {}, "'x' is not one of"),
        ("expect_compound_columns_to_be_unique", {"column_list": ["x"]}, {}, "'x' is not one of"),
        ("expect_column_values_to_be_in_set", {"column": "person_id", "value_set": 1}, {}, "is not of type 'array'"),
        ("expect_column_values_to_be_in_set", {"column": "person_id", "value_set": []}, {}, "[] "),
        ("expect_column_values_to_reference", {"column": "person_id", "table": "deth", "field": "x"}, {}, "'deth' is not"),
        ("expect_table_row_count_to_equal", {"value": "one"}, {}, "'one' does not match"),
        ("expect_table_row_count_to_equal", {"value": 1}, {"mostly": 0.5}, "should not be valid"),
        ("expect_columns_of_the_model", {}, {"where": "true"}, "should not be valid"),
        ("expect_column_max_to_be_between", {"column": "value_as_number"}, {}, "'value_as_number' is not one of"),
        ("expect_column_values_to_be_unique", {"column": "person_id"}, {"severity": "bad"}, "'bad' is not one of"),
        ("expect_column_values_to_be_unique", {"column": "person_id"}, {"sevrity": "fatal"}, "'sevrity' was unexpected"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_marked_while_it_is_typed(
    expect: str, parameters: dict[str, object], more: dict[str, Any], told: str
) -> None:
    found = errors(expect, parameters, **more)
    assert found, "nothing is marked"
    assert any(told in one for one in found), found


def test_fields_are_those_of_the_suite_s_table() -> None:
    assert errors("expect_column_values_to_be_unique", {"column": "episode_id"}, table="episode") == []
    assert errors("expect_column_values_to_be_unique", {"column": "episode_id"}, table="person") != []


def test_each_expectation_is_offered_with_what_it_means() -> None:
    schema = suite_schema(json_schema("suite"))
    offered = schema["$defs"]["ExpectationSpec"]["properties"]["expect"]
    assert dict(zip(offered["enum"], offered["enumDescriptions"], strict=True)) == {
        d.name: d.doc for d in CATALOGUE.values()
    }

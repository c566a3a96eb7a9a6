"""The JSON Schemas accept what we read, refuse what we refuse, and describe every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import jsonschema  # type: ignore[import-untyped]
import pytest

from oncoweave.spec.schema import MODELS, Language, json_schema, write_schemas

LANGUAGES = list(MODELS)
GOOD_SOURCE: dict[str, Any] = {
    "version": 1, "source": "gbsg", "title": 7, "holder": "GBSG", "kind": "trial",
    "delivery": {"by": "folder", "date": "2008-07-31", "path": "files"},
    "tables": {
        "patients": {
            "format": "csv", "files": "p.csv", "row": {"fields": ["id"]}, "missing": ["", 99, True],
            "fields": {"size": {"type": "number", "decimal": ","}},
        }
    },
}  # fmt: skip
GOOD_MAPPING: dict[str, Any] = {
    "version": 1, "source": "gbsg", "vocabulary": "starter-1",
    "rules": [
        {"fact": "person", "name": "p", "from": "patients", "birth": {"year": 1950}},
        {"fact": "measurement", "name": "m", "from": "patients", "date": "d",
         "columns": {"size": {"concept": {"map": "size"}, "between": [0, 300]}}},
        {"fact": "condition", "name": "c", "from": "patients", "start": "d", "concept": {"vocabulary": "ICD10", "code": "C50"}},
    ],
}  # fmt: skip


def errors(language: Language, instance: object) -> list[str]:
    validator = jsonschema.Draft7Validator(json_schema(language))
    return ["/".join(map(str, error.absolute_path)) + ": " + error.message for error in validator.iter_errors(instance)]


def changed(instance: dict[str, Any], path: list[str | int], value: object) -> dict[str, Any]:
    copy = json.loads(json.dumps(instance))
    here = copy
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return cast(dict[str, Any], copy)


def keys_with_descriptions(node: object) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, dict):
        for name, child in node.get("properties", {}).items():
            if set(child) != {"const"}:
                yield name, child.get("description")
        for child in node.values():
            yield from keys_with_descriptions(child)
    if isinstance(node, list):
        for child in node:
            yield from keys_with_descriptions(child)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_schema_is_valid_draft_7(language: Language) -> None:
    jsonschema.Draft7Validator.check_schema(json_schema(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_has_a_description(language: Language) -> None:
    assert [name for name, text in keys_with_descriptions(json_schema(language)) if not text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_titles_or_class_names_reach_the_hover_text(language: Language) -> None:
    schema = json_schema(language)
    parts = cast(dict[str, dict[str, object]], schema.pop("$defs"))
    schema.pop("title")
    assert not [name for name, part in parts.items() if {"title", "description"} & set(part)]


def test_what_we_read_is_accepted() -> None:
    assert errors("source", GOOD_SOURCE) == []
    assert errors("mapping", GOOD_MAPPING) == []


@pytest.mark.parametrize(
    ("path", "value", "phrase"),
    [
        (["titel"], "x", "'titel' was unexpected"),
        (["delivery", "by"], "weel", "'weel' is not one of ['database', 'download', 'folder', 'wheel']"),
        (["tables", "patients", "format"], "cvs", "'cvs' is not one of"),
        (["tables", "patients", "delimitr"], ";", "'delimitr' was unexpected"),
        (["tables", "T 1"], {}, "'T 1'"),
        (["kind"], "trail", "'trail' is not one of"),
    ],
)
def test_a_wrong_source_gets_one_complaint(path: list[str | int], value: object, phrase: str) -> None:
    found = errors("source", changed(GOOD_SOURCE, path, value))
    assert len(found) == 1
    assert phrase in found[0]


@pytest.mark.parametrize(
    ("path", "value", "phrase"),
    [
        (["rules", 0, "gendr"], "x", "'gendr' was unexpected"),
        (["rules", 0, "fact"], "persn", "'persn' is not one of"),
        (["rules", 0, "birth"], "x", "rules/0/birth"),
        (["rules", 1, "columns", "size", "between"], [1], "rules/1/columns/size/between"),
        (["rules", 2, "concept"], {"mapp": "x"}, "rules/2/concept"),
        (["rules", 2, "concept"], {"map": "x", "valu": "y"}, "'valu' was unexpected"),
        (["rules", 2, "concept"], {"vocabulary": "ICD10"}, "'code' is a required property"),
        (["rules", 2, "concept"], ["x"], "rules/2/concept"),
    ],
)
def test_a_wrong_mapping_gets_one_complaint(path: list[str | int], value: object, phrase: str) -> None:
    found = errors("mapping", changed(GOOD_MAPPING, path, value))
    assert len(found) == 1
    assert phrase in found[0]


def test_a_further_file_of_a_mapping_holds_some_of_its_keys_and_needs_none() -> None:
    assert errors("mapping_part", {"rules": GOOD_MAPPING["rules"]}) == []
    assert errors("mapping_part", {"vocabulary": "starter-1"}) != []


def test_the_written_schemas_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    first = write_schemas(tmp_path / "a")
    second = write_schemas(tmp_path / "b")
    assert [path.name for path in first] == [
        "source.json",
        "mapping.json",
        "mapping_part.json",
        "corrections.json",
        "suite.json",
        "waivers.json",
        "thresholds.json",
        "trends.json",
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]

"""JSON Schemas of the specification languages, made from the models, for the YAML editor.

Editors follow draft 7 best, and show the description beside the key: so titles and class docstrings go,
a map is discriminated by its `fact`, `format` or `by`, and a text may be written like a number.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping as Map
from pathlib import Path
from typing import Any, Literal

from oncoweave.spec.corrections import Corrections
from oncoweave.spec.language import Spec
from oncoweave.spec.mapping import Mapping
from oncoweave.spec.mapping_files import LISTS, MAPS
from oncoweave.spec.source import Source
from oncoweave.spec.suite import Suite
from oncoweave.spec.thresholds import Thresholds
from oncoweave.spec.trends import Trends
from oncoweave.spec.waivers import Waivers

Language = Literal["source", "mapping", "mapping_part", "corrections", "suite", "waivers", "thresholds", "trends"]
Schema = dict[str, Any]
Refined = Map[Language, Callable[[Schema], Schema]]
MODELS: dict[Language, type[Spec]] = {
    "source": Source, "mapping": Mapping, "mapping_part": Mapping, "corrections": Corrections, "suite": Suite,
    "waivers": Waivers,
    "thresholds": Thresholds,
    "trends": Trends,
}  # fmt: skip
DRAFT = "http://json-schema.org/draft-07/schema#"


def json_schema(language: Language) -> dict[str, object]:
    """The JSON Schema (draft 7) of a language."""
    schema = MODELS[language].model_json_schema(by_alias=True)
    parts = schema.pop("$defs", {})
    definitions = {name: _for_editors(part, parts) for name, part in parts.items()}
    for part in definitions.values():
        part.pop("description", None)
    whole = _for_editors(schema, parts)
    if language == "mapping_part":  # a further file of a mapping: some of its keys, none of them required
        keys = {key: whole["properties"][key] for key in (*MAPS, *LISTS)}
        whole = {**{key: value for key, value in whole.items() if key != "required"}, "properties": keys}
    return {"$schema": DRAFT, "title": f"{language}.yaml", **whole, "$defs": definitions}


def write_schemas(folder: Path, refined: Refined | None = None) -> list[Path]:
    """Write source.json, mapping.json, mapping_part.json (for mapping/*.yaml), corrections.json suite.json and so on into a folder;
    returns their paths. `refined` completes the schema of a language with what its models do not know.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for language in MODELS:
        path = folder / f"{language}.json"
        whole = (refined or {}).get(language, dict)(json_schema(language))
        text = json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _for_editors(node: Schema, parts: Schema) -> Schema:
    """A schema node, and all below it, as editors need it."""
    below = {key: value for key, value in node.items() if key != "title"}
    for key in ("properties", "patternProperties"):
        if key in below:
            below[key] = {name: _for_editors(child, parts) for name, child in below[key].items()}
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(below.get(key), dict):
            below[key] = _for_editors(below[key], parts)
    for key in ("anyOf", "oneOf", "prefixItems"):
        if key in below:
            below[key] = [_for_editors(child, parts) for child in below[key]]
    for change in (_discriminated(parts), _by_first_key(parts), _closed, _fixed_length, _reference_with_text, _scalar):
        below = change(below)
    return below


def _discriminated(parts: Schema) -> Callable[[Schema], Schema]:
    """`oneOf` with a discriminator as one condition a form, so that only the meant form is complained about."""

    def change(node: Schema) -> Schema:
        if "discriminator" not in node:
            return node
        key = node["discriminator"]["propertyName"]
        forms = node["discriminator"]["mapping"]
        values = {"enum": list(forms), "description": _forms_text(key, forms, parts)}
        conditions = [
            {"if": {"properties": {key: {"const": value}}, "required": [key]}, "then": {"$ref": reference}}
            for value, reference in forms.items()
        ]
        rest = {name: value for name, value in node.items() if name not in ("oneOf", "discriminator")}
        return {**rest, "type": "object", "required": [key], "properties": {key: values}, "allOf": conditions}

    return change


def _forms_text(key: str, forms: dict[str, str], parts: Schema) -> str:
    """What each value of a discriminating key means."""
    named = ((value, parts[reference.rsplit("/", 1)[1]]) for value, reference in forms.items())
    return " ".join(f"{value}: {part['properties'][key]['description']}" for value, part in named)


def _by_first_key(parts: Schema) -> Callable[[Schema], Schema]:
    """A value that may be one of several maps: its first required key tells which one is meant."""

    def change(node: Schema) -> Schema:
        maps = [form for form in node.get("anyOf", []) if "$ref" in form]
        if len(maps) < 2:
            return node
        meant: Schema = {"anyOf": maps}
        for form in reversed(maps):
            key = parts[form["$ref"].rsplit("/", 1)[1]]["required"][0]
            meant = {"if": {"required": [key]}, "then": form, "else": meant}
        others = [form for form in node["anyOf"] if form not in maps]
        return {**node, "anyOf": [*others, {"type": "object"}], "if": {"type": "object"}, "then": meant}

    return change


def _closed(node: Schema) -> Schema:
    """A map whose keys have a form, without other keys."""
    return {**node, "additionalProperties": False} if "patternProperties" in node else node


def _fixed_length(node: Schema) -> Schema:
    """A list of fixed length, as draft 7 writes it."""
    if "prefixItems" not in node:
        return node
    return {("items" if key == "prefixItems" else key): value for key, value in node.items()}


def _reference_with_text(node: Schema) -> Schema:
    """A reference beside other keys, wrapped: draft 7 passes over the neighbours of a reference."""
    if "$ref" not in node or len(node) == 1:
        return node
    return {"allOf": [{"$ref": node["$ref"]}], **{key: value for key, value in node.items() if key != "$ref"}}


def _scalar(node: Schema) -> Schema:
    """A free text may look like a number or a truth value to an editor; we read the text."""
    if node.get("type") != "string" or "pattern" in node or "enum" in node or "const" in node or "format" in node:
        return node
    return {**node, "type": ["string", "number", "boolean"]}

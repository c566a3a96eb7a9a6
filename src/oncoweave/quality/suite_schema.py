"""The JSON Schema of a suite with what the language's own cannot know: each expectation's parameters, each table's fields.

So an editor completes them and marks a wrong one while it is typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oncoweave.omop.model import CdmTable, tables
from oncoweave.quality.definitions import CATALOGUE
from oncoweave.quality.expectation import MANY, Definition, Parameter
from oncoweave.quality.gx_catalogue import holds_patients_values

Schema = dict[str, Any]
_TEXT: Schema = {"type": ["string", "number", "boolean"]}
_ONE: Mapping[str, Schema] = {
    "integer": {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"},
    "number": {"type": ["number", "string"], "pattern": "^[-+0-9.eE]+$"},
    "flag": {"enum": [True, False, "true", "false"]},
    "bound": {"type": ["number", "string"]},
    "pattern": {"type": "string"},
    "patterns": {"type": "string"},
    "condition": {"type": "string"},
    "table": {"enum": [*tables()]},
    "table_name": {"enum": [*tables()]},
}


def suite_schema(schema: Mapping[str, Any]) -> Schema:
    """The schema of the language `suite`, refined."""
    entry = schema["$defs"]["ExpectationSpec"]
    keys = entry["properties"]
    names = {"enum": [*CATALOGUE], "enumDescriptions": [d.doc for d in CATALOGUE.values()]}
    refined = {**entry, "properties": {**keys, "expect": {"description": keys["expect"]["description"], **names}}}
    refined["allOf"] = [_form(definition, keys["parameters"]["description"]) for definition in CATALOGUE.values()]
    table = {"description": schema["properties"]["table"]["description"], "enum": [*tables()]}
    return {
        **schema,
        "properties": {**schema["properties"], "table": table},
        "allOf": [_fields_of(one) for one in tables().values()],
        "$defs": {**schema["$defs"], "ExpectationSpec": refined},
    }


def _form(definition: Definition, description: str) -> Schema:
    """What an entry of one expectation looks like."""
    parameters: Schema = {
        "description": f"{definition.doc} {description}",
        "type": "object",
        "properties": {name: _parameter(parameter) for name, parameter in definition.parameters.items()},
        "additionalProperties": False,
    }
    required = list(definition.required)
    then: Schema = {"properties": {"parameters": {**parameters, **({"required": required} if required else {})}}}
    unknown = [key for key, known in (("mostly", definition.mostly), ("where", definition.where)) if not known]
    if unknown:
        then["not"] = {"anyOf": [{"required": [key]} for key in unknown]}
    if required:
        then["required"] = ["parameters"]
    return {"if": {"properties": {"expect": {"const": definition.name}}, "required": ["expect"]}, "then": then}


def _parameter(parameter: Parameter) -> Schema:
    one: Schema = {"enum": [*parameter.choices]} if parameter.choices else dict(_ONE.get(parameter.kind, _TEXT))
    if parameter.kind in MANY:
        return {"description": parameter.doc, "type": "array", "items": one, "minItems": 1}
    return {"description": parameter.doc, **one}


def _fields_of(table: CdmTable) -> Schema:
    """That the parameters which name a field name one of this table, and that no patient's value is asked for."""
    fields = {"enum": [f.name for f in table.fields]}
    harmless = [f.name for f in table.fields if not holds_patients_values(table.name, f.name)]
    names = {"properties": dict.fromkeys(_SINGLE, fields) | {name: {"items": fields} for name in _LISTS}}
    telling: Schema = {
        "if": {"properties": {"expect": {"enum": _TELLING}}},
        "then": {"properties": {"parameters": {"properties": {"column": {"enum": harmless}}}}},
    }
    items: Schema = {"properties": {"parameters": names}, "allOf": [telling]}
    then = {"properties": {"expectations": {"items": items}}}
    return {"if": {"properties": {"table": {"const": table.name}}, "required": ["table"]}, "then": then}


def _always(kind: str) -> list[str]:
    """The parameters that are of a kind in every expectation that has them."""
    kinds: dict[str, set[str]] = {}
    for definition in CATALOGUE.values():
        for name, parameter in definition.parameters.items():
            kinds.setdefault(name, set()).add(parameter.kind)
    return sorted(name for name, found in kinds.items() if found == {kind})


_SINGLE = _always("column")
_LISTS = _always("columns")
_TELLING = [definition.name for definition in CATALOGUE.values() if definition.tells_value]

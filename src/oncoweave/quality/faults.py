"""What is wrong with one expectation of a suite, and its parameters read as the types that it takes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal

from oncoweave.compiler.subset import ExpressionError
from oncoweave.engine.dialect import pattern_fault
from oncoweave.errors import nearest
from oncoweave.omop.model import CdmTable, tables
from oncoweave.quality.definitions import CATALOGUE
from oncoweave.quality.expectation import MANY, Definition, Parameter
from oncoweave.quality.gx_catalogue import REFUSED, holds_patients_values
from oncoweave.quality.row_conditions import row_condition
from oncoweave.spec.suite import ExpectationSpec

Scalar = str | int | float | bool | date
Argument = Scalar | tuple[Scalar, ...]
Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """One fault of an expectation, at a place in its suite."""

    message: str
    location: Location
    help: str = ""
    at: Literal["value", "key"] = "value"
    offset: int = 0


def arguments_of(spec: ExpectationSpec, table: CdmTable) -> Mapping[str, Argument]:
    """The parameters of an expectation without faults, as the types that it takes."""
    parameters = CATALOGUE[spec.expect].parameters
    return {name: _read(parameters[name], text, spec, table) for name, text in spec.parameters.items()}


def faults_of(spec: ExpectationSpec, table: CdmTable, place: Location) -> Iterator[Fault]:
    """What is wrong with an expectation at a place of its suite."""
    definition = CATALOGUE.get(spec.expect)
    if definition is None:
        yield _no_such(spec.expect, (*place, "expect"))
        return
    yield from _key_faults(spec, definition, table, place)
    for name in definition.required:
        if name not in spec.parameters:
            doc = definition.parameters[name].doc
            yield Fault(f"`{spec.expect}` needs the parameter `{name}`", (*place, "parameters"), f"{name}: {doc}")
    for name, text in spec.parameters.items():
        where = (*place, "parameters", name)
        if name not in definition.parameters:
            near = nearest(name, definition.parameters)
            yield Fault(f"`{spec.expect}` has no parameter `{name}`", where, near, "key")
        else:
            yield from _parameter_faults(definition.parameters[name], text, spec, table, where)


def _no_such(name: str, place: Location) -> Fault:
    if name in REFUSED:
        return Fault(f"`{name}` cannot be used here: {REFUSED[name]}", place, "docs/checks has those that can")
    return Fault(f"there is no expectation `{name}`", place, nearest(name, CATALOGUE))


def _key_faults(spec: ExpectationSpec, definition: Definition, table: CdmTable, place: Location) -> Iterator[Fault]:
    if spec.mostly is not None and not definition.mostly:
        yield Fault(f"`{spec.expect}` holds or does not: it takes no `mostly`", (*place, "mostly"), "leave it out")
    if spec.where and not definition.where:
        yield Fault(f"`{spec.expect}` judges the whole table: it takes no `where`", (*place, "where"), "leave it out")
    elif spec.where:
        yield from _condition_faults(spec.where, table, (*place, "where"))
    column = spec.parameters.get("column")
    if definition.tells_value and isinstance(column, str) and holds_patients_values(table.name, column):
        message = f"`{spec.expect}` of `{column}` would put a value of a patient into the results"
        mend = "use one that counts rows, such as expect_column_values_to_be_between or …_to_be_in_set"
        yield Fault(message, (*place, "expect"), mend)


def _parameter_faults(
    parameter: Parameter, text: str | tuple[str, ...], spec: ExpectationSpec, table: CdmTable, place: Location
) -> Iterator[Fault]:
    many = parameter.kind in MANY
    if isinstance(text, tuple) != many:
        yield Fault("a list is needed here" if many else "one value is needed here, not a list", place, parameter.doc)
        return
    if text == ():
        yield Fault("the list is empty", place, parameter.doc)
    for number, one in enumerate(text if isinstance(text, tuple) else (text,)):
        where = (*place, number) if many else place
        known = _names(parameter, spec, table)
        if known is not None and one not in known:
            yield Fault(f"there is no {_NAMED[parameter.kind]} `{one}`", where, nearest(one, known))
        elif known is None:
            yield from _value_faults(parameter, one, _type_of(spec, table), where, table)


_NAMED = {"column": "field", "columns": "field", "table": "table", "table_name": "table", "field": "field"}


def _names(parameter: Parameter, spec: ExpectationSpec, table: CdmTable) -> list[str] | None:
    """The names that a parameter may take; None when it is no name."""
    if parameter.kind in ("column", "columns"):
        return [f.name for f in table.fields]
    if parameter.kind in ("table", "table_name"):
        return list(tables())
    if parameter.kind == "field":
        other = tables().get(str(spec.parameters.get("table")))
        return [f.name for f in other.fields] if other else []
    return None


def _value_faults(
    parameter: Parameter, text: str, column_type: str, place: Location, table: CdmTable
) -> Iterator[Fault]:
    if parameter.kind == "condition":
        yield from _condition_faults(text, table, place)
    elif parameter.kind in ("pattern", "patterns"):
        fault = _pattern_fault(text)
        if fault:
            yield Fault(
                f"this is no regular expression: {fault}", place, "RE2 has no look-around and no back references"
            )
    elif parameter.choices:
        if text not in parameter.choices:
            yield Fault(f"`{text}` is none of {', '.join(parameter.choices)}", place, parameter.doc)
    else:
        try:
            _read_one(parameter, text, column_type)
        except ValueError:
            kind = _TYPES.get(parameter.kind, f"a value of {column_type}")
            yield Fault(f"`{text}` is not {kind}", place, parameter.doc)


_TYPES = {"integer": "a whole number", "flag": "true or false", "number": "a number"}


_NOT_PLAIN = re.compile(r"\(\?|\\|\[\[|--|&&|\|\||~~|[*+?}]\+|\{(?![0-9]{1,2}(,[0-9]{0,2})?\})")
"""What Python and RE2 read differently, or one of them not at all."""


@cache
def _pattern_fault(pattern: str) -> str:
    """What is wrong with a regular expression; the engine, which takes a while to start, is asked only where it must be."""
    plain = pattern.replace("(?i)", "").replace("(?:", "(")
    if not _NOT_PLAIN.search(plain):
        with suppress(re.error):
            re.compile(plain)
            return ""
    return pattern_fault(pattern)


def _condition_faults(text: str, table: CdmTable, place: Location) -> Iterator[Fault]:
    try:
        row_condition(text, table)
    except ExpressionError as error:
        yield Fault(error.message, place, error.help, offset=error.offset)


def _type_of(spec: ExpectationSpec, table: CdmTable) -> str:
    """DuckDB type of the field that the expectation is about."""
    return next((f.type for f in table.fields if f.name == spec.parameters.get("column")), "VARCHAR")


def _read(parameter: Parameter, text: str | tuple[str, ...], spec: ExpectationSpec, table: CdmTable) -> Argument:
    if isinstance(text, tuple):
        return tuple(_read_one(parameter, one, _type_of(spec, table)) for one in text)
    return (
        row_condition(text, table)
        if parameter.kind == "condition"
        else _read_one(parameter, text, _type_of(spec, table))
    )


def _read_one(parameter: Parameter, text: str, column_type: str) -> Scalar:
    """Raises ValueError when the text is not of the parameter's type."""
    if parameter.kind == "integer":
        return _whole(text)
    if parameter.kind == "number":
        return _number(text)
    if parameter.kind == "flag":
        return {"true": True, "false": False}[text] if text in ("true", "false") else _refuse()
    if parameter.kind in ("bound", "values"):
        return _as_type(text, column_type)
    return text


def _as_type(text: str, column_type: str) -> Scalar:
    if column_type in ("BIGINT", "INTEGER"):
        return _whole(text)
    if column_type == "DOUBLE":
        return _number(text)
    return date.fromisoformat(text) if column_type in ("DATE", "TIMESTAMP") else text


def _whole(text: str) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else _refuse()


def _number(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse()


def _refuse() -> bool:
    raise ValueError

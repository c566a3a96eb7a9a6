"""Compiles suites into checks before any data is read: names, parameters and types, with file and line.

A check is one expectation of one suite, whole: what Great Expectations is told, and what a result says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from oncoweave.content import suites
from oncoweave.errors import Problem, SpecError, nearest
from oncoweave.omop.model import CdmTable, tables
from oncoweave.project import Project
from oncoweave.quality.definitions import CATALOGUE
from oncoweave.quality.expectation import Definition, Parameter
from oncoweave.spec.document import Document
from oncoweave.spec.load import load_suite
from oncoweave.spec.suite import ExpectationSpec, Suite

Scalar = str | int | float | bool | date
Argument = Scalar | tuple[Scalar, ...]
Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Check:
    """One expectation of a suite, its parameters read as their types; `id` names it from run to run."""

    id: str
    suite: str
    table: CdmTable
    spec: ExpectationSpec
    definition: Definition
    arguments: Mapping[str, Argument]

    @property
    def column(self) -> str | None:
        """The target field that a report names."""
        for name, parameter in self.definition.parameters.items():
            if parameter.kind == "column" and name in self.arguments:
                return str(self.arguments[name])
        return None


@dataclass(frozen=True)
class _Fault:
    message: str
    location: Location
    help: str = ""
    at: Literal["value", "key"] = "value"


def checks(project: Project, source: str) -> list[Check]:
    """The checks of every suite that a release of `source` must meet.

    Raises SpecError with all problems of all suites.
    """
    found, problems = _compile(suites(project, source), project.root)
    if problems:
        raise SpecError(f"the expectations of `{source}` are wrong", problems=problems)
    return found


def known_checks(project: Project, source: str) -> list[Check]:
    """The checks of the suites of `source`, without those that are wrong."""
    return _compile(suites(project, source), project.root)[0]


def lint_suites(project: Project, source: str) -> list[Problem]:
    """Every problem of the suites of `source`; reads no data."""
    return _compile(suites(project, source), project.root)[1]


def compile_suite(suite: Suite, document: Document) -> tuple[list[Check], list[Problem]]:
    """The checks of one suite, and what is wrong with it."""
    table = tables().get(suite.table)
    if table is None:
        message = f"`{suite.table}` is not a table of the CDM"
        return [], [document.problem("table", message, ("table",), help=nearest(suite.table, tables()))]
    found: list[Check] = []
    problems: list[Problem] = []
    taken: Counter[str] = Counter()
    for number, spec in enumerate(suite.expectations):
        faults = list(_faults(spec, table, ("expectations", number)))
        name = spec.id or _name(spec)
        taken[name] += 1
        if spec.id and taken[name] > 1:
            mend = "give it another; waivers and the history tell checks apart by it"
            faults.append(_Fault(f"`{name}` is the id of an earlier check too", ("expectations", number, "id"), mend))
        problems += [document.problem("expectation", f.message, f.location, help=f.help, at=f.at) for f in faults]
        if not faults:
            found.append(_check(suite, table, spec, name if taken[name] == 1 else f"{name}.{taken[name]}"))
    return found, problems


def _compile(paths: Sequence[Path], root: Path) -> tuple[list[Check], list[Problem]]:
    found: list[Check] = []
    problems: list[Problem] = []
    names: dict[str, str] = {}
    for path in paths:
        try:
            suite, document = load_suite(path, root)
        except SpecError as error:
            problems += error.problems
            continue
        if suite.suite in names:
            message = f"the suite `{suite.suite}` is also in {names[suite.suite]}"
            problems.append(document.problem("duplicate suite", message, ("suite",), help="give it a name of its own"))
        names[suite.suite] = document.name
        checks_of_suite, problems_of_suite = compile_suite(suite, document)
        found += checks_of_suite
        problems += problems_of_suite
    return found, problems


def _name(spec: ExpectationSpec) -> str:
    """The id of a check that was given none: the field that it is about, and what must hold."""
    field = next(
        (v for name in ("column", "event", "start", "fact") if isinstance(v := spec.parameters.get(name), str)), ""
    )
    what = next(spec.expect.removeprefix(p) for p in _UNTOLD if spec.expect.startswith(p))
    return f"{field}.{what}" if field else what


_UNTOLD = ("expect_column_values_to_", "expect_column_", "expect_table_", "expect_", "")


def _check(suite: Suite, table: CdmTable, spec: ExpectationSpec, name: str) -> Check:
    definition = CATALOGUE[spec.expect]
    arguments = {
        name: _read(definition.parameters[name], text, _type_of(spec, table)) for name, text in spec.parameters.items()
    }
    return Check(f"{suite.suite}.{name}", suite.suite, table, spec, definition, arguments)


def _faults(spec: ExpectationSpec, table: CdmTable, place: Location) -> Iterator[_Fault]:
    definition = CATALOGUE.get(spec.expect)
    if definition is None:
        yield _Fault(f"there is no expectation `{spec.expect}`", (*place, "expect"), nearest(spec.expect, CATALOGUE))
        return
    if spec.mostly is not None and not definition.mostly:
        yield _Fault(f"`{spec.expect}` holds or does not: it takes no `mostly`", (*place, "mostly"), "leave it out")
    for name in definition.required:
        if name not in spec.parameters:
            doc = definition.parameters[name].doc
            yield _Fault(f"`{spec.expect}` needs the parameter `{name}`", (*place, "parameters"), f"{name}: {doc}")
    for name, text in spec.parameters.items():
        where = (*place, "parameters", name)
        if name not in definition.parameters:
            yield _Fault(
                f"`{spec.expect}` has no parameter `{name}`", where, nearest(name, definition.parameters), "key"
            )
        else:
            yield from _parameter_faults(definition.parameters[name], text, spec, table, where)


def _parameter_faults(
    parameter: Parameter, text: str | tuple[str, ...], spec: ExpectationSpec, table: CdmTable, place: Location
) -> Iterator[_Fault]:
    many = parameter.kind in ("columns", "texts", "values")
    if isinstance(text, tuple) != many:
        yield _Fault("a list is needed here" if many else "one value is needed here, not a list", place, parameter.doc)
        return
    for number, one in enumerate(text if isinstance(text, tuple) else (text,)):
        where = (*place, number) if many else place
        known = _names(parameter, spec, table)
        if known is not None and one not in known:
            yield _Fault(f"there is no {_NAMED[parameter.kind]} `{one}`", where, nearest(one, known))
        elif known is None:
            yield from _value_faults(parameter, one, _type_of(spec, table), where)


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


def _value_faults(parameter: Parameter, text: str, column_type: str, place: Location) -> Iterator[_Fault]:
    try:
        _read_one(parameter, text, column_type)
    except ValueError:
        kind = {"integer": "a whole number", "flag": "true or false"}.get(parameter.kind, f"a value of {column_type}")
        yield _Fault(f"`{text}` is not {kind}", place, parameter.doc)


def _type_of(spec: ExpectationSpec, table: CdmTable) -> str:
    """DuckDB type of the field that the expectation is about."""
    return next((f.type for f in table.fields if f.name == spec.parameters.get("column")), "VARCHAR")


def _read(parameter: Parameter, text: str | tuple[str, ...], column_type: str) -> Argument:
    if isinstance(text, tuple):
        return tuple(_read_one(parameter, one, column_type) for one in text)
    return _read_one(parameter, text, column_type)


def _read_one(parameter: Parameter, text: str, column_type: str) -> Scalar:
    """Raises ValueError when the text is not of the parameter's type."""
    if parameter.kind == "integer":
        return int(text)
    if parameter.kind == "flag":
        return {"true": True, "false": False}[text] if text in ("true", "false") else _refuse()
    if parameter.kind in ("bound", "values"):
        return _as_type(text, column_type)
    return text


def _as_type(text: str, column_type: str) -> Scalar:
    if column_type in ("BIGINT", "INTEGER"):
        return int(text)
    if column_type == "DOUBLE":
        return float(text)
    return date.fromisoformat(text) if column_type in ("DATE", "TIMESTAMP") else text


def _refuse() -> bool:
    raise ValueError

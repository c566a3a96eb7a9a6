"""Compiles suites into checks before any data is read: names, parameters and types, with file and line.

A check is one expectation of one suite, whole: what Great Expectations is told, and what a result says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from oncoweave.content import suites
from oncoweave.errors import OncoweaveError, Problem, SpecError, nearest
from oncoweave.omop.model import CdmTable, tables
from oncoweave.project import Project
from oncoweave.quality.definitions import CATALOGUE
from oncoweave.quality.expectation import Definition
from oncoweave.quality.faults import Argument, Fault, arguments_of, faults_of
from oncoweave.quality.row_conditions import row_condition
from oncoweave.quality.snapshot_suites import snapshot_faults, snapshot_table
from oncoweave.records import ExpectationResult
from oncoweave.spec.document import Document
from oncoweave.spec.load import load_each, load_source, load_suite
from oncoweave.spec.source import Table
from oncoweave.spec.suite import JUDGED, ExpectationSpec, Suite


@dataclass(frozen=True)
class Check:
    """One expectation of a suite, its parameters read as their types; `id` names it from run to run.

    `where` is the condition, as SQL, of the rows that it is about; "" for all rows of the table.
    """

    id: str
    suite: str
    table: CdmTable
    spec: ExpectationSpec
    definition: Definition
    arguments: Mapping[str, Argument]
    where: str = ""

    @property
    def column(self) -> str | None:
        """The target field that a report names."""
        for name, parameter in self.definition.parameters.items():
            if parameter.kind == "column" and name in self.arguments:
                return str(self.arguments[name])
        return None


def checks(project: Project, source: str) -> list[Check]:
    """The checks of every suite that a release of `source` must meet.

    Raises SpecError with all problems of all suites.
    """
    found, problems = _compile(project, source)
    if problems:
        raise SpecError(f"the expectations of `{source}` are wrong", problems=problems)
    return found


def known_checks(project: Project, source: str) -> list[Check]:
    """The checks of the suites of `source`, without those that are wrong."""
    return _compile(project, source)[0]


def told_anew(facts: Iterable[ExpectationResult], planned: Sequence[Check]) -> list[ExpectationResult]:
    """The results with the severity, share and texts that their suites give them now; the counts stay what they are."""
    specs = {check.id: check.spec for check in planned}
    return [_told_by(specs[fact.check], fact) if fact.check in specs else fact for fact in facts]


def _told_by(spec: ExpectationSpec, fact: ExpectationResult) -> ExpectationResult:
    return fact.model_copy(update={name: getattr(spec, name) for name in JUDGED}) if fact.origin == "suite" else fact


def lint_suites(project: Project, source: str) -> list[Problem]:
    """Every problem of the suites of `source`; reads no data."""
    return _compile(project, source)[1]


def compile_suite(
    suite: Suite, document: Document, delivered: Mapping[str, Table] = MappingProxyType({})
) -> tuple[list[Check], list[Problem]]:
    """The checks of one suite, and what is wrong with it; `delivered` are the source tables that it may name."""
    known: Mapping[str, object] = delivered if suite.snapshot else tables()
    key, named = ("snapshot", suite.snapshot) if suite.snapshot else ("table", suite.table or "")
    if named not in known:
        of = "source.yaml" if suite.snapshot else "the CDM"
        return [], [document.problem("table", f"`{named}` is not a table of {of}", (key,), help=nearest(named, known))]
    found: list[Check] = []
    problems: list[Problem] = []
    taken: Counter[str] = Counter()
    for number, spec in enumerate(suite.expectations):
        place = ("expectations", number)
        table = snapshot_table(named, delivered[named], spec) if suite.snapshot else tables()[named]
        faults = [*faults_of(spec, table, place), *(snapshot_faults(spec, place) if suite.snapshot else ())]
        name = spec.id or _name(spec)
        taken[name] += 1
        if spec.id and taken[name] > 1:
            mend = "give it another; waivers and the history tell checks apart by it"
            faults.append(Fault(f"`{name}` is the id of an earlier check too", ("expectations", number, "id"), mend))
        problems += [
            document.problem("expectation", f.message, f.location, help=f.help, at=f.at, offset=f.offset)
            for f in faults
        ]
        if not faults:
            found.append(_check(suite, table, spec, name if taken[name] == 1 else f"{name}.{taken[name]}"))
    return found, problems


RESERVED = frozenset({"about", "coverage", "distributions", "dqd", "mapping", "queries", "source", "trend"})
"""Files of `results/` that are no suite's: those of the other checks, and what the report needs beside the results."""


def _compile(project: Project, source: str) -> tuple[list[Check], list[Problem]]:
    found: list[Check] = []
    names: dict[str, str] = {}
    delivered: Mapping[str, Table] | None = None
    files, problems = load_each(suites(project, source), project.root, load_suite)
    for suite, document in files:
        if suite.suite in names:
            message = f"the suite `{suite.suite}` is also in {names[suite.suite]}"
            problems.append(document.problem("duplicate suite", message, ("suite",), help="give it a name of its own"))
        if suite.suite in RESERVED:
            message = f"`{suite.suite}` is the name of another file among the results of a run"
            problems.append(document.problem("duplicate suite", message, ("suite",), help="give it a name of its own"))
        names[suite.suite] = document.name
        if suite.snapshot and delivered is None:
            delivered = _delivered(project, source)
        checks_of_suite, problems_of_suite = compile_suite(suite, document, delivered or {})
        found += checks_of_suite
        problems += problems_of_suite
    return found, problems


def _delivered(project: Project, source: str) -> Mapping[str, Table]:
    """The source tables of a source; none where source.yaml cannot be read, which lint tells."""
    with suppress(OncoweaveError):
        return load_source(project, source)[0].tables
    return {}


def _name(spec: ExpectationSpec) -> str:
    """The id of a check that was given none: the field that it is about, and what must hold."""
    field = next(
        (
            v
            for name in ("column", "event", "start", "fact", "column_A")
            if isinstance(v := spec.parameters.get(name), str)
        ),
        "",
    )
    what = next(spec.expect.removeprefix(p) for p in _UNTOLD if spec.expect.startswith(p))
    return f"{field}.{what}" if field else what


_UNTOLD = ("expect_column_values_to_", "expect_column_", "expect_table_", "expect_", "")


def _check(suite: Suite, table: CdmTable, spec: ExpectationSpec, name: str) -> Check:
    where = row_condition(spec.where, table) if spec.where else ""
    arguments = arguments_of(spec, table)
    return Check(
        f"{suite.suite}.{name}", suite.suite, table, suite.told(spec), CATALOGUE[spec.expect], arguments, where
    )

"""lint: everything that can be found wrong without data: specifications, suites, and the worked examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from oncoweave import content
from oncoweave.compiler import Inputs, Plan, compile_draft, read_inputs
from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import copy, identifier
from oncoweave.errors import Problem, SpecError, UsageError, nearest
from oncoweave.files import file_record
from oncoweave.harmonise import Harmonisation, harmonise
from oncoweave.omop.model import tables
from oncoweave.omop.routing import TABLE_OF_FACT
from oncoweave.privacy.pseudonym import Key
from oncoweave.project import Project, RunFolder
from oncoweave.quality.compilation import lint_suites
from oncoweave.quality.overrides import lint_thresholds
from oncoweave.quality.run_checks.compilation import lint_run_checks
from oncoweave.quality.waivers import lint_waivers
from oncoweave.records import ExtractRecord, MapRecord, SourceTableRecord
from oncoweave.spec.document import Loc
from oncoweave.spec.examples import Cell, Example
from oncoweave.spec.load import load_mapping, load_view, view_file
from oncoweave.spec.source import FhirTable, Source, Table
from oncoweave.spec.source_queries import query_problems

MOST_HELD = 4
_EXAMPLE_DAY = date(2100, 1, 1)  # where a server says the day
_EXAMPLE_KEY = Key(b"worked examples of a mapping hold no patient")

Row = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """What the mapping makes of an example: the rows of each target table, and why it made no more of them."""

    rows: dict[str, list[Row]]
    held: dict[str, list[str]]


def lint(project: Project, source: str, *, asked: bool = True) -> list[Problem]:
    """Every problem of a source's specification, errors and warnings, in the order of the files.

    That its vocabulary release is not there is an error of a source that was `asked` for, and else a warning:
    Oncoweave brings a source along that needs a release of Athena.
    """
    problems = [*lint_suites(project, source), *lint_run_checks(project, source)]
    problems += [*lint_thresholds(project, source, date.today()), *lint_waivers(project, source)]
    try:
        inputs = read_inputs(project, source)
    except SpecError as error:
        if not error.problems:
            raise
        is_there = asked or _has_release(project, source)
        return sorted([*problems, *(p if is_there else _without_release(p) for p in error.problems)])
    draft = compile_draft(inputs)
    problems += [*draft.problems, *query_problems(project, inputs.source), *_view_problems(project, inputs.source)]
    if draft.plan is not None:
        problems += _example_problems(inputs, draft.plan)
    return sorted(problems)


def _view_problems(project: Project, source: Source) -> Iterator[Problem]:
    """What is wrong with a source's views and their paths, at its line."""
    tables = [table for table in source.tables.values() if isinstance(table, FhirTable)]
    if not tables:
        return
    from oncoweave.engine.fhir.views import path_faults  # it takes a second to import

    for name in sorted({table.view for table in tables}):
        view, document = load_view(view_file(project, source.source, name), project.root)
        for text, fault in path_faults(view):
            place = next((loc for loc in document.tree.values if document.get(loc) == text), ())
            mend = "see https://hl7.org/fhirpath, and SQL on FHIR for what a view may ask"
            yield document.problem("fhirpath", fault, place, help=mend)


def _has_release(project: Project, source: str) -> bool:
    """Whether the vocabulary release that a source's mapping names is there, be it whole or not."""
    try:
        content.vocabulary_folder(project, load_mapping(project, source)[0].vocabulary)
    except SpecError:
        return True  # a mapping that cannot be read names none
    except UsageError:
        return False
    return True


def _without_release(problem: Problem) -> Problem:
    """That the release cannot be opened, as a warning that says what was not looked at; any other problem as it is."""
    if problem.code != "vocabulary":
        return problem
    message = f"{problem.message}: the mapping was read, but its concepts and examples were not checked"
    return replace(problem, severity="warning", message=message)


def _example_problems(inputs: Inputs, plan: Plan) -> list[Problem]:
    """What the examples say of themselves first; those that can be run are then compared with what the mapping makes."""
    found: list[Problem] = []
    for number, example in enumerate(inputs.mapping.examples):
        faults = _unknown_names(inputs, example, ("examples", number))
        found += faults or _differences(inputs, example, _made(inputs, plan, example), ("examples", number))
    return found


def _unknown_names(inputs: Inputs, example: Example, loc: Loc) -> list[Problem]:
    cdm = {name: [f.name for f in table.fields] for name, table in tables().items()}
    source = {name: list(table.fields) for name, table in inputs.source.tables.items()}
    found = []
    for key, rows_of, known in (("given", example.given, source), ("expect", example.expect, cdm)):
        for table, rows in rows_of.items():
            if table not in known:
                found.append(
                    _problem(inputs, f"there is no table `{table}`", (*loc, key, table), nearest(table, known))
                )
                continue
            names = [(i, name) for i, row in enumerate(rows) for name in row if name not in known[table]]
            found += [
                _problem(
                    inputs,
                    f"`{name}` is not a field of `{table}`",
                    (*loc, key, table, i, name),
                    nearest(name, known[table]),
                )
                for i, name in names
            ]
    return found


def _problem(inputs: Inputs, message: str, loc: Loc, mend: str) -> Problem:
    return inputs.document.problem("example", message, loc, help=mend, at="key")


def _made(inputs: Inputs, plan: Plan, example: Example) -> Made:
    plan = replace(plan, stages=tuple(replace(stage, amendments=()) for stage in plan.stages))
    with TemporaryDirectory() as folder:
        home = Path(folder)
        run = RunFolder(home / "runs" / plan.source.source / "example")
        run.snapshot.mkdir(parents=True)
        snapshots = [
            _snapshot(run, name, spec, example.given.get(name, ())) for name, spec in plan.source.tables.items()
        ]
        extracted = ExtractRecord(
            source=plan.source.source,
            run_id="example",
            delivery_date=plan.source.delivery.date or _EXAMPLE_DAY,
            tables=tuple(snapshots),
        )
        project = Project(home, home / "runs", home / "releases", home / "restricted")
        record = harmonise(Harmonisation(run, project, extracted, plan, inputs.bundle, _EXAMPLE_KEY, in_fhir=False))
        rows = {name: _read(run.tables / f"{name}.parquet") for name in example.expect}
        return Made(rows, {name: _held(record, name) for name in example.expect})


def _held(record: MapRecord, table: str) -> list[str]:
    """Why the rules that fill a target table made no more rows of the example: what is wrong first."""
    entries = [entry for entry in record.ledger if TABLE_OF_FACT[entry.fact] == table]
    named = [(e.name, reason) for e in entries for reason in e.reasons]
    named.sort(key=lambda item: item[1][0] == "excluded")
    return [f"{rule} {verdict}: {reason}" for rule, (verdict, reason, _) in named]


def _snapshot(run: RunFolder, name: str, spec: Table, rows: tuple[dict[str, Cell], ...]) -> SourceTableRecord:
    columns = tuple(spec.fields)
    path = run.snapshot / f"{name}.parquet"
    holes = ", ".join(["?"] * (len(columns) + 1))
    declared = ", ".join(f"{identifier(c)} VARCHAR" for c in columns)
    with connect(work=run.path, allow=[run.path]) as connection, without_values("reading an example"):
        connection.execute(f"CREATE TABLE given ({declared}, _line BIGINT)")
        if rows:
            values = [[*(row.get(c) for c in columns), i + 2] for i, row in enumerate(rows)]
            connection.executemany(f"INSERT INTO given VALUES ({holes})", values)
        copy(connection, "SELECT *, 'example' AS _file FROM given", path)
    record = file_record(path, path.name, len(rows))
    return SourceTableRecord(
        table=name, columns=columns, records=len(rows), rows=len(rows), quarantined=0, files=(), snapshot=record
    )


def _read(path: Path) -> list[Row]:
    with connect(work=path.parent, allow=[path.parent]) as connection, without_values(f"reading {path.name}"):
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _differences(inputs: Inputs, example: Example, made: Made, loc: Loc) -> list[Problem]:
    """An expected row that was not made, and a number of rows that differs, each at its place. Examples hold no patient."""
    found: list[Problem] = []
    for table, expected in example.expect.items():
        at = (*loc, "expect", table)
        rows, before = list(made.rows[table]), len(found)
        for row in sorted(expected, key=len, reverse=True):
            match = next((r for r in rows if all(_same(r[n], v) for n, v in row.items())), None)
            if match is None:
                place = (*at, list(expected).index(row))
                instead = "; ".join([_instead(rows, row), *made.held[table][:MOST_HELD]])
                found.append(_problem(inputs, f"`{example.name}`: this row of {table} is not made", place, instead))
                continue
            rows.remove(match)
        if len(expected) != len(made.rows[table]) and len(found) == before:
            message = f"`{example.name}`: {len(made.rows[table])} rows of {table} are made, not {len(expected)}"
            found.append(_problem(inputs, message, at, "every row that the mapping makes must be expected"))
    return found


def _same(actual: Any, expected: Cell) -> bool:
    if actual is None or expected is None:
        return actual is None and expected is None
    if isinstance(actual, float):
        try:
            return actual == float(expected)
        except ValueError:
            return False
    return str(actual) == expected


def _instead(rows: list[Row], expected: dict[str, Cell]) -> str:
    made = ["{" + ", ".join(f"{n}: {_shown(r[n])}" for n in expected) + "}" for r in rows[:3]]
    return "it makes " + ", ".join(made) if made else "it makes no other row of that table"


def _shown(value: Any) -> str:
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

"""The queries of a source that is a database: of each table, and of the delivery's day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oncoweave.errors import Problem, SpecError
from oncoweave.project import Project
from oncoweave.spec.delivery import DatabaseDelivery
from oncoweave.spec.queries import Query, read_query, whole_table
from oncoweave.spec.source import Source, SqlTable

DELIVERY_DATE = "delivery_date"


@dataclass(frozen=True)
class SourceQueries:
    """The query of each table, and the one for the delivery's day if source.yaml does not give it."""

    tables: Mapping[str, Query]
    date: Query | None = None


def queries_of(project: Project, source: Source) -> SourceQueries:
    """The queries of a source, read and found to be ones that only read; none where it is no database.

    Raises SpecError with the problems of all query files.
    """
    delivery = source.delivery
    if not isinstance(delivery, DatabaseDelivery):
        return SourceQueries({})
    problems: list[Problem] = []
    date = _read(project, source, delivery.date_query, problems, dated=False) if delivery.date_query else None
    tables = {}
    for name, table in source.tables.items():
        assert isinstance(table, SqlTable)
        if table.table:
            tables[name] = whole_table(table.table, delivery.server)
        elif table.query and (query := _read(project, source, table.query, problems)):
            tables[name] = query
    if problems:
        raise SpecError("a query of the source cannot be asked; nothing was", problems=sorted(set(problems)))
    return SourceQueries(tables, date)


def query_problems(project: Project, source: Source) -> list[Problem]:
    """Every problem of the query files of a source."""
    try:
        queries_of(project, source)
    except SpecError as error:
        return list(error.problems)
    return []


def _read(project: Project, source: Source, name: str, problems: list[Problem], *, dated: bool = True) -> Query | None:
    """A query file; its problems are added to `problems`."""
    delivery = source.delivery
    assert isinstance(delivery, DatabaseDelivery)
    parameters = [*delivery.parameters, *([DELIVERY_DATE] if dated else [])]
    try:
        return read_query(project.source_folder(source.source), project.root, name, delivery.server, parameters)
    except SpecError as error:
        problems += error.problems
        return None

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
    """The query of each table, and those for the delivery's day and for what has changed, if source.yaml names them."""

    tables: Mapping[str, Query]
    date: Query | None = None
    watermark: Query | None = None


def queries_of(project: Project, source: Source) -> SourceQueries:
    """The queries of a source, read and found to be ones that only read; none where it is no database.

    Raises SpecError with the problems of all query files.
    """
    delivery = source.delivery
    if not isinstance(delivery, DatabaseDelivery):
        return SourceQueries({})
    problems: list[Problem] = []
    date = _read(project, source, delivery.date_query, problems, dated=False) if delivery.date_query else None
    sign = source.arrival.watermark if source.arrival else None
    watermark = _read(project, source, sign, problems, dated=False) if sign else None
    tables = {}
    for name, table in source.tables.items():
        assert isinstance(table, SqlTable)
        if table.table:
            tables[name] = whole_table(table.table, delivery.server)
        elif table.query and (query := _read(project, source, table.query, problems)):
            tables[name] = query
    if problems:
        raise SpecError("a query of the source cannot be asked; nothing was", problems=sorted(set(problems)))
    return SourceQueries(tables, date, watermark)


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

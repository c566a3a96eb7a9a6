"""Reads the tables of a database into files, all in one consistent, read-only snapshot of the server."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from oncoweave.engine import headers
from oncoweave.engine.reading import DeliveredFile
from oncoweave.engine.servers import any_database, postgresql
from oncoweave.engine.servers.connections import address
from oncoweave.engine.servers.row_text import RowText
from oncoweave.engine.servers.server_faults import Asking, told, unreadable
from oncoweave.errors import DataError, UsageError
from oncoweave.files import remove
from oncoweave.project import Project
from oncoweave.spec.delivery import DatabaseDelivery
from oncoweave.spec.queries import Query
from oncoweave.spec.source import Source, SqlTable, Table
from oncoweave.spec.source_queries import queries_of

EXAMPLE = "postgresql://user:password@host:5432/database"


class Session(Protocol):
    """One session of a server, inside its snapshot."""

    def columns(self, query: Query) -> tuple[str, ...]:
        """The names of a query's columns."""

    def count(self, query: Query) -> int:
        """The number of rows of a query."""

    def first(self, query: Query) -> object:
        """The first value of a query, as text."""

    def copy(self, query: Query, columns: tuple[str, ...], rows: RowText) -> None:
        """Adds all rows of a query."""


@dataclass(frozen=True)
class FromDatabase:
    """What a database gave: the day of the delivery, and one file for each table."""

    day: datetime.date
    files: Mapping[str, list[DeliveredFile]]


def read_database(project: Project, source: Source, folder: Path, work: Path) -> FromDatabase:
    """Writes each table of a source to a Parquet file in `folder`: every column as text, sorted by the table's key.

    A file has the name of its query, or of its table on the server. `work` is a folder for temporary files.

    Raises UsageError when nobody has said where the connection leads; SourceUnreachable, without the address, when the
    server cannot be reached or read to the end; SpecError for a query that it does not take, with the line; DataError when a
    value cannot be text, a declared column is missing, or not all rows that the server counts have come.
    """
    delivery = source.delivery
    assert isinstance(delivery, DatabaseDelivery)
    queries = queries_of(project, source)
    with snapshot(delivery) as (session, parameters):
        day = delivery.date or _day(session, queries.date, delivery)
        parameters["delivery_date"] = day
        readings = {
            name: _begun(session, delivery, query, source.tables[name]) for name, query in queries.tables.items()
        }
        files = {}
        for number, (name, reading) in enumerate(readings.items()):
            target = folder / f"{number}.parquet"
            reading.into(target, work)
            files[name] = [DeliveredFile(reading.query.name, target)]
    return FromDatabase(day, files)


def ask(project: Project, source: Source, query: Query) -> str | None:
    """The first value of a query, as text; None when it has no row or the value is missing."""
    delivery = source.delivery
    assert isinstance(delivery, DatabaseDelivery)
    with snapshot(delivery) as (session, parameters):
        if delivery.date:
            parameters["delivery_date"] = delivery.date
        with told(_asking(delivery, query, len(postgresql.FRONT_OF_FIRST))):
            value = session.first(query)
    return None if value is None else str(value)


@contextmanager
def snapshot(delivery: DatabaseDelivery) -> Iterator[tuple[Session, dict[str, object]]]:
    """One session of the delivery's server inside one read-only snapshot, and the values of its parameters; nothing is kept."""
    asking = _asking(delivery)
    with told(asking):
        from sqlalchemy import create_engine, make_url
        from sqlalchemy.pool import NullPool

        try:
            url = make_url(address(delivery.connection, EXAMPLE))
        except ValueError:  # a port that is no number
            raise unreadable(asking) from None
        _refuse_other_server(url.get_backend_name(), delivery)
        arguments: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
        if delivery.server == "postgresql":
            url = url.set(drivername=postgresql.DRIVER)
            arguments["connect_args"] = postgresql.CONNECT
        if delivery.server == "duckdb":
            arguments = {"connect_args": any_database.DUCKDB}
        engine = create_engine(url, poolclass=NullPool, **arguments)
        connection = engine.connect()
    parameters: dict[str, object] = dict(delivery.parameters)
    try:
        with told(asking):
            for statement in _begin(delivery):
                connection.exec_driver_sql(statement)
            driver = connection.connection.driver_connection
        yield (
            postgresql.PostgreSQL(driver, parameters)  # type: ignore[arg-type] # of psycopg, by the URL's driver
            if delivery.server == "postgresql"
            else any_database.AnyDatabase(connection.execution_options(stream_results=True), parameters),
            parameters,
        )
    finally:
        connection.invalidate()  # closes the session; its transaction ends with it, and nothing was to be kept
        connection.close()
        engine.dispose()


def _begin(delivery: DatabaseDelivery) -> list[str]:
    if delivery.server == "postgresql":
        return postgresql.begin(delivery.timeout)
    return any_database.begin(delivery.server, delivery.timeout)


def _refuse_other_server(given: str, delivery: DatabaseDelivery) -> None:
    backend = "postgresql" if given == "postgres" else given
    alike = {"mysql", "mariadb"}
    if backend != delivery.server and {backend, delivery.server} != alike:
        raise UsageError(
            f"the connection `{delivery.connection}` leads to {backend}, and source.yaml says {delivery.server}",
            mend=f"write `server: {backend}` under `delivery`, or correct the connection",
        )


def _asking(delivery: DatabaseDelivery, query: Query | None = None, front: int = 0) -> Asking:
    return Asking(delivery.connection, delivery.server, query, front, delivery.timeout)


def _day(session: Session, query: Query | None, delivery: DatabaseDelivery) -> datetime.date:
    """The day that the server gives the delivery."""
    assert query
    with told(_asking(delivery, query, len(postgresql.FRONT_OF_FIRST))):
        value = session.first(query)
    try:
        return datetime.date.fromisoformat(str(value)[:10])
    except ValueError:
        raise DataError(
            f"{query.shown} gives no day: its first value must be a date, or a time",
            mend="write a query such as `SELECT max(loaded_at)::date FROM load_log`",
        ) from None


def _begun(session: Session, delivery: DatabaseDelivery, query: Query, table: Table) -> _Reading:
    """The reading of a table, of which the columns are known: a fault of any query is told before a row of any is read."""
    assert isinstance(table, SqlTable)
    with told(_asking(delivery, query, len(postgresql.FRONT))):
        columns = session.columns(query)
    headers.match(columns, table, query.shown)
    return _Reading(session, delivery, query, table, columns)


@dataclass(frozen=True)
class _Reading:
    """One table on its way to a file."""

    session: Session
    delivery: DatabaseDelivery
    query: Query
    table: SqlTable
    columns: tuple[str, ...]

    def into(self, target: Path, work: Path) -> None:
        """Reads the table; raises DataError when the rows are not as many as the server counts."""
        passing = work / "rows.text"
        asking = _asking(self.delivery, self.query)
        try:
            with RowText(passing) as rows, told(asking):
                self.session.copy(self.query, self.columns, rows)
            written = rows.sorted_into(target, self.columns, self._key(), work)
        finally:
            remove(passing)
        with told(asking):
            counted = self.session.count(self.query)
        if counted != written:
            raise DataError(
                f"{self.query.shown}: the server counts {counted:,} rows, and {written:,} have come",
                mend="leave out of the query what gives other rows each time, such as random() and LIMIT without ORDER BY",
            )

    def _key(self) -> list[str]:
        return [self.table.fields[name].header or name for name in self.table.row.fields if name in self.table.fields]

"""Runs the joins of a plan on DuckDB: makes the joined tables, and counts the rows that find no partner."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from oncoweave.compiler.joining import JoinedTable, found_column
from oncoweave.compiler.joins import BoundJoin
from oncoweave.engine.connection import without_values
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.parquet import identifier
from oncoweave.records import JoinCount


def make_joined_table(connection: duckdb.DuckDBPyConnection, joined: JoinedTable) -> list[JoinCount]:
    """Make the table that joins look into, one row for each key; returns the counts of the joins that it makes itself."""
    name = identifier(joined.name)
    with without_values(f"making what is looked up in {joined.table}"):
        connection.execute(f"CREATE TABLE {name} AS {to_duckdb(joined.select)}")
        counts = count_found(connection, joined.name, joined.joins)
        faults = f"CREATE TABLE joined_faults AS {to_duckdb(joined.select_faults)}"
        ((several,),) = connection.execute(faults).fetchall()
        if several:
            same = "t._file = f._file AND t._line = f._line"
            connection.execute(f"DELETE FROM {name} AS t USING joined_faults AS f WHERE {same}")
        connection.execute("DROP TABLE joined_faults")
    return counts


def count_found(connection: duckdb.DuckDBPyConnection, table: str, joins: Iterable[BoundJoin]) -> list[JoinCount]:
    """How many rows of a staged or joined table have no partner, for each of its joins."""
    found = []
    for join in joins:
        mark = identifier(found_column(join))
        sql = f"""SELECT count(*), count(*) FILTER ({mark} IS NULL), count(*) FILTER (NOT {mark}) FROM {identifier(table)}"""
        with without_values(f"counting the rows of {join.table} that find a row of {join.to}"):
            ((rows, empty, without),) = connection.execute(sql).fetchall()
        found.append(JoinCount(table=join.table, join=join.name, to=join.to, rows=rows, empty=empty, without=without))
    return found


def warnings_of(counts: Iterable[JoinCount]) -> list[str]:
    """A sentence for each join by which rows look for a partner in vain."""
    return [
        f"{count.without:,} of {count.rows:,} rows of `{count.table}` name a row of `{count.to}` that is not there "
        f"(or not only once): what they would read of it (`{count.join}.…`) is empty"
        for count in counts
        if count.without
    ]

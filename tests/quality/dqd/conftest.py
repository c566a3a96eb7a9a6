"""All tables of the CDM without a row, and the day of the delivery, in a connection of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from oncoweave.engine.connection import connect
from oncoweave.omop.model import other_tables, tables

DELIVERY = date(2020, 6, 30)


@pytest.fixture
def empty_cdm(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(work=tmp_path, allow=[]) as connection:
        for table in (*tables().values(), *other_tables().values()):
            fields = ", ".join(f'"{field.name}" {field.type}' for field in table.fields)
            connection.execute(f'CREATE TABLE "{table.name}" ({fields})')
        connection.execute("CREATE TABLE check_delivery AS SELECT CAST(? AS DATE) AS delivery", [DELIVERY])
        yield connection

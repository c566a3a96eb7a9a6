"""Whatever the tables hold, a grouped query counts what the query of the check alone counts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random
from time import process_time

import duckdb
import pytest

from oncoweave.omop.model import CdmField, other_tables, tables
from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.dqd.queries import query
from oncoweave.quality.dqd.run import run_dqd

ROWS = 40
CPU_SECONDS = 4
"""What all checks of all tables may take when there is next to nothing to read; they take a fifth of it."""
CONCEPTS = (0, 1, 2, 3, 4, 8507, 8532, 8588, 8784, 26662, 192854, 3006315, 4041261)
DAYS = (date(1850, 1, 1), date(1949, 12, 31), date(1950, 1, 1), date(2000, 1, 1), date(2020, 7, 1), date(2020, 7, 2))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_check_counts_what_its_query_counts(seed: int, empty_cdm: duckdb.DuckDBPyConnection) -> None:
    random = Random(seed)
    for table in (*tables().values(), *other_tables().values()):
        rows = [[value(random, field) for field in table.fields] for _ in range(ROWS)]
        places = ", ".join("?" for _ in table.fields)
        empty_cdm.executemany(f'INSERT INTO "{table.name}" VALUES ({places})', rows)
    begun = process_time()
    found = run_dqd(empty_cdm, catalogue())
    assert process_time() - begun < CPU_SECONDS
    differ = [
        (check.id, found[check.id], alone)
        for check in catalogue()
        if (alone := empty_cdm.execute(query(check)).fetchone())
        != (found[check.id].violated, found[check.id].denominator)
    ]
    assert differ == []
    assert len({check.name for check in catalogue() if found[check.id].violated}) > 20


def value(random: Random, field: CdmField) -> object:
    """A value of few, so that keys meet; one in six is missing."""
    if random.random() < 1 / 6:
        return None
    if field.type in ("DATE", "TIMESTAMP"):
        day = random.choice(DAYS) + timedelta(days=random.randrange(-8, 70))
        return day if field.type == "DATE" else datetime(day.year, day.month, day.day, random.randrange(24))
    if field.type == "VARCHAR":
        return random.choice(["S", "Unit", "Condition", "Ingredient", "d"])
    if "concept" in field.name:
        return random.choice(CONCEPTS)
    if "year" in field.name:
        return random.choice([1849, 1950, 2000, 2021, 2022])
    return random.randrange(-1, 20)

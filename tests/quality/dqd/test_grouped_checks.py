"""The grouped queries count what the query of each check alone counts."""

from __future__ import annotations

from contextlib import closing

import duckdb

from oncoweave.engine.connection import connect
from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.dqd.queries import query
from oncoweave.quality.dqd.relations import prepare_vocabulary
from oncoweave.quality.dqd.run import run_dqd
from oncoweave.quality.relations import prepare
from tests.quality.small_cdm import DELIVERY, Cdm


def test_every_check_of_the_small_cdm_counts_what_its_own_query_counts(cdm: Cdm) -> None:
    cdm.plant(
        "INSERT INTO person (person_id, year_of_birth, gender_concept_id) VALUES (1, 2030, 8507), (NULL, NULL, 1)"
    )
    cdm.plant("UPDATE measurement SET measurement_date = '1900-01-01', unit_concept_id = 0 WHERE measurement_id = 51")
    cdm.plant("INSERT INTO death (person_id, death_date) VALUES (1, '1999-01-01')")
    with closing(connection_of(cdm)) as connection:
        differ = [
            (check.id, found, alone)
            for check, found, alone in both_ways(connection)
            if (found.violated, found.denominator) != alone
        ]
    assert differ == []


def both_ways(connection: duckdb.DuckDBPyConnection):  # type: ignore[no-untyped-def]
    found = run_dqd(connection, catalogue())
    for check in catalogue():
        if not found[check.id].absent:
            yield check, found[check.id], connection.execute(query(check)).fetchone()


def connection_of(cdm: Cdm) -> duckdb.DuckDBPyConnection:
    cdm.write()
    connection = connect(work=cdm.run.path, allow=[cdm.run.tables, cdm.concepts.parent])
    prepare(connection, cdm.run.tables, cdm.concepts, DELIVERY)
    prepare_vocabulary(connection, cdm.concepts.parent)
    return connection

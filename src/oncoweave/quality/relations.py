"""What the checks read: the target tables, and a few relations that several checks need, in one connection.

A table that a run did not write is there with no rows, so that a check of it judges none rather than
failing to run. The views read Parquet in place; the relations are small and are made once.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.engine.parquet import identifier, literal
from oncoweave.omop.model import CdmTable, tables
from oncoweave.omop.routing import DOMAIN_CONCEPT

_BIRTH = """
CREATE TABLE check_birth AS SELECT person_id, min(try_cast(concat_ws('-',
    year_of_birth, coalesce(month_of_birth, 1), coalesce(day_of_birth, 1)) AS DATE)) AS birth
FROM person GROUP BY person_id
"""
_DEATH = "CREATE TABLE check_death AS SELECT person_id, max(try_cast(death_date AS DATE)) AS death FROM death GROUP BY person_id"
_DELIVERY = "CREATE TABLE check_delivery AS SELECT CAST(? AS DATE) AS delivery"
_START = {
    "condition_occurrence": "condition_start_date",
    "drug_exposure": "drug_exposure_start_date",
    "procedure_occurrence": "procedure_date",
    "device_exposure": "device_exposure_start_date",
    "visit_occurrence": "visit_start_date",
    "visit_detail": "visit_detail_start_date",
    "measurement": "measurement_date",
    "observation": "observation_date",
    "note": "note_date",
    "specimen": "specimen_date",
    "episode": "episode_start_date",
}
_CONCEPT_FIELDS = (
    "concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, invalid_reason"
)


def prepare(connection: duckdb.DuckDBPyConnection, folder: Path, concepts: Path, delivery: date) -> None:
    """Make the target tables in `folder`, the concepts that they use, and the relations `check_…`.

    `concepts` is the CONCEPT table of the vocabulary release (Parquet), whose folder may have RELATIONSHIP too; `delivery` the
    day of the delivery.
    """
    for table in tables().values():
        with without_values(f"reading {table.name}.parquet"):
            connection.execute(_table_sql(table, folder))
    with without_values("reading the vocabulary"):
        connection.execute(_concept_sql(connection, concepts))
    with without_values("preparing the checks"):
        connection.execute(_BIRTH)
        connection.execute(_DEATH)
        connection.execute(_DELIVERY, [delivery])
        connection.execute(_linked_sql())
        connection.execute(_related_sql(connection))
        connection.execute(_relationship_sql(concepts.with_name("RELATIONSHIP.parquet")))


def _table_sql(table: CdmTable, folder: Path) -> str:
    path = folder / f"{table.name}.parquet"
    if path.is_file():
        return f"CREATE VIEW {identifier(table.name)} AS SELECT * FROM read_parquet({literal(path)})"
    fields = ", ".join(f"{identifier(f.name)} {f.type}" for f in table.fields)
    return f"CREATE TABLE {identifier(table.name)} ({fields})"


def _concept_sql(connection: duckdb.DuckDBPyConnection, concepts: Path) -> str:
    """The concepts that the tables use, one row an id: a release has millions, a cohort some hundred."""
    used = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE column_name LIKE '%concept_id' AND schema_name = 'main' AND table_name IN (SELECT unnest(?))",
        [list(tables())],
    ).fetchall()
    ids = " UNION ".join(f"SELECT try_cast({identifier(c)} AS BIGINT) FROM {identifier(t)}" for t, c in sorted(used))
    return (
        f"CREATE TABLE check_concept AS SELECT {_CONCEPT_FIELDS} FROM read_parquet({literal(concepts)}) "
        f"WHERE concept_id IN ({ids}) QUALIFY row_number() OVER (PARTITION BY concept_id ORDER BY concept_name) = 1"
    )


def _linked_sql() -> str:
    """Every row that an event field can point at, by the CDM's field concept, whose name is `table.field`."""
    rows = " UNION ALL ".join(
        f"SELECT '{table}' AS table_name, {identifier(f'{table}_id')} AS event_id, person_id, "
        f"{identifier(start)} AS start FROM {identifier(table)}"
        for table, start in _START.items()
    )
    return (
        "CREATE VIEW check_linked AS SELECT c.concept_id AS field_concept_id, k.* "
        f"FROM ({rows}) AS k JOIN check_concept AS c ON c.vocabulary_id = 'CDM' "
        "AND c.concept_name = k.table_name || '.' || k.table_name || '_id'"
    )


def _related_sql(connection: duckdb.DuckDBPyConnection) -> str:
    """The facts that FACT_RELATIONSHIP names, by the domain that says in which table they are."""
    ids = "SELECT fact_id_1 FROM fact_relationship UNION SELECT fact_id_2 FROM fact_relationship"
    facts = " UNION ALL ".join(
        f"SELECT {domain} AS domain_concept_id, {identifier(f'{table}_id')} AS fact_id, person_id "
        f"FROM {identifier(table)} WHERE {identifier(f'{table}_id')} IN ({ids})"
        for table, domain in DOMAIN_CONCEPT.items()
    )
    some = connection.execute("SELECT 1 FROM fact_relationship LIMIT 1").fetchone()
    return f"CREATE TABLE check_related AS {facts}{'' if some else ' LIMIT 0'}"  # no row: read no table for it


def _relationship_sql(path: Path) -> str:
    """The concept of every relationship with that of its reverse; none where the release has no RELATIONSHIP."""
    if not path.is_file():
        return "CREATE TABLE check_relationship (concept_id BIGINT, reverse_concept_id BIGINT)"
    source = f"read_parquet({literal(path)})"
    return (
        "CREATE TABLE check_relationship AS SELECT CAST(r.relationship_concept_id AS BIGINT) AS concept_id, "
        f"min(CAST(b.relationship_concept_id AS BIGINT)) AS reverse_concept_id FROM {source} AS r "
        f"LEFT JOIN {source} AS b ON b.relationship_id = r.reverse_relationship_id GROUP BY 1"
    )

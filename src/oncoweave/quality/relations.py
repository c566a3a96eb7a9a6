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
from oncoweave.omop.clinical import FIRST_DAY
from oncoweave.omop.model import CdmTable, tables
from oncoweave.omop.routing import DOMAIN_CONCEPT

_BIRTH = """
CREATE TABLE check_birth AS SELECT person_id, min(try_cast(concat_ws('-',
    year_of_birth, coalesce(month_of_birth, 1), coalesce(day_of_birth, 1)) AS DATE)) AS birth
FROM person GROUP BY person_id
"""
_DEATH = "CREATE TABLE check_death AS SELECT person_id, max(try_cast(death_date AS DATE)) AS death FROM death GROUP BY person_id"
_DELIVERY = "CREATE TABLE check_delivery AS SELECT CAST(? AS DATE) AS delivery"
_CATEGORY = r"""
CREATE TABLE check_category AS
SELECT measurement_id, person_id, measurement_date AS day,
    CASE WHEN table_name = 'condition_occurrence' THEN measurement_event_id END AS condition_id,
    parts.category AS category, translate(parts.prefix, 'yra', '') AS kind, translate(parts.prefix, 'cp', '') AS later,
    coalesce(nullif(parts.edition, ''), regexp_extract(measurement_source_value, '\b([678])(th|\.)', 1), '') AS edition
FROM (
    SELECT m.*, f.concept_name.split_part('.', 1) AS table_name, regexp_extract(
        c.concept_code, '^(?:([cpyra]{1,3})-)?(?:([678])th_)?(?:AJCC/UICC-)?(.+)$', ['prefix', 'edition', 'category']) AS parts
    FROM measurement AS m JOIN check_concept AS c ON c.concept_id = m.measurement_concept_id
    LEFT JOIN check_concept AS f ON f.concept_id = m.meas_event_field_concept_id AND f.vocabulary_id = 'CDM'
    WHERE c.vocabulary_id = 'Cancer Modifier' AND c.concept_class_id = 'Staging/Grading'
) QUALIFY row_number() OVER (PARTITION BY measurement_id ORDER BY parts.category) = 1
"""
"""Stages, categories and grades, by the grammar of their codes: `p-7th_AJCC/UICC-T1c` is T1c, of kind p, in the 7th edition.
An edition that the concept does not know may be in the source value. `later` is y (after therapy), r or a."""

_TUMOUR = """
CREATE TABLE check_tumour AS
SELECT d.condition_occurrence_id,
    any_value(concat_ws(' ', s.concept_code, c.concept_code, d.condition_source_value, c.concept_name, s.concept_name)) AS tumour
FROM condition_occurrence AS d LEFT JOIN check_concept AS c ON c.concept_id = d.condition_concept_id
LEFT JOIN check_concept AS s ON s.concept_id = d.condition_source_concept_id AND s.concept_id <> 0
WHERE d.condition_occurrence_id IN (SELECT condition_id FROM check_category) GROUP BY d.condition_occurrence_id
"""
_NO_CATEGORY = (
    "CREATE TABLE check_category (measurement_id BIGINT, person_id BIGINT, day DATE, condition_id BIGINT, category VARCHAR, "
    "kind VARCHAR, later VARCHAR, edition VARCHAR)"
)
_NO_TUMOUR = "CREATE TABLE check_tumour (condition_occurrence_id BIGINT, tumour VARCHAR)"
_CONCEPT_FIELDS = "concept_id, concept_name, concept_code, domain_id, vocabulary_id, concept_class_id, standard_concept, invalid_reason"


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
        connection.execute(_activity_sql())
        _prepare_oncology(connection)
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
        for table, start in FIRST_DAY.items()
    )
    return (
        "CREATE VIEW check_linked AS SELECT c.concept_id AS field_concept_id, k.* "
        f"FROM ({rows}) AS k JOIN check_concept AS c ON c.vocabulary_id = 'CDM' "
        "AND c.concept_name = k.table_name || '.' || k.table_name || '_id'"
    )


def _activity_sql() -> str:
    """The last day on which something of a person starts, in any table of events."""
    rows = " UNION ALL ".join(
        f"SELECT person_id, {identifier(start)} AS start FROM {identifier(table)}" for table, start in FIRST_DAY.items()
    )
    return f"CREATE VIEW check_activity AS SELECT person_id, max(start) AS last_start FROM ({rows}) GROUP BY person_id"


def _prepare_oncology(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the categories and the tumours that they qualify; without rows where a table lacks the fields."""
    for sql, empty in ((_CATEGORY, _NO_CATEGORY), (_TUMOUR, _NO_TUMOUR)):
        try:
            connection.execute(sql)
        except duckdb.Error:  # a table that is not the model's: expect_columns_of_the_model says so
            connection.execute(empty)


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

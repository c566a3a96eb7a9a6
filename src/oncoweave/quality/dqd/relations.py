"""What DQD checks read beside the target tables: the tables of the vocabulary, and one row for each person and visit."""

from __future__ import annotations

from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.engine.parquet import identifier, literal
from oncoweave.quality.dqd.forms import BIRTH, DAYS_AFTER_DEATH, DAYS_AROUND_VISIT, FEMALE, MALE, MIDDLE_OF_BIRTH_YEAR

VOCABULARY = (
    "concept", "vocabulary", "domain", "concept_class", "concept_relationship", "relationship", "concept_synonym",
    "concept_ancestor", "source_to_concept_map", "drug_strength",
)  # fmt: skip
"""The tables of the CDM that a vocabulary release may have."""

PERSONS = f"""
CREATE OR REPLACE TEMP TABLE dqd_person AS
SELECT coalesce(b.person_id, d.person_id) AS person_id, b.birth, b.middle_of_birth_year, b.not_male, b.not_female,
    d.person_id IS NOT NULL AS died, d.last_day
FROM (
    SELECT person_id, max({BIRTH}) AS birth, max({MIDDLE_OF_BIRTH_YEAR}) AS middle_of_birth_year,
        bool_or(gender_concept_id <> {MALE}) AS not_male, bool_or(gender_concept_id <> {FEMALE}) AS not_female
    FROM person AS p WHERE person_id IS NOT NULL GROUP BY person_id
) AS b FULL JOIN (
    SELECT person_id, min(CAST(death_date AS DATE)) + {DAYS_AFTER_DEATH} AS last_day
    FROM death WHERE person_id IS NOT NULL GROUP BY person_id
) AS d ON d.person_id = b.person_id
"""
"""Of a person who is there twice, what makes a row fail the sooner. After `last_day` nothing is plausible."""

VISITS = f"""
CREATE OR REPLACE TEMP TABLE dqd_visit AS
SELECT visit_occurrence_id, max(CAST(visit_start_date AS DATE)) - {DAYS_AROUND_VISIT} AS first_day,
    min(CAST(visit_end_date AS DATE)) + {DAYS_AROUND_VISIT} AS last_day
FROM visit_occurrence WHERE visit_occurrence_id IS NOT NULL GROUP BY visit_occurrence_id
"""
"""The days on which what belongs to a visit is plausible."""


def prepare_vocabulary(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Make a view of each table of the CDM that the vocabulary release in `folder` has, by the name of the table."""
    for table in VOCABULARY:
        path = folder / f"{table.upper()}.parquet"
        if path.is_file():
            with without_values(f"reading {path.name}"):
                connection.execute(f"CREATE VIEW {identifier(table)} AS SELECT * FROM read_parquet({literal(path)})")

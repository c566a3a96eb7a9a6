"""Follows codes to their standard concepts inside the engine: for a whole release once, when it is loaded, then code by code.

Everything hangs on the codes by left joins, so that each code given comes out at least once: unknown ones with
concept 0. Only a valid standard concept ever becomes a target.
"""

from __future__ import annotations

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.vocabulary.bundle import Bundle, is_target, valid
from oncoweave.vocabulary.codes import normalised_sql

_BEHIND = 1 << 32
"""Added to the id of an invalid concept, so that of those that share a code the valid one with the lowest id is taken."""


def resolution(
    codes: str, vocabulary: str, bundle: Bundle, *, parameter: str = "vocabulary"
) -> tuple[str, dict[str, str]]:
    """A SELECT of the targets of each code of the SELECT `codes` (one column, `code`, no two rows alike), with parameters.

    Columns: code, ordinal (0, 1 … by target, then value), concept_id (0: no target), source_concept_id (0: the
    vocabulary does not have the code), domain_id (of the target, else of the code's own concept, else NULL),
    value_concept_id ('Maps to value', or NULL). `parameter` is the name of the one that holds the vocabulary.
    """
    normal = normalised_sql(vocabulary, "code")
    followed = bundle.table("CODE_TARGET")
    if followed.is_file():
        of = f"SELECT * FROM read_parquet($targets) WHERE vocabulary_id = ${parameter}"
        known, files = of, {"targets": followed}
    else:
        known = targets(f"vocabulary_id = ${parameter}")
        files = {"concepts": bundle.table("CONCEPT"), "relationships": bundle.table("CONCEPT_RELATIONSHIP")}
    sql = f"""
        SELECT w.code, coalesce(t.ordinal, 0) AS ordinal, coalesce(t.concept_id, 0) AS concept_id,
            coalesce(t.source_concept_id, 0) AS source_concept_id, t.domain_id, t.value_concept_id
        FROM (SELECT code, {normal} AS normal FROM ({codes})) AS w LEFT JOIN ({known}) AS t ON t.concept_code = w.normal"""
    return sql, {parameter: vocabulary, **{name: str(path) for name, path in files.items()}}


def all_targets(vocabulary: str, bundle: Bundle) -> tuple[str, dict[str, str]]:
    """A SELECT of the targets of every code of a vocabulary, as the release spells it, with the columns of `resolution`."""
    sql = """SELECT concept_code AS code, ordinal, concept_id, source_concept_id, domain_id, value_concept_id
        FROM read_parquet($targets) WHERE vocabulary_id = $vocabulary"""
    return sql, {"vocabulary": vocabulary, "targets": str(bundle.table("CODE_TARGET"))}


def number_of_targets(connection: duckdb.DuckDBPyConnection, vocabulary: str, bundle: Bundle) -> int | None:
    """How many rows `all_targets` gives; None for a release that was not loaded, whose codes are followed as they occur."""
    if not bundle.table("CODE_TARGET").is_file():
        return None
    sql, parameters = all_targets(vocabulary, bundle)
    with without_values(f"counting the codes of {vocabulary}"):
        ((rows,),) = connection.execute(f"SELECT count(*) FROM ({sql})", parameters).fetchall()
    return int(rows)


def targets(among: str = "true") -> str:
    """A SELECT of the targets of every code of a release: vocabulary_id, concept_code, and the columns of `resolution`.

    `among` narrows the concepts whose codes are meant. Parameters: the files $concepts and $relationships.

    One value goes to every target; several values of one target make a row each; where both are several, the
    vocabulary does not say which belongs to which, and none is filled in.
    """
    return f"""
        WITH source AS MATERIALIZED ({_SOURCE.format(among=among)}),
        relation AS MATERIALIZED ({_RELATION}),
        link AS MATERIALIZED ({_LINK}),
        target AS ({_TARGET})
        SELECT s.vocabulary_id, s.concept_code, coalesce(t.ordinal, 0)::INTEGER AS ordinal,
            coalesce(t.concept_id, 0)::INTEGER AS concept_id, s.concept_id AS source_concept_id,
            coalesce(t.domain_id, s.domain_id) AS domain_id, t.value_id::INTEGER AS value_concept_id
        FROM source AS s LEFT JOIN target AS t ON t.source_id = s.concept_id"""


def targets_of_map() -> str:
    """A SELECT of the targets of every code of a SOURCE_TO_CONCEPT_MAP, with the columns of `targets`.

    Source: OMOP CDM, "Custom SOURCE_TO_CONCEPT_MAP". Rows with an invalid reason are not followed; a target that is no
    valid standard concept is none. Parameters: the files $concepts and $map.
    """
    return f"""
        WITH row AS (SELECT * FROM read_parquet($map) WHERE {valid()}),
        concept AS (SELECT concept_id, domain_id, {is_target()} AS fit
            FROM read_parquet($concepts) WHERE concept_id IN (SELECT unnest([source_concept_id, target_concept_id]) FROM row)),
        code AS (SELECT source_vocabulary_id, source_code, max(coalesce(c.concept_id, 0)) AS source_concept_id,
                max(c.domain_id) AS domain_id
            FROM row LEFT JOIN concept AS c ON c.concept_id = row.source_concept_id AND c.concept_id > 0 GROUP BY ALL),
        target AS (SELECT DISTINCT source_vocabulary_id, source_code, c.concept_id, c.domain_id
            FROM row LEFT JOIN concept AS c ON c.concept_id = row.target_concept_id AND c.fit
            WHERE c.concept_id IS NOT NULL)
        SELECT code.source_vocabulary_id AS vocabulary_id, code.source_code AS concept_code,
            (row_number() OVER (PARTITION BY code.source_vocabulary_id, code.source_code ORDER BY t.concept_id) - 1)::INTEGER
                AS ordinal,
            coalesce(t.concept_id, 0)::INTEGER AS concept_id, code.source_concept_id::INTEGER AS source_concept_id,
            coalesce(t.domain_id, code.domain_id) AS domain_id, NULL::INTEGER AS value_concept_id
        FROM code LEFT JOIN target AS t USING (source_vocabulary_id, source_code)"""


_SOURCE = f"""
            SELECT vocabulary_id, concept_code, (min(place) % {_BEHIND})::INTEGER AS concept_id,
                arg_min(domain_id, place) AS domain_id
            FROM (SELECT vocabulary_id, concept_code, domain_id,
                    concept_id::BIGINT + CASE WHEN {valid()} THEN 0 ELSE {_BEHIND} END AS place
                FROM read_parquet($concepts) WHERE {{among}})
            GROUP BY ALL"""

_RELATION = f"""
            SELECT concept_id_1 AS source_id, concept_id_2, relationship_id = 'Maps to value' AS is_value
            FROM read_parquet($relationships)
            WHERE relationship_id IN ('Maps to', 'Maps to value') AND {valid()}
                AND concept_id_1 IN (SELECT concept_id FROM source)
            UNION ALL SELECT concept_id, concept_id, false FROM read_parquet($concepts)
            WHERE {is_target()} AND concept_id IN (SELECT concept_id FROM source)
                AND concept_id NOT IN (SELECT concept_id_1 FROM read_parquet($relationships)
                    WHERE relationship_id = 'Maps to' AND {valid()} AND concept_id_1 IN (SELECT concept_id FROM source))"""
"""What leads from a concept on. A valid standard concept is its own target, also where a selection has no row that says so."""

_LINK = f"""
            SELECT r.source_id, r.is_value, c.concept_id, c.domain_id
            FROM relation AS r
            LEFT JOIN (SELECT concept_id, domain_id FROM read_parquet($concepts)
                WHERE {is_target()} AND concept_id IN (SELECT concept_id_2 FROM relation)) AS c
                ON c.concept_id = r.concept_id_2
            WHERE c.concept_id IS NOT NULL"""

_TARGET = """
            SELECT m.source_id, m.concept_id, m.domain_id, v.concept_id AS value_id,
                row_number() OVER (PARTITION BY m.source_id ORDER BY m.concept_id, v.concept_id) - 1 AS ordinal
            FROM (SELECT *, count(*) OVER (PARTITION BY source_id) AS targets FROM link WHERE NOT is_value) AS m
            LEFT JOIN (SELECT *, count(*) OVER (PARTITION BY source_id) AS number FROM link WHERE is_value) AS v
                ON v.source_id = m.source_id AND (v.number = 1 OR m.targets = 1)"""

"""Resolves many codes at once, inside the engine: a code's own concept, and the standard concepts it maps to.

Everything hangs on the codes by left joins, so that each code given comes out at least once: unknown ones with
concept 0. Only a valid standard concept ever becomes a target.
"""

from __future__ import annotations

from oncoweave.vocabulary.codes import normalised_sql

_BEHIND = 1 << 32
"""Added to the id of an invalid concept, so that of those that share a code the valid one with the lowest id is taken."""
_STANDARD = "standard_concept = 'S' AND coalesce(CAST(invalid_reason AS VARCHAR), '') = ''"


def resolution(codes: str, vocabulary: str) -> str:
    """A SELECT of the targets of each code of the SELECT `codes` (one column, `code`, no two rows alike).

    Columns: code, ordinal (0, 1 … by target, then value), concept_id (0: no target), source_concept_id (0: the
    vocabulary does not have the code), domain_id (of the target, else of the code's own concept, else NULL),
    value_concept_id ('Maps to value', or NULL). Parameters: $vocabulary, and the files $concepts and $relationships.

    One value goes to every target; several values of one target make a row each; where both are several, the
    vocabulary does not say which belongs to which, and none is filled in.
    """
    return f"""
        WITH wanted AS MATERIALIZED (SELECT code, {normalised_sql(vocabulary, "code")} AS normal FROM ({codes})),
        source AS MATERIALIZED ({_SOURCE}),
        link AS MATERIALIZED ({_LINK}),
        target AS ({_TARGET})
        SELECT w.code, coalesce(t.ordinal, 0)::INTEGER AS ordinal, coalesce(t.concept_id, 0)::INTEGER AS concept_id,
            coalesce(s.concept_id, 0)::INTEGER AS source_concept_id, coalesce(t.domain_id, s.domain_id) AS domain_id,
            t.value_id::INTEGER AS value_concept_id
        FROM wanted AS w
        LEFT JOIN source AS s ON s.concept_code = w.normal
        LEFT JOIN target AS t ON t.source_id = s.concept_id"""


_SOURCE = f"""
            SELECT concept_code, min(place) % {_BEHIND} AS concept_id, arg_min(domain_id, place) AS domain_id
            FROM (SELECT concept_code, domain_id, concept_id::BIGINT
                    + CASE WHEN coalesce(CAST(invalid_reason AS VARCHAR), '') = '' THEN 0 ELSE {_BEHIND} END AS place
                FROM read_parquet($concepts)
                WHERE vocabulary_id = $vocabulary AND concept_code IN (SELECT normal FROM wanted))
            GROUP BY concept_code"""

_LINK = f"""
            SELECT r.concept_id_1 AS source_id, r.relationship_id = 'Maps to value' AS is_value, c.concept_id, c.domain_id
            FROM read_parquet($relationships) AS r
            LEFT JOIN (SELECT concept_id, domain_id FROM read_parquet($concepts) WHERE {_STANDARD}) AS c
                ON c.concept_id = r.concept_id_2
            WHERE r.relationship_id IN ('Maps to', 'Maps to value')
                AND coalesce(CAST(r.invalid_reason AS VARCHAR), '') = ''
                AND r.concept_id_1 IN (SELECT concept_id FROM source) AND c.concept_id IS NOT NULL"""

_TARGET = """
            SELECT m.source_id, m.concept_id, m.domain_id, v.concept_id AS value_id,
                row_number() OVER (PARTITION BY m.source_id ORDER BY m.concept_id, v.concept_id) - 1 AS ordinal
            FROM (SELECT *, count(*) OVER (PARTITION BY source_id) AS targets FROM link WHERE NOT is_value) AS m
            LEFT JOIN (SELECT *, count(*) OVER (PARTITION BY source_id) AS number FROM link WHERE is_value) AS v
                ON v.source_id = m.source_id AND (v.number = 1 OR m.targets = 1)"""

"""The lookup of FHIR's codings as SQL: of each list of codings one is chosen, as HL7's FHIR to OMOP guide has it.

Its Code Prioritization Framework: the vocabulary that comes first, of one vocabulary the most specific code, then the
one that the user selected, then the first of the list. A coding that leads to no standard concept is only taken where no
other does. What is chosen depends on the list alone, so that it is the same in every delivery.
"""

from __future__ import annotations

from oncoweave.compiler.code_lookups import by_id, fitting, ordinal_salt_sql, target_table
from oncoweave.compiler.lookups import COLUMNS, CodingLookup
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.parquet import identifier, literal
from oncoweave.vocabulary.bundle import Bundle
from oncoweave.vocabulary.code_systems import CODE_SYSTEMS, CONCEPT_IDS
from oncoweave.vocabulary.resolve import resolution

_CODING = """
    SELECT whole, place, (one ->> '$.system') AS system, trim(one ->> '$.code') AS code,
        coalesce((one ->> '$.userSelected') = 'true', false) AS selected
    FROM (SELECT whole, unnest(range(len(list))) AS place, unnest(list) AS one
        FROM (SELECT code AS whole, CASE WHEN NOT json_valid(code) THEN []
                WHEN json_type(code) = 'OBJECT' THEN json_extract(code, '$.coding[*]') ELSE json_extract(code, '$[*]') END AS list
            FROM (SELECT DISTINCT code FROM ({codes}))))
    WHERE (one ->> '$.code') IS NOT NULL"""

_TARGETS = """
    SELECT {vocabulary} AS vocabulary, code, ordinal::INTEGER AS ordinal, false AS ignored, {fitting} AS concept_id,
        {fitting} AS any_concept_id, source_concept_id, {target} AS target, value_concept_id,
        NULL::INTEGER AS unit_concept_id, NULL::INTEGER AS operator_concept_id
    FROM ({resolved})"""

_OF_MAP = """
    SELECT {vocabulary} AS vocabulary, code, ordinal, ignored, concept_id, any_concept_id, 0 AS source_concept_id, target,
        value_concept_id, unit_concept_id, operator_concept_id
    FROM {table}"""

_CHOSEN = """
    SELECT whole, place FROM candidate LEFT JOIN broader USING (whole, place)
    WHERE coalesce(ordinal, 0) = 0
    QUALIFY row_number() OVER (PARTITION BY whole ORDER BY
        coalesce(any_concept_id, 0) = 0 AND NOT coalesce(ignored, false), rank, broader.whole IS NOT NULL, NOT selected, place) = 1"""

_BROADER = """
    SELECT DISTINCT a.whole, a.place FROM candidate AS a
    JOIN candidate AS b ON a.whole = b.whole AND a.rank = b.rank AND a.concept_id <> b.concept_id
    JOIN read_parquet($ancestors) AS x ON x.ancestor_concept_id = a.concept_id AND x.descendant_concept_id = b.concept_id
    WHERE a.concept_id > 0 AND b.concept_id > 0"""


def coding_lookup(lookup: CodingLookup, bundle: Bundle) -> tuple[str, dict[str, str]]:
    """A SELECT of the lookup's rows, with the columns of every lookup, and its parameters."""
    targets, parameters = _targets(lookup, bundle)
    ancestors = bundle.table("CONCEPT_ANCESTOR")
    if ancestors.is_file():
        broader, parameters = _BROADER, {**parameters, "ancestors": str(ancestors)}
    else:
        broader = "SELECT NULL::VARCHAR AS whole, NULL::BIGINT AS place WHERE false"
    values = {
        "code": "whole",
        "ordinal": "coalesce(ordinal, 0)",
        "ignored": "coalesce(ignored, false)",
        "concept_id": "coalesce(concept_id, 0)",
        "any_concept_id": "coalesce(any_concept_id, 0)",
        "source_concept_id": "coalesce(source_concept_id, 0)",
        "told": "candidate.code",
        "salt": ordinal_salt_sql(),
    }
    columns = ", ".join(
        f"CAST({values.get(name, identifier(name))} AS {kind}) AS {identifier(name)}" for name, kind in COLUMNS
    )
    sql = f"""
        WITH coding AS MATERIALIZED ({_CODING.format(codes=to_duckdb(lookup.codes))}),
        known AS MATERIALIZED (SELECT coding.*, coalesce(s.vocabulary, {_other(lookup)}) AS vocabulary, coalesce(s.rank, 1000) AS rank
            FROM coding LEFT JOIN ({_systems(lookup)}) AS s ON s.system = coding.system),
        candidate AS MATERIALIZED (SELECT known.*, t.* EXCLUDE (vocabulary, code)
            FROM known LEFT JOIN ({targets}) AS t ON t.vocabulary = known.vocabulary AND t.code = known.code),
        broader AS ({broader}),
        chosen AS ({_CHOSEN})
        SELECT {columns} FROM candidate JOIN chosen USING (whole, place)"""
    return sql, parameters


def _other(lookup: CodingLookup) -> str:
    """What stands for the vocabulary of a code of another system: the concept map in which it is looked up."""
    return literal((lookup.concept_map or "").removeprefix("lookup_"))


def _systems(lookup: CodingLookup) -> str:
    """The addresses of the vocabularies, with their place in the order."""
    rows = [
        f"({literal(system)}, {literal(vocabulary)}, {rank})"
        for rank, vocabulary in enumerate(lookup.vocabularies)
        for system in CODE_SYSTEMS[vocabulary]
    ]
    return f"SELECT * FROM (VALUES {', '.join(rows)}) AS s(system, vocabulary, rank)"


def _targets(lookup: CodingLookup, bundle: Bundle) -> tuple[str, dict[str, str]]:
    """The targets of the codes that occur, of each vocabulary and of the map."""
    parts: list[str] = []
    parameters: dict[str, str] = {}
    for number, vocabulary in enumerate(lookup.vocabularies):
        codes = f"SELECT DISTINCT code FROM known WHERE vocabulary = {literal(vocabulary)}"
        if vocabulary == CONCEPT_IDS:
            resolved, further = by_id(codes, bundle)
        else:
            resolved, further = resolution(codes, vocabulary, bundle, parameter=f"vocabulary_{number}")
        parameters |= further
        told = {"vocabulary": literal(vocabulary), "fitting": fitting(lookup.role), "target": target_table()}
        parts.append(_TARGETS.format(resolved=resolved, **told))
    if lookup.concept_map:
        parts.append(_OF_MAP.format(vocabulary=_other(lookup), table=identifier(lookup.concept_map)))
    return " UNION ALL ".join(parts), parameters

"""The lookup of a vocabulary's codes as SQL: resolved where the codes are, so that millions never pass through Python."""

from __future__ import annotations

import duckdb

from oncoweave.compiler.concepts import fits
from oncoweave.compiler.lookups import COLUMNS, CodeLookup
from oncoweave.engine.connection import without_values
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.parquet import identifier
from oncoweave.omop.routing import OTHERWISE, TABLE_OF_DOMAIN
from oncoweave.vocabulary.bundle import Bundle, is_target
from oncoweave.vocabulary.code_systems import CONCEPT_IDS
from oncoweave.vocabulary.codes import SPELLINGS, has_blanks
from oncoweave.vocabulary.resolve import all_targets, number_of_targets, resolution


def code_lookup(
    connection: duckdb.DuckDBPyConnection, lookup: CodeLookup, bundle: Bundle
) -> tuple[str, dict[str, str]]:
    """A SELECT of the lookup's rows, with the columns of every lookup, and its parameters.

    It has the codes that occur; or the whole vocabulary, where that costs less: a code that is not in it is unknown.
    """
    values = {
        "code": "code",
        "ordinal": "ordinal",
        "ignored": "false",
        "concept_id": fitting(lookup.role),
        "any_concept_id": fitting(lookup.role),
        "source_concept_id": "source_concept_id",
        "target": target_table(),
        "value_concept_id": "value_concept_id",
        "unit_concept_id": "NULL",
        "operator_concept_id": "NULL",
        "told": "NULL",
        "vocabulary": "NULL",
        "salt": ordinal_salt_sql(),
    }
    columns = ", ".join(f"CAST({values[name]} AS {kind}) AS {identifier(name)}" for name, kind in COLUMNS)
    codes = to_duckdb(lookup.codes)
    if lookup.vocabulary == CONCEPT_IDS:
        resolved, parameters = by_id(f"SELECT DISTINCT code FROM ({codes})", bundle)
    elif _takes_all(connection, codes, lookup.vocabulary, bundle):
        resolved, parameters = all_targets(lookup.vocabulary, bundle)
    else:
        resolved, parameters = resolution(f"SELECT DISTINCT code FROM ({codes})", lookup.vocabulary, bundle)
    return f"SELECT {columns} FROM ({resolved})", parameters


def by_id(codes: str, bundle: Bundle) -> tuple[str, dict[str, str]]:
    """The concepts whose ids stand as codes, with the columns of `resolution`: each its own target where it may be one."""
    sql = f"""
        SELECT w.code, 0 AS ordinal, CASE WHEN {is_target("c")} THEN c.concept_id ELSE 0 END AS concept_id,
            coalesce(c.concept_id, 0) AS source_concept_id, c.domain_id, NULL::INTEGER AS value_concept_id
        FROM ({codes}) AS w LEFT JOIN read_parquet($concept_ids) AS c ON c.concept_id = TRY_CAST(w.code AS BIGINT)"""
    return sql, {"concept_ids": str(bundle.table("CONCEPT"))}


def _takes_all(connection: duckdb.DuckDBPyConnection, codes: str, vocabulary: str, bundle: Bundle) -> bool:
    """Whether a vocabulary has fewer codes than there are rows, and all of these are written as it writes them.

    To find the different ones among six million codes costs as much as a join; to look at their ends a tenth of it.
    """
    size = number_of_targets(connection, vocabulary, bundle)
    if size is None or vocabulary in SPELLINGS:
        return False
    with without_values(f"counting the codes of {vocabulary}"):
        ((rows, strange),) = connection.execute(
            f"SELECT count(*), count(*) FILTER ({has_blanks('code')}) FROM ({codes})"
        ).fetchall()
    return size < rows and not strange


def fitting(role: str) -> str:
    """The target where it is of a domain that the field takes, else 0."""
    domains, among = fits(role)
    if not domains:
        return "concept_id"
    listed = ", ".join(f"'{domain}'" for domain in sorted(domains))
    return f"CASE WHEN domain_id {'IN' if among else 'NOT IN'} ({listed}) THEN concept_id ELSE 0 END"


def target_table() -> str:
    """The table of the target's domain (of the code's own where it has no target); NULL for an unknown code."""
    cases = " ".join(f"WHEN '{domain}' THEN '{table}'" for domain, table in TABLE_OF_DOMAIN.items())
    return f"CASE WHEN domain_id IS NULL THEN NULL ELSE CASE domain_id {cases} ELSE '{OTHERWISE}' END END"


def ordinal_salt_sql() -> str:
    """`ordinal_salt` in SQL."""
    words = "'ordinal' || chr(31) || ordinal"
    return f"CASE WHEN ordinal = 0 THEN 0 ELSE CAST('0x' || substring(sha256({words}), 1, 16) AS UBIGINT) >> 1 END"

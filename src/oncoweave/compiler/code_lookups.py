"""The lookup of a vocabulary's codes as SQL: resolved where the codes are, so that millions never pass through Python."""

from __future__ import annotations

import duckdb

from oncoweave.compiler.concepts import fits
from oncoweave.compiler.lookups import COLUMNS, CodeLookup
from oncoweave.engine.connection import without_values
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.parquet import identifier
from oncoweave.omop.routing import OTHERWISE, TABLE_OF_DOMAIN
from oncoweave.vocabulary.bundle import Bundle
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
        "concept_id": _fitting(lookup.role),
        "any_concept_id": _fitting(lookup.role),
        "source_concept_id": "source_concept_id",
        "target": _target(),
        "value_concept_id": "value_concept_id",
        "unit_concept_id": "NULL",
        "operator_concept_id": "NULL",
        "salt": _salt(),
    }
    columns = ", ".join(f"CAST({values[name]} AS {kind}) AS {identifier(name)}" for name, kind in COLUMNS)
    codes = to_duckdb(lookup.codes)
    if _takes_all(connection, codes, lookup.vocabulary, bundle):
        resolved, parameters = all_targets(lookup.vocabulary, bundle)
    else:
        resolved, parameters = resolution(f"SELECT DISTINCT code FROM ({codes})", lookup.vocabulary, bundle)
    return f"SELECT {columns} FROM ({resolved})", parameters


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


def _fitting(role: str) -> str:
    """The target where it is of a domain that the field takes, else 0."""
    domains, among = fits(role)
    if not domains:
        return "concept_id"
    listed = ", ".join(f"'{domain}'" for domain in sorted(domains))
    return f"CASE WHEN domain_id {'IN' if among else 'NOT IN'} ({listed}) THEN concept_id ELSE 0 END"


def _target() -> str:
    """The table of the target's domain (of the code's own where it has no target); NULL for an unknown code."""
    cases = " ".join(f"WHEN '{domain}' THEN '{table}'" for domain, table in TABLE_OF_DOMAIN.items())
    return f"CASE WHEN domain_id IS NULL THEN NULL ELSE CASE domain_id {cases} ELSE '{OTHERWISE}' END END"


def _salt() -> str:
    """`ordinal_salt` in SQL."""
    words = "'ordinal' || chr(31) || ordinal"
    return f"CASE WHEN ordinal = 0 THEN 0 ELSE CAST('0x' || substring(sha256({words}), 1, 16) AS UBIGINT) >> 1 END"

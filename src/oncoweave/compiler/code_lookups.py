"""The lookup of a vocabulary's codes as SQL: resolved where the codes are, so that millions never pass through Python."""

from __future__ import annotations

from oncoweave.compiler.concepts import fits
from oncoweave.compiler.lookups import COLUMNS, CodeLookup
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.parquet import identifier
from oncoweave.omop.routing import OTHERWISE, TABLE_OF_DOMAIN
from oncoweave.vocabulary.bundle import Bundle
from oncoweave.vocabulary.resolve import resolution


def code_lookup(lookup: CodeLookup, bundle: Bundle) -> tuple[str, dict[str, str]]:
    """A SELECT of the lookup's rows, with the columns of every lookup, and its parameters."""
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
    resolved, parameters = resolution(to_duckdb(lookup.codes), lookup.vocabulary, bundle)
    return f"SELECT {columns} FROM ({resolved})", parameters


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

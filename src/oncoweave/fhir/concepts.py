"""What templates say of a concept, worked out once for each concept of a run: codings, units, classes of encounters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import duckdb

from oncoweave.engine.connection import fetch_rows, without_values
from oncoweave.engine.parquet import identifier, literal
from oncoweave.fhir.systems import COMBINED, OMOP, SYSTEMS, UCUM

TABLE = "fhir_concepts"
"""The table of the lookups, one row a concept."""


def coding(system: str, code: str, display: str) -> str:
    """SQL of the JSON text of a Coding, of SQL texts."""
    return f"""concat('{{"system":', to_json({system}), ',"code":', to_json({code}), ',"display":' || to_json({display}), '}}')"""


def whens(cases: Mapping[int, str], otherwise: str = "NULL") -> str:
    """SQL of a text by concept id."""
    return f"CASE concept_id {' '.join(f'WHEN {n} THEN {literal(text)}' for n, text in cases.items())} ELSE {otherwise} END"


def _act(code: str, display: str) -> str:
    return f'{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{code}","display":"{display}"}}'


def _classes() -> Mapping[int, str]:
    codes = {
        "AMB": ("ambulatory", (9202, 581477, 581479, 32036, 32693, 8756, 38004207)),
        "IMP": ("inpatient encounter", (9201, 32037, 8717)),
        "EMER": ("emergency", (9203, 8870)),
        "OBSENC": ("observation encounter", (262, 581385)),
        "FLD": ("field", (581478,)),
        "VR": ("virtual", (5083, 722455)),
        "HH": ("home health", (581476, 38004519)),
    }
    return {concept: _act(code, display) for code, (display, concepts) in codes.items() for concept in concepts}


ENCOUNTER_CLASSES: Mapping[int, str] = MappingProxyType(_classes())
"""Encounter.class by the visit's concept: HL7's FHIR to OMOP guide, read backwards."""

_KNOWN = f"concept_code IS NOT NULL AND vocabulary_id IN ({', '.join(map(literal, SYSTEMS))}) AND coalesce(concept_class_id, '') NOT IN ({', '.join(map(literal, COMBINED))})"
_SYSTEM = f"CASE vocabulary_id {' '.join(f'WHEN {literal(v)} THEN {literal(s)}' for v, s in SYSTEMS.items())} END"

LOOKUPS: Mapping[str, str] = MappingProxyType(
    {
        "coding": f"CASE WHEN {_KNOWN} THEN {coding(_SYSTEM, 'concept_code', 'concept_name')} "
        f"ELSE {coding(literal(OMOP), 'CAST(concept_id AS VARCHAR)', 'concept_name')} END",
        "unit": """CASE WHEN vocabulary_id = 'UCUM' AND concept_code IS NOT NULL THEN CAST(to_json(concept_code) AS VARCHAR) END""",
        "unit_system": f"""CASE WHEN vocabulary_id = 'UCUM' AND concept_code IS NOT NULL THEN '"{UCUM}"' END""",
        "unit_name": "CAST(to_json(concept_name) AS VARCHAR)",
        "vocabulary": "vocabulary_id",
        "code": "concept_code",
        "class": whens(ENCOUNTER_CLASSES),
        "gender": whens({8507: '"male"', 8532: '"female"', 8521: '"other"'}, "'\"unknown\"'"),
        "comparator": whens({4171756: '"<"', 4171754: '"<="', 4172704: '">"', 4171755: '">="'}),
    }
)
"""By name, the SQL of a text over one concept: concept_id, concept_name, concept_code, vocabulary_id, domain_id, concept_class_id.
Another text is JSON text, unless it is only compared in conditions."""


def make_lookups(connection: duckdb.DuckDBPyConnection, concepts: Path, more: Mapping[str, str]) -> None:
    """Make the table of the lookups, and for each an ENUM type: a sort then carries a small number instead of a text."""
    columns = {**LOOKUPS, **more}
    texts = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in columns.items())
    source = f"SELECT concept_id, {texts} FROM read_parquet({literal(concepts)}) WHERE concept_id <> 0"
    with without_values("making the lookups of concepts"):
        connection.execute(f"CREATE TABLE fhir_texts AS {source}")
        for name in columns:
            column = identifier(name)
            distinct = f"SELECT DISTINCT {column} FROM fhir_texts WHERE {column} IS NOT NULL ORDER BY 1"
            connection.execute(f"CREATE TYPE {type_of(name)} AS ENUM ({distinct})")
        typed = ", ".join(f"CAST({identifier(n)} AS {type_of(n)}) AS {identifier(n)}" for n in columns)
        connection.execute(f"CREATE TABLE {TABLE} AS SELECT concept_id, {typed} FROM fhir_texts")
        connection.execute("DROP TABLE fhir_texts")


def type_of(lookup: str) -> str:
    """The type of a lookup's texts."""
    return identifier(f"fhir_{lookup}")


def told_of(
    connection: duckdb.DuckDBPyConnection, ids: Iterable[int], names: Iterable[str]
) -> dict[tuple[str, int], str | None]:
    """What the lookups say of these concepts, by lookup and concept."""
    wanted = list(names)
    columns = ", ".join(f"CAST({identifier(name)} AS VARCHAR)" for name in wanted)
    listed = ", ".join(map(str, sorted(set(ids)))) or "NULL"
    rows = fetch_rows(
        connection, f"SELECT concept_id, {columns} FROM {TABLE} WHERE concept_id IN ({listed})", "reading the lookups"
    )
    return {(name, row[0]): value for row in rows for name, value in zip(wanted, row[1:], strict=True)}

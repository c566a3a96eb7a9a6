"""What profiles of cancer ask of other events than a resource's own: worked out once for a run, in tables that templates join.

Each concept, and each pair of a stage's concept and text, is looked at once; the engine does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import duckdb

from oncoweave.engine.connection import fetch_rows, without_values
from oncoweave.engine.parquet import literal
from oncoweave.events import union_of
from oncoweave.fhir.cancers import MALIGNANT, SECONDARY, ConceptOf, cancer_of
from oncoweave.fhir.coding import Coding
from oncoweave.fhir.findings import SIDES
from oncoweave.fhir.joined import JoinedFact
from oncoweave.fhir.staging import stage_of
from oncoweave.records import EventFile

STAGE_KINDS: Mapping[str, str] = MappingProxyType(
    {"tnm_t": "T", "tnm_n": "N", "tnm_m": "M", "stage_group": "S", "summary_stage": "other"}
)
"""The kinds of facts that stage a cancer, and what they stage."""

_IS_STAGE = "vocabulary_id = 'Cancer Modifier' AND concept_code LIKE '%AJCC/UICC-%'"
_PLACES = ("measurement", "observation")


def make_cancer_tables(
    connection: duckdb.DuckDBPyConnection, events: Path, files: Sequence[EventFile], vocabulary: Path | None
) -> None:
    """Make `fhir_cancers` (concepts), `fhir_cancer_conditions`, `fhir_cancer_patients`, `fhir_stages`, `fhir_stage_members`, `fhir_sides`.

    `vocabulary` is the CONCEPT_ANCESTOR of the release, where it has one.
    """
    _make_concepts(connection, events, vocabulary)
    conditions = [f for f in files if "condition_occurrence" in f.targets]
    stages = (
        f"SELECT concept_id, concept_code FROM read_parquet({literal(events / '_concepts.parquet')}) WHERE {_IS_STAGE}"
    )
    known = bool(fetch_rows(connection, f"{stages} LIMIT 1", "looking for stages"))
    telling = [f for f in files if set(_PLACES) & set(f.targets) and _may_stage(f, known=known)]
    _make_stage_codes(connection, events, telling, stages)
    with without_values("working out cancers"):
        connection.execute(_conditions(events, conditions))
        connection.execute(
            "CREATE TABLE fhir_cancer_patients AS SELECT DISTINCT person_id, 'cancer' AS told FROM fhir_cancer_conditions"
        )
        connection.execute(_stages(events, telling))
        connection.execute(_MEMBERS)
        connection.execute(_sides(events, files))


def _table(sql: str, column: str, by: str) -> JoinedFact:
    return JoinedFact(lambda _events, _files: sql, column, by)


JOINED_CANCER: Mapping[str, JoinedFact] = MappingProxyType(
    {
        "cancer": _table("SELECT * FROM fhir_cancer_conditions", "event_id", "event_id"),
        "tumour": _table(
            "SELECT event_id AS modifies, sites, role FROM fhir_cancer_conditions WHERE role = 'primary'",
            "modifies",
            "modifies",
        ),
        "patient": _table("SELECT * FROM fhir_cancer_patients", "person_id", "person_id"),
        "stage": _table(
            "SELECT * FROM fhir_stages LEFT JOIN fhir_stage_members USING (event_id)", "event_id", "event_id"
        ),
        "side": _table("SELECT * FROM fhir_sides", "modifies", "event_id"),
        "staged": _table(
            "SELECT modifies, string_agg(reference, ',' ORDER BY event_id) AS by "
            "FROM fhir_stages WHERE axis IN ('S', 'other') AND focus AND told GROUP BY modifies",
            "modifies",
            "event_id",
        ),
    }
)
"""By name: `side#coding`, the side of a condition; `cancer#…`, the event's own condition as a cancer; `tumour#…`, the primary cancer that it modifies; `patient#told`, whether
its person has a cancer; `stage#…`, the event as a stage; `staged#by`, the references to what stages a condition."""


def _json(codings: Sequence[Coding]) -> str:
    return ",".join(coding.json for coding in codings)


def _make_concepts(connection: duckdb.DuckDBPyConnection, events: Path, ancestors: Path | None) -> None:
    """`fhir_cancers`: each concept that a condition may have, as a cancer."""
    concepts = f"read_parquet({literal(events / '_concepts.parquet')})"
    above: dict[int, set[int]] = {}
    told = f"SELECT 1 FROM read_parquet({literal(ancestors)}) WHERE ancestor_concept_id = {MALIGNANT} LIMIT 1"
    knows = bool(ancestors and fetch_rows(connection, told, "looking for the ancestors of cancers"))
    if knows:
        sql = f"""SELECT descendant_concept_id, ancestor_concept_id FROM read_parquet({literal(ancestors)})
            WHERE ancestor_concept_id IN ({MALIGNANT}, {SECONDARY}) AND descendant_concept_id IN (SELECT concept_id FROM {concepts})"""
        for concept, ancestor in fetch_rows(connection, sql, "reading the ancestors of concepts"):
            above.setdefault(int(concept), set()).add(int(ancestor))
    sql = f"SELECT concept_id, concept_name, vocabulary_id, concept_code FROM {concepts} WHERE domain_id = 'Condition'"
    rows = []
    for concept, name, vocabulary, code in fetch_rows(connection, sql, "reading the concepts of conditions"):
        known = frozenset(above.get(int(concept), {0})) if knows else frozenset[int]()
        cancer = cancer_of(ConceptOf(int(concept), str(name), str(vocabulary), str(code or ""), known))
        morphology = cancer.morphology.json if cancer.morphology else None
        rows.append(
            (
                int(concept),
                cancer.role,
                cancer.code.json if cancer.code else None,
                _json(cancer.sites) or None,
                morphology,
            )
        )
    columns = "concept_id INTEGER, role VARCHAR, code VARCHAR, sites VARCHAR, morphology VARCHAR"
    _fill(connection, "fhir_cancers", columns, rows)


def _make_stage_codes(
    connection: duckdb.DuckDBPyConnection, events: Path, files: Sequence[EventFile], stages: str
) -> None:
    """`fhir_stage_codes`: each concept and text of a stage, with the codes of mCODE."""
    told = union_of(events, files, ["concept_id", "source_value"])
    sql = f"SELECT DISTINCT concept_id, coalesce(source_value, ''), concept_code FROM ({told}) JOIN ({stages}) USING (concept_id)"
    rows = []
    for concept, text, code in fetch_rows(connection, sql, "reading the stages"):
        stage = stage_of(str(code), str(text))
        if stage:
            value, method = stage.value, stage.method
            side = stage.prefix
            rows.append((int(concept), str(text), stage.axis, side, stage.code.json, value.json if value else None,
                         method.json if method else None))  # fmt: skip
    columns = (
        "concept_id INTEGER, text VARCHAR, axis VARCHAR, side VARCHAR, type VARCHAR, value VARCHAR, method VARCHAR"
    )
    _fill(connection, "fhir_stage_codes", columns, rows)


def _may_stage(file: EventFile, *, known: bool) -> bool:
    """Whether events of the file may stage a cancer: by their kind, or where stages are `known`, by a concept that varies or is one."""
    if file.fact == "death":
        return False
    return known or "kind" in file.columns or file.constants.get("kind") in STAGE_KINDS


def _fill(
    connection: duckdb.DuckDBPyConnection, table: str, columns: str, rows: Sequence[tuple[str | int | None, ...]]
) -> None:
    with without_values(f"filling {table}"):
        connection.execute(f"CREATE TABLE {table} ({columns})")
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _conditions(events: Path, files: Sequence[EventFile]) -> str:
    told = union_of(events, files, ["event_id", "person_id", "concept_id", "target"])
    return f"""CREATE TABLE fhir_cancer_conditions AS SELECT event_id, person_id, role, code, sites, morphology
        FROM ({told}) JOIN fhir_cancers USING (concept_id) WHERE target = 'condition_occurrence' AND role IS NOT NULL"""


def _stages(events: Path, files: Sequence[EventFile]) -> str:
    """The events that stage a cancer: what, its codes, and whether it is of a primary cancer (`focus`) and says anything (`told`)."""
    columns = ["event_id", "person_id", "concept_id", "source_value", "kind", "modifies", "start_date", "target"]
    told = union_of(events, files, columns)
    kinds = " ".join(f"WHEN {literal(kind)} THEN {literal(axis)}" for kind, axis in STAGE_KINDS.items())
    return f"""CREATE TABLE fhir_stages AS
        SELECT e.event_id, e.modifies, e.start_date, coalesce(CASE e.kind {kinds} END, s.axis) AS axis, s.axis AS found, s.side, s.type,
            s.value, s.method, c.event_id IS NOT NULL AS focus, p.person_id IS NOT NULL AS patient,
            e.concept_id <> 0 OR nullif(trim(e.source_value), '') IS NOT NULL AS told,
            '{{"reference":"Observation/' || e.event_id || '"}}' AS reference
        FROM ({told}) AS e
        LEFT JOIN fhir_stage_codes AS s ON s.concept_id = e.concept_id AND s.text = coalesce(e.source_value, '')
        LEFT JOIN fhir_cancer_conditions AS c ON c.event_id = e.modifies AND c.role = 'primary'
        LEFT JOIN fhir_cancer_patients AS p ON p.person_id = e.person_id
        WHERE e.target IN ({", ".join(map(literal, _PLACES))}) AND (s.axis IS NOT NULL OR e.kind IN ({", ".join(map(literal, STAGE_KINDS))}))"""


def _sides(events: Path, files: Sequence[EventFile]) -> str:
    """The side of each condition that is told by modifiers which agree."""
    telling = [
        f
        for f in files
        if "modifies" in f.columns and ("concept_id" in f.columns or f.constants.get("concept_id") in SIDES)
    ]
    told = union_of(events, telling, ["modifies", "concept_id"])
    whens = " ".join(f"WHEN {number} THEN {literal(side.json)}" for number, side in SIDES.items())
    return f"""CREATE TABLE fhir_sides AS SELECT modifies, CASE min(concept_id) {whens} END AS coding FROM ({told})
        WHERE concept_id IN ({", ".join(map(str, SIDES))}) AND modifies IS NOT NULL GROUP BY modifies HAVING count(DISTINCT concept_id) = 1"""


_MEMBERS = """CREATE TABLE fhir_stage_members AS
    SELECT g.event_id, string_agg(m.reference, ',' ORDER BY m.axis DESC) AS members
    FROM fhir_stages AS g JOIN (
        SELECT modifies, start_date, side, axis, any_value(reference) AS reference FROM fhir_stages
        WHERE axis IN ('T', 'N', 'M') AND found = axis AND value IS NOT NULL AND method IS NOT NULL AND focus
        GROUP BY modifies, start_date, side, axis HAVING count(*) = 1
    ) AS m ON m.modifies = g.modifies AND m.start_date = g.start_date AND m.side = g.side
    WHERE g.axis = 'S' GROUP BY g.event_id"""
"""The categories of a group: those of the same tumour, day and prefix, where there is one of each."""

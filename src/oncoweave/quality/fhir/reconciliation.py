"""Whether OMOP and FHIR of a run say the same: every row has its resource or a reason, and every resource its row.

A resource is of the row whose id its own id begins with; a death is in the Patient. Rows are counted as they stand in the
tables; kinds of fact by the events, as long as they are there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass

import duckdb

from oncoweave.engine.connection import fetch_rows
from oncoweave.engine.parquet import identifier, literal
from oncoweave.events import remaining_event_files, select_events
from oncoweave.project import RunFolder
from oncoweave.quality.fhir.resources import OF_THE_RUN
from oncoweave.quality.run_checks.finding import Finding
from oncoweave.record import Record
from oncoweave.records import FhirRecord, resources_by_type

CONCEPT_OF: Mapping[str, str | None] = {
    "condition_occurrence": "condition_concept_id",
    "device_exposure": "device_concept_id",
    "drug_exposure": "drug_concept_id",
    "episode": "episode_concept_id",
    "measurement": "measurement_concept_id",
    "note": None,
    "observation": "observation_concept_id",
    "procedure_occurrence": "procedure_concept_id",
    "specimen": "specimen_concept_id",
    "visit_detail": "visit_detail_concept_id",
    "visit_occurrence": "visit_concept_id",
}
"""The tables of which each row is one event: the field of the concept, where there is one."""
GONE = "the events of the run have been removed"
PERSONAL: Mapping[str, str] = {"person": "gender_concept_id", "death": "cause_concept_id"}
"""The tables whose rows are in the Patient, likewise."""
_COUNTS = ("rows", "told", "resources", "unmapped", "uncoded")
_UNCODED = ("note", "person", "death", "visit_detail", "visit_occurrence")
"""Tables whose concept is no code of their resource: a visit's is its class."""
_TOLD = """
CREATE VIEW fhir_told AS
SELECT o.name, coalesce(f.fact, '') AS fact, o.concept, r.resources, NOT r.coded AS is_text,
    coalesce(r.person, o.person) <> o.person OR coalesce(r.other_person, o.person) <> o.person AS is_other
FROM omop_rows AS o LEFT JOIN fhir_rows AS r ON r."row" = o.key LEFT JOIN omop_facts AS f ON f.key = o.key
WHERE o.name NOT IN ('person', 'death')
UNION ALL
SELECT o.name, o.name, o.concept, CASE WHEN o.name = 'person' OR p.dead THEN p.resources END, false, false
FROM omop_rows AS o LEFT JOIN (
    SELECT "row", count(*) AS resources, bool_or(dead) AS dead FROM fhir_resources WHERE type = 'Patient' GROUP BY "row"
) AS p ON p."row" = o.key WHERE o.name IN ('person', 'death')
"""
_COUNTED = """
SELECT name, fact, count(*), count(resources), coalesce(sum(resources), 0)::BIGINT, count(*) FILTER (concept = 0),
    count(*) FILTER (resources IS NOT NULL AND is_text), count(*) FILTER (resources IS NOT NULL AND is_other),
    count(*) FILTER (resources IS NOT NULL AND concept <> 0), count(*) FILTER (resources IS NOT NULL AND concept <> 0 AND is_text)
FROM fhir_told GROUP BY name, fact ORDER BY name, fact
"""


class ReconciledKind(Record):
    """A kind of fact in a table: its rows in OMOP, those that have a resource, the resources, and rows left out by reason.

    `unmapped` are rows with concept 0, `uncoded` rows whose resource has text and no code.
    """

    table: str
    fact: str
    rows: int
    told: int
    resources: int
    unmapped: int
    uncoded: int
    left_out: tuple[tuple[str, int], ...] = ()

    @property
    def excused(self) -> int:
        """The rows that are left out for a reason."""
        return sum(number for _, number in self.left_out)

    @property
    def difference(self) -> int:
        """Rows without a resource and without a reason; below 0 where more were left out than there are."""
        return self.rows - self.told - self.excused


class JudgedType(Record):
    """The resources of a type: how many there are, the validator looked at, and it refused."""

    type: str
    resources: int
    validated: int
    refused: int


class Reconciliation(Record):
    """fhir.json: the resources of each type, and the kinds of fact on both sides."""

    profiles: str
    types: tuple[JudgedType, ...]
    kinds: tuple[ReconciledKind, ...]


@dataclass(frozen=True)
class _Told:
    """Of the rows of a table that have a resource: how many, those whose resource is of another person, those with a concept,
    and those of them whose resource has text alone."""

    rows: int = 0
    of_another: int = 0
    coded: int = 0
    text_alone: int = 0

    def plus(self, *counts: int) -> _Told:
        """With those of another kind of fact."""
        return _Told(*(one + other for one, other in zip(astuple(self), counts, strict=True)))


def reconcile(
    connection: duckdb.DuckDBPyConnection, run: RunFolder, record: FhirRecord
) -> tuple[list[Finding], tuple[ReconciledKind, ...]]:
    """What differs between the tables of `run` and its resources, which `resources.load` has made relations of."""
    _prepare(connection, run)
    events = remaining_event_files(run)
    kinds, told = _kinds(connection, record, known=bool(events))
    found = [*_persons(connection), *_by_table(kinds, told), *_by_fact(kinds, known=bool(events))]
    found += [*_orphaned(connection, known=bool(events)), *_written(connection, record)]
    return found, kinds


def _prepare(connection: duckdb.DuckDBPyConnection, run: RunFolder) -> None:
    """`omop_rows`: table, key, person and concept of every row that is one event; `omop_facts`: of which kind each is."""
    selects = ["SELECT '' AS name, 0::BIGINT AS key, 0::BIGINT AS person, 0 AS concept WHERE false"]
    for table, concept in {**CONCEPT_OF, **PERSONAL}.items():
        path = run.tables / f"{table}.parquet"
        key = "person_id" if table in PERSONAL else f"{table}_id"
        if path.is_file():
            of = identifier(concept) if concept else "NULL"
            selects.append(
                f"SELECT {literal(table)}, {identifier(key)}, person_id, {of} FROM read_parquet({literal(path)})"
            )
    connection.execute(f"CREATE TABLE omop_rows AS {' UNION ALL '.join(selects)}")
    files = [file for file in remaining_event_files(run) if {*file.targets} & {*CONCEPT_OF, "death"}]
    connection.execute("CREATE TABLE omop_facts (key BIGINT, name VARCHAR, fact VARCHAR)")
    for file in files:  # the kind of fact as the ledger counts it; parts of a visit are visits
        events = select_events(run.events, file, ["event_id", "target"])
        connection.execute(f"INSERT INTO omop_facts SELECT *, ? FROM ({events})", [file.fact])


def _kinds(
    connection: duckdb.DuckDBPyConnection, record: FhirRecord, *, known: bool
) -> tuple[tuple[ReconciledKind, ...], dict[str, _Told]]:
    """The kinds of fact by table, and what its resources tell.

    Deaths that the Patients tell, all of them, are not left out, whatever else is not made of them.
    """
    connection.execute(_TOLD)
    counted = {(t, f): counts for t, f, *counts in fetch_rows(connection, _COUNTED, "reconciling OMOP with FHIR")}
    left_out: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for one in record.left_out:
        if one.target in CONCEPT_OF or one.target in PERSONAL:
            left_out[one.target, one.fact if known or one.target in PERSONAL else ""].append((one.reason, one.events))
    kinds = []
    told: dict[str, _Told] = defaultdict(_Told)
    for table, fact in sorted(counted.keys() | left_out.keys()):
        counts = counted.get((table, fact), [0] * 8)
        why = tuple(sorted(left_out[table, fact])) if table != "death" or counts[0] > counts[1] else ()
        names = dict(zip(_COUNTS, counts, strict=False))
        kinds.append(ReconciledKind(table=table, fact=fact, left_out=why, **names))
        told[table] = told[table].plus(counts[1], *counts[5:])
    return tuple(kinds), told


def _persons(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    sql = """SELECT count(*), count(*) FILTER (o.key IS NULL OR p."row" IS NULL)
        FROM (SELECT key FROM omop_rows WHERE name = 'person') AS o
        FULL JOIN (SELECT DISTINCT "row" FROM fhir_resources WHERE type = 'Patient') AS p ON p."row" = o.key"""
    ((persons, alone),) = fetch_rows(connection, sql, "comparing persons with Patients")
    yield Finding("fhir_persons_unreconciled", (), "person", persons, alone)


def _by_table(kinds: Sequence[ReconciledKind], told: Mapping[str, _Told]) -> Iterator[Finding]:
    for table, of in told.items():
        of_table = [kind for kind in kinds if kind.table == table]
        rows, differ = sum(kind.rows for kind in of_table), abs(sum(kind.difference for kind in of_table))
        yield Finding("fhir_rows_unreconciled", (table,), table, max(rows, differ), differ)
        yield Finding("fhir_subjects_foreign", (table,), table, of.rows, of.of_another)
        if table not in _UNCODED:
            yield Finding("fhir_codes_lost", (table,), table, of.coded, of.text_alone)


def _by_fact(kinds: Sequence[ReconciledKind], *, known: bool) -> Iterator[Finding]:
    for fact in sorted({kind.fact for kind in kinds}):
        of_fact = [kind for kind in kinds if kind.fact == fact]
        if not known and fact not in PERSONAL:
            continue
        rows, differ = sum(kind.rows for kind in of_fact), sum(abs(kind.difference) for kind in of_fact)
        yield Finding("fhir_facts_unreconciled", (fact,), "", max(rows, differ), differ)


def _orphaned(connection: duckdb.DuckDBPyConnection, *, known: bool) -> Iterator[Finding]:
    """Resources of a row that is not there; those of the run as a whole are of none, those of a death of its event."""
    whole = ", ".join(map(literal, OF_THE_RUN))
    sql = f"""SELECT type, count(*), count(*) FILTER (known.key IS NULL) FROM fhir_resources
        LEFT JOIN (SELECT key FROM omop_rows UNION SELECT key FROM omop_facts WHERE name = 'death') AS known ON known.key = "row"
        WHERE is_object AND type NOT IN ({whole}) GROUP BY type ORDER BY type"""
    for type_, resources, alone in fetch_rows(connection, sql, "looking for the rows of FHIR resources"):
        if alone and not known:
            yield Finding("fhir_resources_orphaned", (type_,), type_, not_applicable=GONE)
        else:
            yield Finding("fhir_resources_orphaned", (type_,), type_, resources, alone)


def _written(connection: duckdb.DuckDBPyConnection, record: FhirRecord) -> Iterator[Finding]:
    """The lines that there are against those that the map stage wrote."""
    sql = "SELECT type, count(*) FROM fhir_resources GROUP BY type"
    there = dict(fetch_rows(connection, sql, "counting FHIR resources"))
    for type_, resources in sorted(resources_by_type(record.files).items()):
        differ = abs(resources - there.get(type_, 0))
        yield Finding("fhir_resources_unreconciled", (type_,), type_, max(resources, differ), differ)

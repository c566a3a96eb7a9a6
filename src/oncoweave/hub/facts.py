"""What may be told of a release: counts of persons and records, years, sexes, the commonest concepts; small ones left out.

Made once, of the verified files, when a release is taken in; catalogue and comparison are made of it alone.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import duckdb

from oncoweave.engine.connection import connect, without_values
from oncoweave.files import read_record, sha256_of
from oncoweave.omop.clinical import CLINICAL, SEXES
from oncoweave.privacy.small_cells import Count, suppressed, told_count
from oncoweave.record import Record
from oncoweave.release.verify import MANIFEST
from oncoweave.release_records import ReleaseManifest

OF_NOBODY = frozenset({"location", "care_site", "provider", "cdm_source", "metadata"})
"""Tables whose rows tell of no person."""
TYPES_OF_NOBODY = frozenset({"ConceptMap", "Provenance"})
"""Types of FHIR resources that tell of no person."""
MOST = 10
"""Concepts told of each table."""


class TableFacts(Record):
    """A clinical table: how many records, how many of them without a concept and what share that is."""

    table: str
    records: Count
    unmapped: Count
    unmapped_share: float | None


class ConceptFacts(Record):
    """A common concept of a table: in how many records, and of how many persons."""

    table: str
    concept_id: int
    records: int
    persons: int


class LedgerFacts(Record):
    """The ledger of the release, in rule rows: read = mapped + quarantined + excluded."""

    read: int
    mapped: Count
    quarantined: Count
    excluded: Count


class FhirFacts(Record):
    """The FHIR R4 resources of a release: in which profiles, and how many of each type."""

    profiles: str
    resources: dict[str, Count]


class Facts(Record):
    """facts/<source>/<release_id>.json: what may be told of a release. `smallest` is the least count that is told.

    `years` are the first and the last in which enough persons have a record. `sha256` is that of the release's manifest.
    """

    source: str
    release_id: str
    run_id: str
    title: str
    holder: str
    description: str
    delivery_date: date
    synthetic_origin: date | None
    cdm_version: str
    vocabulary: str
    software: str
    signed: str | None
    sha256: str
    smallest: int
    persons: Count
    rows: dict[str, Count]
    years: tuple[int, int] | None
    sex: dict[str, Count]
    tables: tuple[TableFacts, ...]
    concepts: tuple[ConceptFacts, ...]
    ledger: LedgerFacts
    fhir: FhirFacts | None = None


def facts_of(release: Path, smallest: int) -> Facts:
    """What may be told of the verified release in a folder; counts from 1 to `smallest` - 1 are not."""
    manifest = read_record(release / MANIFEST, ReleaseManifest)
    with tempfile.TemporaryDirectory(prefix="oncoweave-facts-") as work:
        connection = connect(work=Path(work), allow=[release], threads=1)
        try:
            with without_values(f"counting {manifest.source}"):
                about = _about(connection, release)
                sex, years = _sex(connection, release, smallest), _years(connection, release, manifest, smallest)
                clinical = [name for name in CLINICAL if _has(manifest, name)]
                told = tuple(_table(connection, release, name, smallest) for name in clinical)
                concepts = tuple(one for n in clinical for one in _concepts(connection, release, n, smallest))
        finally:
            connection.close()
    return Facts(
        source=manifest.source,
        release_id=manifest.release_id,
        run_id=manifest.run_id,
        title=about[0] or manifest.source,
        holder=about[1],
        description=about[2],
        delivery_date=manifest.delivery_date,
        synthetic_origin=manifest.synthetic_origin[0] if manifest.synthetic_origin else None,
        cdm_version=manifest.cdm_version,
        vocabulary=manifest.vocabulary,
        software=manifest.software,
        signed=manifest.signoff.decision if manifest.signoff else None,
        sha256=sha256_of(release / MANIFEST),
        smallest=smallest,
        persons=told_count(manifest.persons, smallest),
        rows=_rows(manifest, smallest),
        years=years,
        sex=sex,
        tables=told,
        concepts=concepts,
        ledger=_ledger(manifest, smallest),
        fhir=_fhir(manifest, smallest),
    )


def _rows(manifest: ReleaseManifest, smallest: int) -> dict[str, Count]:
    """The rows of each table; of tables that tell of persons, small ones are left out."""
    found: dict[str, Count] = {}
    for file in manifest.tables:
        name = Path(file.name).stem
        found[name] = file.rows if name in OF_NOBODY else told_count(file.rows or 0, smallest)
    return found


def _fhir(manifest: ReleaseManifest, smallest: int) -> FhirFacts | None:
    """The resources by type; those that tell of no person are counted whatever their number."""
    if manifest.fhir is None:
        return None
    told = {t: n if t in TYPES_OF_NOBODY else told_count(n, smallest) for t, n in manifest.fhir.resources.items()}
    return FhirFacts(profiles=manifest.fhir.profiles, resources=told)


def _ledger(manifest: ReleaseManifest, smallest: int) -> LedgerFacts:
    counts = {name: sum(getattr(e, name) for e in manifest.ledger) for name in ("mapped", "quarantined", "excluded")}
    return LedgerFacts(read=sum(counts.values()), **suppressed(counts, smallest))


def _has(manifest: ReleaseManifest, table: str) -> bool:
    return any(file.name == f"omop/{table}.parquet" and file.rows for file in manifest.tables)


def _file(release: Path, table: str) -> str:
    return str(release / "omop" / f"{table}.parquet")


def _about(connection: duckdb.DuckDBPyConnection, release: Path) -> tuple[str, str, str]:
    """The title, holder and description of the source, as the release itself says."""
    if not (release / "omop" / "cdm_source.parquet").is_file():
        return "", "", ""
    sql = "SELECT cdm_source_name, cdm_holder, source_description FROM read_parquet($file) LIMIT 1"
    row = connection.execute(sql, {"file": _file(release, "cdm_source")}).fetchone()
    return (row[0] or "", row[1] or "", row[2] or "") if row else ("", "", "")


def _sex(connection: duckdb.DuckDBPyConnection, release: Path, smallest: int) -> dict[str, Count]:
    sql = "SELECT gender_concept_id, count(*) FROM read_parquet($file) GROUP BY ALL ORDER BY ALL"
    rows = connection.execute(sql, {"file": _file(release, "person")}).fetchall()
    counts = dict.fromkeys(SEXES.values(), 0) | {"other": 0}
    for concept, count in rows:
        counts[SEXES.get(concept, "other")] += count
    return suppressed({name: count for name, count in counts.items() if count}, smallest)


def _years(
    connection: duckdb.DuckDBPyConnection, release: Path, manifest: ReleaseManifest, smallest: int
) -> tuple[int, int] | None:
    parts = [
        f"SELECT person_id, year({day}) AS y FROM read_parquet(${table})"
        for table, (_, day) in CLINICAL.items()
        if _has(manifest, table)
    ]
    if not parts:
        return None
    sql = (
        f"SELECT min(y), max(y) FROM (SELECT y FROM ({' UNION ALL '.join(parts)}) WHERE y IS NOT NULL "
        "GROUP BY y HAVING count(DISTINCT person_id) >= $smallest)"
    )
    files = {table: _file(release, table) for table in CLINICAL if _has(manifest, table)}
    first, last = connection.execute(sql, {**files, "smallest": smallest}).fetchall()[0]
    return None if first is None else (first, last)


def _table(connection: duckdb.DuckDBPyConnection, release: Path, table: str, smallest: int) -> TableFacts:
    sql = f"SELECT count(*), count(*) FILTER ({CLINICAL[table][0]} = 0) FROM read_parquet($file)"
    records, unmapped = connection.execute(sql, {"file": _file(release, table)}).fetchall()[0]
    told = suppressed({"mapped": records - unmapped, "unmapped": unmapped}, smallest)
    shown = told_count(records, smallest)
    share = round(unmapped / records, 4) if shown and told["unmapped"] is not None else None
    return TableFacts(
        table=table,
        records=shown,
        unmapped=told["unmapped"] if shown is not None else None,
        unmapped_share=share,
    )


def _concepts(connection: duckdb.DuckDBPyConnection, release: Path, table: str, smallest: int) -> list[ConceptFacts]:
    concept = CLINICAL[table][0]
    sql = (
        f"SELECT {concept}, count(*), count(DISTINCT person_id) AS persons FROM read_parquet($file) "
        f"WHERE {concept} <> 0 GROUP BY {concept} HAVING persons >= $smallest ORDER BY persons DESC, {concept} LIMIT {MOST}"
    )
    rows = connection.execute(sql, {"file": _file(release, table), "smallest": smallest}).fetchall()
    return [ConceptFacts(table=table, concept_id=c, records=r, persons=p) for c, r, p in rows]

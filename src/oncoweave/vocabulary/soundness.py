"""Judges whether the tables of a bundle fit together, before it is put on the shelf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.engine.parquet import identifier
from oncoweave.errors import DataError
from oncoweave.vocabulary.athena import AthenaTable
from oncoweave.vocabulary.bundle import valid
from oncoweave.vocabulary.download import AGAIN, DeliveredTable, lines_of

_ROWS = "read_parquet($rows)"
_CONCEPTS = "SELECT concept_id FROM read_parquet($concepts)"


@dataclass(frozen=True)
class Gap:
    """One way in which tables do not fit: how many rows of how many, what they are, and the share that is tolerated.

    A few rows always point to a concept that Athena left out; many mean that a file lacks its end.
    """

    rows: int
    of: int
    what: str
    tolerated: float

    @property
    def too_wide(self) -> bool:
        return self.rows > self.tolerated * self.of

    def __str__(self) -> str:
        return f"{self.rows:,} of {self.of:,} {self.what}"


def refuse_repeated(connection: duckdb.DuckDBPyConnection, bundle: Path, delivered: Sequence[DeliveredTable]) -> None:
    """Raises DataError, with the lines where it can, for two rows of one key."""
    for item in delivered:
        table = item.table
        if not table.key:
            continue
        select = _neighbours(table) if table.sorted_by_key else _groups(table)
        found = _rows(connection, f"{select} LIMIT 1", bundle / f"{table.name}.parquet")
        if not found:
            continue
        key = ", ".join(f"{column} {value}" for column, value in zip(table.key, found[0], strict=True))
        lines = lines_of(item, found[0])
        place = f", lines {' and '.join(str(n) for n in lines[:2])}" if lines else ""
        raise DataError(f"{item.path.name}{place}: {key} is there more than once", mend=AGAIN)


def refuse_bad_ids(connection: duckdb.DuckDBPyConnection, bundle: Path, delivered: Sequence[DeliveredTable]) -> None:
    """Raises DataError, with the line where it can, for a concept's id that is negative, or missing where it is a key."""
    for item in delivered:
        path = bundle / f"{item.table.name}.parquet"
        for column in (c for c in item.table.columns if "concept_id" in c):
            missing = f" OR {identifier(column)} IS NULL" if column in item.table.key else ""
            sql = f"SELECT min({identifier(column)}), count(*) FROM {_ROWS} WHERE {identifier(column)} < 0{missing}"
            ((lowest, bad),) = _rows(connection, sql, path)
            if bad:
                lines = lines_of(item, [lowest if lowest is not None else ""], [column])
                place = f", line {lines[0]}" if lines else ""
                what = "is empty" if lowest is None else f"is {lowest}: no concept has a negative id"
                raise DataError(f"{item.path.name}{place}: `{column}` {what}", mend=AGAIN)


def remarks(
    connection: duckdb.DuckDBPyConnection, bundle: Path, delivered: Sequence[DeliveredTable], *, accept_gaps: bool
) -> tuple[str, ...]:
    """What to know of a bundle: rows whose concepts it does not have.

    Raises DataError when a download (not a folder of Parquet, which is someone's selection) has so many that a
    file must lack its end, unless `accept_gaps`.
    """
    gaps = [gap for gap in _gaps(connection, bundle) if gap.rows]
    wide = [gap for gap in gaps if gap.too_wide]
    if wide and delivered[0].is_text and not accept_gaps:
        raise DataError(
            f"the tables do not fit together: {'; '.join(map(str, wide))}; a file may lack its end",
            mend="download it again; or, if the selection is meant to be so, load it with --accept-gaps",
        )
    return tuple(str(gap) for gap in gaps)


def _gaps(connection: duckdb.DuckDBPyConnection, bundle: Path) -> list[Gap]:
    concepts, relationships = bundle / "CONCEPT.parquet", bundle / "CONCEPT_RELATIONSHIP.parquet"
    named = {"concepts": str(concepts), "vocabularies": str(bundle / "VOCABULARY.parquet")}
    known = _CONCEPTS
    if (bundle / "CONCEPT_CPT4.parquet").is_file():
        known += " UNION ALL SELECT concept_id FROM read_parquet($cpt4)"
        named["cpt4"] = str(bundle / "CONCEPT_CPT4.parquet")
    lost = "{0} NOT IN (SELECT concept_id FROM known)"
    either = f"({lost.format('concept_id_1')} OR {lost.format('concept_id_2')})"
    both = f"({lost.format('ancestor_concept_id')} OR {lost.format('descendant_concept_id')})"
    mapped = "SELECT concept_id_1 FROM read_parquet($relationships) WHERE relationship_id = 'Maps to'"
    named["relationships"] = str(relationships)
    questions = (
        (relationships, either, "true", "relationships name a concept that CONCEPT does not have", 0.01),
        (bundle / "CONCEPT_ANCESTOR.parquet", both, "true", "ancestors name a concept that CONCEPT does not have", 0.01),
        (concepts, "vocabulary_id NOT IN (SELECT vocabulary_id FROM read_parquet($vocabularies))", "true",
         "concepts are of a vocabulary that VOCABULARY does not have", 0.0),
        (concepts, f"concept_id NOT IN ({mapped})", f"standard_concept = 'S' AND {valid()}",
         "standard concepts have no 'Maps to'", 0.1),
    )  # fmt: skip
    found = []
    for path, fault, among, what, tolerated in questions:
        sql = f"""WITH known AS ({known})
            SELECT count(*) FILTER ({fault}), count(*) FROM {_ROWS} WHERE {among}"""
        ((rows, of),) = _rows(connection, sql, path, **{k: v for k, v in named.items() if f"${k}" in sql})
        found.append(Gap(rows, of, what, tolerated))
    return found


def _groups(table: AthenaTable) -> str:
    key = ", ".join(identifier(column) for column in table.key)
    return f"SELECT {key} FROM {_ROWS} GROUP BY ALL HAVING count(*) > 1"


def _neighbours(table: AthenaTable) -> str:
    """The keys that the row before has too: a file that is sorted by its key needs no table of all keys."""
    key = [identifier(column) for column in table.key]
    before = ", ".join(f"lag({name}) OVER () AS b{i}" for i, name in enumerate(key))
    same = " AND ".join(f"{name} = b{i}" for i, name in enumerate(key))
    return f"SELECT {', '.join(key)} FROM (SELECT {', '.join(key)}, {before} FROM {_ROWS}) WHERE {same}"


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, path: Path, **parameters: str) -> list[tuple[int, ...]]:
    with without_values(f"reading {path.name}"):
        return connection.execute(sql, {"rows": str(path), **parameters}).fetchall()

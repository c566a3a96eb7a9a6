"""What a site adds to a release: concepts of its own, and a source_to_concept_map.

Source: OMOP CDM, "Custom Concepts" and "Custom SOURCE_TO_CONCEPT_MAP". A site's concept has an id above
2,000,000,000, is never standard, is of a vocabulary of the site's, and stands in *_source_concept_id only; it maps to
standard concepts by 'Maps to', and takes no place in the hierarchies of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.engine.parquet import identifier, literal
from oncoweave.errors import DataError, UsageError
from oncoweave.vocabulary.athena import TABLES
from oncoweave.vocabulary.bundle import CUSTOM, is_target, valid
from oncoweave.vocabulary.download import DeliveredTable, explain, lines_of, refuse_cut_off, text_table

_ADDED = ("VOCABULARY", "CONCEPT", "CONCEPT_RELATIONSHIP", "SOURCE_TO_CONCEPT_MAP")
_REVERSE = {"Maps to": "Mapped from", "Maps to value": "Value mapped from"}
_HIERARCHY = ("Is a", "Subsumes")


def additions_in(folder: Path) -> dict[str, DeliveredTable]:
    """The tables that a site adds, by name: CONCEPT.csv and its like, separated by tabs (as Athena's) or commas.

    Raises UsageError for a folder without any, DataError for a file that does not have its columns or is cut off.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", mend="name the folder that holds your CONCEPT.csv")
    files = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
    found = {
        table.name: text_table(table, files[name])
        for table in TABLES
        if table.name in _ADDED and (name := f"{table.name.lower()}.csv") in files
    }
    if not found:
        mend = f"it can hold {', '.join(f'{name}.csv' for name in _ADDED)}"
        raise UsageError(f"{folder} adds nothing to the vocabulary", mend=mend)
    for table in found.values():
        refuse_cut_off(table)
    return found


def read_additions(connection: duckdb.DuckDBPyConnection, added: Mapping[str, DeliveredTable]) -> dict[str, str]:
    """Reads what is added into temporary tables, complete: each 'Maps to' has its 'Mapped from', each vocabulary its row.

    Returns the SELECT of each table that has rows of the site's. Raises DataError for what cannot be read.
    """
    for table in (t for t in TABLES if t.name in _ADDED):
        _make(connection, table.name, table.columns)
        if table.name in added:
            _fill(connection, added[table.name])
    _add_reverse(connection)
    _add_vocabularies(connection)
    return {name: f"SELECT * FROM {identifier(_temporary(name))}" for name in _ADDED}


def check_additions(connection: duckdb.DuckDBPyConnection, added: Mapping[str, DeliveredTable], bundle: Path) -> None:
    """Raises DataError, with file and line, for the first addition that breaks a rule; they are in the bundle already."""
    for name, rule, mend in _rules(bundle):
        if name in added:
            _refuse(connection, added[name], rule, mend)


def unmapped_rows(connection: duckdb.DuckDBPyConnection, bundle: Path) -> tuple[str, ...]:
    """What to know of the rows of SOURCE_TO_CONCEPT_MAP that lead to no valid standard concept."""
    path = bundle / "SOURCE_TO_CONCEPT_MAP.parquet"
    if not path.is_file():
        return ()
    sql = f"""SELECT count(*) FILTER (target_concept_id NOT IN ({_standard(bundle)})), count(*) FROM read_parquet($rows)
        WHERE {valid()}"""
    with without_values("reading SOURCE_TO_CONCEPT_MAP"):
        ((without, rows),) = connection.execute(sql, {"rows": str(path)}).fetchall()
    what = "rows of SOURCE_TO_CONCEPT_MAP lead to no valid standard concept: their codes get concept 0"
    return (f"{without:,} of {rows:,} {what}",) if without else ()


def _temporary(name: str) -> str:
    return f"added_{name}"


def _make(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str]) -> None:
    types = ", ".join(f"{identifier(column)} {kind}" for column, kind in columns.items())
    connection.execute(f"CREATE TEMP TABLE {identifier(_temporary(name))} ({types})")


def _fill(connection: duckdb.DuckDBPyConnection, table: DeliveredTable) -> None:
    try:
        target = identifier(_temporary(table.table.name))
        connection.execute(f"INSERT INTO {target} {table.select}", {"file": str(table.source)})
    except duckdb.Error:
        raise explain(connection, table) or DataError(f"{table.path.name} cannot be read") from None


def _add_reverse(connection: duckdb.DuckDBPyConnection) -> None:
    """'Mapped from' beside each 'Maps to', where the site left it out."""
    name = identifier(_temporary("CONCEPT_RELATIONSHIP"))
    for relationship, reverse in _REVERSE.items():
        connection.execute(
            f"""INSERT INTO {name} SELECT concept_id_2, concept_id_1, $reverse, valid_start_date, valid_end_date, invalid_reason
            FROM {name} AS r WHERE relationship_id = $relationship AND NOT EXISTS (SELECT 1 FROM {name} AS b
            WHERE b.concept_id_1 = r.concept_id_2 AND b.concept_id_2 = r.concept_id_1 AND b.relationship_id = $reverse)""",
            {"reverse": reverse, "relationship": relationship},
        )


def _add_vocabularies(connection: duckdb.DuckDBPyConnection) -> None:
    """A row of VOCABULARY for each vocabulary of the site's concepts that has none."""
    names = {name: identifier(_temporary(name)) for name in _ADDED}
    connection.execute(
        f"""INSERT INTO {names["VOCABULARY"]} SELECT DISTINCT vocabulary_id, vocabulary_id, 'custom', NULL, 0
        FROM {names["CONCEPT"]} ANTI JOIN {names["VOCABULARY"]} USING (vocabulary_id)"""
    )


def _standard(bundle: Path) -> str:
    path = literal(bundle / "CONCEPT.parquet")
    return f"SELECT concept_id FROM read_parquet({path}) WHERE {is_target()}"


def _rules(bundle: Path) -> Sequence[tuple[str, str, str]]:
    """For each added table: the condition of a row that breaks a rule, and the mend."""
    path = literal(bundle / "CONCEPT.parquet")
    theirs = f"SELECT vocabulary_id FROM read_parquet({path}) WHERE concept_id <= {CUSTOM}"
    known = f"SELECT concept_id FROM read_parquet({path})"
    kinds = ", ".join(f"'{name}'" for name in _HIERARCHY)
    both = f"concept_id_1 > {CUSTOM} AND concept_id_2 > {CUSTOM}"
    lost = f"concept_id_1 NOT IN ({known}) OR concept_id_2 NOT IN ({known})"
    return (
        ("CONCEPT", f"coalesce(concept_id, 0) <= {CUSTOM}", f"a concept of your own has an id above {CUSTOM:,}"),
        ("CONCEPT", "coalesce(standard_concept, '') <> ''", "leave standard_concept empty: only OHDSI makes concepts standard"),
        ("CONCEPT", "vocabulary_id IS NULL OR concept_code IS NULL OR domain_id IS NULL",
         "a concept has a vocabulary_id, a domain_id and a concept_code"),
        ("CONCEPT", f"vocabulary_id IN ({theirs})", "name a vocabulary of your own: this one is the release's"),
        ("SOURCE_TO_CONCEPT_MAP", f"source_vocabulary_id IN ({theirs})",
         "name a vocabulary of your own: the release maps the codes of this one itself"),
        ("SOURCE_TO_CONCEPT_MAP", "source_vocabulary_id IS NULL OR source_code IS NULL",
         "a row has a source_vocabulary_id and a source_code"),
        ("CONCEPT_RELATIONSHIP", f"concept_id_1 <= {CUSTOM} AND concept_id_2 <= {CUSTOM}",
         "a relationship has a concept of your own on one side"),
        ("CONCEPT_RELATIONSHIP", lost, "CONCEPT does not have one of the two concepts"),
        ("CONCEPT_RELATIONSHIP", f"relationship_id IN ({kinds}) AND NOT ({both})",
         "a concept of your own takes no place in the hierarchy of others: use 'Maps to'"),
        ("CONCEPT_RELATIONSHIP", f"relationship_id IN ('Maps to', 'Maps to value') AND concept_id_2 NOT IN ({_standard(bundle)})",
         "the target is not a valid standard concept: `oncoweave vocab show` tells what it maps to"),
    )  # fmt: skip


def _refuse(connection: duckdb.DuckDBPyConnection, table: DeliveredTable, rule: str, mend: str) -> None:
    key = ", ".join(identifier(column) for column in table.table.key)
    sql = f"SELECT {key} FROM ({table.select}) WHERE {rule} ORDER BY ALL LIMIT 1"
    with without_values(f"reading {table.path.name}"):
        found = connection.execute(sql, {"file": str(table.source)}).fetchall()
    if not found:
        return
    lines = lines_of(table, found[0])
    place = f", line {lines[0]}" if lines else ""
    named = ", ".join(f"{column} {value}" for column, value in zip(table.table.key, found[0], strict=True))
    raise DataError(f"{table.path.name}{place}: {named} cannot be added", mend=mend)

"""Reads one release of the vocabulary: Parquet files that have Athena's names and columns.

The starter vocabulary and a full Athena download are read by the same queries, which scan the files and keep
nothing but the rows asked for. Ask for many ids or codes at once: every call is one query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import duckdb

from oncoweave import content
from oncoweave.engine.connection import connect, without_values
from oncoweave.errors import UsageError
from oncoweave.project import Project
from oncoweave.vocabulary.codes import SPELLINGS, normalise_code
from oncoweave.vocabulary.shelf import STARTER, record_of

COLUMNS = {
    "CONCEPT": (
        "concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id", "standard_concept",
        "concept_code", "invalid_reason",
    ),
    "CONCEPT_RELATIONSHIP": ("concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"),
    "VOCABULARY": ("vocabulary_id", "vocabulary_version"),
}  # fmt: skip
"""The tables of a bundle and the columns that are read; a real release has more."""

CUSTOM = 2_000_000_000
"""Concepts above are a site's own: they stand in *_source_concept_id only, whatever they say of themselves (OMOP CDM)."""


def valid(alias: str = "") -> str:
    """The condition that a row of a vocabulary table (of that alias) is valid: it has no invalid reason."""
    return f"coalesce(CAST({_of(alias)}invalid_reason AS VARCHAR), '') = ''"


def is_target(alias: str = "") -> str:
    """The condition that a row of CONCEPT may stand in `*_concept_id`: valid, standard, and no concept of a site's own."""
    return f"{_of(alias)}standard_concept = 'S' AND {valid(alias)} AND {_of(alias)}concept_id <= {CUSTOM}"


def _of(alias: str) -> str:
    return f"{alias}." if alias else ""


@dataclass(frozen=True)
class ConceptRow:
    """One concept. `standard_concept` is S, C (classification) or empty; `invalid_reason` is empty while it is valid.

    `confirmed` is false for a concept of the starter vocabulary that no release has vouched for.
    """

    concept_id: int
    concept_name: str
    domain_id: str
    vocabulary_id: str
    concept_class_id: str
    standard_concept: str
    concept_code: str
    invalid_reason: str
    confirmed: bool


@dataclass(frozen=True)
class RelationshipRow:
    """One relationship: its id, which reads as words ("Has specimen"), its name, the id of its reverse, and its concept."""

    relationship_id: str
    name: str
    reverse_id: str
    concept_id: int


@dataclass(frozen=True)
class Bundle:
    """One vocabulary release: a folder of Parquet files, the name that mappings use, and what it calls itself (if it does)."""

    folder: Path
    release: str
    has_evidence: bool
    version: str = ""

    @classmethod
    def open(cls, folder: Path, release: str = "") -> Self:
        """The bundle in `folder`. Its name is the one it was loaded under, else `release`, else what its VOCABULARY says.

        Raises UsageError for a missing file or column, and for a release without a name; EnvironmentFault for a
        file that is not the one that was loaded.
        """
        record = record_of(folder)
        if record is not None:
            return cls(folder, record.release, has_evidence=False, version=record.version)
        present = {table: _columns(folder, table) for table in COLUMNS}
        for table, wanted in COLUMNS.items():
            missing = [column for column in wanted if column not in present[table]]
            if missing:
                raise UsageError(f"{table}.parquet of the vocabulary in {folder} has no column {', '.join(missing)}")
        return cls(folder, release or _release(folder), has_evidence="evidence" in present["CONCEPT"])

    def table(self, name: str) -> Path:
        """The Parquet file of a table: CONCEPT, CONCEPT_RELATIONSHIP, VOCABULARY or another that Athena delivers."""
        return self.folder / f"{name}.parquet"

    def concepts(self, ids: Iterable[int]) -> dict[int, ConceptRow]:
        """The concepts with these ids; an id that the release does not have is left out."""
        where = "c.concept_id IN (SELECT unnest($wanted))"
        found = self._select("c.concept_code", where, wanted=sorted(set(ids)))
        return {row.concept_id: row for _, row in found}

    def by_codes(self, vocabulary: str, codes: Iterable[str]) -> dict[str, ConceptRow]:
        """The concepts of a vocabulary by code, as the codes were given; where several share one, the valid one."""
        given = {code: normalise_code(vocabulary, code) for code in codes}
        where = "c.vocabulary_id = $vocabulary AND c.concept_code IN (SELECT unnest($wanted))"
        found = self._select("c.concept_code", where, wanted=sorted(set(given.values())), vocabulary=vocabulary)
        by_code: dict[str, ConceptRow] = {}
        for code, row in sorted(found, key=lambda pair: (pair[1].invalid_reason != "", pair[1].concept_id)):
            by_code.setdefault(code, row)
        return {code: by_code[normal] for code, normal in given.items() if normal in by_code}

    def by_code(self, vocabulary: str, code: str) -> ConceptRow | None:
        """The concept of one code, or None."""
        return self.by_codes(vocabulary, [code]).get(code)

    def maps_to(self, concept_id: int) -> list[ConceptRow]:
        """The standard concepts that a concept maps to: itself, another, several, or none."""
        return self.targets([concept_id]).get(concept_id, [])

    def targets(self, ids: Iterable[int], relationship: str = "Maps to") -> dict[int, list[ConceptRow]]:
        """For each id, the valid standard concepts it maps to, by id; a relationship with an invalid reason is not followed."""
        join = f"""JOIN read_parquet($relationships) AS r ON r.concept_id_2 = c.concept_id
            AND r.relationship_id = $relationship AND {valid("r")}"""
        where = f"r.concept_id_1 IN (SELECT unnest($wanted)) AND {is_target('c')}"
        parameters = {"relationships": str(self.table("CONCEPT_RELATIONSHIP")), "relationship": relationship}
        found = self._select("CAST(r.concept_id_1 AS VARCHAR)", where, join, wanted=sorted(set(ids)), **parameters)
        targets: dict[int, list[ConceptRow]] = {}
        for source, row in sorted(found, key=lambda pair: (int(pair[0]), pair[1].concept_id)):
            targets.setdefault(int(source), []).append(row)
        return targets

    def origins(self, ids: Iterable[int], most: int) -> dict[int, list[ConceptRow]]:
        """For each id, the concepts that map to it, by id: the first `most` of each."""
        join = f"""JOIN read_parquet($relationships) AS r ON r.concept_id_1 = c.concept_id
            AND r.relationship_id = 'Maps to' AND {valid("r")}"""
        where = f"""r.concept_id_2 IN (SELECT unnest($wanted))
            QUALIFY row_number() OVER (PARTITION BY r.concept_id_2 ORDER BY c.concept_id) <= {int(most)}"""
        relationships = str(self.table("CONCEPT_RELATIONSHIP"))
        found = self._select("r.concept_id_2", where, join, wanted=sorted(set(ids)), relationships=relationships)
        origins: dict[int, list[ConceptRow]] = {}
        for target, row in sorted(found, key=lambda pair: (int(pair[0]), pair[1].concept_id)):
            origins.setdefault(int(target), []).append(row)
        return origins

    def find(self, asked: str) -> list[ConceptRow]:
        """The concepts with this id, or with this code in the spelling of any vocabulary, by id."""
        codes = {asked, *(normalise_code(vocabulary, asked) for vocabulary in ("", *SPELLINGS))}
        wanted = int(asked) if asked.isdecimal() and len(asked) < 11 else -1
        where = "c.concept_id = $id OR c.concept_code IN (SELECT unnest($codes))"
        found = self._select("c.concept_code", where, id=wanted, codes=sorted(codes))
        return sorted((row for _, row in found), key=lambda row: row.concept_id)

    def validity(self, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
        """The first and the last day on which each concept is valid."""
        days = "concat_ws(' ', c.valid_start_date, c.valid_end_date)"
        found = self._select(days, "c.concept_id IN (SELECT unnest($wanted))", wanted=sorted(set(ids)))
        return {row.concept_id: (both.partition(" ")[0], both.partition(" ")[2]) for both, row in found}

    @property
    def has_ancestors(self) -> bool:
        """Whether the release has CONCEPT_ANCESTOR; a starter has not."""
        return self.table("CONCEPT_ANCESTOR").is_file()

    def descendants(self, ids: Iterable[int]) -> dict[int, frozenset[int]]:
        """For each id, itself and its descendants; itself alone in a release without CONCEPT_ANCESTOR."""
        found = {i: {i} for i in ids}
        if self.has_ancestors:
            sql = """SELECT ancestor_concept_id, descendant_concept_id FROM read_parquet($ancestors)
                WHERE ancestor_concept_id IN (SELECT unnest($wanted))"""
            parameters = {"ancestors": str(self.table("CONCEPT_ANCESTOR")), "wanted": sorted(found)}
            with _connection(self.folder) as connection, without_values("reading CONCEPT_ANCESTOR.parquet"):
                for ancestor, descendant in connection.execute(sql, parameters).fetchall():
                    found[int(ancestor)].add(int(descendant))
        return {i: frozenset(below) for i, below in found.items()}

    def relationships(self) -> dict[str, RelationshipRow]:
        """The relationships that have a concept, by id; none in a release without RELATIONSHIP, such as a starter."""
        path = self.table("RELATIONSHIP")
        if not path.is_file():
            return {}
        sql = """SELECT relationship_id, coalesce(relationship_name, ''), coalesce(reverse_relationship_id, ''),
            CAST(relationship_concept_id AS INTEGER) FROM read_parquet(?)
            WHERE relationship_id IS NOT NULL AND CAST(relationship_concept_id AS INTEGER) > 0 ORDER BY ALL"""
        with _connection(self.folder) as connection, without_values("reading RELATIONSHIP.parquet"):
            return {row[0]: RelationshipRow(*row) for row in connection.execute(sql, [str(path)]).fetchall()}

    def vocabularies(self) -> list[str]:
        """The vocabularies of the release, and those whose codes a source_to_concept_map of it leads to targets, by name."""
        return list(self._vocabularies)

    @cached_property
    def _vocabularies(self) -> tuple[str, ...]:
        sql, files = "SELECT vocabulary_id FROM read_parquet(?)", [str(self.table("VOCABULARY"))]
        if self.table("SOURCE_TO_CONCEPT_MAP").is_file() and self.table("CODE_TARGET").is_file():
            sql += " UNION SELECT source_vocabulary_id FROM read_parquet(?)"
            files.append(str(self.table("SOURCE_TO_CONCEPT_MAP")))
        sql = f"SELECT vocabulary_id FROM ({sql}) WHERE vocabulary_id IS NOT NULL ORDER BY ALL"
        with _connection(self.folder) as connection, without_values("reading VOCABULARY.parquet"):
            return tuple(row[0] for row in connection.execute(sql, files).fetchall())

    def has_vocabulary(self, vocabulary: str) -> bool:
        """Whether the release has the vocabulary of that name; a selection may have concepts of one that VOCABULARY leaves out."""
        return vocabulary in self._vocabularies or bool(
            self._select("''", "c.vocabulary_id = $name LIMIT 1", name=vocabulary)
        )

    def unconfirmed(self) -> frozenset[int]:
        """The ids that no release has confirmed; empty for a real release."""
        if not self.has_evidence:
            return frozenset()
        rows = self._select("c.concept_code", "c.evidence <> 'confirmed'")
        return frozenset(row.concept_id for _, row in rows)

    def _select(self, asked: str, where: str, join: str = "", **parameters: object) -> list[tuple[str, ConceptRow]]:
        """Pairs of what was asked for (an SQL expression) and the concept found."""
        confirmed = "c.evidence = 'confirmed'" if self.has_evidence else "true"
        texts = ", ".join(f"coalesce(CAST(c.{column} AS VARCHAR), '')" for column in COLUMNS["CONCEPT"][1:])
        sql = (
            f"SELECT {asked}, c.concept_id, {texts}, {confirmed} FROM read_parquet($concepts) AS c {join} WHERE {where}"
        )
        values = {"concepts": str(self.table("CONCEPT")), **parameters}
        with _connection(self.folder) as connection, without_values("reading the vocabulary"):
            rows = connection.execute(sql, values).fetchall()
        return [(row[0], ConceptRow(*row[1:])) for row in rows]


def open_release(project: Project, release: str) -> Bundle:
    """The vocabulary release that a mapping names; a starter is built once, beside the project's restricted files.

    Raises UsageError when there is no such release, or the one found has another name.
    """
    bundle, folder = _found(project, release)
    if bundle.release != release:
        message = f"the vocabulary in {folder} is the release {bundle.release}, not {release}"
        raise UsageError(message, mend=f"write `vocabulary: {bundle.release}`")
    return bundle


def open_listed(project: Project, name: str) -> Bundle:
    """The release of that name in `vocab list`, which has the starter by its folder; raises as `open_release`."""
    return _found(project, name)[0] if name == STARTER else open_release(project, name)


def _found(project: Project, release: str) -> tuple[Bundle, Path]:
    """The bundle in the folder of a release, whatever release it says it is, and the folder."""
    from oncoweave.vocabulary.starter import open_bundle  # here, since it makes what this module reads

    folder = content.vocabulary_folder(project, release)
    return open_bundle(folder, project.restricted / "vocabulary"), folder


@contextmanager
def _connection(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with TemporaryDirectory() as work, connect(work=Path(work), allow=[folder]) as connection:
        yield connection


def _columns(folder: Path, table: str) -> set[str]:
    path = folder / f"{table}.parquet"
    if not path.is_file():
        raise UsageError(
            f"the vocabulary in {folder} has no {path.name}", mend="a bundle is Athena's download as Parquet"
        )
    with _connection(folder) as connection, without_values(f"reading {path.name}"):
        return {row[0] for row in connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()}


def _release(folder: Path) -> str:
    sql = "SELECT vocabulary_version FROM read_parquet(?) WHERE vocabulary_id = 'None'"
    with _connection(folder) as connection, without_values("reading VOCABULARY.parquet"):
        row = connection.execute(sql, [str(folder / "VOCABULARY.parquet")]).fetchone()
    if row is None or not row[0]:
        mend = "load it under a name: oncoweave vocab load --release NAME"
        raise UsageError(f"VOCABULARY.parquet in {folder} has no row 'None', which names the release", mend=mend)
    return str(row[0])

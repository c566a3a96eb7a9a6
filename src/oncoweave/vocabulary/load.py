"""Loads a vocabulary release into the project: the tables of a download as sorted Parquet, whole or not at all.

It is written beside the bundles that are in use and renamed in at the end; whatever stops it, they stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import copy_sorted, identifier
from oncoweave.errors import DataError, OncoweaveError, UsageError
from oncoweave.files import (
    clear_away,
    faults,
    file_record,
    lock,
    make_private_folder,
    remove,
    sync,
    sync_tree,
    write_json,
)
from oncoweave.project import Project
from oncoweave.vocabulary.additions import additions_in, check_additions, read_additions, unmapped_rows
from oncoweave.vocabulary.archive import unpack
from oncoweave.vocabulary.athena import TABLES
from oncoweave.vocabulary.download import DeliveredTable, explain, line_ends, refuse_cut_off, tables_in
from oncoweave.vocabulary.ingredients import derivation
from oncoweave.vocabulary.resolve import targets, targets_of_map
from oncoweave.vocabulary.shelf import RECORD, STARTER, BundleRecord, record_of
from oncoweave.vocabulary.soundness import refuse_bad_ids, refuse_repeated, remarks

_NAME = re.compile(r"\w[\w .,+()-]{0,99}")
_FOLLOWED = {"concepts": "CONCEPT", "relationships": "CONCEPT_RELATIONSHIP"}
MEMORY = "1200MB"
"""Of DuckDB; the process takes half as much again while it sorts the 70 million ancestors of a full download."""
PART = 1_000_000
"""Concepts whose codes are followed at a time."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Loaded:
    """A loaded release: its folder and record, and whether it was there before."""

    folder: Path
    record: BundleRecord
    already: bool


def load(
    project: Project,
    given: Path,
    release: str = "",
    *,
    custom: Path | None = None,
    accept_gaps: bool = False,
    tell: Tell = lambda _: None,
) -> Loaded:
    """Loads the download in `given` (a folder, or its zip file) as `release`, by default as its VOCABULARY names itself.

    `custom` is a folder with what the site adds: concepts of its own, a source_to_concept_map. `tell` hears of each table as its turn comes. Raises DataError, with file and line, for a download that is not
    whole or does not fit together (the latter not with `accept_gaps`); UsageError for a release without a name, or
    of which the project has other content.
    """
    if not given.exists():
        raise UsageError(f"there is no {given}", mend="name the folder or the zip file that Athena gave")
    make_private_folder(project.vocabularies)
    with lock(project.vocabularies / ".load.lock", "oncoweave vocab load"), _building(project) as building:
        delivered = Delivered(_tables(given, building), additions_in(custom) if custom else {})
        record = _write(delivered, building, release, accept_gaps=accept_gaps, tell=tell)
        return _shelve(project, building / "bundle", record)


@dataclass(frozen=True)
class Delivered:
    """What a release is made of: the tables of the download, and those that the site adds, by name."""

    tables: Sequence[DeliveredTable]
    added: Mapping[str, DeliveredTable]

    @property
    def folders(self) -> list[Path]:
        return sorted({table.source.parent for table in (*self.tables, *self.added.values())})

    @property
    def only_added(self) -> list[str]:
        """The tables that only the site has."""
        return [name for name in self.added if name not in {t.table.name for t in self.tables}]


@contextmanager
def _building(project: Project) -> Iterator[Path]:
    """The folder in which a bundle is made; what a killed load left is removed first."""
    folder = project.vocabularies / ".loading.tmp"
    remove(folder)
    try:
        make_private_folder(folder / "bundle")
        yield make_private_folder(folder)
    finally:
        clear_away(folder)


def _tables(given: Path, building: Path) -> list[DeliveredTable]:
    if given.is_dir():
        return tables_in(given, given.name)
    unpacked = make_private_folder(building / "unpacked")
    unpack(given, unpacked, [f"{table.name}.csv" for table in TABLES])
    return tables_in(unpacked, given.name)


def _write(delivered: Delivered, building: Path, release: str, *, accept_gaps: bool, tell: Tell) -> BundleRecord:
    """The files of the bundle, and its record, which is written last."""
    for table in (t for t in delivered.tables if t.is_text):
        refuse_cut_off(table)
    bundle, work = building / "bundle", make_private_folder(building / "work")
    with connect(work=work, allow=[*delivered.folders, bundle], memory=MEMORY) as connection:
        version, rows = "", {}
        added = read_additions(connection, delivered.added) if delivered.added else {}
        for table in delivered.tables:
            tell(f"reading {table.path.name}")
            rows[table.table.name] = _write_table(connection, table, bundle, added.get(table.table.name, ""))
            if table.table.name == "VOCABULARY":
                version = _version(connection, bundle)
                release = _checked_name(release or version)
        for name in delivered.only_added:
            path, order = bundle / f"{name}.parquet", delivered.added[name].table.order
            rows[name] = copy_sorted(connection, added[name], path, order_by=order)
    allow = [bundle, *(table.source.parent for table in delivered.added.values())]
    with connect(work=work, allow=allow, memory=MEMORY, preserve_insertion_order=True) as connection:
        tell("comparing the tables with each other")
        check_additions(connection, delivered.added, bundle)
        every = [*delivered.tables, *(delivered.added[name] for name in delivered.only_added)]
        refuse_bad_ids(connection, bundle, every)
        refuse_repeated(connection, bundle, every)
        noticed = remarks(connection, bundle, delivered.tables, accept_gaps=accept_gaps)
        noticed += unmapped_rows(connection, bundle)
        tell("following every code to its targets")
        rows["CODE_TARGET"] = _follow(connection, bundle, rows["CONCEPT"] // PART + 1)
        tell("finding the ingredients of every drug")
        rows["DRUG_INGREDIENT"] = _find_ingredients(connection, bundle)
    tell("hashing the bundle")
    files = tuple(file_record(bundle / f"{n}.parquet", f"{n}.parquet", count) for n, count in sorted(rows.items()))
    record = BundleRecord(release=release, version=version, files=files, remarks=noticed)
    write_json(bundle / RECORD, record)
    return record


def _write_table(connection: duckdb.DuckDBPyConnection, delivered: DeliveredTable, bundle: Path, added: str) -> int:
    """Writes one table sorted, with what the site adds to it, so that same content gives same bytes; returns its rows."""
    order = (*delivered.table.order, *(c for c in delivered.table.columns if c not in delivered.table.order))
    select, file = delivered.select, {"file": str(delivered.source)}
    more = _count(connection, added) if added else 0
    sql = f"{select} UNION ALL {added}" if more else select
    try:
        rows = copy_sorted(connection, sql, bundle / f"{delivered.table.name}.parquet", order_by=order, parameters=file)
    except OncoweaveError as error:
        if type(error) is not OncoweaveError:
            raise
        raise explain(connection, delivered) or error from None
    if delivered.is_text and (lines := line_ends(delivered.path) - 1) != rows - more:
        message = f"{delivered.path.name} has {lines:,} lines after its header, of which {rows - more:,} could be read"
        raise DataError(message, mend="a line is blank, or ends in its middle: download the file again")
    if rows == more and delivered.table.core:
        raise DataError(f"{delivered.path.name} has no row", mend="download it again from Athena")
    return rows


def _count(connection: duckdb.DuckDBPyConnection, select: str) -> int:
    with without_values("counting what is added"):
        ((rows,),) = connection.execute(f"SELECT count(*) FROM ({select})").fetchall()
    return int(rows)


def _follow(connection: duckdb.DuckDBPyConnection, bundle: Path, parts: int) -> int:
    """Writes CODE_TARGET, the targets of every code, so that a run has nothing to do but to join them; returns its rows."""
    files = {name: str(bundle / f"{table}.parquet") for name, table in _FOLLOWED.items()}
    with without_values("following the codes"):
        for part in range(parts):
            some = targets(f"hash(concept_code) % {parts} = {part}")
            connection.execute(
                f"{'INSERT INTO' if part else 'CREATE TEMP TABLE'} followed {'' if part else 'AS '}{some}", files
            )
        if (bundle / "SOURCE_TO_CONCEPT_MAP.parquet").is_file():
            own = f"SELECT * FROM ({targets_of_map()}) ANTI JOIN followed USING (vocabulary_id, concept_code)"
            mapped = {"concepts": files["concepts"], "map": str(bundle / "SOURCE_TO_CONCEPT_MAP.parquet")}
            connection.execute(f"INSERT INTO followed {own}", mapped)
    order = ("vocabulary_id", "concept_code", "ordinal")
    return copy_sorted(connection, "SELECT * FROM followed", bundle / "CODE_TARGET.parquet", order_by=order)


def _find_ingredients(connection: duckdb.DuckDBPyConnection, bundle: Path) -> int:
    """Writes DRUG_INGREDIENT, so that no run has to read the millions of ancestors; returns its rows."""
    files = {"concepts": str(bundle / "CONCEPT.parquet"), "ancestors": str(bundle / "CONCEPT_ANCESTOR.parquet")}
    order, target = ("drug_concept_id", "ingredient_concept_id"), bundle / "DRUG_INGREDIENT.parquet"
    return copy_sorted(connection, derivation(), target, order_by=order, parameters=files)


def _version(connection: duckdb.DuckDBPyConnection, bundle: Path) -> str:
    """What VOCABULARY says of the release, in its row 'None'; empty where it has no such row."""
    sql = f"SELECT vocabulary_version FROM read_parquet(?) WHERE {identifier('vocabulary_id')} = 'None'"
    with without_values("reading VOCABULARY.parquet"):
        row = connection.execute(sql, [str(bundle / "VOCABULARY.parquet")]).fetchone()
    return str(row[0]) if row and row[0] else ""


def _checked_name(release: str) -> str:
    """The name if it can be a folder's. Raises UsageError otherwise."""
    if not release:
        mend = "give its name from where it comes from: --release 'v5.0 27-AUG-25'"
        raise UsageError("VOCABULARY has no row 'None', which names the release", mend=mend)
    if not _NAME.fullmatch(release) or release.endswith((" ", ".")):
        raise UsageError(f"`{release}` cannot name a release", mend="use letters, digits, blanks and . , + ( ) - _")
    if release == STARTER or release.startswith(f"{STARTER}-"):
        message = f"`{release}` cannot name a release: it is the starter vocabulary's, which comes with Oncoweave"
        raise UsageError(message, mend="give it another name with --release")
    return release


def _shelve(project: Project, bundle: Path, record: BundleRecord) -> Loaded:
    """Puts the bundle in its place, unless the same is there.

    Raises UsageError when another of its name is there.
    """
    place = project.vocabularies / record.release
    there = record_of(place)
    if there is not None and there.files == record.files:
        return Loaded(place, there, already=True)
    if place.exists():
        message = f"the release {record.release} is loaded already, with other content; it was left as it is"
        raise UsageError(message, mend="load this one under another name with --release, and name that in mapping.yaml")
    with faults(place):
        sync_tree(bundle)
        bundle.rename(place)
        sync(project.vocabularies)
    return Loaded(place, record, already=False)

"""Makes the starter vocabulary, three small CSV files that people can read, into a bundle like Athena's.

CONCEPT.csv has the columns of CONCEPT and `evidence`: `confirmed` where a public release has the same row,
`unconfirmed` where only a list of oncology concepts names it. Same files, same bytes.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from oncoweave.engine.connection import connect
from oncoweave.engine.parquet import copy_sorted
from oncoweave.errors import SpecError
from oncoweave.files import make_private_folder, sha256_of, sync_tree
from oncoweave.vocabulary.bundle import Bundle

_DATES = {"valid_start_date": "DATE '1970-01-01'", "valid_end_date": "DATE '2099-12-31'"}
_CSV_TYPES = {
    "CONCEPT": {
        "concept_id": "INTEGER", "concept_name": "VARCHAR", "domain_id": "VARCHAR", "vocabulary_id": "VARCHAR",
        "concept_class_id": "VARCHAR", "standard_concept": "VARCHAR", "concept_code": "VARCHAR",
        "invalid_reason": "VARCHAR", "evidence": "VARCHAR",
    },
    "CONCEPT_RELATIONSHIP": {
        "concept_id_1": "INTEGER", "concept_id_2": "INTEGER", "relationship_id": "VARCHAR", "invalid_reason": "VARCHAR",
    },
    "VOCABULARY": {
        "vocabulary_id": "VARCHAR", "vocabulary_name": "VARCHAR", "vocabulary_version": "VARCHAR",
        "vocabulary_concept_id": "INTEGER",
    },
}  # fmt: skip
_KEYS = {
    "CONCEPT": ("concept_id",),
    "CONCEPT_RELATIONSHIP": ("concept_id_1", "concept_id_2", "relationship_id"),
    "VOCABULARY": ("vocabulary_id",),
}


def open_bundle(folder: Path, cache: Path) -> Bundle:
    """The vocabulary in `folder`, be it a bundle or the files of a starter.

    A starter is built in a folder of `cache` that is named after its content, unless it is there already.
    """
    if (folder / "CONCEPT.parquet").is_file():
        return Bundle.open(folder)
    built = cache / f"starter-{_content(folder)}"
    if not built.is_dir():
        make_private_folder(cache)
        with TemporaryDirectory(dir=cache, prefix=".building-") as unfinished:
            whole = build(folder, Path(unfinished) / "bundle")
            sync_tree(whole)
            with suppress(OSError):  # another process was quicker; both built the same
                whole.rename(built)
    return Bundle.open(built)


def build(csv_folder: Path, target: Path) -> Path:
    """Writes the bundle to the folder `target`, which is made if need be, and returns it.

    Raises SpecError for a file that is missing, or has other columns or types.
    """
    make_private_folder(target)
    with TemporaryDirectory() as work, connect(work=Path(work), allow=[csv_folder, target]) as connection:
        for table in _CSV_TYPES:
            _write(connection, table, csv_folder / f"{table}.csv", target / f"{table}.parquet")
    return target


def _content(folder: Path) -> str:
    """A hash of the files and of this module, which makes the bundle of them."""
    files = [Path(__file__), *(folder / f"{table}.csv" for table in _CSV_TYPES)]
    return sha256("".join(sha256_of(file) for file in files if file.is_file()).encode()).hexdigest()[:16]


def _write(connection: duckdb.DuckDBPyConnection, table: str, source: Path, target: Path) -> None:
    if not source.is_file():
        raise SpecError(f"the starter vocabulary has no {source.name}")
    types = ", ".join(f"'{column}': '{kind}'" for column, kind in _CSV_TYPES[table].items())
    # With auto_detect off the columns are taken by place, so the header is compared first.
    expected = ",".join(_CSV_TYPES[table])
    with source.open(encoding="utf-8") as lines:
        if lines.readline().rstrip("\r\n") != expected:
            raise SpecError(f"{source.name} of the starter vocabulary must have the columns {expected}")
    dialect = "header = true, delim = ',', quote = '\"', escape = '\"', auto_detect = false"
    try:
        connection.execute(
            f'CREATE TEMP TABLE "{table}" AS FROM read_csv($file, {dialect}, columns = {{{types}}})',
            {"file": str(source)},
        )
    except duckdb.Error as error:  # a vocabulary holds no patient's value, so the reader's words may be shown
        raise SpecError(f"{source.name} of the starter vocabulary: {str(error).splitlines()[0]}") from None
    dates = "" if table == "VOCABULARY" else "".join(f", {day} AS {column}" for column, day in _DATES.items())
    copy_sorted(connection, f'SELECT *{dates} FROM "{table}"', target, order_by=_KEYS[table])

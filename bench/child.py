"""One measured piece of work in a process of its own: `copy`, `extract` or `map`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from oncoweave.cli.main import main

DIALECT = "delim = ';', quote = '\"', escape = '\"', header = true, auto_detect = false, ignore_errors = true"


def copy(delivery: Path, target: Path) -> None:
    """DuckDB's own copy: every column as text, the dialect stated, rows that do not parse left out, zstd."""
    import duckdb

    from bench.registry import PATIENTS, TUMOURS

    target.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for table, names in (("patients", PATIENTS), ("tumours", TUMOURS)):
            columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
            read = f"read_csv('{delivery / table}.csv', columns = {{{columns}}}, {DIALECT})"
            connection.execute(
                f"COPY (SELECT * FROM {read}) TO '{target / table}.parquet' (FORMAT parquet, COMPRESSION zstd)"
            )


def extract(delivery: Path, project: Path) -> None:
    """`oncoweave extract`, as a user calls it."""
    main(["extract", "registry", "--delivery", str(delivery), "--project", str(project), "--json"])


def map_(project: Path) -> None:
    """`oncoweave map` of the only run there is."""
    main(["map", "registry", "--project", str(project), "--json"])


if __name__ == "__main__":
    os.environ["ONCOWEAVE_KEY"] = "42" * 32
    verb, delivery, project = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if verb == "copy":
        copy(delivery, project / "copy")
    elif verb == "extract":
        extract(delivery, project)
    else:
        map_(project)

"""`python -m bench.synthea --copies 100`: OMOP rows per CPU-second of extract and map, on patients of Synthea, replicated.

The delivery (a folder of Synthea's CSV) is written so many times, with new ids in each copy and the dates as they
are. Extract and map run in one process of their own; the rows are those of the Parquet tables that it leaves.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from bench.__main__ import ROOT, STORE, Usage, usage_of

if TYPE_CHECKING:
    from oncoweave.omop.tables import Written

SOURCE = "synthea"
DATA = ROOT.parent / "shared" / "data" / "synthea" / "dbt-synthea-27"
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SHARED = ("organizations", "providers", "payers")
"""Tables of which the copies share the rows: the same hospitals serve all patients."""
PEER, BAR, AIM = 60_000, 300_000, 600_000
"""Rows per CPU-second: what a peer writes, what must be reached, what is aimed at."""
SMALL = 3.0
"""CPU-seconds that one copy may take."""


def main() -> int:
    """Write the copies, measure, and print what came of it."""
    parser = argparse.ArgumentParser(prog="bench.synthea", description=__doc__)
    parser.add_argument("delivery", type=Path, nargs="?", default=DATA / "raw", help="folder of Synthea's CSV files")
    parser.add_argument("--vocabulary", type=Path, default=DATA / "vocab", help="folder or zip of the vocabulary")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 100], help="how often the patients are copied")
    parser.add_argument("--share-care-sites", action="store_true", help="organizations and providers stay one copy")
    parser.add_argument("--fhir", action="store_true", help="write FHIR too; the peer writes OMOP only")
    parser.add_argument("--keep", action="store_true", help="keep the run in .bench, to look at it")
    parser.add_argument("--piece", nargs=2, metavar=("DELIVERY", "PROJECT"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.piece:
        return piece(*map(Path, wanted.piece))
    if not wanted.delivery.is_dir():
        print(f"there is no folder {wanted.delivery}: name one with Synthea's CSV files", file=sys.stderr)
        return 2
    for moved in ("PROJECT", "RUNS", "RELEASES", "RESTRICTED", "VOCABULARIES"):
        os.environ.pop(f"ONCOWEAVE_{moved}", None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once, not in every run
    os.environ["PYTHONPYCACHEPREFIX"] = str(STORE / "pycache")
    project = fresh_project(wanted.vocabulary, fhir=wanted.fhir)
    print(f"OMOP {'and FHIR' if wanted.fhir else 'only, as the peer'}")
    measured(write_copies(wanted.delivery, STORE / "synthea-1", 1, SHARED), project)
    shutil.rmtree(project / "runs")
    for copies in wanted.copies:
        shared = SHARED if wanted.share_care_sites else SHARED[2:]
        delivery = write_copies(wanted.delivery, STORE / f"synthea-{copies}", copies, shared)
        report(copies, delivery, measured(delivery, project))
        if not wanted.keep:
            shutil.rmtree(project / "runs", ignore_errors=True)
    return 0


# The copies


def write_copies(delivery: Path, target: Path, copies: int, shared: Sequence[str]) -> Path:
    """Write every CSV file of `delivery` so many times into one file of the same name; returns the folder."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for path in sorted([*delivery.glob("*.csv"), *delivery.glob("*.csv.gz")]):
            name = path.name.removesuffix(".gz")
            once = copies == 1 or name.removesuffix(".csv") in shared
            _write(connection, path, target / name, 1 if once else copies, shared)
    return target


def _write(connection: duckdb.DuckDBPyConnection, path: Path, target: Path, copies: int, shared: Sequence[str]) -> None:
    """One file: each column that holds ids gets new ones, each column of a shared table's ids keeps them."""
    read = "read_csv(?, header = true, all_varchar = true, quote = '\"', escape = '\"', delim = ',')"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE given AS SELECT * FROM {read}", [str(path)])
    names = [str(row[0]) for row in connection.execute("DESCRIBE given").fetchall()]
    kept = {"PAYER", "SECONDARY_PAYER", *(name[:-1].upper() for name in shared)}
    kept |= (
        {"PROVIDERID", "SUPERVISINGPROVIDERID", "REFERRINGPROVIDERID", "PLACEOFSERVICE"} if len(shared) > 1 else set()
    )
    fields = ", ".join(_field(connection, name, name not in kept and copies > 1) for name in names)
    sql = f"SELECT {fields} FROM given, range({int(copies)}) AS copies(copy)"
    connection.execute(f"COPY ({sql}) TO '{_quoted(target)}' (FORMAT csv, HEADER true)")


def _field(connection: duckdb.DuckDBPyConnection, name: str, renewed: bool) -> str:
    """The SQL of a column: in copy n > 0 each id that occurs in it is another, the same wherever the id occurs."""
    column = '"' + name.replace('"', '""') + '"'
    found = connection.execute(f"SELECT 1 FROM given WHERE regexp_full_match({column}, '{ID}') LIMIT 1").fetchone()
    if not renewed or found is None:
        return column
    new = f"md5(concat({column}, copy))"
    parts = ", ".join(
        f"substring({new}, {start}, {size})" for start, size in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    )
    return f"CASE WHEN copy > 0 AND length({column}) = 36 THEN concat_ws('-', {parts}) ELSE {column} END AS {column}"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


# The measured process


def fresh_project(vocabulary: Path, *, fhir: bool) -> Path:
    """A project with the source's mapping alone, with or without FHIR, and the vocabulary that it names."""
    project = STORE / "synthea-project"
    shutil.rmtree(project, ignore_errors=True)
    for folder in (f"mappings/sources/{SOURCE}", "mappings/concepts"):
        shutil.copytree(ROOT / folder, project / folder)
    mapping = project / "mappings" / "sources" / SOURCE / "mapping.yaml"
    written = mapping.read_text(encoding="utf-8")
    if not fhir:
        mapping.write_text(re.sub("^fhir: .*\n", "", written, flags=re.MULTILINE), encoding="utf-8")
    named = re.search("^vocabulary: *(.+)$", written, re.MULTILINE)
    assert named is not None
    load = ["vocab", "load", str(vocabulary), "--release", named[1].strip().strip("'\""), "--accept-gaps", "--json"]
    command = [sys.executable, "-c", "import sys; from oncoweave.cli.main import main; main(sys.argv[1:])", *load]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([*command, "--project", str(project)], check=True, stdout=subprocess.DEVNULL, env=environment)
    return project


def measured(delivery: Path, project: Path) -> tuple[Usage, dict[str, object]]:
    """What extract and map took together, and what the process tells of itself."""
    usage = usage_of([sys.executable, "-m", "bench.synthea", "--piece", str(delivery), str(project)])
    told: dict[str, object] = json.loads((project / "told.json").read_text(encoding="utf-8"))
    return usage, told


def piece(delivery: Path, project: Path) -> int:
    """Extract and map, as a user calls them; leaves told.json: the rows, and the CPU seconds of each part."""
    os.environ["ONCOWEAVE_KEY"] = "42" * 32
    from oncoweave.garbage import collect_seldom
    from oncoweave.pandas_guard import keep_pandas_out

    keep_pandas_out()
    collect_seldom()
    from oncoweave.project import Project
    from oncoweave.stages.extract import extract
    from oncoweave.stages.map import map as map_stage

    here, first = Project.at(project), _first_table()
    started = time.process_time()
    run = extract(here, SOURCE, delivery)
    extracted = time.process_time()
    record = map_stage(run, here)
    mapped = time.process_time()
    told = {
        "start": started,
        "extract": extracted - started,
        "map": mapped - extracted,
        "before the first row": first[0],
        "peak MB": peak(),
        "rows": {file.name.removesuffix(".parquet"): file.rows for file in record.tables if file.rows},
    }
    (project / "told.json").write_text(json.dumps(told), encoding="utf-8")
    return 0


def peak() -> float:
    """The most memory that this process held, in MB; what its parent tells of it may be the parent's own."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def _first_table() -> list[float]:
    """A list that will hold the CPU seconds that had passed when each table was begun, the first table's first."""
    from oncoweave.omop.tables import TableWriter

    begun: list[float] = []
    write = TableWriter.write

    def noted(self: TableWriter, name: str) -> Written:
        begun.append(time.process_time())
        return write(self, name)

    TableWriter.write = noted  # type: ignore[method-assign]
    return begun


# What is printed


def report(copies: int, delivery: Path, result: tuple[Usage, dict[str, object]]) -> None:
    """Print the rows of each table, the CPU seconds, and how they stand to the bars."""
    usage, told = result
    counts = told["rows"]
    assert isinstance(counts, dict)
    rows = sum(counts.values())
    size = sum(file.stat().st_size for file in delivery.glob("*.csv")) / 1e6
    print(f"{copies:,} copies, {counts['person']:,} persons, {size:,.0f} MB of CSV")
    print("  " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    print(f"  {rows:,} OMOP rows in {usage.cpu:.2f} CPU s: {rows / usage.cpu:,.0f} rows per CPU-second")
    print(f"    peer {PEER:,}, bar {BAR:,}, aim {AIM:,}")
    parts = {name: told[name] for name in ("start", "extract", "map", "before the first row")}
    print("  CPU s: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in parts.items()))
    print(f"  {usage.wall:.2f} s on the clock, peak {told['peak MB']:,.0f} MB")
    if copies == 1:
        print(f"  {'within' if usage.cpu < SMALL else 'ABOVE'} the bar of {SMALL:g} CPU-seconds for one copy")


if __name__ == "__main__":
    sys.exit(main())

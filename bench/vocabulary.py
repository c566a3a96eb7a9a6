"""`python -m bench.vocabulary --scale 0.1`: loading a made-up Athena download, and resolving 6 million codes against it.

Loading is measured by CPU time and peak memory; resolving, which a run adds to its own join, against one bare hash join of the same
codes with the same release, in the same run. Each piece of work runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import sqlglot
from sqlglot import exp

from bench.__main__ import ROOT, STORE, usage_of
from bench.athena import VOCABULARY, write_codes, write_download
from oncoweave.compiler.code_lookups import code_lookup
from oncoweave.compiler.lookups import CodeLookup
from oncoweave.engine.connection import connect
from oncoweave.vocabulary.bundle import Bundle

BOUND = 2000
"""MB that loading may take."""
WORKS = {
    "join": "a bare hash join with the release",
    "resolve": "resolving the codes that occur",
    "rows": "the rows' join with what was resolved",
}


def main() -> int:
    """Make the download, load it, resolve codes against it, and print what that took."""
    parser = argparse.ArgumentParser(prog="bench.vocabulary", description=__doc__)
    parser.add_argument("--scale", type=float, default=0.01, help="1 is a full download: 8 million concepts")
    parser.add_argument("--codes", type=int, default=6_000_000, help="rows with a code to be resolved")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions of resolving, interleaved with the join")
    parser.add_argument("--piece", nargs=3, metavar=("WORK", "BUNDLE", "CODES"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.piece:
        work, bundle, codes = wanted.piece
        print(json.dumps(measured(work, Path(bundle), Path(codes))))
        return 0
    report_load(wanted.scale)
    codes = write_codes(STORE / f"codes-{wanted.scale:g}-{wanted.codes}.parquet", wanted.scale, wanted.codes)
    report_resolving(STORE / "vocabularies" / f"made-up {wanted.scale:g}", codes, wanted.codes, wanted.repeat)
    return 0


def report_load(scale: float) -> None:
    """Load the download as a user does, and print what it took."""
    download = write_download(STORE / f"athena-{scale:g}", scale)
    subprocess.run(["rm", "-rf", str(STORE / "vocabularies" / f"made-up {scale:g}")], check=True)
    size = sum(file.stat().st_size for file in download.glob("*.csv")) / 1e6
    command = [str(Path(sys.executable).parent / "oncoweave"), "vocab", "load", str(download), "--project", str(STORE)]
    usage = usage_of(command)
    print(
        f"load of {size:,.0f} MB (scale {scale:g}): {usage.cpu:.1f} CPU s, {usage.wall:.1f} s, peak {usage.peak:,.0f} MB"
    )
    print(f"  {'within' if usage.peak <= BOUND else 'ABOVE'} the bound of {BOUND:,} MB")


def report_resolving(bundle: Path, codes: Path, rows: int, repetitions: int) -> None:
    """Do each work in turn, and print the least that each took."""
    least = dict.fromkeys(WORKS, (float("inf"), 0.0))
    for _ in range(repetitions):
        for work in WORKS:
            command = [sys.executable, "-m", "bench.vocabulary", "--piece", work, str(bundle), str(codes)]
            taken = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout)
            least[work] = min(least[work], (taken["cpu"], taken["wall"]))
    print(f"{rows:,} rows with a code")
    for work, told in WORKS.items():
        cpu, wall = least[work]
        print(f"  {told:42} {cpu:6.2f} CPU s {wall:6.2f} s  {cpu / least['join'][0]:5.2f} times the bare join")


def measured(work: str, bundle: Path, codes: Path) -> dict[str, float]:
    """The CPU seconds and the seconds that a work itself takes, without starting up and what comes before it."""

    with (
        TemporaryDirectory(dir=STORE) as folder,
        connect(work=Path(folder), allow=[bundle, codes.parent]) as connection,
    ):
        connection.execute("CREATE TEMP VIEW given AS FROM read_parquet('" + str(codes).replace("'", "''") + "')")
        if work == "rows":
            resolve(connection, bundle)
        cpu, wall = time.process_time(), time.perf_counter()
        if work == "resolve":
            resolve(connection, bundle)
        else:
            join(connection, bundle, of_lookup=work == "rows")
        return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def join(connection: duckdb.DuckDBPyConnection, bundle: Path, *, of_lookup: bool) -> None:
    """Each row with the concept of its code: one hash join, nothing else."""
    bare = "SELECT concept_code AS code, concept_id FROM read_parquet($concepts) WHERE vocabulary_id = $vocabulary"
    parameters = {"concepts": str(bundle / "CONCEPT.parquet"), "vocabulary": VOCABULARY}
    connection.execute(
        f"""CREATE TEMP TABLE found AS SELECT r.code, c.concept_id FROM given AS r
        LEFT JOIN ({"FROM lookup" if of_lookup else bare}) AS c ON c.code = r.code""",
        {} if of_lookup else parameters,
    )


def resolve(connection: duckdb.DuckDBPyConnection, bundle: Path) -> None:
    """What resolving adds to a run: the lookup of the codes that occur, as the compiler makes it."""
    select = sqlglot.parse_one("SELECT code FROM given", dialect="duckdb")
    assert isinstance(select, exp.Select)
    lookup = CodeLookup("lookup", VOCABULARY, select)
    made, parameters = code_lookup(connection, lookup, Bundle.open(bundle))
    connection.execute(f"CREATE TEMP TABLE lookup AS {made}", parameters)


if __name__ == "__main__":
    sys.exit(main())

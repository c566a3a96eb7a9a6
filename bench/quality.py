"""`python -m bench.quality --patients 100 1000000`: CPU time and peak memory of the checks of a registry's run.

Extract and map are done before and not measured. Each piece is a process of its own, so its figures hold what it imports:
`check` is the whole stage as a user calls it; `suites` the curated suites in Great Expectations; `dqd` the checks of OHDSI's
Data Quality Dashboard by our engine; `together` these two in one process; `pass` one query a table written by hand, which
counts the filled values of every column and takes their least and greatest: what any look at all the values costs.

Each check is answered once. With `--checks 4000`, `together` answers the dashboard's from the start again, nothing kept, until
so many are answered.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.__main__ import ROOT, STORE, Usage, fresh_project, usage_of
from bench.registry import write_registry

SOURCE = "registry"
PIECES = ("check", "suites", "dqd", "together", "pass")
SMALL, SMALL_BAR = 1_000, 30.0
"""Up to so many patients, the CPU seconds that a piece may take, what it imports included."""
LARGE_BAR = 600.0
"""Seconds on the clock of two cores that the checks of a million patients may take."""


def main() -> int:
    """Measure the sizes asked for and print a table for each."""
    parser = argparse.ArgumentParser(prog="bench.quality", description=__doc__)
    parser.add_argument("--patients", type=int, nargs="+", default=[100, 1_000_000], help="numbers of patients")
    parser.add_argument("--pieces", nargs="+", default=list(PIECES), choices=PIECES, help="what is measured")
    parser.add_argument("--checks", type=int, default=0, help="checks that `together` answers at least")
    parser.add_argument("--piece", nargs=3, metavar=("PIECE", "PROJECT", "CHECKS"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    os.environ["ONCOWEAVE_KEY"] = "42" * 32
    if wanted.piece:
        name, project, checks = wanted.piece
        told = _PIECES[name](Path(project), int(checks))
        (Path(project) / "told.json").write_text(json.dumps(told), encoding="utf-8")
        return 0
    for patients in wanted.patients:
        project = mapped_project(patients)
        report(patients, {piece: measured(piece, project, wanted.checks) for piece in wanted.pieces})
        shutil.rmtree(project)
    return 0


def mapped_project(patients: int) -> Path:
    """A project with one run that is mapped."""
    delivery, project = write_registry(STORE / f"registry-{patients}", patients), fresh_project()
    for work in ("extract", "map"):
        command = [sys.executable, "-m", "bench.child", work, str(delivery), str(project)]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return project


def measured(piece: str, project: Path, checks: int) -> tuple[Usage, dict[str, int]]:
    """What a piece took, and what it tells: checks, those that could not be answered, rows."""
    command = [sys.executable, "-m", "bench.quality", "--piece", piece, str(project), str(checks)]
    usage = usage_of(command)
    told: dict[str, int] = json.loads((project / "told.json").read_text(encoding="utf-8"))
    return usage, told


# The pieces, each in a process of its own


def _check(project: Path, checks: int) -> dict[str, int]:
    """What `oncoweave check` does: the stage as it is, whatever number of checks is asked for."""
    from oncoweave.run import check

    tables = _Tables(project)
    results = check(tables.run, tables.project).results
    return {"checks": len(results), "not answered": sum(1 for result in results if result.error)}


def _suites(project: Path, checks: int) -> dict[str, int]:
    """The curated suites alone: what Great Expectations runs."""
    from oncoweave.quality.compilation import checks as suites
    from oncoweave.quality.validation import validate

    tables = _Tables(project)
    with closing(tables.open()) as connection:
        results = validate(connection, suites(tables.project, SOURCE))
    return {"checks": len(results), "not answered": sum(1 for result in results if result.error)}


def _dqd(project: Path, checks: int) -> dict[str, int]:
    """The checks of the Data Quality Dashboard."""
    from oncoweave.quality.dqd.catalogue import catalogue
    from oncoweave.quality.dqd.relations import prepare_vocabulary
    from oncoweave.quality.dqd.run import run_dqd

    tables = _Tables(project)
    with closing(tables.open()) as connection:
        prepare_vocabulary(connection, tables.concepts.parent)
        found = run_dqd(connection, catalogue())
    absent = sum(1 for counts in found.values() if counts.absent)
    return {
        "checks": len(found),
        "ask for a table or field that is not there": absent,
        "not answered": sum(1 for counts in found.values() if counts.error),
    }


def _together(project: Path, checks: int) -> dict[str, int]:
    """The suites, and the dashboard's checks until so many checks are answered."""
    told = _suites(project, checks)
    while True:
        of_dashboard = _dqd(project, checks)
        told = {name: told.get(name, 0) + count for name, count in of_dashboard.items()}
        if told["checks"] >= checks:
            return told


def _pass(project: Path, checks: int) -> dict[str, int]:
    """One query a table: its rows, and of each column the filled values, the least and the greatest."""
    tables = _Tables(project)
    rows = 0
    with closing(tables.open(prepared=False)) as connection:
        for path in sorted(tables.run.tables.glob("*.parquet")):
            source = f"read_parquet('{path}')"
            names = [str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
            wanted = ", ".join(f'count("{n}"), min("{n}"), max("{n}")' for n in names)
            found = connection.execute(f"SELECT count(*), {wanted} FROM {source}").fetchone()
            assert found is not None
            rows += int(found[0])
    return {"rows": rows}


_PIECES: dict[str, Callable[[Path, int], dict[str, int]]] = {
    "check": _check, "suites": _suites, "dqd": _dqd, "together": _together, "pass": _pass,
}  # fmt: skip


class _Tables:
    """The tables of the project's run, and the vocabulary that it was mapped with."""

    def __init__(self, folder: Path) -> None:
        from oncoweave.files import read_record
        from oncoweave.project import Project, RunFolder
        from oncoweave.records import ExtractRecord, MapRecord
        from oncoweave.vocabulary.bundle import open_release

        self.project = Project.at(folder)
        self.run = RunFolder(next((self.project.runs / SOURCE).glob("*/map.json")).parent)
        mapped = read_record(self.run.path / "map.json", MapRecord)
        self.concepts = open_release(self.project, mapped.vocabulary).table("CONCEPT")
        self.delivery = read_record(self.run.path / "extract.json", ExtractRecord).delivery_date

    def open(self, *, prepared: bool = True):  # type: ignore[no-untyped-def]
        """A connection as the check stage opens it."""
        from oncoweave.engine.connection import connect
        from oncoweave.files import make_private_folder
        from oncoweave.quality.relations import prepare

        work = make_private_folder(self.project.root / "work")
        connection = connect(work=work, allow=[self.run.tables, self.concepts.parent])
        if prepared:
            prepare(connection, self.run.tables, self.concepts, self.delivery)
        return connection


# What is printed


def report(patients: int, results: dict[str, tuple[Usage, dict[str, int]]]) -> None:
    """Print what was measured, and how it stands to the bars."""
    by_hand = results["pass"][0].cpu if "pass" in results else 0.0
    busy = os.getloadavg()[1]
    print(f"{patients:,} patients, {os.cpu_count()} processors, {busy:.1f} tasks at a time in the last five minutes")
    print(f"  {'':10}{'checks':>8}{'CPU s':>9}{'clock s':>9}{'peak MB':>9}{'x pass':>8}")
    for name, (usage, told) in results.items():
        ratio = f"{usage.cpu / by_hand:8.1f}" if by_hand else ""
        checks = f"{told['checks']:,}" if "checks" in told else ""
        print(f"  {name:10}{checks:>8}{usage.cpu:9.2f}{usage.wall:9.2f}{usage.peak:9.0f}{ratio}")
    for name, (_, told) in results.items():
        rest = ", ".join(f"{count:,} {what}" for what, count in told.items() if what != "checks" and count)
        print(f"    {name}: {rest or 'every check answered'}")
    for name, (usage, _) in results.items():
        if name == "pass":
            continue
        value, bar, what = (
            (usage.cpu, SMALL_BAR, "CPU s") if patients <= SMALL else (usage.wall, LARGE_BAR, "s on the clock")
        )
        print(f"    {name}: {'within' if value < bar else 'ABOVE'} the bar of {bar:g} {what}")


if __name__ == "__main__":
    sys.exit(main())

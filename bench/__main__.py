"""`python -m bench --rows 100000 1000000`: CPU time and peak memory of extract and map, against a bare copy.

The copy is DuckDB's own COPY of the same files to Parquet, measured in the same run. Each piece of work runs in
a process of its own; the repetitions are interleaved, and the median of each is told.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.registry import write_registry

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / ".bench"
WORK = ("copy", "extract", "map")
SMALL = 200_000
"""Up to so many patients the work is repeated."""


@dataclass(frozen=True)
class Usage:
    """What a process took: CPU seconds, seconds on the clock, and the most memory it held, in MB."""

    cpu: float
    wall: float
    peak: float


def main() -> int:
    """Measure the sizes asked for and print a table for each."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="numbers of patients")
    parser.add_argument("--repeat", type=int, default=3, help=f"repetitions up to {SMALL:,} patients (above: one)")
    wanted = parser.parse_args()
    for rows in wanted.rows:
        delivery = write_registry(STORE / f"registry-{rows}", rows)
        report(rows, delivery, measure(delivery, wanted.repeat if rows <= SMALL else 1))
    return 0


def measure(delivery: Path, repetitions: int) -> dict[str, list[Usage]]:
    """The work done so many times, interleaved."""
    usages: dict[str, list[Usage]] = {work: [] for work in WORK}
    for _ in range(repetitions):
        project = fresh_project()
        for work in WORK:
            usages[work].append(usage_of([sys.executable, "-m", "bench.child", work, str(delivery), str(project)]))
        shutil.rmtree(project)
    return usages


def fresh_project() -> Path:
    """A copy of bench/project without any run."""
    project = STORE / "project"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(Path(__file__).parent / "project", project)
    return project


def usage_of(command: Sequence[str]) -> Usage:
    """Run a command and measure it; raises CalledProcessError when it fails."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Usage(usage.ru_utime + usage.ru_stime, time.perf_counter() - begun, usage.ru_maxrss * 1024 / 1e6)


def report(rows: int, delivery: Path, usages: dict[str, list[Usage]]) -> None:
    """Print what was measured, and how often it is the copy's."""
    size = sum(file.stat().st_size for file in delivery.glob("*.csv")) / 1e6
    repetitions = len(usages["copy"])
    print(f"{rows:,} patients, {size:,.0f} MB of CSV, {repetitions} repetition(s)")
    print(f"  {'':14}{'CPU s':>9}{'x copy':>8}{'clock s':>9}{'peak MB':>9}{'x copy':>8}")
    medians = {work: median(usages[work]) for work in WORK}
    extract, map_ = medians["extract"], medians["map"]
    both = Usage(extract.cpu + map_.cpu, extract.wall + map_.wall, max(extract.peak, map_.peak))
    copy = medians["copy"]
    for name, usage in [*medians.items(), ("extract + map", both)]:
        ratios = usage.cpu / copy.cpu, usage.peak / copy.peak
        print(f"  {name:14}{usage.cpu:9.2f}{ratios[0]:8.2f}{usage.wall:9.2f}{usage.peak:9.0f}{ratios[1]:8.2f}")


def median(usages: Sequence[Usage]) -> Usage:
    """The median of each figure."""
    return Usage(*(statistics.median(getattr(u, name) for u in usages) for name in ("cpu", "wall", "peak")))


if __name__ == "__main__":
    sys.exit(main())

"""`python -m bench.fhir_in BUNDLES --copies 20`: how many resources of FHIR a CPU second reads into source tables.

BUNDLES is a folder of Bundles, as Synthea's. Their resources are written as NDJSON, each as often as asked, and read by the
views of the source `fhir_r4`. The pieces, each in a process of its own, what it imports not counted: `loads` is Python's JSON
reader alone, the measure; `read` what extract does with the file, all tables at once; `evaluated` the same with no path compiled,
on one copy; `extract` the whole stage, with what it imports.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

from bench.__main__ import ROOT, STORE, usage_of

SOURCE = "fhir_r4"
PIECES = ("loads", "read", "evaluated", "extract")


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="bench.fhir_in", description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="?", help="folder of Bundles (.json, .json.gz)")
    parser.add_argument("--copies", type=int, default=20, help="how often each resource is written")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, interleaved; the median is told")
    parser.add_argument("--piece", nargs=2, metavar=("PIECE", "FILE"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    os.environ["ONCOWEAVE_KEY"] = "42" * 32
    if wanted.piece:
        print(json.dumps(_piece(wanted.piece[0], Path(wanted.piece[1]))))
        return 0
    if wanted.bundles is None:
        parser.error("name a folder of Bundles")
    one, many = (write_ndjson(wanted.bundles, copies) for copies in (1, wanted.copies))
    told: dict[str, list[tuple[float, float]]] = {piece: [] for piece in PIECES}
    for _ in range(wanted.repeat):
        for piece in PIECES:
            told[piece].append(measured(piece, one if piece == "evaluated" else many))
    report(many, {piece: tuple(map(statistics.median, zip(*found, strict=True))) for piece, found in told.items()})
    return 0


def write_ndjson(bundles: Path, copies: int) -> Path:
    """The resources of the Bundles as one file in a folder of its own, so often, each copy with ids of its own."""
    folder = STORE / f"fhir-{copies}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    target = folder / "resources.ndjson"
    with target.open("w", encoding="utf-8") as file:
        for path in sorted(bundles.glob("*.json*")):
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            lines = [json.dumps(entry["resource"], separators=(",", ":")) for entry in json.loads(content)["entry"]]
            for copy in range(copies):
                file.writelines(f"{line.replace('urn:uuid:', f'Patient/{copy}-')}\n" for line in lines)
    return target


def measured(piece: str, file: Path) -> tuple[float, float]:
    """Microseconds of CPU a resource, and the peak in MB."""
    if piece == "extract":
        project = STORE / "fhir-project"
        shutil.rmtree(project, ignore_errors=True)
        (project / "mappings").mkdir(parents=True)
        for part in (f"sources/{SOURCE}", "concepts"):
            shutil.copytree(ROOT / "mappings" / part, project / "mappings" / part)
        mapping = project / "mappings" / "sources" / SOURCE / "mapping.yaml"
        text = re.sub("(?m)^vocabulary:.*$", "vocabulary: starter", mapping.read_text(encoding="utf-8"))
        mapping.write_text(text, encoding="utf-8")
        verb = ["extract", SOURCE, "--delivery", str(file.parent), "--project", str(project), "--json"]
        call = f"from oncoweave.cli.main import main; main({verb!r})"
        command = [sys.executable, "-c", f"import sys; sys.stdout = open('/dev/null', 'w'); {call}"]
        usage = usage_of(command)
        return usage.cpu / _count(file) * 1e6, usage.peak
    command = [sys.executable, "-m", "bench.fhir_in", "--piece", piece, str(file)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=True,
        capture_output=True,
        text=True,
    )
    cpu, peak = json.loads(done.stdout)
    return cpu, peak


def _count(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)


def _piece(piece: str, file: Path) -> tuple[float, float]:
    import resource

    from oncoweave.engine.fhir import table, views
    from oncoweave.engine.reading import DeliveredFile
    from oncoweave.project import Project
    from oncoweave.spec.load import load_source
    from oncoweave.spec.source import FhirTable

    source, _ = load_source(Project.at(ROOT), SOURCE)
    tables = {name: one for name, one in source.tables.items() if isinstance(one, FhirTable)}
    work = STORE / f"fhir-{piece}"
    work.mkdir(parents=True, exist_ok=True)
    begun = time.process_time()
    if piece == "loads":
        with file.open("rb") as lines:
            for line in lines:
                json.loads(line)
    else:
        rows = partial(views.ViewRows, is_compiled=piece == "read")
        with patch.object(table, "ViewRows", rows):
            table.read_resources(tables, {name: [DeliveredFile(file.name, file)] for name in tables}, work)
    cpu = time.process_time() - begun
    shutil.rmtree(work)
    return cpu / _count(file) * 1e6, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def report(file: Path, medians: dict[str, tuple[float, ...]]) -> None:
    """Print what was measured, and how often it is Python's JSON reader alone."""
    print(
        f"{_count(file):,} resources, {file.stat().st_size / 1e6:,.0f} MB of NDJSON, {os.getloadavg()[0]:.1f} tasks at a time"
    )
    print(f"  {'':11}{'resources/CPU s':>17}{'microseconds':>14}{'x loads':>9}{'peak MB':>9}")
    for piece, (cpu, peak) in medians.items():
        print(f"  {piece:11}{1e6 / cpu:17,.0f}{cpu:14.1f}{cpu / medians['loads'][0]:9.1f}{peak:9.0f}")


if __name__ == "__main__":
    sys.exit(main())

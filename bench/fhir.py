"""`python -m bench.fhir --copies 100`: FHIR resources per CPU-second, against fhir.resources, on patients of Synthea, replicated.

Extract and map are done before and not measured. Each piece is a process of its own. `engine` makes every resource anew from the
events of the run, as `map` does, with all that it imports and prepares. `objects` takes the same resources as Python has them after
json, builds the objects of fhir.resources (R4B) and dumps them as JSON; neither reading nor importing is counted, which favours it.
`--times 26` copies the events of 100 copies so often, with new ids: ten million resources.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb

from bench.__main__ import STORE, Usage, usage_of
from bench.synthea import DATA, SHARED, SOURCE, fresh_project, peak, write_copies

PROFILES = ("base", "mcode")
BAR, MOST_MEMORY = 30, 2_000
"""How many times as many resources as fhir.resources makes, and the most memory in MB."""
IDS = {"event_id", "person_id", "visit", "visit_detail", "parent", "episode", "modifies"}
"""The columns of events that hold ids of persons and facts."""
SAMPLE = 20_000
"""How many resources are made as objects."""


def main() -> int:
    """Make the run, measure, and print what came of it."""
    parser = argparse.ArgumentParser(prog="bench.fhir", description=__doc__)
    parser.add_argument("--copies", type=int, default=100, help="how often the patients are copied")
    parser.add_argument("--times", type=int, default=1, help="how often their events are copied then")
    parser.add_argument("--profiles", default="base", choices=PROFILES, help="the profile set")
    parser.add_argument("--repeat", type=int, default=3, help="how often each piece is measured; the best counts")
    parser.add_argument("--piece", nargs=3, metavar=("PIECE", "PROJECT", "PROFILES"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.piece:
        name, project, profiles = wanted.piece
        return {"run": run, "engine": engine, "objects": objects}[name](Path(project), profiles)
    for moved in ("PROJECT", "RUNS", "RELEASES", "RESTRICTED", "VOCABULARIES"):
        os.environ.pop(f"ONCOWEAVE_{moved}", None)
    project = fresh_project(DATA / "vocab", fhir=False)
    write_copies(DATA / "raw", STORE / "fhir-delivery", wanted.copies, SHARED[2:])
    measured("run", project, wanted.profiles)
    shutil.rmtree(STORE / "fhir-delivery")
    if wanted.times > 1:
        multiply(project, wanted.times)
    engines = [measured("engine", project, wanted.profiles) for _ in range(wanted.repeat)]
    dumped = [measured("objects", project, wanted.profiles) for _ in range(wanted.repeat)]
    report(engines, dumped)
    shutil.rmtree(project)
    shutil.rmtree(STORE / "fhir-resources")
    return 0


def measured(name: str, project: Path, profiles: str) -> tuple[Usage, dict[str, Any]]:
    """What a piece took, and what it tells of itself."""
    usage = usage_of([sys.executable, "-m", "bench.fhir", "--piece", name, str(project), profiles])
    told: dict[str, Any] = json.loads((project / "told.json").read_text(encoding="utf-8"))
    return usage, told


def multiply(project: Path, times: int) -> None:
    """Write the events of the run so many times, each copy with other ids of persons and facts, the same wherever they occur."""
    (events,) = (project / "runs" / SOURCE).glob("*/events")
    index = json.loads((events / "events.json").read_text(encoding="utf-8"))
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for file in index["files"]:
            path = events / file["name"]
            ids = sorted(IDS & set(file["columns"]))
            new = ", ".join(f"xor({name}, CAST(hash(copy) >> 2 AS BIGINT)) AS {name}" for name in ids)
            source = f"SELECT * EXCLUDE (copy) REPLACE ({new}) FROM read_parquet(?), range({times}) AS copies(copy)"
            connection.execute(f"COPY ({source}) TO '{path}.new' (FORMAT parquet)", [str(path)])
            path.with_name(f"{path.name}.new").rename(path)
            file["rows"] *= times
    (events / "events.json").write_text(json.dumps(index), encoding="utf-8")


# The measured processes


def run(project: Path, _: str) -> int:
    """Extract and map, so that there are events."""
    os.environ["ONCOWEAVE_KEY"] = "42" * 32
    from oncoweave.project import Project
    from oncoweave.stages.extract import extract
    from oncoweave.stages.map import map as map_stage

    here = Project.at(project)
    map_stage(extract(here, SOURCE, STORE / "fhir-delivery"), here)
    return _tell(project, {})


def engine(project: Path, profiles: str) -> int:
    """Every resource of the events, as `map` makes it."""
    from oncoweave.engine.connection import CALLERS, connect
    from oncoweave.engine.side_by_side import Task, side_by_side
    from oncoweave.fhir.named_sets import profile_set
    from oncoweave.fhir.writer import FhirWriter
    from oncoweave.harmonise import event_files
    from oncoweave.project import RunFolder

    (path,) = (project / "runs" / SOURCE).glob("*")
    events, target, work = RunFolder(path), STORE / "fhir-resources", project / "work"
    for folder in (target, work):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    with connect(work=work, allow=[path, target], callers=CALLERS) as connection:
        writer = FhirWriter(connection, events.events, event_files(events), target, profile_set(profiles), SOURCE)
        writer.prepare()
        tasks = [Task(t, lambda other, t=t: writer.over(other).write(t)) for t in writer.types]  # type: ignore[misc]
        files = [file for written in side_by_side(connection, tasks).values() for file in written]
    counts: dict[str, int] = {}
    for file in files:
        counts[file.type] = counts.get(file.type, 0) + (file.file.rows or 0)
    return _tell(project, {"peak MB": peak(), "types": counts, "MB": sum(file.file.bytes for file in files) / 1e6})


def objects(project: Path, _: str) -> int:
    """Resources of every type in their shares, as objects that are dumped."""
    files = sorted((STORE / "fhir-resources").glob("*.000.ndjson"))
    lines = [(file.name.partition(".")[0], line) for file in files for line in file.open("rb")]
    step = max(1, len(lines) // SAMPLE)
    sample = [(type_, json.loads(line)) for type_, line in lines[::step]]
    models = {t: getattr(import_module(f"fhir.resources.R4B.{t.lower()}"), t) for t in {t for t, _ in sample}}
    for type_, model in models.items():
        model.model_validate(next(data for t, data in sample if t == type_)).model_dump_json()
    started = time.process_time()
    for type_, data in sample:
        models[type_].model_validate(data).model_dump_json()
    return _tell(project, {"resources": len(sample), "CPU s": time.process_time() - started})


def _tell(project: Path, told: dict[str, Any]) -> int:
    (project / "told.json").write_text(json.dumps(told), encoding="utf-8")
    return 0


# What is printed


def report(engines: list[tuple[Usage, dict[str, Any]]], dumped: list[tuple[Usage, dict[str, Any]]]) -> None:
    """Print the resources of each type, the CPU seconds, and how they stand to the bars."""
    usage, told = min(engines, key=lambda pair: pair[0].cpu)
    types: dict[str, int] = told["types"]
    resources = sum(types.values())
    print(f"{resources:,} resources, {told['MB']:,.0f} MB")
    print("  " + ", ".join(f"{name} {count:,}" for name, count in types.items()))
    ours = resources / usage.cpu
    print(f"  engine   {usage.cpu:8.2f} CPU s {ours:12,.0f} resources per CPU-second, {usage.wall:.2f} s on the clock")
    theirs = max(one["resources"] / one["CPU s"] for _, one in dumped)
    print(
        f"  objects  {dumped[0][1]['resources']:8,} of them {theirs:10,.0f} resources per CPU-second (fhir.resources, R4B)"
    )
    ratio, memory = ours / theirs, max(told["peak MB"] for _, told in engines)
    print(f"  {ratio:.0f} times, {'within' if ratio >= BAR else 'BELOW'} the bar of {BAR}")
    print(f"  peak {memory:,.0f} MB, {'within' if memory <= MOST_MEMORY else 'ABOVE'} the bar of {MOST_MEMORY:,} MB")


if __name__ == "__main__":
    sys.exit(main())

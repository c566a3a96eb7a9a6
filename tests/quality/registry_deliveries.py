"""Deliveries of the tiny registry with enough rows for shares to mean something, and runs that are judged without suites."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from oncoweave.files import read_record, write_json
from oncoweave.project import Project, RunFolder
from oncoweave.quality.history import keep
from oncoweave.quality.run_checks.compilation import run_check_specs
from oncoweave.quality.run_checks.judged import judge_run
from oncoweave.records import CheckRecord, ExpectationResult, MapRecord
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_run
from oncoweave.vocabulary.bundle import open_release

SOURCE = "tiny"
FIRST, SECOND = date(2024, 1, 31), date(2024, 3, 31)
PATIENTS = 200

Row = dict[str, str]
Change = Callable[[list[Row], list[Row]], None]


def rows() -> tuple[list[Row], list[Row]]:
    """200 invented patients with one tumour each; nothing is wrong with them."""
    patients = [
        {
            "patient": f"P{n:04}", "sex": "M" if n % 10 == 0 else "F", "birth_date": f"{n % 28 + 1:02}.{n % 12 + 1:02}.{1930 + n % 40}",
            "menopause": "post" if n % 3 else "", "registered": f"{n % 28 + 1:02}.{n % 12 + 1:02}.2015",
            "last_contact": f"{n % 28 + 1:02}.{n % 12 + 1:02}.2023", "vital": "D" if n % 4 == 0 else "A", "centre": str(n % 5),
        }
        for n in range(PATIENTS)
    ]  # fmt: skip
    tumours = [
        {
            "patient": p["patient"], "tumour": "1", "diagnosed": p["registered"], "t": f"T{n % 4 + 1}", "size_mm": f"{5 + n % 60},5",
            "nodes": str(n % 9), "surgery_date": p["registered"] if n % 2 else "",
            "chemo_start": p["registered"] if n % 3 == 0 else "", "chemo_end": f"01.12.{2016 + n % 2}" if n % 3 == 0 else "",
            "remark": "",
        }
        for n, p in enumerate(patients)
    ]  # fmt: skip
    return patients, tumours


def delivered(folder: Path, change: Change | None = None) -> Path:
    """A delivery in that folder, changed; the remark of a row tells nothing but that the files are not those of before."""
    patients, tumours = rows()
    tumours[0]["remark"] = folder.name
    if change:
        change(patients, tumours)
    folder.mkdir(parents=True)
    for name, table in (("patients", patients), ("tumours", tumours)):
        lines = [";".join(row.values()) for row in table]
        header = ";".join(table[0] if table else rows()[0 if name == "patients" else 1][0])
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return folder


def mapped(project: Project, delivery: Path, day: date) -> RunFolder:
    """The run of a delivery, extracted and mapped."""
    run = extract(project, SOURCE, delivery, day=day)
    map_run(run, project)
    return run


def judged(run: RunFolder, project: Project) -> list[ExpectationResult]:
    """The results of the checks of the run as a whole."""
    record = read_record(run.path / "map.json", MapRecord)
    concepts = open_release(project, record.vocabulary).table("CONCEPT")
    return judge_run(run, project, run_check_specs(project, SOURCE), concepts, [])


def checked(run: RunFolder, project: Project) -> list[ExpectationResult]:
    """The same, and the run is a checked one that others are compared with."""
    results = judged(run, project)
    write_json(run.path / "check.json", CheckRecord(verdict="pass", results=tuple(results)))
    keep(run, project)
    return results


def failing(results: list[ExpectationResult]) -> set[str]:
    """The checks that fail."""
    return {result.check for result in results if not result.success}

"""A source whose deliveries come one after the other: writes each, extracts it, and maps what came of all."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord, TableChange
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from tests.map.workshop import SOURCE, Mapped, Workshop, build_vocabulary

RULES = """
- {fact: condition, name: tumours, from: tumours, concept: breast_cancer, start: seen}
- {fact: observation, name: contents, from: contents, concept: family_history, date: seen, value: code}
"""
REMOVED = {"patients": "gone_patients.csv", "tumours": "gone_tumours.csv", "contents": "gone_contents.csv"}
HEADERS = {"patients": ("id", "born"), "tumours": ("id", "tumour", "seen"), "contents": ("id", "seen", "code")}
KEYS = {"patients": 1, "tumours": 2, "contents": 3}
Rows = Sequence[tuple[str, ...]]


@dataclass
class Site:
    """A source whose deliveries come one after the other; `last` is the run of the last one."""

    workshop: Workshop
    last: str = "none"
    day: int = 0
    runs: list[RunFolder] = field(default_factory=list)

    def declare(self, mode: str, day: int, extra: str = "") -> None:
        tables: dict[str, Any] = {name: ",".join(header) + "\n" for name, header in HEADERS.items()}
        keys = {"contents": "row: {content: true}\nperson: [id]"}
        self.workshop.write(RULES, keys=keys, **tables)
        path = self.workshop.folder / "source.yaml"
        text = path.read_text(encoding="utf-8").replace(
            "{by: folder, date: 2024-01-31, path: ../../../delivery}",
            f"{{by: folder, date: 2024-02-{day:02}, path: ../../../delivery, mode: {mode}}}",
        )
        for name, file in REMOVED.items():
            may_lack = "" if name == "patients" else "    optional: true\n"
            text = text.replace(
                f"files: {name}.csv\n", f"files: {name}.csv\n    removed: {{files: {file}{extra}}}\n{may_lack}"
            )
        path.write_text(text, encoding="utf-8")

    def deliver(self, files: Mapping[str, Rows], mode: str = "delta", day: int | None = None) -> RunFolder:
        """Write the files, each of a table or of a table's removed rows, and extract them."""
        self.day = day or self.day + 1
        self.declare(mode, self.day)
        delivery = self.workshop.project.root / "delivery"
        shutil.rmtree(delivery)
        delivery.mkdir()
        for name, rows in files.items():
            table = name.removeprefix("gone_")
            header = HEADERS[table][: KEYS[table]] if name != table else HEADERS[table]
            (delivery / f"{name}.csv").write_text(written([header, *rows]), encoding="utf-8")
        run = extract(self.workshop.project, SOURCE, base="" if mode == "full" else self.last)
        self.last = run.run_id
        self.runs.append(run)
        return run

    def mapped(self) -> Mapped:
        run = self.runs[-1]
        return Mapped(run, map_stage(run, self.workshop.project), self.workshop.project)

    def change(self, table: str) -> TableChange | None:
        record = read_record(self.runs[-1].path / "extract.json", ExtractRecord)
        return next(t.change for t in record.tables if t.table == table)


def written(rows: Rows) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def made(folder: Path) -> Workshop:
    project = Project.at(folder / "project")
    place = project.root / "mappings" / "vocabulary" / "workshop-1"
    place.parent.mkdir(parents=True)
    build_vocabulary(folder).rename(place)
    return Workshop(project)


BASE: dict[str, Rows] = {
    "patients": [("1", "1950"), ("2", "1951"), ("3", "1952")],
    "tumours": [("1", "a", "01.01.2015"), ("2", "a", "01.02.2015"), ("3", "a", "01.03.2015")],
    "contents": [("1", "01.01.2015", "x"), ("1", "01.01.2015", "x"), ("2", "01.01.2015", "y")],
}

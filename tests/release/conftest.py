"""A run that was mapped and checked, made by hand: publish needs no more than a run's folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from oncoweave.engine.connection import connect
from oncoweave.engine.parquet import copy
from oncoweave.files import file_record, make_private_folder, stage_folder, write_json
from oncoweave.omop.model import tables
from oncoweave.project import Project, RunFolder
from oncoweave.quality.judge import judge
from oncoweave.records import CheckRecord, ExpectationResult, ExtractRecord, FileRecord, LedgerEntry, MapRecord
from oncoweave.run_identity import Identity

IDENTITY = Identity(
    software="oncoweave 0", code_sha256="0", mapping_sha256="0", vocabulary="v", key_id="k", domain="one", files={}
)
SOURCE = """version: 1
source: one
title: One
holder: Somebody
kind: registry
delivery: {by: folder, date: 2024-01-31, path: files}
tables:
  patients: {format: csv, files: p.csv, row: {fields: [id]}}
"""
LEDGER = LedgerEntry(
    rule="patients", column=None, table="patients", fact="person", read=4, mapped=3, quarantined=1, excluded=0, events=3, unmapped=0
)  # fmt: skip

MakeRun = Callable[..., RunFolder]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "mappings" / "sources" / "one").mkdir(parents=True)
    (tmp_path / "mappings" / "sources" / "one" / "source.yaml").write_text(SOURCE)
    return Project.at(tmp_path)


@pytest.fixture
def make_run(project: Project) -> MakeRun:
    """Makes the run folder of a number of persons; named parts of its map record can be given."""

    def make(
        run_id: str = "0123456789abcdef0123",
        persons: int = 3,
        verdict: str = "pass",
        results: tuple[ExpectationResult, ...] = (),
        **parts: object,
    ) -> RunFolder:
        run = RunFolder(project.runs / "one" / run_id)
        make_private_folder(run.path)
        written = _write_tables(run, persons)
        write_json(run.path / "identity.json", IDENTITY)
        write_json(run.path / "extract.json", _extracted(run))
        write_json(run.path / "map.json", _mapped(persons, written).model_copy(update=parts))
        checked = judge(results) if results else CheckRecord.model_validate({"verdict": verdict, "results": ()})
        write_json(run.path / "check.json", checked)
        return run

    return make


@pytest.fixture
def run(make_run: MakeRun) -> RunFolder:
    return make_run()


def _write_tables(run: RunFolder, persons: int) -> tuple[FileRecord, ...]:
    with stage_folder(run, "tables") as folder:
        connection = connect(work=folder, allow=[], threads=1)
        counts = {}
        for name in ("person", "death"):
            fields = ", ".join(
                f"CAST(NULL AS {f.type}) AS {f.name}" for f in tables()[name].fields if f.name != "person_id"
            )
            counts[name] = copy(
                connection,
                f"SELECT CAST(hash(range) >> 1 AS BIGINT) AS person_id, {fields} FROM range({persons})",
                folder / f"{name}.parquet",
            )
        connection.close()
    return tuple(file_record(run.tables / f"{name}.parquet", f"{name}.parquet", rows) for name, rows in counts.items())


def _extracted(run: RunFolder) -> ExtractRecord:
    return ExtractRecord(source="one", run_id=run.run_id, delivery_date=date(2024, 1, 31), tables=())


def _mapped(persons: int, written: tuple[FileRecord, ...]) -> MapRecord:
    return MapRecord(
        vocabulary="v",
        unconfirmed_concepts=(1,),
        synthetic_origin=(date(1990, 1, 1), "a trial of that time"),
        plan_sha256="0",
        ledger=(LEDGER,),
        unmapped=(),
        imputed={},
        truncated={},
        corrections=0,
        persons=persons,
        events={"person": persons},
        tables=written,
    )

"""sample: a run of the first persons only, in a place of its own from which nothing is published; for a dry run."""

from __future__ import annotations

import shutil
from dataclasses import replace

from oncoweave.engine.connection import connect
from oncoweave.engine.sample import Sampled, take_sample
from oncoweave.files import file_record, make_private_folder, read_record, remove, stage_folder, work_folder, write_json
from oncoweave.project import SAMPLES, Project, RunFolder
from oncoweave.records import ExtractRecord, SourceTableRecord
from oncoweave.spec.load import load_mapping, load_source
from oncoweave.spec.source import Table


def sample_project(project: Project) -> Project:
    """The project as a dry run with a sample sees it: what is written lies apart, beside no run and no release."""
    place = project.runs / SAMPLES
    return replace(project, runs=place, releases=place / ".releases", restricted=place / ".restricted")


def sample(run: RunFolder, project: Project, persons: int) -> RunFolder:
    """The run with the rows of its first `persons` persons, in `sample_project`; what was there of the source is removed.

    Counts of the delivery's records that could not be read stay those of the whole delivery.
    """
    spec, _ = load_source(project, run.source)
    mapping, _ = load_mapping(project, run.source)
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    small = RunFolder(sample_project(project).runs / run.source / run.run_id)
    remove(small.path)
    make_private_folder(small.path.parent.parent)
    make_private_folder(small.path.parent)
    make_private_folder(small.path)
    first = sorted({rule.from_ for rule in mapping.rules if rule.fact == "person"})
    tables = {
        table.table: Sampled(run.snapshot / table.snapshot.name, _person(spec.tables[table.table]))
        for table in extracted.tables
    }
    with (
        stage_folder(small, "snapshot") as folder,
        work_folder(small, "sample") as work,
        connect(work=work, allow=[run.snapshot, small.path], preserve_insertion_order=True) as connection,
    ):
        rows = take_sample(connection, tables, first, persons, folder)
    shutil.copytree(
        run.quarantine, small.quarantine, ignore=lambda _, names: [n for n in names if n != "extract.parquet"]
    )
    shutil.copy2(run.path / "identity.json", small.path / "identity.json")
    smaller = tuple(_smaller(small, table, rows[table.table]) for table in extracted.tables)
    write_json(small.path / "extract.json", extracted.model_copy(update={"tables": smaller}))
    return small


def _person(table: Table) -> tuple[str, ...]:
    """The table's own fields that identify the person; none where they are another table's, or where no field does."""
    fields = table.row.fields if table.person is None else table.person
    return tuple(fields) if all(field in table.fields for field in fields) else ()


def _smaller(run: RunFolder, table: SourceTableRecord, rows: int) -> SourceTableRecord:
    file = file_record(run.snapshot / table.snapshot.name, table.snapshot.name, rows)
    return table.model_copy(update={"rows": rows, "records": rows + table.quarantined, "snapshot": file})

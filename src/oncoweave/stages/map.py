"""map: compiles the mapping and runs it, from the snapshot of a run to its events and OMOP tables."""

from __future__ import annotations

from oncoweave.compiler import compile_mapping
from oncoweave.files import forget, read_record, write_json
from oncoweave.harmonise import harmonise
from oncoweave.privacy.pseudonym import load_key
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord, MapRecord


def map(run: RunFolder, project: Project) -> MapRecord:  # noqa: A001 - the stage, the verb and the task have one name
    """Map the snapshot of a run; returns at once what is mapped already.

    Raises SpecError for a mapping with errors, UsageError without a key, DataError when a correction does not match.
    """
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    record_path = run.path / "map.json"
    if record_path.is_file():
        return read_record(record_path, MapRecord)
    key = load_key()
    plan, inputs = compile_mapping(project, run.source, {t.table: t.columns for t in extracted.tables})
    forget(record_path)
    record = harmonise(run, project, extracted, plan, inputs.bundle, key)
    write_json(record_path, record)
    return record

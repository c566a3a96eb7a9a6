"""map: compiles the mapping and runs it, from the snapshot of a run to its events and OMOP tables."""

from __future__ import annotations

from oncoweave.compiler import compile_mapping
from oncoweave.files import forget, read_record, write_json
from oncoweave.harmonise import harmonise
from oncoweave.lineage.columns import column_lineage
from oncoweave.lineage.datasets import LINEAGE
from oncoweave.privacy.pseudonym import load_key
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord, MapRecord
from oncoweave.run_identity import read_identity


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
    record = harmonise(run, project, extracted, plan, inputs.bundle, key, _rests_on(run))
    write_json(run.path / LINEAGE, column_lineage(plan))
    write_json(record_path, record)
    return record


def _rests_on(run: RunFolder) -> dict[str, str]:
    """What METADATA says of the software and the specification that a run rests on."""
    known = read_identity(run)
    return {
        "software": known.software,
        "code SHA-256": known.code_sha256,
        "mapping SHA-256": known.mapping_sha256,
        "vocabulary release": known.vocabulary,
    }

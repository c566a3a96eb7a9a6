"""A run of three invented persons, in OMOP and in FHIR, that agrees with itself; tests spoil it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from oncoweave.files import make_private_folder, write_json
from oncoweave.project import RunFolder
from oncoweave.quality.fhir.judged import Examined, examine
from oncoweave.records import EventFile, EventIndex, FhirFile, FhirLeftOut, FhirRecord, FileRecord, MapRecord

Resource = dict[str, object]
Files = dict[str, list[str]]
Change = Callable[[Files], None]

PERSONS = (11, 12, 13)
TABLES = {
    "person": "SELECT unnest([11, 12, 13])::BIGINT AS person_id, 8532 AS gender_concept_id",
    "death": "SELECT 13::BIGINT AS person_id, 0 AS cause_concept_id",
    "condition_occurrence": "SELECT unnest([11, 12, 13])::BIGINT AS person_id, unnest([21, 22, 23])::BIGINT AS condition_occurrence_id, "
    "4162253 AS condition_concept_id",
    "measurement": "SELECT unnest([11, 12, 13])::BIGINT AS person_id, unnest([31, 32, 33])::BIGINT AS measurement_id, "
    "unnest([0, 0, 3000963]) AS measurement_concept_id",
    "note": "SELECT unnest([11, 12])::BIGINT AS person_id, unnest([41, 42])::BIGINT AS note_id",
}
FACTS: dict[str, tuple[str, tuple[int, ...]]] = {
    "condition_occurrence": ("condition", (21, 22, 23)), "measurement": ("measurement", (31, 32, 33)), "note": ("note", (41, 42)),
    "death": ("death", (51,)),
}  # fmt: skip
LEFT_OUT = (FhirLeftOut(target="note", fact="note", reason="notes never leave", events=2),)


def clean() -> Files:
    """The lines of each file."""
    patients: list[Resource] = [{"resourceType": "Patient", "id": str(p), "gender": "female"} for p in PERSONS]
    patients[2]["deceasedBoolean"] = True
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "254837009"}], "text": 'a tumour of "[]" {}:null,'}
    conditions: list[Resource] = [
        {"resourceType": "Condition", "id": str(p + 10), "code": code, "subject": {"reference": f"Patient/{p}"}}
        for p in PERSONS
    ]
    observations: list[Resource] = [
        {
            "resourceType": "Observation", "id": str(p + 20), "status": "final", "code": {"text": "size"} if p < 13 else code,
            "subject": {"reference": f"Patient/{p}"}, "focus": [{"reference": f"Condition/{p + 10}"}],
            "valueQuantity": {"value": 21.5, "system": "http://unitsofmeasure.org", "code": "mm"},
        }
        for p in PERSONS
    ]  # fmt: skip
    run: list[Resource] = [{"resourceType": "Provenance", "id": "run", "target": [{"reference": "Patient/11"}], "recorded": "2024-01-31T00:00:00Z",
            "agent": [{"who": {"display": "Oncoweave"}}]}]  # fmt: skip
    of: dict[str, list[Resource]] = {
        "Patient": patients,
        "Condition": conditions,
        "Observation": observations,
        "Provenance": run,
    }
    return {type_: [json.dumps(one) for one in resources] for type_, resources in of.items()}


def written(folder: Path, change: Change | None = None) -> tuple[RunFolder, MapRecord]:
    """The run in a folder, its FHIR changed after it was written, and its record."""
    run = RunFolder(folder / "runs" / "tiny" / "r")
    for part in (run.tables, run.fhir, run.quarantine, run.events):
        make_private_folder(part)
    write_json(run.events / "events.json", EventIndex(files=tuple(_events(run))))
    for table, rows in TABLES.items():
        duckdb.sql(f"COPY ({rows}) TO '{run.tables / table}.parquet'")
    files = clean()
    names = [
        FhirFile(type=t, file=FileRecord(name=f"{t}.000.ndjson", bytes=0, sha256="", rows=len(lines)))
        for t, lines in files.items()
    ]
    if change:
        change(files)
    for type_, lines in files.items():
        (run.fhir / f"{type_}.000.ndjson").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    nothing: dict[str, object] = {
        "vocabulary": "tiny-1", "unconfirmed_concepts": (), "synthetic_origin": None, "plan_sha256": "", "unmapped": (),
        "imputed": {}, "truncated": {}, "corrections": 0, "events": {}, "ledger": (), "tables": (), "persons": 3,
    }  # fmt: skip
    record = FhirRecord(profiles="base", files=tuple(names), left_out=LEFT_OUT)
    return run, MapRecord.model_validate({**nothing, "fhir": record})


def _events(run: RunFolder) -> Iterator[EventFile]:
    for table, (fact, ids) in FACTS.items():
        duckdb.sql(f"COPY (SELECT unnest({list(ids)})::BIGINT AS event_id) TO '{run.events / table}.parquet'")
        constants: dict[str, str | int | None] = {"target": table, "fact": fact}
        yield EventFile(
            name=f"{table}.parquet", rule=table, column=None, fact=fact, targets=(table,), columns=("event_id",),
            constants=constants, derived={}, rows=len(ids),
        )  # fmt: skip


def judged(folder: Path, change: Change | None = None, *, every: bool = True) -> Examined:
    """What the checks find in the run."""
    run, record = written(folder, change)
    examined = examine(run, record, every=every)
    assert examined is not None
    return examined


def wrong(examined: Examined) -> dict[str, tuple[int | None, int | None]]:
    """What was judged and what of it is wrong, by check and place, where something is."""
    return {
        ".".join((f.check, *f.place)): (f.evaluated, f.unexpected) for f in examined.findings if f.unexpected or f.error
    }

"""What a stage did, in a line or two for a log: counts, never a value."""

from __future__ import annotations

from collections.abc import Iterator

from oncoweave.files import read_record
from oncoweave.project import RunFolder
from oncoweave.records import ExtractRecord, MapRecord


def extracted_line(run: RunFolder) -> str:
    """What was extracted."""
    record = read_record(run.path / "extract.json", ExtractRecord)
    tables = ", ".join(f"{table.table} {table.rows:,}" for table in record.tables)
    unreadable = sum(table.quarantined for table in record.tables)
    return f"Run {run.run_id} holds the delivery of {record.delivery_date}: {tables} rows; {unreadable:,} records cannot be read."


def mapped_lines(record: MapRecord) -> Iterator[str]:
    """What was mapped, and what the recap warns of."""
    mapped, quarantined, excluded, unmapped = (
        sum(getattr(entry, name) for entry in record.ledger)
        for name in ("mapped", "quarantined", "excluded", "unmapped")
    )
    yield (
        f"{record.persons:,} persons; rule rows: {mapped:,} mapped, {quarantined:,} quarantined, {excluded:,} excluded; "
        f"{unmapped:,} events without a concept."
    )
    yield from record.warnings

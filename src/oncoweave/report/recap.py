"""What the recap of a run tells, in numbers and in sentences; the command line prints it, the page of the run shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from oncoweave.files import read_record
from oncoweave.project import RunFolder
from oncoweave.records import CheckRecord, DerivedTable, ExtractRecord, MapRecord, ReleasedText, resources_by_type
from oncoweave.release.signoff import NOT_NEEDED, Standing
from oncoweave.report.exclusions import told_of_resources

FILES = 4
"""How many files that belong to no table a sentence names."""
REASONS = 4
"""How many reasons for quarantine a sentence names."""


@dataclass(frozen=True)
class RunSummary:
    """What the recap at the end of a run tells.

    `records` counts source records, `unreadable` those that extract quarantined; `read` = `mapped` +
    `quarantined` + `excluded` are those of the ledger, in (rule, row). `release` is None when it did not pass.
    `reasons` counts the quarantined by reason, `imputed` the dates by field and precision, `fhir` the resources by type.
    """

    source: str
    run_id: str
    delivery_date: date
    records: int
    unreadable: int
    read: int
    mapped: int
    quarantined: int
    excluded: int
    unmapped: int
    persons: int
    events: dict[str, int]
    verdict: str
    release: Path | None
    repeated: bool
    unconfirmed_concepts: tuple[int, ...]
    synthetic_origin: tuple[date, str] | None
    warnings: tuple[str, ...]
    reasons: dict[str, int]
    imputed: dict[str, dict[str, int]]
    released_text: tuple[ReleasedText, ...] = ()
    derived: tuple[DerivedTable, ...] = ()
    fhir: dict[str, int] = field(default_factory=dict)
    approval: Standing = NOT_NEEDED


def summary(run: RunFolder, release: Path | None, *, repeated: bool = False) -> RunSummary:
    """What the recap tells of a run that has been extracted, mapped and checked."""
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    mapped = read_record(run.path / "map.json", MapRecord)
    return RunSummary(
        source=run.source,
        run_id=run.run_id,
        delivery_date=extracted.delivery_date,
        records=sum(table.records for table in extracted.tables),
        unreadable=sum(table.quarantined for table in extracted.tables),
        read=sum(entry.read for entry in mapped.ledger),
        mapped=sum(entry.mapped for entry in mapped.ledger),
        quarantined=sum(entry.quarantined for entry in mapped.ledger),
        excluded=sum(entry.excluded for entry in mapped.ledger),
        unmapped=sum(entry.unmapped for entry in mapped.ledger),
        persons=mapped.persons,
        events=mapped.events,
        verdict=read_record(run.path / "check.json", CheckRecord).verdict,
        release=release,
        repeated=repeated,
        unconfirmed_concepts=mapped.unconfirmed_concepts,
        synthetic_origin=mapped.synthetic_origin,
        warnings=(*changes(extracted), *_absent(extracted), *_left_out(extracted), *mapped.warnings),
        reasons=_reasons(mapped),
        imputed=mapped.imputed,
        released_text=mapped.released_text,
        derived=mapped.derived,
        fhir=resources_by_type(mapped.fhir.files) if mapped.fhir else {},
    )


def changes(extracted: ExtractRecord) -> Iterator[str]:
    """The files that belong to no table; the resources of FHIR that are in none; what a delta changed, table by table, and its removals that match no row."""
    yield from _unclaimed(extracted)
    if resources := told_of_resources(extracted):
        yield resources
    changed = [(table.table, table.change) for table in extracted.tables if table.change]
    if not changed:
        return
    told = [
        f"`{name}` {c.added:,} rows in, {c.replaced:,} replaced, {c.removed:,} removed, {c.total:,} now"
        for name, c in changed
        if c.added or c.replaced or c.removed
    ]
    first = len(extracted.chain) == 1
    if not first:
        yield f"a delta, delivery {len(extracted.chain)} of this source: {'; '.join(told) or 'nothing new'}"
    elif extracted.chain[0].mode == "delta":
        yield "a delta without a delivery before it: it was taken as all there is"
    lost = [f"`{name}` {c.unmatched:,}" for name, c in changed if c.unmatched]
    if lost:
        yield f"{'rows marked as removed, left out' if first else 'removals that match no row'}: {', '.join(lost)}"
    for link in extracted.left_out:
        yield (
            f"the delta of {link.date} (run {link.run_id}) is not in this, for it is not in what this builds on; to have it, "
            f"run again with --base {link.run_id}"
        )


def _unclaimed(extracted: ExtractRecord) -> Iterator[str]:
    """Files of the delivery that nobody read."""
    names, many = extracted.unclaimed, len(extracted.unclaimed)
    if names:
        listed = ", ".join(f"`{name}`" for name in names[:FILES])
        more = f" and {many - FILES} more, which extract.json of the run names" if many > FILES else ""
        belong = "1 file of the delivery belongs" if many == 1 else f"{many} files of the delivery belong"
        yield f"{belong} to no table and {'was' if many == 1 else 'were'} not read: {listed}{more}"


def _absent(extracted: ExtractRecord) -> Iterator[str]:
    """What source.yaml calls optional and the delivery lacks."""
    tables = [f"`{table.table}`" for table in extracted.tables if not table.files]
    fields = [f"`{table.table}.{field}`" for table in extracted.tables for field in table.absent]
    if tables:
        yield f"optional tables that the delivery lacks: {', '.join(tables)}"
    if fields:
        yield f"optional fields that the delivery lacks: {', '.join(fields)}"


def _left_out(extracted: ExtractRecord) -> Iterator[str]:
    """Columns that source.yaml does not declare; a header is not shown, for without a header line it would be a value."""
    for table in extracted.tables:
        if table.undeclared:
            many = len(table.undeclared)
            what = "1 column is" if many == 1 else f"{many} columns are"
            yield f"{what} not declared in source.yaml and left out of `{table.table}`; extract.json of the run names them"


def _reasons(mapped: MapRecord) -> dict[str, int]:
    """The rule rows that are quarantined, by reason, the most frequent first."""
    counts: Counter[str] = Counter()
    for entry in mapped.ledger:
        counts.update({reason: rows for verdict, reason, rows in entry.reasons if verdict == "quarantined"})
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def notes_of(run: RunSummary) -> list[str]:
    """What a reader of the release must know."""
    notes = [*_approval(run), *run.warnings]
    if run.repeated:
        notes.append(f"run {run.run_id} had been done with the same inputs; nothing was done again")
    if run.unreadable:
        notes.append(f"{run.unreadable:,} records could not be read; quarantine/extract.parquet of the run tells why")
    if run.quarantined:
        notes.append(_held(run))
    if run.unmapped:
        notes.append(f"{run.unmapped:,} rule rows have no approved concept and carry concept 0")
    if run.unconfirmed_concepts:
        ids = ", ".join(map(str, run.unconfirmed_concepts))
        notes.append(f"concepts that wait for an Athena release to confirm them: {ids}")
    partial = _imputed(run, "month", "year")
    if partial:
        notes.append(f"dates known to the month or year only, for which a day stands (`imputation:`): {partial}")
    ongoing = _imputed(run, "ongoing")
    if ongoing:
        notes.append(f"visits that had not ended end on the day of the delivery (`without_end:`): {ongoing}")
    notes += [note for derived in run.derived if (note := told_of(derived))]
    if run.synthetic_origin:
        notes.append(f"dates count from a synthetic origin, {run.synthetic_origin[0]}: {run.synthetic_origin[1]}")
    for free in run.released_text:
        what = " and ".join(free.what)
        notes.append(
            f"free text leaves the site: {what} of {free.notes:,} notes (`{free.rule}`), because {free.because}"
        )
    return notes


def _approval(run: RunSummary) -> list[str]:
    """How the run stands with those who approve it, and what to do where somebody has to."""
    stands = run.approval
    if not stands.asks:
        return [stands.why] if stands.why else []
    sign = f"oncoweave signoff {run.source} {run.run_id[:12]} --approve --comment …"
    why = stands.why or "source.yaml asks for an approval, and nobody has decided"
    after = f"oncoweave publish {run.source} --run {run.run_id[:12]}"
    return [f"a candidate, not a release: {why}. Look at it, then `{sign}` (or --reject) and `{after}`"]


def _imputed(run: RunSummary, *precisions: str) -> str:
    """How many days of each date stand for something of these precisions; not of births."""
    counted = {field: sum(n.get(p, 0) for p in precisions) for field, n in run.imputed.items()}
    return ", ".join(f"{field} {rows:,}" for field, rows in counted.items() if rows and not field.startswith("person."))


def told_of(table: DerivedTable) -> str:
    """Rows that a derived table could not use, by reason; empty where there are none."""
    if table.lacks:
        told = table.left_out[0][0] if table.left_out else ""
        return f"{table.table} is empty: {told}" if told else ""
    told = ", ".join(f"{reason} ({rows:,})" for reason, rows in (*table.left_out, *table.remarks))
    return f"{table.table}, made of {table.read:,} rows of {table.source}: {told}" if told else ""


def _held(run: RunSummary) -> str:
    """How many rule rows are quarantined, the most frequent reasons, and where each row is told."""
    most = [f"{reason} ({rows:,})" for reason, rows in list(run.reasons.items())[:REASONS]]
    more = [f"{len(run.reasons) - REASONS} more reasons"] if len(run.reasons) > REASONS else []
    return (
        f"{run.quarantined:,} rule rows are quarantined: {', '.join(most + more)}; `oncoweave explain {run.source}` "
        "counts them by rule, quarantine/map.parquet of the run names file and line"
    )

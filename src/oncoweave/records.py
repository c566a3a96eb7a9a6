"""What each stage writes down for the next: the parts of the run manifest. No patient's value is in any."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal, get_args

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from oncoweave.record import Record

Severity = Literal["fatal", "convention", "characterization"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""How bad it is when a check fails (OHDSI's Data Quality Dashboard), the worst first."""
Category = Literal["conformance", "completeness", "plausibility"]
"""What a check looks at (Kahn framework, doi:10.13063/2327-9214.1244)."""
Context = Literal["verification", "validation"]
"""Whether a check looks at the data alone, or compares them with something outside them (Kahn framework)."""
Origin = Literal["suite", "dqd", "source", "mapping", "trend"]
"""Where a check comes from: a suite file, OHDSI's Data Quality Dashboard, the delivery, the mapping, or earlier runs."""


class FileRecord(Record):
    """One file: `name` relative to its folder, size, SHA-256, and rows where it is a table."""

    name: str
    bytes: int
    sha256: str
    rows: int | None = None


class TableChange(Record):
    """What a delta changed in a table, in rows: total = base - replaced - removed + added.

    `unmatched` counts removals that match no row of the base.
    """

    base: int
    added: int
    replaced: int
    removed: int
    unmatched: int
    total: int


class DeliveryRecord(Record):
    """One delivery that a snapshot holds: its day, a hash of its files, and the run that extracted it.

    `mode` is what source.yaml declared; a delta that is the first of a chain was taken as it stood.
    """

    mode: Literal["full", "delta"] = "full"
    date: date
    sha256: str
    run_id: str


class SourceTableRecord(Record):
    """One source table of a snapshot: records = rows + quarantined, or extract fails.

    `absent` are the optional fields that a file lacks; an optional table that the delivery lacks has no `files`.
    After a delta, all counts and files are those of the union, and `change` says what the delta did. `layout` is a hash
    of how source.yaml has the table read.
    """

    table: str
    columns: tuple[str, ...]
    records: int
    rows: int
    quarantined: int
    files: tuple[FileRecord, ...]
    snapshot: FileRecord
    undeclared: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    layout: str = ""
    change: TableChange | None = None


class ResourceCount(Record):
    """What became of the resources of FHIR of one type: how many there are, and why how many of them are in no table.

    `tables` are those whose view reads the type. `type` is empty for what is no resource at all.
    """

    type: str
    resources: int
    tables: tuple[str, ...] = ()
    reasons: tuple[tuple[Literal["quarantined", "excluded"], str, int], ...] = ()

    @property
    def left_out(self) -> int:
        """How many are in no table."""
        return sum(many for _, _, many in self.reasons)


class ExtractRecord(Record):
    """The extract stage: what was delivered, and the snapshot made of it.

    `chain` are the deliveries that the snapshot holds, in their order, the last one its own. `unclaimed` are the files of
    the delivery that belong to no table; of a delta, `left_out` are the later deltas that the run it builds on does not hold.
    `resources` counts the resources of FHIR of this delivery, by type.
    """

    source: str
    run_id: str
    delivery_date: date
    tables: tuple[SourceTableRecord, ...]
    chain: tuple[DeliveryRecord, ...] = ()
    unclaimed: tuple[str, ...] = ()
    left_out: tuple[DeliveryRecord, ...] = ()
    resources: tuple[ResourceCount, ...] = ()


class ArrivalRecord(Record):
    """arrival.json of a run: the delivery that it holds, by the name that it has where deliveries arrive.

    `signatures` are hashes of the names, sizes and times of its files; files that were touched but hold the same give
    the same run another one.
    """

    name: str
    day: date
    signatures: tuple[str, ...]


class LedgerEntry(Record):
    """One line of the ledger: for one rule, and one of its columns where it has `columns`.

    `read` = `mapped` + `quarantined` + `excluded`, in rows; `events` counts what the mapped rows made
    (fan-out is events - mapped, negative for a group); `unmapped` counts events with concept 0.
    `reasons` splits quarantined and excluded rows by reason.
    """

    rule: str
    column: str | None
    table: str
    fact: str
    read: int
    mapped: int
    quarantined: int
    excluded: int
    events: int
    unmapped: int
    reasons: tuple[tuple[Literal["quarantined", "excluded"], str, int], ...] = ()

    @property
    def name(self) -> str:
        """The rule, with its column where it has several."""
        return f"{self.rule}.{self.column}" if self.column else self.rule


ALL_FACTS = "all"
"""The name of the sum over all kinds of fact."""


def events_by_fact(ledger: Iterable[LedgerEntry]) -> dict[str, tuple[int, int]]:
    """The events of each kind of fact, and those of them with concept 0; under ALL_FACTS of all kinds together."""
    counts: dict[str, tuple[int, int]] = {}
    for entry in ledger:
        for fact in (entry.fact, ALL_FACTS):
            events, unmapped = counts.get(fact, (0, 0))
            counts[fact] = (events + entry.events, unmapped + entry.unmapped)
    return counts


class UnmappedCount(Record):
    """How many codes and events of a rule's column have no approved target, for its concept or a further one such as
    its unit (no code is named here)."""

    rule: str
    column: str | None
    concept_map: str | None
    codes: int
    events: int


class UnconvertedCount(Record):
    """How many values of a rule's column have a unit that its `convert:` does not name, so that they keep it."""

    rule: str
    column: str | None
    events: int


class JoinCount(Record):
    """One join of the mapping: how many rows of its table there are, how many have nothing to look a partner up by
    (`empty`), and how many find none although they have (`without`)."""

    table: str
    join: str
    to: str
    rows: int
    empty: int
    without: int


class ReleasedText(Record):
    """Free text that the mapping lets leave the site: the rule of the notes, what of them, why, and how many."""

    rule: str
    what: tuple[Literal["text", "title"], ...]
    because: str
    notes: int


class EventFile(Record):
    """One event file: the rule and column it comes from, its columns, and what is the same in all its rows.

    `derived` gives the SQL of columns that follow from the stored ones; `targets` are the CDM tables that its
    events may go to.
    """

    name: str
    rule: str
    column: str | None
    fact: str
    targets: tuple[str, ...]
    columns: tuple[str, ...]
    constants: dict[str, str | int | None]
    derived: dict[str, str]
    rows: int


class EventIndex(Record):
    """events.json: the event files of a run."""

    files: tuple[EventFile, ...]


class DerivedTable(Record):
    """A table that is derived from another: `read` = `used` + those left out, in rows of `source`, each with its reason.

    `lacks` is the table of the vocabulary without which it could only be written empty; `remarks` count rows that were
    used in another way than the rule says.
    """

    table: str
    rows: int
    source: str
    read: int
    used: int
    left_out: tuple[tuple[str, int], ...] = ()
    lacks: str = ""
    remarks: tuple[tuple[str, int], ...] = ()


class FhirFile(Record):
    """One file of FHIR resources of a type, one a line; the `rows` of its record are the resources."""

    type: str
    file: FileRecord


class FhirLeftOut(Record):
    """Events of a kind of fact in a CDM table that no resource is made of, and why."""

    target: str
    fact: str
    reason: str
    events: int


class FhirClaim(Record):
    """How many resources claim a profile; with a `reason`, how many tell of what it is about and do not claim it."""

    profile: str
    reason: str = ""
    resources: int


class FhirRecord(Record):
    """What was written of FHIR, in which profiles; every event is in one of the files or is counted in `left_out`."""

    profiles: str
    files: tuple[FhirFile, ...] = ()
    left_out: tuple[FhirLeftOut, ...] = ()
    claims: tuple[FhirClaim, ...] = ()


def resources_by_type(files: Iterable[FhirFile]) -> dict[str, int]:
    """The number of resources of each type, in the order of the files."""
    counts: dict[str, int] = {}
    for one in files:
        counts[one.type] = counts.get(one.type, 0) + (one.file.rows or 0)
    return counts


class MapRecord(Record):
    """The map stage: the ledger, what was imputed and truncated, and the tables."""

    vocabulary: str
    unconfirmed_concepts: tuple[int, ...]
    synthetic_origin: tuple[date, str] | None
    plan_sha256: str
    ledger: tuple[LedgerEntry, ...]
    unmapped: tuple[UnmappedCount, ...]
    imputed: dict[str, dict[str, int]]
    truncated: dict[str, int]
    corrections: int
    persons: int
    events: dict[str, int]
    tables: tuple[FileRecord, ...]
    warnings: tuple[str, ...] = ()
    derived: tuple[DerivedTable, ...] = ()
    released_text: tuple[ReleasedText, ...] = ()
    joins: tuple[JoinCount, ...] = ()
    unconverted: tuple[UnconvertedCount, ...] = ()
    fhir: FhirRecord | None = None


class TablePart(Record):
    """A table that a part of the map stage wrote by itself, of the events with the hash `events_sha256`."""

    file: FileRecord
    truncated: dict[str, int]
    events_sha256: str


class AppliedWaiver(Record):
    """The entry of waivers.yaml by which a failing check is let pass: who answers for it, why, and until when."""

    reason: str
    owner: str
    expires: date
    at_most: str
    file: str


class IdleWaiver(Record):
    """An entry of waivers.yaml that lets nothing pass: it has expired, more rows fail than it names, or nothing that it names."""

    check: str
    scope: str = ""
    state: Literal["expired", "exceeded", "unused"]
    told: str
    owner: str
    expires: date
    file: str


class OwnTerms(Record):
    """How a check is judged where no thresholds.yaml says otherwise; `counts` says whether it counts rows."""

    severity: Severity
    mostly: float | None = None
    success: bool = True
    not_applicable: str = ""
    counts: bool = True


class AppliedThreshold(Record):
    """The entry of thresholds.yaml by which a check is judged: what it sets (`threshold` in percent, or off), and the check's `own` terms.

    One that has `expired` sets nothing.
    """

    threshold: str | None
    severity: Severity | None
    reason: str
    owner: str
    expires: date
    file: str
    expired: bool
    own: OwnTerms


class ExpectationResult(Record):
    """One validation result: counts only.

    `check` is the id of the check, unique in a run and the same from run to run; `origin` says where checks of its kind
    come from. `not_applicable` is the reason why there was nothing to judge. `success` is judged from the counts and
    `mostly`; a waived check keeps it false, and `lapsed` says why a waiver does not let it pass. `concept` is the concept (and `unit` the units) that a DQD check is about.
    """

    check: str = ""
    origin: Origin = "suite"
    suite: str
    table: str
    expectation: str
    column: str | None
    concept: int | None = None
    unit: str = ""
    severity: Severity
    category: Category
    context: Context = "verification"
    why: str
    success: bool
    owner: str = ""
    since: str = ""
    error: str | None = None
    not_applicable: str = ""
    evaluated: int | None = None
    unexpected: int | None = None
    mostly: float | None = None
    waiver: AppliedWaiver | None = None
    lapsed: str = ""
    override: AppliedThreshold | None = None

    @model_serializer(mode="wrap", when_used="json")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """What is not the default: a run has thousands of results, and pages read those of many runs."""
        defaults = {name: info.default for name, info in type(self).model_fields.items() if not info.is_required()}
        return {name: value for name, value in handler(self).items() if name not in defaults or value != defaults[name]}


class CheckRecord(Record):
    """The check stage: the verdict and the results it rests on. `fail` stops publication, but a person may accept conventions.

    `open` counts the checks that failed or could not run and that no waiver lets pass, by severity; `waived` those that one
    does. `idle_waivers` let nothing pass.
    """

    verdict: Literal["pass", "fail"]
    results: tuple[ExpectationResult, ...]
    open: dict[Severity, int] = Field(default_factory=dict)
    waived: int = 0
    idle_waivers: tuple[IdleWaiver, ...] = ()


class RunManifest(Record):
    """manifest.json of a run: the versions it rests on, and the records of its stages."""

    source: str
    run_id: str
    key_id: str
    software: str
    code_sha256: str
    mapping_sha256: str
    vocabulary: str
    extract: ExtractRecord
    map: MapRecord | None = None
    check: CheckRecord | None = None


class DqdCounts(Record):
    """How the checks of OHDSI's Data Quality Dashboard came out; dqd.json has each of them."""

    total: int
    passed: int = 0
    failed: int = 0
    not_applicable: int = 0
    errors: int = 0

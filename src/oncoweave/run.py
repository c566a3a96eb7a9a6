"""The four stages in order, each under its lock, with the run's manifest kept; what the CLI and Airflow call.

Airflow calls the stages one by one in processes of their own, perhaps hours apart; `run` chains them. What a
run needs is in its folder, and a stage whose record is there is not done twice.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import FrameType

from oncoweave.errors import OncoweaveError, SpecError
from oncoweave.files import disk_faults, file_record, forget, lock, read_record, write_json
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord, DerivedTable, ExtractRecord, MapRecord, ReleasedText, RunManifest
from oncoweave.release.package import preflight
from oncoweave.release.verify import verify
from oncoweave.run_identity import identity, read_identity, refuse_changed
from oncoweave.stages.publish import release_manifest

Progress = Callable[[str], None]
"""Is told the name of each stage as it begins."""


@dataclass(frozen=True)
class RunSummary:
    """What the recap at the end of a run tells.

    `records` counts source records, `unreadable` those that extract quarantined; `read` = `mapped` +
    `quarantined` + `excluded` are those of the ledger, in (rule, row). `release` is None when it did not pass.
    `reasons` counts the quarantined by reason, `imputed` the dates by field and precision.
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


def run(
    project: Project,
    source: str,
    delivery: Path | None = None,
    *,
    base: str = "",
    progress: Progress | None = None,
) -> RunSummary:
    """Extract, map, check and publish `source`; a stage that an earlier run finished is not done again.

    Raises what the stages raise; SpecError, before anything is read, with what lint finds wrong;
    EnvironmentFault, naming the holder, when the source is being run already.
    """
    tell = progress or (lambda stage: None)
    with _stage(project, source, "run"):
        _refuse_faults(project, source)
        preflight(project.releases / source)
        tell("extract")
        folder = extract(project, source, delivery, base)
        done = published(folder, project)
        if done is None:
            tell("map")
            map(folder, project)
            tell("check")
            check(folder, project)
            tell("publish")
        return summary(folder, publish(folder, project), repeated=done is not None)


def extract(project: Project, source: str, delivery: Path | None = None, base: str = "") -> RunFolder:
    """The run of `source` with the delivery, extracted; `base` names the run that a delta builds on."""
    from oncoweave.stages.extract import extract as stage

    with _stage(project, source, "extract"):
        folder = stage(project, source, delivery, base)
        _write_manifest(folder)
        return folder


def map(run: RunFolder, project: Project) -> MapRecord:  # noqa: A001  the verb's own name
    """The run's events and tables, mapped; nothing is done when they are there and whole.

    Raises UsageError when what the run rests on has changed since its delivery was extracted.
    """
    from oncoweave.stages.map import map as stage

    with _stage(project, run.source, "map", run.run_id):
        refuse_changed(run, project)
        if not _tables_are_whole(run):
            forget(run.path / "check.json")
            forget(run.path / "map.json")
            stage(run, project)
        _write_manifest(run)
        return read_record(run.path / "map.json", MapRecord)


def check(run: RunFolder, project: Project) -> CheckRecord:
    """The run's tables, checked; nothing is done when they have been.

    Raises UsageError when what the run rests on, as a suite, has changed since its delivery was extracted.
    """
    with _stage(project, run.source, "check", run.run_id):
        path = run.path / "check.json"
        if not path.is_file():
            from oncoweave.stages.check import check as stage

            refuse_changed(run, project)
            stage(run, project)
        _write_manifest(run)
        return read_record(path, CheckRecord)


def publish(run: RunFolder, project: Project) -> Path:
    """The run's release, published; the folder of the release."""
    from oncoweave.stages.publish import publish as stage

    with _stage(project, run.source, "publish", run.run_id):
        return stage(run, project)


def published(run: RunFolder, project: Project) -> Path | None:
    """The run's release if it is published, whole and what the run's records say; else None."""
    if not all((run.path / f"{stage}.json").is_file() for stage in ("extract", "map", "check")):
        return None
    if read_record(run.path / "check.json", CheckRecord).verdict != "pass":
        return None
    release = project.releases / run.source / release_manifest(run).release_id
    return release if release.is_dir() and not verify(release) else None


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
    )


def changes(extracted: ExtractRecord) -> Iterator[str]:
    """What a delta changed, table by table, and its removals that match no row."""
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
    if extracted.unclaimed:
        yield f"{len(extracted.unclaimed)} files of the delivery belong to no table, as `{extracted.unclaimed[0]}`"
    for link in extracted.left_out:
        yield (
            f"the delta of {link.date} (run {link.run_id}) is not in this, for it is not in what this builds on; to have it, "
            f"run again with --base {link.run_id}"
        )


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


def _refuse_faults(project: Project, source: str) -> None:
    """Raise SpecError with every error that lint finds; what has been mapped once is not looked at again."""
    from oncoweave.lint import lint

    if _mapped_before(project, source):
        return
    errors = [problem for problem in lint(project, source) if problem.severity == "error"]
    if errors:
        raise SpecError(f"{source}: the specification has errors; nothing was run", problems=errors)


def _mapped_before(project: Project, source: str) -> bool:
    try:
        now = identity(project, source)
        mapped = (project.runs / source).glob("*/map.json")
        return any(read_identity(RunFolder(record.parent)) == now for record in mapped)
    except OncoweaveError:
        return False  # lint or extract tells why, in its own words


def _tables_are_whole(run: RunFolder) -> bool:
    path = run.path / "map.json"
    if not path.is_file():
        return False
    recorded = read_record(path, MapRecord).tables
    there = all((run.tables / file.name).is_file() for file in recorded)
    return there and all(file_record(run.tables / file.name, file.name, file.rows) == file for file in recorded)


def _write_manifest(run: RunFolder) -> None:
    """Write manifest.json of the run anew from the records that there are."""
    rests_on, mapped, checked = read_identity(run), run.path / "map.json", run.path / "check.json"
    manifest = RunManifest(
        source=run.source,
        run_id=run.run_id,
        key_id=rests_on.key_id,
        software=rests_on.software,
        code_sha256=rests_on.code_sha256,
        mapping_sha256=rests_on.mapping_sha256,
        vocabulary=rests_on.vocabulary,
        extract=read_record(run.path / "extract.json", ExtractRecord),
        map=read_record(mapped, MapRecord) if mapped.is_file() else None,
        check=read_record(checked, CheckRecord) if checked.is_file() else None,
    )
    write_json(run.path / "manifest.json", manifest)


@contextmanager
def _stage(project: Project, source: str, name: str, run_id: str = "") -> Iterator[None]:
    """The lock of a stage of a source, a way to stop it, and disk faults told without a traceback."""
    project.source_folder(source)
    path = project.runs / source / f".{name}.lock"
    with _stoppable(), lock(path, f"{name} {source}", run_id), disk_faults(project.runs / source):
        yield


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the block by an exception, so that temporary folders are removed.

    SystemExit(143) or KeyboardInterrupt leaves the block, also where a library turned it into something else.
    """
    stopped: list[BaseException] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(SystemExit(143) if number == signal.SIGTERM else KeyboardInterrupt())
        raise stopped[0]

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except Exception:
        if stopped:
            raise stopped[0] from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        raise stopped[0]

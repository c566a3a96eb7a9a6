"""The four stages in order, each under its lock, with the run's manifest kept; what the CLI and Airflow call.

Airflow calls the stages one by one in processes of their own, perhaps hours apart; `run` chains them. What a
run needs is in its folder, and a stage whose record is there is not done twice.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import FrameType

from oncoweave.content import WAIVERS
from oncoweave.decisions import SignOff
from oncoweave.errors import OncoweaveError, SpecError, UsageError
from oncoweave.files import disk_faults, file_record, forget, lock, patient_lock, read_record, write_json, write_whole
from oncoweave.lineage.send import Telling, telling
from oncoweave.project import Project, RunFolder
from oncoweave.quality.history import keep
from oncoweave.quality.judge import may_be_accepted
from oncoweave.records import CheckRecord, ExtractRecord, MapRecord, RunManifest
from oncoweave.release.package import preflight
from oncoweave.release.patient_bundles import Made
from oncoweave.release.signoff import Answer, Standing, note_starter, one_at_a_time, sign, standing_by
from oncoweave.release.verify import verify
from oncoweave.release_records import ReleaseManifest
from oncoweave.report.recap import RunSummary, changes, summary
from oncoweave.run_identity import identity, read_identity, refuse_changed
from oncoweave.spec.load import load_source
from oncoweave.spec.source import Source
from oncoweave.spec.waivers import Waiver
from oncoweave.spec.waivers_file import with_waiver

__all__ = [
    "RunSummary", "approval_of", "candidate", "changes", "check", "data_docs", "extract", "map", "map_events", "map_record", "publish",
    "published", "run", "sample", "signoff", "summary", "waive", "write_bundles", "write_report", "write_table",
]  # fmt: skip

Progress = Callable[[str], None]
"""Is told the name of each stage as it begins."""


def run(
    project: Project,
    source: str,
    delivery: Path | None = None,
    *,
    base: str = "",
    by: str = "",
    auto_approve: bool = False,
    progress: Progress | None = None,
) -> RunSummary:
    """Extract, map, check and publish `source`; a stage that an earlier run finished is not done again.

    Where source.yaml asks for an approval that nobody has given yet, it ends before publish, with a candidate: the summary has
    no release, and `approval` tells how it stands. `by` is the log-in of the person who runs it; `auto_approve`, for the
    public cohorts of the demo, lets it pass with nobody looking, which the release says.

    Raises what the stages raise; SpecError, before anything is read, with what lint finds wrong;
    EnvironmentFault, naming the holder, when the source is being run already.
    """
    tell = progress or (lambda stage: None)
    with _stage(project, source, "run"):
        _refuse_faults(project, source)
        if auto_approve:
            _refuse_auto_approval(load_source(project, source)[0])
        preflight(project.releases / source)
        tell("extract")
        folder = extract(project, source, delivery, base, by)
        done = published(folder, project)
        if done is None:
            tell("map")
            map(folder, project)
            tell("check")
            check(folder, project)
        may_wait = done or may_be_accepted(read_record(folder.path / "check.json", CheckRecord))
        release = None
        if not (may_wait and waits(folder, project, auto_approve=auto_approve)):
            if done is None:
                tell("publish")
            release = publish(folder, project)
        told = summary(folder, release, repeated=done is not None)
        return replace(told, approval=approval_of(folder, project))


def extract(
    project: Project,
    source: str,
    delivery: Path | None = None,
    base: str = "",
    by: str = "",
    day: date | None = None,
) -> RunFolder:
    """The run of `source` with the delivery, extracted.

    `base` names the run that a delta builds on; `by` is the log-in of the person who starts the run, if a person does.
    `day` is the date of the delivery where neither its folder nor source.yaml is to say.
    """
    from oncoweave.stages.extract import extract as stage

    with _stage(project, source, "extract") as told:
        told.run = folder = stage(project, source, delivery, base, day)
        note_starter(folder, by)
        _write_manifest(folder)
        return folder


def sample(run: RunFolder, project: Project, persons: int) -> tuple[RunFolder, Project]:
    """The run with its first `persons` persons only, and the project in which to map and check it; nothing of it is published."""
    from oncoweave.stages import sample as stage

    with _alone(project, run.source, "sample", run.run_id):
        return stage.sample(run, project, persons), stage.sample_project(project)


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
        return _mapped(run)


def map_events(run: RunFolder, project: Project) -> tuple[str, ...]:
    """The first part of `map`, for a scheduler that does it in parts: the tables to write, each by `write_table`, side by side."""
    from oncoweave.stages import map as stage

    with _alone(project, run.source, "map", run.run_id):
        refuse_changed(run, project)
        if not _tables_are_whole(run):
            forget(run.path / "check.json")
            stage.map_events(run, project)
        return stage.tables_to_write(run)


def write_table(run: RunFolder, project: Project, table: str) -> int:
    """The part of `map` that makes one table; the number of its rows."""
    from oncoweave.stages import map as stage

    with _alone(project, run.source, f"map.{table}", run.run_id):
        if _tables_are_whole(run):
            recorded = read_record(run.path / "map.json", MapRecord).tables
            return next(f.rows or 0 for f in recorded if f.name == f"{table}.parquet")
        return stage.write_table(run, table).file.rows or 0


def map_record(run: RunFolder, project: Project) -> MapRecord:
    """The last part of `map`: every other table, and the stage is done. Raises as `map`."""
    from oncoweave.stages import map as stage

    with _stage(project, run.source, "map", run.run_id):
        refuse_changed(run, project)
        if not _tables_are_whole(run):
            forget(run.path / "check.json")
            forget(run.path / "map.json")
            stage.map_record(run, project)
        return _mapped(run)


def check(
    run: RunFolder,
    project: Project,
    *,
    again: bool = False,
    fhir: bool = False,
    tell: Callable[[str], None] | None = None,
) -> CheckRecord:
    """The run's tables, checked; those of a checked run are judged again by its suites, thresholds and waivers as they are now.

    `again` runs the checks themselves once more; with `fhir`, the validator looks at every resource, and `tell` is told how
    far it is. Raises UsageError when what the run rests on, as what a suite has counted,
    has changed since its delivery was extracted and the checks are to be run.
    """
    from oncoweave.stages import check as stage

    with _stage(project, run.source, "check", run.run_id):
        if again or not (run.path / "check.json").is_file():
            refuse_changed(run, project)
            record = stage.check(run, project, every=fhir, tell=tell)
        elif fhir:
            refuse_changed(run, project)
            record = stage.check_fhir(run, project, tell)
        else:
            record = stage.judge_again(run, project)
        _write_manifest(run)
        keep(run, project)
        _write_pages(run, project)
        return record


def waive(run: RunFolder, project: Project, entry: Waiver) -> CheckRecord:
    """The waiver, written into waivers.yaml of the run's source, and the run, judged again by it."""
    path = project.source_folder(run.source) / WAIVERS
    with patient_lock(
        project.runs / run.source / ".waive.lock", f"waive {run.source}", run.run_id, patience=10, pause=0.05
    ):
        write_whole(path, with_waiver(path, project.root, entry).encode(), _mode_of(path))
    return check(run, project)


def _mode_of(path: Path) -> int:
    """The mode that a file of the project has; of a new one, what git would give it."""
    return path.stat().st_mode & 0o777 if path.exists() else 0o644


def data_docs(run: RunFolder, project: Project, folder: Path) -> Path:
    """Great Expectations' Data Docs of a run that has been checked, written into `folder`; the first page. Raises UsageError."""
    from oncoweave.report.data_docs import write_data_docs

    refuse_changed(run, project)
    return write_data_docs(run, project, folder)


def publish(run: RunFolder, project: Project) -> Path:
    """The run's release, published; the folder of the release."""
    from oncoweave.stages.publish import publish as stage

    with _stage(project, run.source, "publish", run.run_id):
        release = stage(run, project)
        _write_pages(run, project)
        return release


def write_bundles(
    project: Project,
    source: str,
    run: RunFolder | None,
    target: Path | None,
    *,
    address: str = "",
    patients: Collection[int] = (),
    ndjson: bool = False,
) -> Made:
    """A Bundle for each patient of the current release of a source, or of a run, written into a folder of its own."""
    from oncoweave.release import patient_bundles as stage

    with _alone(project, source, "bundles", run.run_id if run else ""):
        of = stage.mapped(run) if run else stage.published(project, source)
        return stage.write_bundles(of, target, address=address, patients=patients, ndjson=ndjson)


def candidate(run: RunFolder) -> ReleaseManifest:
    """The manifest of the release that a checked run makes; raises DataError when it may not be published."""
    from oncoweave.stages.publish import release_manifest

    return release_manifest(run)


def approval_of(run: RunFolder, project: Project) -> Standing:
    """How a checked run stands with those who approve it."""
    spec, _ = load_source(project, run.source)
    return standing_by(run, spec)


def signoff(run: RunFolder, project: Project, answer: Answer) -> SignOff:
    """What somebody decided about a run, written down; what was decided before stays in the history.

    Raises UsageError when source.yaml asks for more, or for the auto-approval of anything but a public cohort.
    """
    spec, _ = load_source(project, run.source)
    if answer.decision == "auto-approved":
        _refuse_auto_approval(spec)
    signed = sign(run, answer, spec.required_approval)
    write_report(run, project)
    return signed


def write_report(run: RunFolder, project: Project) -> None:
    """Write the pages of a checked run anew, so that they tell how it stands."""
    with one_at_a_time(run):
        _write_pages(run, project)


def waits(run: RunFolder, project: Project, *, auto_approve: bool = False) -> bool:
    """Whether a run waits for the approval that source.yaml asks for; with `auto_approve`, it is given here, and says so."""
    stands = approval_of(run, project)
    if not stands.asks or stands.state == "open failures":
        return False
    if auto_approve:
        signoff(run, project, Answer("auto-approved", None, "", "", "demo: nobody looked"))
    return not auto_approve


def _refuse_auto_approval(spec: Source) -> None:
    """Raise UsageError for a source whose data are not public."""
    if not _is_demo(spec):
        raise UsageError(
            f"`{spec.source}` is not approved by itself: that is for the demo's public cohorts",
            mend=f"run it without --auto-approve; `oncoweave signoff {spec.source}` approves it",
        )


def _is_demo(spec: Source) -> bool:
    """Whether the data of a source are public, so that the demo may publish them with nobody looking."""
    return spec.delivery.by == "wheel"


def published(run: RunFolder, project: Project) -> Path | None:
    """The run's release if it is published, whole and what the run's records say; else None."""
    if not all((run.path / f"{stage}.json").is_file() for stage in ("extract", "map", "check")):
        return None
    checked = read_record(run.path / "check.json", CheckRecord)
    if not may_be_accepted(checked) or (checked.verdict != "pass" and not approval_of(run, project).lets_pass):
        return None
    release = project.releases / run.source / candidate(run).release_id
    return release if release.is_dir() and not verify(release) else None


def _write_pages(run: RunFolder, project: Project) -> None:
    """Write the pages of a checked run; what makes them takes a third of a second to import, and extract and map need none."""
    from oncoweave.report.write import write_pages

    write_pages(run, project)


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


def _mapped(run: RunFolder) -> MapRecord:
    _write_manifest(run)
    return read_record(run.path / "map.json", MapRecord)


def _tables_are_whole(run: RunFolder) -> bool:
    path = run.path / "map.json"
    if not path.is_file():
        return False
    record = read_record(path, MapRecord)
    recorded = [(run.tables, file) for file in record.tables]
    recorded += [(run.fhir, entry.file) for entry in record.fhir.files] if record.fhir else []
    there = all((folder / file.name).is_file() for folder, file in recorded)
    return there and all(file_record(folder / file.name, file.name, file.rows) == file for folder, file in recorded)


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
def _stage(project: Project, source: str, name: str, run_id: str = "") -> Iterator[Telling]:
    """A stage of a source: alone, and its lineage told."""
    with _alone(project, source, name, run_id), telling(project, source, name, run_id) as told:
        yield told


@contextmanager
def _alone(project: Project, source: str, name: str, run_id: str) -> Iterator[None]:
    """The lock of a stage of a source, or of a part of it, a way to stop it, and disk faults told without a traceback."""
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

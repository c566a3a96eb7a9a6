"""publish, the last stage: passes the gates, then makes one immutable release of a run's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from oncoweave.decisions import ReleaseSignOff
from oncoweave.errors import DataError, EnvironmentFault
from oncoweave.files import faults, lock, read_record, sha256_of
from oncoweave.omop.model import CDM_VERSION
from oncoweave.project import Project, RunFolder
from oncoweave.quality.dqd.summary import dqd_counts, findings, for_the_manifest
from oncoweave.quality.dqd.viewer import FILE as DASHBOARD
from oncoweave.quality.evidence import read_evidence
from oncoweave.quality.judge import may_be_accepted, open_failures
from oncoweave.records import CheckRecord, DqdCounts, ExpectationResult, ExtractRecord, FhirFile, FileRecord, MapRecord
from oncoweave.release.fhir_files import FOLDER as FHIR
from oncoweave.release.package import preflight, put, sweep
from oncoweave.release.released_fhir import bulk_page, page_record, released_fhir, removed_since, taking_back
from oncoweave.release.removed import Removed
from oncoweave.release.signoff import for_release, how_to_sign, refuse_expired, standing_by
from oncoweave.release.verify import DQD, PAGE, QUALITY, files_of, release_id
from oncoweave.release_records import ReleaseManifest
from oncoweave.report.banners import of_the_release
from oncoweave.report.language import language_named, speaking
from oncoweave.report.material import material_of
from oncoweave.report.quality_page import quality_page
from oncoweave.report.release_page import release_page
from oncoweave.run_identity import read_identity
from oncoweave.spec.load import load_source

MOST_LISTED = 12
"""At most so many failing checks are named in a message."""


def publish(run: RunFolder, project: Project) -> Path:
    """Publish the tables of `run` as a release of its source; returns the release's folder.

    Publishing a run again changes nothing but `current`, which then points to its release.
    Raises DataError when the run did not pass or source.yaml asks for an approval that it has not, EnvironmentFault for a
    full or closed disk, a table that is not what map wrote, or a publication of the same source that is under way; nothing
    is published then.
    """
    if run.is_sample:
        raise DataError(f"run {run.run_id} of `{run.source}` holds a sample of the persons, which is not published")
    manifest = _without_pages(run, _approved(run, project))
    files = {f"omop/{file.name}": _unchanged(run.tables, file) for file in _mapped(run).tables}
    files |= {f"{FHIR}/{one.file.name}": _unchanged(run.fhir, one.file) for one in _resources(run)}
    place = project.releases / run.source
    with lock(run.path.parent / ".release.lock", f"publish {run.source}", run.run_id):
        sweep(place)
        preflight(place, sum(file.bytes for file in files_of(manifest)))
        with removed_since(place, run.fhir, manifest) as removed:
            manifest = _taking_back(manifest, removed)
            pages = _pages(run, manifest)
            files |= {record.name: path for record, path in removed.files}
            return put(place, _with_pages(manifest, pages), files, {**pages, **bulk_page(manifest)})


def release_manifest(run: RunFolder, signoff: ReleaseSignOff | None = None) -> ReleaseManifest:
    """The manifest of the release that `run` makes; no path in it, and no clock but that of the sign-off.

    Raises DataError when the run may not be published, whoever signs: not checked, a fatal check failed, empty, or not balanced.
    """
    manifest = _without_pages(run, signoff)
    return _with_pages(manifest, _pages(run, manifest))


def _without_pages(run: RunFolder, signoff: ReleaseSignOff | None) -> ReleaseManifest:
    """What the manifest says of all but the pages; raises as `release_manifest`."""
    checked, mapped = _passed(run), _mapped(run)
    extracted, rests_on = read_record(run.path / "extract.json", ExtractRecord), read_identity(run)
    return ReleaseManifest(
        source=run.source,
        release_id=release_id(extracted.delivery_date.isoformat(), run.run_id),
        run_id=run.run_id,
        key_id=rests_on.key_id,
        software=rests_on.software,
        cdm_version=CDM_VERSION,
        vocabulary=mapped.vocabulary,
        delivery_date=extracted.delivery_date,
        synthetic_origin=mapped.synthetic_origin,
        verdict=checked.verdict,
        persons=mapped.persons,
        tables=tuple(file.model_copy(update={"name": f"omop/{file.name}"}) for file in mapped.tables),
        ledger=mapped.ledger,
        imputed=mapped.imputed,
        truncated=mapped.truncated,
        unconfirmed_concepts=mapped.unconfirmed_concepts,
        expectations=for_the_manifest(checked.results),
        dqd=dqd_counts(checked.results),
        released_text=mapped.released_text,
        fhir=released_fhir(mapped.fhir, extracted.delivery_date),
        signoff=signoff,
    )


def _with_pages(manifest: ReleaseManifest, pages: Mapping[str, bytes]) -> ReleaseManifest:
    return manifest.model_copy(update={"pages": tuple(page_record(name, page) for name, page in pages.items())})


def _taking_back(manifest: ReleaseManifest, removed: Removed) -> ReleaseManifest:
    """The manifest with what its release takes back of the one before."""
    if manifest.fhir is None:
        return manifest
    return manifest.model_copy(update={"fhir": taking_back(manifest.fhir, removed, manifest.delivery_date)})


def _resources(run: RunFolder) -> tuple[FhirFile, ...]:
    written = _mapped(run).fhir
    return written.files if written else ()


def _dashboard(run: RunFolder, counts: DqdCounts | None) -> dict[str, bytes]:
    """The run's dqd.json, by its name; none where no check of DQD was run.

    Raises EnvironmentFault when it is not what check.json says.
    """
    if counts is None or not counts.total:
        return {}
    path = run.results / DASHBOARD
    with faults(path):
        content = path.read_bytes()
    for finding in findings(content, counts):
        raise EnvironmentFault(f"{path}: {finding}", mend=f"run `oncoweave check {run.source}` again")
    return {DQD: content}


def _pages(run: RunFolder, manifest: ReleaseManifest) -> dict[str, bytes]:
    """The pages of the release, in the language of its source: what the manifest says, for people, and the shareable part of
    the quality report; and dqd.json for OHDSI's viewer. They tell nothing of themselves."""
    evidence = read_evidence(run)
    told = manifest.model_copy(update={"pages": ()})
    with speaking(language_named(evidence.source.language)):
        signoff = of_the_release(told)
        of = material_of(run, evidence, signoff, told.release_id)
        pages = {PAGE: release_page(told, signoff).encode(), QUALITY: quality_page(of, (), shared=True).encode()}
    return pages | _dashboard(run, manifest.dqd)


def _approved(run: RunFolder, project: Project) -> ReleaseSignOff | None:
    """The sign-off by which `run` may be published; None where source.yaml asks for none and nobody signed.

    Raises DataError when it has not passed, or nobody approved it; who, when and why are told.
    """
    checked = _passed(run)
    spec, _ = load_source(project, run.source)
    stands = standing_by(run, spec)
    if stands.state != "approved":  # a person who approved knew until when each waiver counts
        refuse_expired(run, checked)
    if stands.lets_pass:
        return for_release(stands.signoff) if stands.state != "not needed" else None
    told = stands.why or "source.yaml asks for an approval, and nobody has decided"
    failing = open_failures(checked.results, "convention")
    lines = [f"run {run.run_id} of `{run.source}` is not approved; nothing was published", f"  {told}"]
    sign = how_to_sign(run, spec.required_approval, again=stands.state == "rejected")
    raise DataError("\n".join([*lines, *_listed(run, failing)]), mend=_how_to_accept(run, sign) if failing else sign)


def _how_to_accept(run: RunFolder, sign: str) -> str:
    """What can be done about failing conventions."""
    return (
        f"mend the mapping or the delivery; or waive what is accepted for a while: `oncoweave waive {run.source} CHECK "
        f"--reason … --owner … --until …`; or {sign}"
    )


def _passed(run: RunFolder) -> CheckRecord:
    path = run.path / "check.json"
    if not path.is_file():
        raise DataError(f"run {run.run_id} of `{run.source}` has not been checked", mend="run `oncoweave check` first")
    checked = read_record(path, CheckRecord)
    if not may_be_accepted(checked):
        failed = open_failures(checked.results, "fatal")
        raise DataError(
            f"run {run.run_id} of `{run.source}` did not pass; nothing was published\n"
            + "\n".join([*_listed(run, failed), *_nobody(run)]),
            mend=f"`oncoweave failing {run.source} CHECK --rows` tells on site which rows fail; `oncoweave explain "
            f"{run.source}` which were not mapped, and why",
        )
    return checked


def _nobody(run: RunFolder) -> list[str]:
    """Where no person was mapped: why not, by the rule of the persons."""
    mapped = read_record(run.path / "map.json", MapRecord)
    people = [entry for entry in mapped.ledger if entry.fact == "person" and not mapped.persons]
    reasons = [f"    {e.rule} {verdict}: {why} ({rows:,} rows)" for e in people for verdict, why, rows in e.reasons]
    return ["  the run has no person", *reasons] if people else []


def _listed(run: RunFolder, failed: Sequence[ExpectationResult]) -> list[str]:
    """The first checks that failed, and how to see the others."""
    more = len(failed) - MOST_LISTED
    rest = [f"  and {more} more: `oncoweave check {run.source}` lists them"] if more > 0 else []
    return [*map(_told, failed[:MOST_LISTED]), *rest]


def _told(result: ExpectationResult) -> str:
    """A check that failed: what it looked at, how many rows failed, and why it must hold."""
    what = f"{result.table}.{result.column}" if result.column else result.table
    rows = "" if result.unexpected is None else f", {result.unexpected:,} rows"
    return f"  {what} ({result.check or result.suite}{rows})\n    {result.error or result.why}"


def _mapped(run: RunFolder) -> MapRecord:
    mapped = read_record(run.path / "map.json", MapRecord)
    if mapped.persons == 0:
        raise DataError(f"run {run.run_id} of `{run.source}` has no person; an empty release is not published")
    for entry in mapped.ledger:
        if entry.read != entry.mapped + entry.quarantined + entry.excluded:
            raise DataError(f"run {run.run_id} of `{run.source}`: the ledger of `{entry.name}` does not balance")
    return mapped


def _unchanged(folder: Path, file: FileRecord) -> Path:
    path = folder / file.name
    if not path.is_file() or sha256_of(path) != file.sha256:
        raise EnvironmentFault(f"{path} is not what map wrote", mend="run `oncoweave map` and `oncoweave check` again")
    return path

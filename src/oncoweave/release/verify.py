"""Verifies a release: that it is whole, and that nothing in it was added, changed or removed.

Publish verifies what it wrote before it gets its name; `oncoweave verify` does the same at the hub.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from pydantic import ValidationError

from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import row_count
from oncoweave.errors import EnvironmentFault, OncoweaveError
from oncoweave.files import faults, sha256_of
from oncoweave.omop.model import tables as cdm_tables
from oncoweave.quality.dqd.summary import findings
from oncoweave.quality.judge import open_failures
from oncoweave.records import FileRecord
from oncoweave.release.fhir_files import faults_of, misnamed
from oncoweave.release.signoff import for_release
from oncoweave.release_records import ReleaseManifest

MANIFEST, CHECKSUMS, PAGE = "manifest.json", "SHA256SUMS", "release.html"
QUALITY, DQD = "qa/report.html", "qa/dqd.json"
PAGES = (PAGE, QUALITY, DQD)
"""What a release may hold besides its tables, in its folder and in the folders of `FOLDERS`."""
FOLDERS = ("omop", "qa", "fhir")
_TABLE = re.compile(r"omop/([a-z_]+)\.parquet")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing wrong with a release: the file's name within it, and what is wrong."""

    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"


def verify(release: Path) -> list[Finding]:
    """Everything that is wrong with the release in the folder `release`; an empty list when it is whole.

    A file is opened as Parquet only when its hash is right. Raises EnvironmentFault when it cannot be read.
    """
    if not release.is_dir():
        raise EnvironmentFault(f"{release}: there is no such release", mend="give the folder of a release")
    release = release.resolve()
    manifest = _manifest(release)
    if isinstance(manifest, Finding):
        return [manifest]
    unsafe = [
        Finding(file.name, "is no name of a CDM table's file in omop/") for file in manifest.tables if not _cdm(file)
    ]
    unsafe += [
        Finding(file.name, "is no name of a page of a release") for file in manifest.pages if file.name not in PAGES
    ]
    if manifest.fhir:
        unsafe += [Finding(file.name, "is no name of a file of FHIR in fhir/") for file in misnamed(manifest.fhir)]
    if unsafe:
        return unsafe
    with faults(release):
        found = [*_names(release, manifest), *_checksums(release, manifest), *_sense(manifest)]
        changed = [finding for file in files_of(manifest) for finding in _changed(release, file)]
    faulty = {finding.name for finding in [*found, *changed]}
    dashboard = [] if DQD in faulty else _dashboard(release, manifest)
    return sorted({*found, *changed, *_contents(release, manifest, faulty), *dashboard})


def files_of(manifest: ReleaseManifest) -> tuple[FileRecord, ...]:
    """Every file of a release besides its manifest and checksums."""
    return (*manifest.tables, *(manifest.fhir.all_files if manifest.fhir else ()), *manifest.pages)


def refuse_findings(release: Path, findings: Sequence[Finding]) -> None:
    """Raise EnvironmentFault that lists the findings, if there are any."""
    if findings:
        raise EnvironmentFault(
            f"{release} is not what its manifest says:\n" + "\n".join(f"  {finding}" for finding in findings),
            mend="do not use it; publish again, or fetch it again from where it was published",
        )


def _manifest(release: Path) -> ReleaseManifest | Finding:
    path = release / MANIFEST
    if path.is_symlink() or not path.is_file():
        return Finding(MANIFEST, "missing")
    with faults(path):
        content = path.read_bytes()
    try:
        return ReleaseManifest.model_validate_json(content)
    except ValidationError as error:
        first = ".".join(str(part) for part in error.errors()[0]["loc"])
        return Finding(MANIFEST, f"not a release manifest ({error.error_count()} faults, the first at `{first}`)")


def _cdm(file: FileRecord) -> bool:
    match = _TABLE.fullmatch(file.name)
    return match is not None and match.group(1) in cdm_tables()


def _names(release: Path, manifest: ReleaseManifest) -> Iterator[Finding]:
    expected = {MANIFEST, CHECKSUMS, *(file.name for file in files_of(manifest))}
    found = {path.relative_to(release).as_posix(): path for path in release.rglob("*")}
    for name, path in found.items():
        if path.is_symlink():
            yield Finding(name, "is a link; a release holds its own files")
        elif name not in expected and not (name in FOLDERS and path.is_dir()):
            yield Finding(name, "added: the manifest does not know it")
    for name in expected - found.keys():
        yield Finding(name, "missing")
    if len(files_of(manifest)) != len({file.name for file in files_of(manifest)}):
        yield Finding(MANIFEST, "lists a file twice")


def _checksums(release: Path, manifest: ReleaseManifest) -> Iterator[Finding]:
    path = release / CHECKSUMS
    if not path.is_file():
        return
    expected = {file.name: file.sha256 for file in files_of(manifest)} | {MANIFEST: sha256_of(release / MANIFEST)}
    lines = [line.split("  ", 1) for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    stated = {line[1]: line[0] for line in lines if len(line) == 2}
    if stated.keys() != expected.keys() or len(lines) != len(expected):
        yield Finding(CHECKSUMS, "does not list the files of the manifest")
    for name in sorted(stated.keys() & expected.keys()):
        if stated[name] != expected[name]:
            yield Finding(name, f"is not the one whose hash {CHECKSUMS} states")


def _sense(manifest: ReleaseManifest) -> Iterator[Finding]:
    """What can be wrong with a manifest by itself: an edit by hand seldom keeps all of it right."""
    rows = {file.name: file.rows for file in manifest.tables}
    if rows.get("omop/person.parquet") != manifest.persons:
        yield Finding(MANIFEST, "`persons` is not the number of rows of omop/person.parquet")
    if manifest.verdict != "pass" and not _accepted(manifest):
        yield Finding(MANIFEST, "the verdict is not `pass`, and no approval accepts what failed")
    if manifest.release_id != release_id(manifest.delivery_date.isoformat(), manifest.run_id):
        yield Finding(MANIFEST, "`release_id` does not follow from the delivery's date and the run")
    if manifest.signoff and for_release(manifest.signoff) != manifest.signoff:
        yield Finding(MANIFEST, "the sign-off is not the one whose SHA-256 it states")
    if manifest.signoff and manifest.signoff.decision not in ("approved", "auto-approved"):
        yield Finding(MANIFEST, "the sign-off is no approval")
    if any(entry.read != entry.mapped + entry.quarantined + entry.excluded for entry in manifest.ledger):
        yield Finding(MANIFEST, "the ledger does not balance")


def _dashboard(release: Path, manifest: ReleaseManifest) -> list[Finding]:
    """What dqd.json says otherwise than the manifest."""
    if not any(file.name == DQD for file in manifest.pages):
        lacks = manifest.dqd is not None and manifest.dqd.total > 0
        return [Finding(MANIFEST, f"counts checks of DQD, but has no {DQD}")] if lacks else []
    path = release / DQD
    with faults(path):
        content = path.read_bytes()
    return [Finding(DQD, what) for what in findings(content, manifest.dqd)]


def _accepted(manifest: ReleaseManifest) -> bool:
    """Whether what failed are conventions, each of which the approval of a person names."""
    signed, failed = manifest.signoff, manifest.expectations
    if signed is None or signed.decision != "approved" or open_failures(failed, "fatal"):
        return False
    names = {check.check for check in open_failures(failed, "convention")}
    return bool(names) and names <= {one.check for one in signed.accepts}


def release_id(delivery_date: str, run_id: str) -> str:
    """The name of a release: its delivery's date, then the first 12 digits of its run's id."""
    return f"{delivery_date}-{run_id[:12]}"


def _changed(release: Path, file: FileRecord) -> Iterator[Finding]:
    path = release / file.name
    if path.is_symlink() or not path.is_file():
        return
    if path.stat().st_size != file.bytes:
        yield Finding(file.name, f"changed: {path.stat().st_size} bytes, the manifest says {file.bytes}")
    elif sha256_of(path) != file.sha256:
        yield Finding(file.name, "changed: its SHA-256 is not the manifest's")


def _contents(release: Path, manifest: ReleaseManifest, faulty: set[str]) -> list[Finding]:
    """What is wrong within the tables and the FHIR resources, of the files that are not `faulty` otherwise."""
    readable = [file for file in manifest.tables if file.name not in faulty]
    with tempfile.TemporaryDirectory(prefix="oncoweave-verify-") as work:
        connection = connect(work=Path(work), allow=[release], threads=1)
        try:
            found = [finding for file in readable for finding in _content(connection, release, file)]
            if manifest.fhir:
                told = faults_of(connection, release, manifest.fhir, faulty, manifest.delivery_date)
                found += [Finding(name, what) for name, what in told]
            return found
        finally:
            connection.close()


def _content(connection: duckdb.DuckDBPyConnection, release: Path, file: FileRecord) -> Iterator[Finding]:
    path = release / file.name
    try:
        rows = row_count(connection, path)
        with without_values(f"reading {file.name}"):
            described = connection.execute(
                "SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet(?))", [str(path)]
            )
            columns = described.fetchall()
    except OncoweaveError:
        yield Finding(file.name, "cannot be read as Parquet")
        return
    if rows != file.rows:
        yield Finding(file.name, f"has {rows} rows, the manifest says {file.rows}")
    expected = [(field.name, field.type) for field in cdm_tables()[path.stem].fields]
    if columns != expected:
        yield Finding(file.name, "its columns are not those of OMOP CDM 5.4")

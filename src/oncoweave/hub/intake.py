"""Takes one release into a hub: verified where it lies, copied, verified again, and there in one step; or refused, with why.

What is refused is written down under refused/ of the hub. Taking the same release again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from oncoweave.errors import DataError, EnvironmentFault
from oncoweave.files import faults
from oncoweave.hub.facts import Facts, facts_of
from oncoweave.hub.place import RELEASE_ID, Place, release_name, taken
from oncoweave.omop.model import CDM_VERSION
from oncoweave.project import SOURCE_NAME
from oncoweave.record import Record
from oncoweave.release.package import FILE, FOLDER
from oncoweave.release.verify import MANIFEST, Finding, files_of, verify
from oncoweave.release_records import ReleaseManifest

MOST_FILES = 20_000
"""Of a release: a large one has its FHIR resources in many parts."""
SMALLEST = 5
"""Counts of fewer persons or rows are not shown, as OHDSI and DARWIN EU have it."""


@dataclass(frozen=True)
class Policy:
    """What a hub asks of a release besides being whole: that a person signed it off. Counts below `smallest` are not shown."""

    signed: bool = False
    smallest: int = SMALLEST


@dataclass(frozen=True)
class Intake:
    """What came of an intake: `taken` now, or `there` since before; whether the source's `current` names it.

    `rows` are those of OMOP, `resources` those of FHIR.
    """

    source: str
    release_id: str
    outcome: Literal["taken", "there"]
    sha256: str
    persons: int
    rows: int
    is_current: bool
    resources: int = 0


class RefusedRecord(Record):
    """refused/<name>.json: a release that was not taken, and why. `sha256` is that of its manifest."""

    source: str
    release_id: str
    sha256: str
    findings: tuple[str, ...]


def take(release: Path, place: Place, policy: Policy | None = None, expected: str = "") -> Intake:
    """Take the release in a folder into the hub; it must be the `expected` one (`source/release_id`) where that is given.

    Raises DataError when it is refused (tampered, cut off, with a file too many, not as the policy asks, or another one than
    that of its name which is there already); the reason is written down in the hub. EnvironmentFault when disk or lock fail,
    SourceUnreachable when the bucket does not answer.
    """
    policy = policy or Policy()
    manifest = look_at(release, place, policy, expected)
    name = release_name(manifest.source, manifest.release_id)
    digest = digest_of(release)
    with place.staging() as folder:
        there = place.read(f"{name}/{MANIFEST}")
        if there is not None and hashlib.sha256(there).hexdigest() != digest:
            _refuse(place, manifest, digest, ["a release of this name is there already, with other content"])
        copied = folder / "release"
        _copy(release, copied)
        _refuse_any(place, manifest, digest, [*map(str, verify(copied)), *_other(copied, digest)])
        facts = facts_of(copied, policy.smallest)
        if there is None:
            place.commit(copied, name)
        else:
            _refuse_damaged(place, manifest)
        finished = there is not None and place.read(_facts_name(facts)) is not None
        is_current = _point(place, manifest, finished=finished)
        _write_facts(place, facts)
    rows = sum(file.rows or 0 for file in manifest.tables)
    outcome: Literal["taken", "there"] = "taken" if there is None else "there"
    resources = sum(manifest.fhir.resources.values()) if manifest.fhir else 0
    return Intake(manifest.source, manifest.release_id, outcome, digest, manifest.persons, rows, is_current, resources)


def refusals(place: Place) -> list[RefusedRecord]:
    """What the hub has refused, by name."""
    found = (place.read(name) for name in place.names("refused"))
    return [RefusedRecord.model_validate_json(content) for content in found if content]


def look_at(release: Path, place: Place, policy: Policy, expected: str = "") -> ReleaseManifest:
    """The manifest of a release that may be taken, verified where it lies; `expected` as for `take`.

    Raises DataError when it is refused; the reason is written down in the hub.
    """
    findings = [str(finding) for finding in verify(release)]
    manifest = _manifest(release)
    if manifest is None:
        _refuse_as(place, expected, digest_of(release), findings or [str(Finding(MANIFEST, "cannot be read"))])
    elif expected and expected != f"{manifest.source}/{manifest.release_id}":
        _refuse_as(place, expected, digest_of(release), [*findings, "it lies under the name of another release"])
    assert manifest is not None
    if not SOURCE_NAME.fullmatch(manifest.source) or not RELEASE_ID.fullmatch(manifest.release_id):
        findings.append(str(Finding(MANIFEST, "names no source or no release")))
    if manifest.cdm_version != CDM_VERSION:
        findings.append(f"it is of OMOP CDM {manifest.cdm_version}, this hub takes {CDM_VERSION}")
    if policy.signed and (manifest.signoff is None or manifest.signoff.decision != "approved"):
        findings.append("nobody has signed it off, and this hub asks for that")
    _refuse_any(place, manifest, digest_of(release), findings)
    return manifest


def _manifest(release: Path) -> ReleaseManifest | None:
    path = release / MANIFEST
    try:
        with faults(path):
            return ReleaseManifest.model_validate_json(path.read_bytes())
    except (ValidationError, EnvironmentFault):
        return None


def digest_of(release: Path) -> str:
    """The SHA-256 of a release's manifest, by which it is known; of nothing where there is none."""
    path = release / MANIFEST
    if path.is_symlink() or not path.is_file():
        return hashlib.sha256(b"").hexdigest()
    with faults(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()


def _copy(release: Path, target: Path) -> None:
    """Copy the folders and files that lie there, no link and nothing else; what is not copied is missed when it is verified."""
    with faults(release):
        target.mkdir()
        target.chmod(FOLDER)
        for path in sorted(release.resolve().rglob("*"))[:MOST_FILES]:
            copy, kind = target / path.relative_to(release.resolve()), path.lstat().st_mode
            if stat.S_ISDIR(kind):
                copy.mkdir()
                copy.chmod(FOLDER)
            elif stat.S_ISREG(kind):
                shutil.copyfile(path, copy)
                copy.chmod(FILE)


def _other(copied: Path, digest: str) -> list[str]:
    return [] if digest_of(copied) == digest else ["it changed while it was copied"]


def _refuse_damaged(place: Place, manifest: ReleaseManifest) -> None:
    """What is there already must be whole: every file is looked for by its name."""
    name = release_name(manifest.source, manifest.release_id)
    there = set(place.names(name))
    missing = [file.name for file in files_of(manifest) if f"{name}/{file.name}" not in there]
    if missing:
        raise EnvironmentFault(
            f"{place.shown}/{name} lacks {missing[0]}", mend="move the folder away, and take the release in again"
        )


def _point(place: Place, manifest: ReleaseManifest, *, finished: bool) -> bool:
    """Let `current` name the release unless it names a newer delivery; whether it does now.

    Of one day, the one that was taken in last: a release whose intake is `finished` does not come to the front again.
    """
    current = place.current(manifest.source)
    if current is not None and (manifest.source, current) in taken(place):
        day, other = manifest.release_id[:10], current[:10]
        if other > day or (other == day and finished):
            return current == manifest.release_id
    if current != manifest.release_id:
        place.point(manifest.source, manifest.release_id)
    return True


def _write_facts(place: Place, facts: Facts) -> None:
    name = _facts_name(facts)
    content = (facts.model_dump_json(indent=2) + "\n").encode()
    if place.read(name) != content:
        place.write(name, content)


def _facts_name(facts: Facts) -> str:
    return f"facts/{facts.source}/{facts.release_id}.json"


def _refuse_any(place: Place, manifest: ReleaseManifest, digest: str, findings: Sequence[str]) -> None:
    if findings:
        _refuse(place, manifest, digest, findings)


def _refuse(place: Place, manifest: ReleaseManifest, digest: str, findings: Sequence[str]) -> None:
    fits = SOURCE_NAME.fullmatch(manifest.source) and RELEASE_ID.fullmatch(manifest.release_id)
    source, release_id = (manifest.source, manifest.release_id) if fits else ("", "")
    record = RefusedRecord(source=source, release_id=release_id, sha256=digest, findings=tuple(sorted(set(findings))))
    _write_refusal(place, record)
    raise _refusal(f"{source} {release_id}".strip() or "a release without a name", record.findings)


def _refuse_as(place: Place, expected: str, digest: str, findings: Sequence[str]) -> None:
    """Refuse what does not say itself which release it is."""
    source, _, release_id = expected.partition("/")
    record = RefusedRecord(source=source, release_id=release_id, sha256=digest, findings=tuple(sorted(set(findings))))
    _write_refusal(place, record)
    raise _refusal(expected or "a release without a name", record.findings)


def _write_refusal(place: Place, record: RefusedRecord) -> None:
    """Write down a refusal under a name that follows from it, so that the same one is there once."""
    digest = hashlib.sha256(json.dumps(record.model_dump(), sort_keys=True).encode()).hexdigest()[:12]
    parts = [part for part in (record.source, record.release_id, digest) if part]
    place.write(f"refused/{'-'.join(parts)}.json", (record.model_dump_json(indent=2) + "\n").encode())


def _refusal(what: str, findings: Sequence[str]) -> DataError:
    lines = "\n".join(f"  {finding}" for finding in findings)
    return DataError(
        f"{what} was not taken in:\n{lines}", mend="fetch it again from where it was published, or ask its publisher"
    )

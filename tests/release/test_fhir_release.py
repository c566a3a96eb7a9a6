"""FHIR in a release: the files, the manifest for Bulk Data readers, and what a release takes back of the one before."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from oncoweave.cli.publish import publish as publish_command
from oncoweave.engine.connection import connect
from oncoweave.errors import EnvironmentFault
from oncoweave.files import read_record, sha256_of
from oncoweave.project import Project, RunFolder
from oncoweave.quality.fhir.strict import faults_of
from oncoweave.release import removed
from oncoweave.release.fhir_files import bulk_manifest
from oncoweave.release.removed import write_removed
from oncoweave.release.verify import CHECKSUMS, MANIFEST, files_of, verify
from oncoweave.release_records import ReleasedFhir, ReleaseManifest
from oncoweave.run import publish
from tests.fhir_releases import Published, lines, references, resources, subject


def test_manifest_lists_every_file_for_a_reader_of_bulk_data(fhir_releases: Published) -> None:
    first = fhir_releases.first
    bulk = json.loads((first / "fhir" / "manifest.json").read_text())
    assert bulk["manifestType"] == "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkPublishManifest"
    assert bulk["transactionTime"] == bulk["epochStartTime"] == "2024-01-31T00:00:00Z"
    assert (bulk["requiresAccessToken"], bulk["deleted"], bulk["error"]) == (False, [], [])
    there = {path.name: path for path in (first / "fhir").glob("*.ndjson")}
    assert [one["url"] for one in bulk["output"]] == sorted(there)
    for one in bulk["output"]:
        content = there[one["url"]].read_bytes()
        assert one["type"] == one["url"].split(".")[0]
        assert one["count"] == len(content.splitlines()) > 0
        assert one["fileSize"] == len(content) and content.endswith(b"}\n")
    assert {"Patient", "Condition", "ConceptMap", "Provenance"} <= {one["type"] for one in bulk["output"]}


def test_every_file_is_covered_by_manifest_and_checksums(fhir_releases: Published) -> None:
    for release in (fhir_releases.first, fhir_releases.second):
        assert verify(release) == []
        sums = dict(line.split("  ", 1)[::-1] for line in (release / "SHA256SUMS").read_text().splitlines())
        for path in (release / "fhir").iterdir():
            name = f"fhir/{path.name}"
            assert sums[name] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert path.stat().st_mode & 0o777 == 0o440


def test_references_of_a_release_lead_somewhere(fhir_releases: Published) -> None:
    for release in (fhir_releases.first, fhir_releases.second):
        there = resources(release)
        found = set(references(list(there.values())))
        assert found <= there.keys(), sorted(found - there.keys())[:5]


def test_who_withdrew_is_deleted_whole_and_nobody_else(fhir_releases: Published) -> None:
    first, second = fhir_releases.first, fhir_releases.second
    then, now = resources(first), resources(second)
    bundles = lines(second / "fhir" / "deleted.000.ndjson")
    deleted = [entry["request"]["url"] for bundle in bundles for entry in bundle["entry"]]
    assert sorted(deleted) == sorted(then.keys() - now.keys())
    (gone,) = {one for one in deleted if one.startswith("Patient/")}
    assert [b for b in bundles if {"request": {"method": "DELETE", "url": gone}} in b["entry"]] == [
        bundles_of(bundles, gone)
    ]
    of_the_person = {name for name, one in then.items() if subject(one) == gone}
    assert {entry["request"]["url"] for entry in bundles_of(bundles, gone)["entry"]} == of_the_person
    assert len(of_the_person) > 2
    everything = b"".join(path.read_bytes() for path in (second / "fhir").glob("[A-Z]*.ndjson"))
    assert gone.encode() not in everything
    others = set(deleted) - of_the_person
    assert {name.split("/")[0] for name in others} <= {"Procedure", "Provenance"}


def bundles_of(bundles: list[Any], url: str) -> Any:
    return next(b for b in bundles if any(entry["request"]["url"] == url for entry in b["entry"]))


def test_deletions_are_fhir_and_told(fhir_releases: Published) -> None:
    first, second = fhir_releases.first, fhir_releases.second
    path = second / "fhir" / "deleted.000.ndjson"
    for line in path.read_bytes().splitlines():
        assert faults_of(line) == ()
        bundle = json.loads(line)
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
        assert {entry["request"]["method"] for entry in bundle["entry"]} == {"DELETE"}
    fhir = read_record(second / "manifest.json", ReleaseManifest).fhir
    assert fhir is not None and fhir.since == first.name
    assert fhir.removed == sum(len(bundle["entry"]) for bundle in lines(path))
    assert json.loads((second / "fhir" / "manifest.json").read_text())["deleted"] == [
        {"url": path.name, "count": len(lines(path)), "fileSize": path.stat().st_size}
    ]
    assert f"of the release {first.name} are no longer there" in " ".join((second / "release.html").read_text().split())


def test_corrected_resource_is_not_deleted(fhir_releases: Published) -> None:
    first, second = fhir_releases.first, fhir_releases.second
    then, now = resources(first), resources(second)
    changed = {name for name in then.keys() & now.keys() if then[name] != now[name]}
    deleted = (second / "fhir" / "deleted.000.ndjson").read_text()
    assert all(f'"{name}"' not in deleted for name in changed)


def test_publishing_the_older_run_again_changes_nothing_but_current(
    fhir_releases: Published, tmp_path: Path, key: str
) -> None:
    project = fhir_releases.project
    current = project.releases / "tiny" / "current"
    before = {path: path.read_bytes() for path in project.releases.rglob("*") if path.is_file()}
    older = read_record(fhir_releases.first / MANIFEST, ReleaseManifest).run_id
    newer = read_record(fhir_releases.second / MANIFEST, ReleaseManifest).run_id
    for run_id, release in ((older, fhir_releases.first), (newer, fhir_releases.second)):
        assert publish(RunFolder(project.runs / "tiny" / run_id), project) == release
        assert current.resolve() == release
    assert before == {path: path.read_bytes() for path in project.releases.rglob("*") if path.is_file()}


def test_command_tells_the_folder_and_beside_it_what_there_is_of_fhir(fhir_releases: Published, key: str) -> None:
    run_id = read_record(fhir_releases.second / MANIFEST, ReleaseManifest).run_id
    root = str(fhir_releases.project.root)
    said = CliRunner().invoke(publish_command, ["tiny", "--run", run_id, "--project", root])
    assert said.stdout == f"{fhir_releases.second}\n"
    count = len(resources(fhir_releases.second))
    assert f"FHIR R4 (base): {count} resources in" in said.stderr
    assert f"of {fhir_releases.first.name} are gone" in said.stderr


def test_damaged_release_before_stops_the_publication(fhir_releases: Published, tmp_path: Path, key: str) -> None:
    root = Path(shutil.copytree(fhir_releases.project.root, tmp_path / "project", symlinks=True))
    project = Project.at(root)
    shutil.rmtree(project.releases / "tiny" / fhir_releases.second.name, ignore_errors=False)
    current = project.releases / "tiny" / "current"
    current.unlink()
    current.symlink_to(fhir_releases.first.name)
    patients = project.releases / "tiny" / fhir_releases.first.name / "fhir" / "Patient.000.ndjson"
    patients.chmod(0o600)
    patients.write_bytes(patients.read_bytes()[:-1])
    run_id = read_record(fhir_releases.second / MANIFEST, ReleaseManifest).run_id
    with pytest.raises(
        EnvironmentFault, match=r"Patient.000.ndjson of the release before is not what its manifest says"
    ):
        publish(RunFolder(project.runs / "tiny" / run_id), project)
    assert [path.name for path in current.parent.iterdir() if not path.is_symlink()] == [fhir_releases.first.name]


def seal(release: Path, change: Callable[[ReleasedFhir], ReleasedFhir] = lambda fhir: fhir) -> None:
    """Write manifests and checksums anew for files that were changed, as somebody does who knows how."""
    manifest = read_record(release / MANIFEST, ReleaseManifest)
    assert manifest.fhir is not None

    def now(file: Any) -> Any:
        path = release / file.name
        return file.model_copy(update={"bytes": path.stat().st_size, "sha256": sha256_of(path)})

    files = tuple(one.model_copy(update={"file": now(one.file)}) for one in manifest.fhir.files)
    deleted = tuple(map(now, manifest.fhir.deleted))
    fhir = change(manifest.fhir.model_copy(update={"files": files, "deleted": deleted}))
    (release / "fhir" / "manifest.json").write_bytes(bulk_manifest(fhir.files, fhir.deleted, manifest.delivery_date))
    fhir = fhir.model_copy(update={"manifest": now(fhir.manifest)})
    manifest = manifest.model_copy(update={"fhir": fhir})
    (release / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    sums = [f"{file.sha256}  {file.name}\n" for file in files_of(manifest)]
    (release / CHECKSUMS).write_text("".join([*sums, f"{sha256_of(release / MANIFEST)}  {MANIFEST}\n"]))


def edited(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def edit(release: Path) -> None:
        path = release / "fhir" / name
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))

    return edit


def twice(release: Path) -> None:
    path = release / "fhir" / "Patient.000.ndjson"
    first, *_, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(path.read_bytes().replace(last, first))


def delete_what_is_there(release: Path) -> None:
    url = next(iter(resources(release)))
    path = release / "fhir" / "deleted.000.ndjson"
    bundle = lines(path)[0]
    bundle["entry"][0]["request"]["url"] = url
    path.write_text("\n".join([json.dumps(bundle), *path.read_text().splitlines()[1:]]) + "\n")


SEALED: list[tuple[str, Callable[[Path], None], str]] = [
    ("another type", edited("Condition.000.ndjson", b'"Condition"', b'"Procedure"'), "1 of its lines are no Condition with an id"),
    ("no json", edited("Condition.000.ndjson", b"{", b"["), "1 of its lines are no Condition with an id"),
    ("a line more", edited("Patient.000.ndjson", b"\n", b'\n{"resourceType":"Patient","id":"1"}\n'), "has 6 resources, the manifest says 5"),
    ("an id twice", twice, "1 ids of Patient stand twice"),
    ("a bad id", edited("Patient.000.ndjson", b'"id":"', b'"id":"../'), "1 of its lines are no Patient with an id"),
    ("deletions that write", edited("deleted.000.ndjson", b'"DELETE"', b'"PUT"'), "1 of its lines are no Bundles that only delete"),
    ("deletions elsewhere", edited("deleted.000.ndjson", b'"url":"', b'"url":"http://other/'), "1 of its lines are no Bundles that only delete"),
    ("deletions of what is there", delete_what_is_there, "deletes 1 resources that the release has"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "told"), [pytest.param(*rest, id=name) for name, *rest in SEALED])
def test_verify_finds_what_is_no_fhir_release_though_every_hash_is_right(
    fhir_releases: Published, tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    release = copy(fhir_releases.second, tmp_path)
    spoil(release)
    seal(release)
    assert [finding.what for finding in verify(release)] == [told]


def copy(release: Path, folder: Path) -> Path:
    copied = Path(shutil.copytree(release, folder / "releases" / release.name))
    for path in copied.rglob("*"):
        path.chmod(0o700)
    return copied


def test_verify_names_every_file_that_was_changed_removed_or_added(fhir_releases: Published, tmp_path: Path) -> None:
    release = copy(fhir_releases.second, tmp_path)
    (release / "fhir" / "Extra.000.ndjson").write_text("{}\n")
    (release / "fhir" / "Patient.000.ndjson").unlink()
    with (release / "fhir" / "manifest.json").open("a") as file:
        file.write(" ")
    assert [str(finding).split(":")[0] for finding in verify(release)] == [
        "fhir/Extra.000.ndjson", "fhir/Patient.000.ndjson", "fhir/manifest.json"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["fhir/../../etc/passwd", "fhir/Patient.ndjson", "/etc/Patient.000.ndjson", "fhir/Device.000.ndjson"]
)
def test_verify_follows_no_name_that_is_not_one_of_fhir(fhir_releases: Published, tmp_path: Path, name: str) -> None:
    release = copy(fhir_releases.first, tmp_path)
    manifest = read_record(release / MANIFEST, ReleaseManifest)
    assert manifest.fhir is not None
    patient = next(one for one in manifest.fhir.files if one.type == "Patient")
    renamed = patient.model_copy(update={"file": patient.file.model_copy(update={"name": name})})
    fhir = manifest.fhir.model_copy(update={"files": (renamed,)})
    (release / MANIFEST).write_text(manifest.model_copy(update={"fhir": fhir}).model_dump_json())
    assert [str(finding) for finding in verify(release)] == [f"{name}: is no name of a file of FHIR in fhir/"]


def ndjson(folder: Path, name: str, found: list[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in found))
    return path


def of_many(folder: Path, type_: str, ids: range, of: Callable[[int], dict[str, Any]]) -> tuple[str, Path]:
    return type_, ndjson(folder, f"{type_}.000.ndjson", [{"resourceType": type_, "id": str(i), **of(i)} for i in ids])


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_taken_back_does_not_depend_on_threads_and_is_a_bundle_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(removed, "LINES", 3)
    monkeypatch.setattr(removed, "OF_NOBODY", 2)
    about = {
        "subject": lambda i: {"subject": {"reference": f"Patient/{i // 10}"}},
        "patient": lambda i: {"patient": {"reference": f"Patient/{i // 10}"}},
    }
    then = [
        of_many(tmp_path / "then", "Patient", range(10), lambda _: {}),
        of_many(tmp_path / "then", "Observation", range(100), about["subject"]),
        of_many(tmp_path / "then", "Consent", range(100), about["patient"]),
        of_many(tmp_path / "then", "ConceptMap", range(5), lambda _: {}),
    ]
    now = [
        of_many(tmp_path / "now", "Patient", range(5), lambda _: {}),
        of_many(tmp_path / "now", "Observation", range(50), about["subject"]),
        of_many(tmp_path / "now", "Consent", range(45), about["patient"]),
    ]
    (tmp_path / "work").mkdir()
    connection = connect(work=tmp_path / "work", allow=[tmp_path], threads=threads)
    count, files = write_removed(connection, then, now, tmp_path / "work")
    connection.close()
    assert [(record.name, record.rows) for record, _ in files] == [
        ("fhir/deleted.000.ndjson", 3), ("fhir/deleted.001.ndjson", 3), ("fhir/deleted.002.ndjson", 3)
    ]  # fmt: skip
    bundles = [[entry["request"]["url"] for entry in bundle["entry"]] for _, path in files for bundle in lines(path)]
    assert count == sum(map(len, bundles)) == 5 + 50 + 55 + 5
    assert bundles[0] == [f"Consent/{i}" for i in range(45, 50)]
    assert bundles[1] == [
        *(f"Consent/{i}" for i in range(50, 60)),
        *(f"Observation/{i}" for i in range(50, 60)),
        "Patient/5",
    ]
    assert bundles[-3:] == [["ConceptMap/0", "ConceptMap/1"], ["ConceptMap/2", "ConceptMap/3"], ["ConceptMap/4"]]

"""verify names every file of a release that was changed, removed or added, and believes no path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from oncoweave.errors import EnvironmentFault
from oncoweave.project import Project, RunFolder
from oncoweave.release.verify import verify
from oncoweave.stages.publish import publish

Tamper = Callable[[Path], object]


@pytest.fixture
def release(run: RunFolder, project: Project) -> Path:
    folder = publish(run, project)
    for path in folder.rglob("*"):
        path.chmod(0o700)
    return folder


def edit(release: Path, change: Callable[[dict[str, object]], object], *, sums: bool = False) -> None:
    """Edit the manifest, and, with `sums`, its checksums too: as somebody does who knows how."""
    path = release / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_text(json.dumps(manifest))
    if sums:
        lines = [f"{file['sha256']}  {file['name']}\n" for file in (*manifest["tables"], *manifest["pages"])]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        (release / "SHA256SUMS").write_text("".join(lines) + f"{digest}  manifest.json\n")


def flip_byte(release: Path) -> None:
    path = release / "omop" / "person.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def shorten(release: Path) -> None:
    path = release / "omop" / "person.parquet"
    path.write_bytes(path.read_bytes()[:-1])


def link_away(release: Path) -> None:
    path = release / "omop" / "person.parquet"
    outside = release.parent / "elsewhere.parquet"
    path.rename(outside)
    path.symlink_to(outside)


TAMPERED: list[tuple[str, Tamper, list[str]]] = [
    ("byte flipped", flip_byte, ["omop/person.parquet: changed: its SHA-256"]),
    ("byte cut off", shorten, ["omop/person.parquet: changed:"]),
    ("table removed", lambda r: (r / "omop/death.parquet").unlink(), ["omop/death.parquet: missing"]),
    ("page edited", lambda r: (r / "release.html").write_text("x"), ["release.html: changed:"]),
    ("page removed", lambda r: (r / "release.html").unlink(), ["release.html: missing"]),
    ("file added", lambda r: (r / "omop/notes.csv").write_text("x"), ["omop/notes.csv: added"]),
    ("file added at the top", lambda r: (r / "README").write_text("x"), ["README: added"]),
    ("hidden folder added", lambda r: (r / ".x").mkdir(), [".x: added"]),
    ("table is a link", link_away, ["omop/person.parquet: is a link"]),
    ("manifest removed", lambda r: (r / "manifest.json").unlink(), ["manifest.json: missing"]),
    ("manifest cut", lambda r: (r / "manifest.json").write_text("{"), ["manifest.json: not a release manifest"]),
    ("checksums removed", lambda r: (r / "SHA256SUMS").unlink(), ["SHA256SUMS: missing"]),
    ("checksums emptied", lambda r: (r / "SHA256SUMS").write_text(""), ["SHA256SUMS: does not list the files"]),
    (
        "manifest edited",
        lambda r: edit(r, lambda m: m.update(vocabulary="w")),
        ["manifest.json: is not the one whose hash"],
    ),
    ("unknown key", lambda r: edit(r, lambda m: m.update(extra=1)), ["manifest.json: not a release manifest"]),
]
KNOWING: list[tuple[str, Callable[[dict[str, object]], object], str]] = [
    ("persons", lambda m: m.update(persons=4), "`persons` is not the number of rows"),
    ("verdict", lambda m: m.update(verdict="fail"), "the verdict is not `pass`, and no approval"),
    ("date", lambda m: m.update(delivery_date="2024-02-01"), "`release_id` does not follow"),
    ("run", lambda m: m.update(run_id="f" * 20), "`release_id` does not follow"),
    (
        "page elsewhere",
        lambda m: m.update(pages=[{**first(m, "pages"), "name": "../run.html"}]),
        "is no name of a page",
    ),
    ("table twice", lambda m: m.update(tables=[*listed(m), listed(m)[0]]), "lists a file twice"),
    ("ledger", lambda m: m.update(ledger=[{**first(m, "ledger"), "read": 9}]), "the ledger does not balance"),
]


def listed(manifest: dict[str, object]) -> list[object]:
    tables = manifest["tables"]
    assert isinstance(tables, list)
    return tables


def first(manifest: dict[str, object], key: str) -> dict[str, object]:
    entries = manifest[key]
    assert isinstance(entries, list) and isinstance(entries[0], dict)
    return entries[0]


def test_a_whole_release_has_no_findings(release: Path) -> None:
    assert verify(release) == []
    assert verify(release.parent / "current") == []


@pytest.mark.parametrize(("tamper", "expected"), [c[1:] for c in TAMPERED], ids=[c[0] for c in TAMPERED])
def test_tampering_is_found_and_the_file_named(tamper: Tamper, expected: list[str], release: Path) -> None:
    tamper(release)
    found = [str(finding) for finding in verify(release)]
    assert len(found) == len(expected), found
    assert all(words in line for words, line in zip(expected, found, strict=True))


@pytest.mark.parametrize(("change", "expected"), [c[1:] for c in KNOWING], ids=[c[0] for c in KNOWING])
def test_a_manifest_edited_with_its_checksum_contradicts_itself(
    change: Callable[[dict[str, object]], object], expected: str, release: Path
) -> None:
    edit(release, change, sums=True)
    assert any(expected in str(finding) for finding in verify(release))


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "omop/../../x.parquet",
        "omop/unknown.parquet",
        "omop/person.parquet\n",
        "person.parquet",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused_unopened(name: str, release: Path) -> None:
    edit(release, lambda m: first(m, "tables").update(name=name), sums=True)
    (finding,) = verify(release)
    assert finding.name == name and "no name of a CDM table" in finding.what


def test_a_table_with_other_rows_or_columns_is_found(release: Path) -> None:
    person, death = release / "omop" / "person.parquet", release / "omop" / "death.parquet"
    death.write_bytes(person.read_bytes())

    def swap(manifest: dict[str, object]) -> None:
        tables = {str(table["name"]): table for table in listed(manifest) if isinstance(table, dict)}
        tables["omop/death.parquet"].update(tables["omop/person.parquet"], name="omop/death.parquet", rows=99)

    edit(release, swap, sums=True)
    assert [str(finding) for finding in verify(release)] == [
        "omop/death.parquet: has 3 rows, the manifest says 99",
        "omop/death.parquet: its columns are not those of OMOP CDM 5.4",
    ]


def test_a_file_that_is_no_parquet_is_found(release: Path) -> None:
    person = release / "omop" / "person.parquet"
    person.write_text("no parquet")
    digest = hashlib.sha256(person.read_bytes()).hexdigest()
    edit(release, lambda m: first(m, "tables").update(bytes=10, sha256=digest), sums=True)
    assert [str(finding) for finding in verify(release)] == ["omop/person.parquet: cannot be read as Parquet"]


def test_sha256sum_reads_the_checksums(release: Path) -> None:
    lines = (release / "SHA256SUMS").read_text().splitlines()
    for digest, name in (line.split("  ") for line in lines):
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest
    assert len(lines) == 5


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no such release"):
        verify(tmp_path / "gone")

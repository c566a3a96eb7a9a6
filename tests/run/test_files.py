"""Files are whole or absent, private whatever the umask, and a full disk is told in one sentence."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oncoweave.errors import EnvironmentFault, UsageError
from oncoweave.files import (
    disk_faults,
    faults,
    file_record,
    forget,
    make_private_folder,
    read_record,
    sha256_of,
    stage_folder,
    write_json,
)
from oncoweave.project import RunFolder
from oncoweave.records import CheckRecord, FileRecord

RECORD = CheckRecord(verdict="pass", results=())


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "one" / "0123456789abcdef0123")


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_hash_of_a_file_of_any_size(size: int, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * size)
    assert sha256_of(file) == hashlib.sha256(b"x" * size).hexdigest()
    assert file_record(file, "a/b", 3) == FileRecord(name="a/b", bytes=size, sha256=sha256_of(file), rows=3)


def test_record_reads_back_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    write_json(path, RECORD)
    write_json(path, RECORD)
    assert read_record(path, CheckRecord) == RECORD
    assert [p.name for p in tmp_path.iterdir()] == ["check.json"]


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(run: RunFolder) -> None:
    with stage_folder(run, "tables") as folder:
        assert mode(folder) == 0o700
    write_json(run.path / "check.json", RECORD)
    assert mode(run.path / "check.json") == 0o600
    assert {mode(p) for p in (run.path.parent.parent, run.path.parent, run.path, run.tables)} == {0o700}


def test_a_loose_folder_is_tightened(tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    loose.mkdir(mode=0o755)
    assert mode(make_private_folder(loose)) == 0o700


def test_missing_record_names_the_stage_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_record(tmp_path / "map.json", CheckRecord)
    assert "oncoweave map" in caught.value.mend


@pytest.mark.parametrize(
    "text", ["", "{", '{"verdict": "maybe", "results": []}', '{"verdict": "pass", "results": [], "x": 1}']
)
def test_a_record_that_is_not_whole_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    path.write_text(text)
    with pytest.raises(EnvironmentFault, match="not a valid CheckRecord"):
        read_record(path, CheckRecord)


def test_forget_is_content_when_there_is_nothing_to_forget(tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    forget(path)
    write_json(path, RECORD)
    forget(path)
    assert not path.exists()


def test_stage_folder_appears_when_its_block_ends(run: RunFolder) -> None:
    with stage_folder(run, "tables") as folder:
        (folder / "person.parquet").write_text("x")
        assert not run.tables.exists()
    assert [p.name for p in run.path.rglob("*")] == ["tables", "person.parquet"]


def test_stage_folder_replaces_the_one_that_is_there(run: RunFolder) -> None:
    for name in ("one", "two"):
        with stage_folder(run, "tables") as folder:
            (folder / name).write_text("x")
    assert [p.name for p in run.path.rglob("*")] == ["tables", "two"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
def test_stage_folder_that_fails_leaves_nothing(stop: type[BaseException], run: RunFolder) -> None:
    def fail() -> None:
        with stage_folder(run, "tables") as folder:
            (folder / "half").write_text("x")
            raise stop

    with pytest.raises(stop):
        fail()
    assert list(run.path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_first(run: RunFolder) -> None:
    for stray in (".tables.tmp", ".tables.old.tmp"):
        make_private_folder(run.path / stray)
        (run.path / stray / "half").write_text("x")
    with stage_folder(run, "tables") as folder:
        assert list(folder.iterdir()) == []
    assert [p.name for p in run.path.iterdir()] == ["tables"]


def fail_with(number: int) -> None:
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "error"),
    ],
)
def test_a_disk_fault_is_told_with_path_and_mend(number: int, words: str, tmp_path: Path) -> None:
    for guard in (faults, disk_faults):
        with pytest.raises(EnvironmentFault) as caught, guard(tmp_path):
            fail_with(number)
        assert str(tmp_path) in caught.value.message and words in caught.value.message and caught.value.mend


def test_a_missing_file_within_a_long_block_stays_our_bug(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk_faults(tmp_path):
        (tmp_path / "gone").read_text()

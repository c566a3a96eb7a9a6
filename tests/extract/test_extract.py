"""The extract stage: an immutable, private snapshot that accounts for every record."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import duckdb
import pytest

from oncoweave.errors import DataError
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord
from oncoweave.report.recap import changes
from oncoweave.stages.extract import extract


def record(run: RunFolder) -> ExtractRecord:
    return read_record(run.path / "extract.json", ExtractRecord)


@pytest.fixture
def delivery(tiny_project: Project, tmp_path: Path) -> Path:
    """A copy of the tiny delivery that a test may damage."""
    source = tiny_project.root / "deliveries" / "2024-01-31"
    return Path(shutil.copytree(source, tmp_path / "delivery"))


def test_every_record_is_in_the_snapshot_with_its_file_and_line(tiny_project: Project) -> None:
    run = extract(tiny_project, "tiny")
    patients, tumours = record(run).tables
    assert (patients.records, patients.rows, patients.quarantined) == (6, 6, 0)
    assert (tumours.records, tumours.rows, tumours.quarantined) == (7, 7, 0)
    rows = duckdb.connect().execute(
        "SELECT _file, _line FROM read_parquet(?)", [str(run.snapshot / "patients.parquet")]
    )
    assert rows.fetchall() == [("patients.csv", line) for line in range(2, 8)]


def test_a_run_is_private(tiny_project: Project) -> None:
    run = extract(tiny_project, "tiny")
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in [run.path, *run.path.rglob("*")]}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_the_same_delivery_is_not_read_twice(tiny_project: Project, delivery: Path) -> None:
    run = extract(tiny_project, "tiny")
    before = {path: path.stat().st_mtime_ns for path in run.snapshot.iterdir()}
    assert extract(tiny_project, "tiny", delivery) == run
    assert {path: path.stat().st_mtime_ns for path in run.snapshot.iterdir()} == before


def test_a_damaged_snapshot_is_taken_again_with_the_same_bytes(tiny_project: Project) -> None:
    run = extract(tiny_project, "tiny")
    path = run.snapshot / "patients.parquet"
    whole, before = path.read_bytes(), record(run)
    path.write_bytes(whole[:100] + b"x" + whole[101:])
    assert extract(tiny_project, "tiny") == run
    assert path.read_bytes() == whole and record(run) == before


def test_another_delivery_is_another_run(tiny_project: Project, delivery: Path) -> None:
    (delivery / "patients.csv").write_bytes((delivery / "patients.csv").read_bytes() + b"\n")
    assert extract(tiny_project, "tiny", delivery) != extract(tiny_project, "tiny")


def test_a_record_that_cannot_be_read_is_quarantined_with_its_line(tiny_project: Project, delivery: Path) -> None:
    with (delivery / "patients.csv").open("a") as file:
        file.write("Maria;1\n")
    run = extract(tiny_project, "tiny", delivery)
    patients = record(run).tables[0]
    assert (patients.records, patients.rows, patients.quarantined) == (7, 6, 1)
    path = run.quarantine / "extract.parquet"
    rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    assert rows == [("patients.csv", 8, "extract", None, "row too short: 2 fields, 7 columns")]
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(b"Maria" in path.read_bytes() for path in run.path.rglob("*") if path.is_file())


def test_a_column_that_is_not_declared_is_kept_and_recorded(tiny_project: Project, delivery: Path) -> None:
    lines = (delivery / "patients.csv").read_text().splitlines()
    text = "\n".join([f"{lines[0]};New one"] + [f"{line};x" for line in lines[1:]])
    (delivery / "patients.csv").write_text(text)
    patients = record(extract(tiny_project, "tiny", delivery)).tables[0]
    assert patients.undeclared == ("New one",) and patients.columns[-1] == "New one"


def test_columns_in_another_order_give_the_same_columns(tiny_project: Project, delivery: Path) -> None:
    lines = [line.split(";") for line in (delivery / "patients.csv").read_text().splitlines()]
    (delivery / "patients.csv").write_text("".join(";".join(line[::-1]) + "\n" for line in lines))
    run, other = extract(tiny_project, "tiny", delivery), extract(tiny_project, "tiny")
    sql = "SELECT patient, sex, birth_date, vital, _line FROM read_parquet(?)"
    both = [duckdb.connect().execute(sql, [str(r.snapshot / "patients.parquet")]).fetchall() for r in (run, other)]
    assert both[0] == both[1]


def test_several_files_are_one_table_in_the_order_of_their_names(tiny_project: Project, delivery: Path) -> None:
    source = tiny_project.source_folder("tiny") / "source.yaml"
    source.write_text(source.read_text().replace("files: patients.csv", "files: patients*.csv"))
    lines = (delivery / "patients.csv").read_text().splitlines(keepends=True)
    (delivery / "patients.csv").write_text("".join(lines[:3]))
    (delivery / "patients-1.csv").write_text("".join(lines[:1] + lines[3:] + ["short\n"]))
    run = extract(tiny_project, "tiny", delivery)
    sql = "SELECT _file, _line FROM read_parquet(?)"
    rows = duckdb.connect().execute(sql, [str(run.snapshot / "patients.parquet")]).fetchall()
    assert rows == [("patients-1.csv", n) for n in range(2, 6)] + [("patients.csv", n) for n in (2, 3)]
    assert [(file.name, file.rows) for file in record(run).tables[0].files] == [
        ("patients-1.csv", 5),
        ("patients.csv", 2),
    ]


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_snapshot_is_the_same_with_any_number_of_threads(
    tiny_project: Project, delivery: Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, *rows = (delivery / "patients.csv").read_text().splitlines(keepends=True)
    (delivery / "patients.csv").write_text(header + "".join(rows) * 40_000)
    monkeypatch.setenv("ONCOWEAVE_THREADS", threads)
    first = record(extract(tiny_project, "tiny", delivery)).tables[0].snapshot
    monkeypatch.setenv("ONCOWEAVE_THREADS", "2")
    shutil.rmtree(tiny_project.runs)
    assert record(extract(tiny_project, "tiny", delivery)).tables[0].snapshot == first


def test_a_delivery_that_is_refused_leaves_no_snapshot(tiny_project: Project, delivery: Path) -> None:
    (delivery / "tumours.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"tumours\.csv is empty"):
        extract(tiny_project, "tiny", delivery)
    (run,) = (tiny_project.runs / "tiny").iterdir()
    assert {path.name for path in run.iterdir()} == {"identity.json"}


def packed(folder: Path, name: str) -> None:
    """Pack a file of a delivery in place of the plain one."""
    (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    (folder / name).unlink()


def test_a_file_may_come_packed_under_the_name_of_its_table(tiny_project: Project, delivery: Path) -> None:
    source = tiny_project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    text = source.read_text(encoding="utf-8").replace(
        "files: tumours.csv\n", "files: tumours.csv\n    optional: true\n"
    )
    source.write_text(text, encoding="utf-8")
    for name in ("patients.csv", "tumours.csv"):
        packed(delivery, name)
    patients, tumours = record(extract(tiny_project, "tiny", delivery)).tables
    assert (patients.rows, tumours.rows) == (6, 7)
    assert [file.name for file in (*patients.files, *tumours.files)] == ["patients.csv.gz", "tumours.csv.gz"]


def test_of_a_plain_and_a_packed_file_the_plain_one_is_read_and_the_other_told(
    tiny_project: Project, delivery: Path
) -> None:
    shutil.copy(delivery / "patients.csv", delivery / "copy.csv")
    packed(delivery, "patients.csv")
    (delivery / "copy.csv").rename(delivery / "patients.csv")
    found = record(extract(tiny_project, "tiny", delivery))
    assert found.tables[0].rows == 6
    assert found.unclaimed == ("patients.csv.gz",)


def test_files_of_a_full_delivery_that_belong_to_no_table_are_told_by_name(
    tiny_project: Project, delivery: Path
) -> None:
    for name in ("deep/tumours.csv", ".DS_Store", *(f"{n}.txt" for n in "abcd")):
        (delivery / name).parent.mkdir(exist_ok=True)
        (delivery / name).write_text("x", encoding="utf-8")
    found = record(extract(tiny_project, "tiny", delivery))
    assert found.unclaimed == ("a.txt", "b.txt", "c.txt", "d.txt", "deep/tumours.csv")
    (told,) = changes(found)
    assert told == (
        "5 files of the delivery belong to no table and were not read: `a.txt`, `b.txt`, `c.txt`, `d.txt` and 1 more, "
        "which extract.json of the run names"
    )
    assert list(changes(record(extract(tiny_project, "tiny")))) == []

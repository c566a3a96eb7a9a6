"""The map stage in parts, as a scheduler runs it, makes the bytes that it makes as a whole."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from oncoweave import run as stages
from oncoweave.errors import UsageError
from oncoweave.project import Project, RunFolder
from oncoweave.records import MapRecord


def bytes_of(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def whole(tiny_project: Project, tmp_path: Path) -> Whole:
    """Record, tables and events of the same run, mapped as a whole elsewhere."""
    shutil.copytree(tiny_project.root, tmp_path / "whole")
    project = Project.at(tmp_path / "whole")
    run = stages.extract(project, "tiny")
    return stages.map(run, project), bytes_of(run.tables), events_in(run.events)


def events_in(folder: Path) -> dict[str, list[str]]:
    """The events of each file in some order: a table is sorted, an event file need not be."""
    with duckdb.connect() as connection:
        found = {
            path.name: connection.execute("SELECT CAST(e AS VARCHAR) FROM read_parquet(?) e", [str(path)]).fetchall()
            for path in folder.glob("*.parquet")
        }
    return {name: sorted(row for (row,) in rows) for name, rows in sorted(found.items())}


Whole = tuple[MapRecord, dict[str, str], dict[str, list[str]]]


def is_like(run: RunFolder, record: MapRecord, whole: Whole) -> bool:
    return (record, bytes_of(run.tables), events_in(run.events)) == whole


def test_parts_make_the_bytes_of_the_whole(tiny_project: Project, whole: Whole) -> None:
    run = stages.extract(tiny_project, "tiny")
    tables = stages.map_events(run, tiny_project)
    assert {"person", "condition_occurrence", "measurement"} <= set(tables)
    with ThreadPoolExecutor(4) as side_by_side:
        rows = dict(
            zip(
                tables,
                side_by_side.map(lambda table: stages.write_table(run, tiny_project, table), tables),
                strict=True,
            )
        )
    assert rows["person"] == 6
    assert not run.tables.exists()
    assert is_like(run, stages.map_record(run, tiny_project), whole)
    assert not (run.path / "parts").exists()


def test_each_part_may_be_done_again(tiny_project: Project, whole: Whole) -> None:
    run = stages.extract(tiny_project, "tiny")
    for _ in range(2):
        for table in stages.map_events(run, tiny_project):
            assert stages.write_table(run, tiny_project, table) == stages.write_table(run, tiny_project, table)
        for _ in range(2):
            assert is_like(run, stages.map_record(run, tiny_project), whole)


def test_a_part_that_is_missing_or_spoilt_is_made_by_the_last(tiny_project: Project, whole: Whole) -> None:
    run = stages.extract(tiny_project, "tiny")
    first, second, *_ = stages.map_events(run, tiny_project)
    for table in (first, second):
        stages.write_table(run, tiny_project, table)
    (run.path / "parts" / f"{first}.parquet").write_bytes(b"cut off")
    (run.path / "parts" / f"{second}.json").unlink()
    assert is_like(run, stages.map_record(run, tiny_project), whole)


def test_a_part_of_other_events_is_not_taken(tiny_project: Project, whole: Whole) -> None:
    run = stages.extract(tiny_project, "tiny")
    stages.map_events(run, tiny_project)
    stages.write_table(run, tiny_project, "person")
    record = run.path / "parts" / "person.json"
    record.write_text(record.read_text().replace('"events_sha256":"', '"events_sha256":"0'), encoding="utf-8")
    spoilt = run.path / "parts" / "person.parquet"
    shutil.copy(run.events / "_concepts.parquet", spoilt)
    assert is_like(run, stages.map_record(run, tiny_project), whole)


def test_parts_keep_their_order(tiny_project: Project) -> None:
    run = stages.extract(tiny_project, "tiny")
    with pytest.raises(UsageError, match="not made"):
        stages.write_table(run, tiny_project, "person")
    with pytest.raises(UsageError, match="not made"):
        stages.map_record(run, tiny_project)
    stages.map_events(run, tiny_project)
    with pytest.raises(UsageError, match="no events go to a table `persn`") as raised:
        stages.write_table(run, tiny_project, "persn")
    assert raised.value.mend == "did you mean `person`?"

"""A sample for a dry run: the first persons with all that is theirs, in a place from which nothing is published."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from oncoweave import run as stages
from oncoweave.errors import DataError, OncoweaveError
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord


def bytes_of(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_sample_holds_the_first_persons_and_all_that_is_theirs(tiny_project: Project) -> None:
    run = stages.extract(tiny_project, "tiny")
    before = bytes_of(run.path)
    small, place = stages.sample(run, tiny_project, 2)
    taken = {table.table: table.rows for table in read_record(small.path / "extract.json", ExtractRecord).tables}
    lines = (tiny_project.root / "deliveries" / "2024-01-31" / "patients.csv").read_text("utf-8").splitlines()
    first = [line.split(";")[0] for line in lines[1:3]]
    tumours = (tiny_project.root / "deliveries" / "2024-01-31" / "tumours.csv").read_text("utf-8").splitlines()
    assert taken == {"patients": 2, "tumours": sum(line.split(";")[0] in first for line in tumours)}
    mapped = stages.map(small, place)
    assert mapped.persons == 2
    assert all(entry.read == entry.mapped + entry.quarantined + entry.excluded for entry in mapped.ledger)
    assert bytes_of(run.path) == before


def test_a_sample_is_mapped_in_parts_too(tiny_project: Project) -> None:
    small, place = stages.sample(stages.extract(tiny_project, "tiny"), tiny_project, 3)
    for table in stages.map_events(small, place):
        stages.write_table(small, place, table)
    assert stages.map_record(small, place).persons == 3


def test_a_sample_larger_than_the_delivery_is_the_delivery(tiny_project: Project) -> None:
    run = stages.extract(tiny_project, "tiny")
    small, place = stages.sample(run, tiny_project, 1000)
    assert stages.map(small, place) == stages.map(run, tiny_project)


def test_nothing_of_a_sample_gets_among_runs_releases_and_restricted_files(tiny_project: Project) -> None:
    run = stages.extract(tiny_project, "tiny")
    small, place = stages.sample(run, tiny_project, 2)
    stages.map(small, place)
    stages.check(small, place)
    assert not tiny_project.releases.exists()
    assert not (tiny_project.restricted / "tiny").exists()
    with pytest.raises(OncoweaveError):
        stages.publish(RunFolder(tiny_project.runs / "tiny" / small.run_id), tiny_project)
    with pytest.raises(DataError, match="sample"):
        stages.publish(small, tiny_project)


def test_a_second_sample_replaces_the_first(tiny_project: Project) -> None:
    run = stages.extract(tiny_project, "tiny")
    small, place = stages.sample(run, tiny_project, 2)
    stages.map(small, place)
    again, _ = stages.sample(run, tiny_project, 1)
    assert again == small
    assert not (small.path / "map.json").exists()
    assert stages.map(again, place).persons == 1

"""The same input gives the same bytes: whatever the threads, the order of rows, the clock, the place and the user's settings."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oncoweave.project import Project
from tests.bars.conftest import KEY, Oncoweave, copied, small_checks

DEMO = ("gbsg", "colon", "seer_breast")


def hashes(project: Project, source: str) -> dict[str, str]:
    """SHA-256 of every Parquet file of the current release."""
    omop = project.releases / source / "current" / "omop"
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(omop.glob("*.parquet"))}


def shuffled(folder: Path, seed: int) -> None:
    """Shuffle the rows of each CSV file; no row of these spans lines."""
    for path in sorted(folder.rglob("*.csv")):
        header, *rows = path.read_bytes().splitlines(keepends=True)
        rows = [row if row.endswith(b"\n") else row + b"\n" for row in rows]
        random.Random(seed).shuffle(rows)
        path.write_bytes(header + b"".join(rows))


@pytest.fixture(scope="module")
def first(oncoweave: Oncoweave, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, str]]:
    """A run of the tiny project to compare with: the project, and the hashes of its release."""
    project = small_checks(copied("tiny", tmp_path_factory.mktemp("first") / "project"))
    ran = oncoweave("run", "tiny", at=project, ONCOWEAVE_THREADS="2")
    assert ran.code == 0, ran.err
    return project, hashes(project, "tiny")


@pytest.mark.parametrize(
    "life",
    [
        {"ONCOWEAVE_THREADS": "1"},
        {"ONCOWEAVE_THREADS": "7", "ONCOWEAVE_MEMORY": "300MB"},
        {"moment": "1999-12-31T23:59:59Z"},
        {"moment": "2040-02-29T12:00:00Z", "TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
        {"TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONHASHSEED": "4711", "COLUMNS": "20", "NO_COLOR": "1"},
        {"umask": 0o077, "folder": Path("/tmp")},
        {"umask": 0o000},
    ],
    ids=" ".join,
)
def test_how_the_process_lives_does_not_matter(
    life: dict[str, Any], first: tuple[Project, dict[str, str]], tmp_path: Path, oncoweave: Oncoweave
) -> None:
    project = small_checks(copied("tiny", tmp_path / "another place" / "pröject"))
    ran = oncoweave("run", "tiny", at=project, **life)
    assert ran.code == 0, ran.err
    assert hashes(project, "tiny") == first[1]
    manifests = [(p.releases / "tiny" / "current" / "manifest.json").read_bytes() for p in (first[0], project)]
    assert manifests[0] == manifests[1]


def test_another_folder_for_everything_does_not_matter(
    first: tuple[Project, dict[str, str]], tmp_path: Path, oncoweave: Oncoweave
) -> None:
    places = {f"ONCOWEAVE_{name}": str(tmp_path / name.lower()) for name in ("RUNS", "RELEASES", "RESTRICTED")}
    delivery = shutil.copytree(first[0].root / "deliveries" / "2024-01-31", tmp_path / "usb stick")
    ran = oncoweave(
        "run", "tiny", "--delivery", delivery, folder=tmp_path, ONCOWEAVE_PROJECT=str(first[0].root), **places
    )
    assert ran.code == 0, ran.err
    moved = Project(first[0].root, tmp_path / "runs", tmp_path / "releases", tmp_path / "restricted")
    assert hashes(moved, "tiny") == first[1]


@pytest.mark.parametrize(
    "seed", [1, 2, pytest.param(3, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)]
)
def test_the_order_of_rows_does_not_matter(
    seed: int, first: tuple[Project, dict[str, str]], tmp_path: Path, oncoweave: Oncoweave
) -> None:
    project = small_checks(copied("tiny", tmp_path / "project"))
    shuffled(project.root / "deliveries", seed)
    ran = oncoweave("run", "tiny", at=project, ONCOWEAVE_THREADS=str(1 + seed % 2))
    assert ran.code == 0, ran.err
    assert hashes(project, "tiny") == first[1]


def test_the_order_of_rows_does_not_matter_where_persons_hide_in_groups(tmp_path: Path, oncoweave: Oncoweave) -> None:
    projects = [small_checks(copied("ward", tmp_path / name)) for name in ("a", "b")]
    shuffled(projects[1].root / "deliveries", 7)
    assert [oncoweave("run", "courses", at=project).code for project in projects] == [0, 0]
    assert hashes(projects[0], "courses") == hashes(projects[1], "courses")


@pytest.fixture(scope="module")
def demo(oncoweave: Oncoweave, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """Runs a demo source in folders of its own; skipped where the package index does not answer."""
    home = tmp_path_factory.mktemp("demo")

    def run(source: str, name: str, *arguments: object, **life: str) -> Project:
        place = home / name
        project = Project(checkout, place / "runs", place / "releases", place / "restricted")
        folders = {f"ONCOWEAVE_{kind.upper()}": str(place / kind) for kind in ("runs", "releases", "restricted")}
        ran = oncoweave("run", source, *arguments, ONCOWEAVE_PROJECT=str(checkout), **folders, **life)
        if ran.code == 4:
            pytest.skip("the package index does not answer")
        assert ran.code == 0, ran.err
        return project

    return run


@pytest.mark.slow
@pytest.mark.parametrize("source", DEMO)
def test_a_demo_source_gives_the_same_bytes(source: str, demo: Callable[..., Project], tmp_path: Path) -> None:
    import gzip

    whole = demo(source, "whole", ONCOWEAVE_THREADS="2")
    for seed in (1, 2):
        delivery = tmp_path / f"shuffled-{seed}"
        (files,) = (
            whole.runs.glob("deliveries/*/files")
            if source == DEMO[0]
            else [max(whole.runs.glob("deliveries/*/files"), key=lambda path: path.stat().st_mtime)]
        )
        shutil.copytree(files, delivery)
        for packed in delivery.rglob("*.csv.gz"):
            header, *rows = gzip.decompress(packed.read_bytes()).splitlines(keepends=True)
            random.Random(seed).shuffle(rows)
            packed.write_bytes(gzip.compress(header + b"".join(rows)))
        shuffled(delivery, seed)
        again = demo(source, f"shuffled-{seed}", "--delivery", delivery, ONCOWEAVE_THREADS=str(seed), TZ="Asia/Tokyo")
        assert hashes(again, source) == hashes(whole, source)


def test_another_key_gives_other_ids_and_the_same_facts(
    first: tuple[Project, dict[str, str]], tmp_path: Path, oncoweave: Oncoweave
) -> None:
    import duckdb

    project = small_checks(copied("tiny", tmp_path / "project"))
    assert oncoweave("run", "tiny", at=project, ONCOWEAVE_KEY=KEY[::-1]).code == 0
    tables = [p.releases / "tiny" / "current" / "omop" for p in (first[0], project)]
    facts = "SELECT year_of_birth, condition_start_date, condition_concept_id FROM read_parquet(?) JOIN read_parquet(?) USING (person_id) ORDER BY ALL"
    with duckdb.connect() as connection:
        made = [
            connection.execute(facts, [str(t / "person.parquet"), str(t / "condition_occurrence.parquet")]).fetchall()
            for t in tables
        ]
        ids = [
            set(connection.execute("SELECT person_id FROM read_parquet(?)", [str(t / "person.parquet")]).fetchall())
            for t in tables
        ]
    assert made[0] == made[1]
    assert not ids[0] & ids[1]

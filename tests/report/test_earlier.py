"""What came before a run: the release that it follows, what changed since, and how a check fared."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord, DqdCounts, FileRecord
from oncoweave.release_records import ReleaseManifest
from oncoweave.report.changes import changes_of, rows_of
from oncoweave.report.earlier import Before, history_of, release_before
from oncoweave.report.material import Material
from oncoweave.report.quality_page import quality_page
from tests.report.made_up import history, material, result


@pytest.mark.parametrize(
    ("runs", "since", "is_new"),
    [
        (((0, True), (2, False)), date(2023, 2, 1), True),
        (((2, False), (3, False)), date(2023, 1, 1), False),
        (((2, False), (0, True), (3, False), (4, False)), date(2023, 3, 1), False),
        (((2, False), (0, True)), None, False),
        (((2, False),), date(2023, 1, 1), False),
    ],
)
def test_a_check_fails_since_it_last_passed(
    runs: tuple[tuple[int, bool], ...], since: date | None, is_new: bool
) -> None:
    trend = history("person.sex", runs).of("person.sex")
    assert (trend.since, trend.is_new) == (since, is_new)
    assert trend.shares == tuple(bad / 100 for bad, _ in runs)


def test_a_check_without_a_past_has_no_line() -> None:
    assert history("person.sex", ((2, False),)).of("person.sex").line == ""
    assert history("person.sex", ((2, False),)).of("another").told == ""


def test_the_line_keeps_within_its_field() -> None:
    line = history("c", ((0, True), (50, False), (100, False))).of("c").line
    assert line == "0,18 50,10 100,2"


def copied(project: Project, name: str, **changed: Any) -> Path:
    """Another release of the source: the current one's manifest, changed."""
    place = project.releases / "tiny" / name
    place.mkdir()
    tree = json.loads((project.releases / "tiny" / "current" / "manifest.json").read_text())
    (place / "manifest.json").write_text(json.dumps(tree | {"release_id": name} | changed))
    return place


def test_a_run_follows_the_release_before_its_own(site: tuple[Project, RunFolder]) -> None:
    project, run = site
    assert release_before(run, project) is None
    others = [
        copied(project, name)
        for name in ("2023-01-31-aaaaaaaaaaaa", "2023-06-30-bbbbbbbbbbbb", "2025-01-31-cccccccccccc")
    ]
    try:
        found = release_before(run, project)
        assert found and found.release.release_id == "2023-06-30-bbbbbbbbbbbb"
        (others[1] / "manifest.json").write_text("{}")
        assert release_before(run, project) is None
    finally:
        for folder in others:
            shutil.rmtree(folder)


def test_the_history_of_a_first_delivery_is_the_run_alone(site: tuple[Project, RunFolder]) -> None:
    project, run = site
    assert history_of(run, project).runs == (run.run_id,)


@pytest.fixture
def followed(site: tuple[Project, RunFolder]) -> Material:
    """A run that follows a release with other rows, checks, vocabulary and files."""
    project, _ = site
    manifest = read_record(project.releases / "tiny" / "current" / "manifest.json", ReleaseManifest)
    before = manifest.model_copy(
        update={
            "tables": (FileRecord(name="omop/person.parquet", bytes=1, sha256="0", rows=90),
                       FileRecord(name="omop/death.parquet", bytes=1, sha256="0", rows=5)),
            "expectations": (result(), result(check="person.sex", success=False), result(check="gone")),
            "vocabulary": "starter-0",
            "ledger": (),
        }
    )  # fmt: skip
    of = material((result(success=False), result(check="person.sex"), result(check="added")))
    tables = tuple(
        FileRecord(name=f"{name}.parquet", bytes=1, sha256="0", rows=rows)
        for name, rows in (("person", 99), ("death", 0))
    )
    identity = of.identity.model_copy(
        update={"files": {"mapping.yaml": "1", "concepts/a.csv": "1", "code/x": "1"}, "code_sha256": "9"}
    )
    now = of.identity.model_copy(update={"files": {"mapping.yaml": "2", "concepts/b.csv": "1", "code/x": "2"}})
    return replace(
        of, identity=now, mapped=of.mapped.model_copy(update={"tables": tables}), before=Before(before, identity)
    )


def test_what_changed_is_told_against_the_release_before(followed: Material) -> None:
    changes = changes_of(followed)
    assert changes is not None
    assert (changes.broken, changes.mended, changes.added, changes.removed) == (["person.unique"], ["person.sex"], 1, 1)
    assert [(row.table, row.before, row.now, row.more) for row in rows_of(followed)] == [
        ("person", 90, 99, 9), ("death", 5, 0, -5)
    ]  # fmt: skip
    assert ("Vocabulary", "starter-0", "starter-1") in changes.versions
    assert changes.files == [
        ("the code of Oncoweave", "changed"), ("concepts/a.csv", "removed"), ("concepts/b.csv", "new"), ("mapping.yaml", "changed"),
    ]  # fmt: skip
    page = quality_page(followed, [])
    assert "+9 (+10.0 %)" in page and "-5 (-100.0 %)" in page.replace("−", "-")


def test_the_first_release_has_nothing_to_be_compared_with() -> None:
    assert changes_of(material((result(),))) is None
    assert "There is no release before this one" in quality_page(material((result(),)), [])


def test_a_dqd_check_that_the_manifest_did_not_list_had_passed(followed: Material) -> None:
    dqd = [result(check=f"dqd_{n}", origin="dqd", suite="dqd", success=n != 1) for n in range(3)]
    assert followed.before is not None
    counted = followed.before.release.model_copy(update={"expectations": (), "dqd": DqdCounts(total=3, passed=3)})
    of = replace(followed, checked=CheckRecord(verdict="pass", results=tuple(dqd)), before=Before(counted, None))
    changes = changes_of(of)
    assert changes is not None
    assert (changes.broken, changes.mended, changes.added, changes.removed) == (["dqd_1"], [], 0, 0)

"""`run` with a delta builds on what was last published, and the recap and `status` tell what it did."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from oncoweave import run as stages
from oncoweave.cli.main import cli
from oncoweave.errors import DataError
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import ExtractRecord

HEADER = "patient;sex;birth_date;menopause;registered;last_contact;vital\n"
ADDED = "P007;F;01.01.1950;post;01.02.2016;01.12.2023;A\n"
CHANGED = "P001;F;02.01.1948;post;01.02.2016;01.12.2023;A\n"


@pytest.fixture
def published(tiny_project: Project) -> RunFolder:
    """The tiny project with one release; from then on it delivers deltas."""
    summary = stages.run(tiny_project, "tiny")
    declare(tiny_project, "2024-02-29")
    return RunFolder(tiny_project.runs / "tiny" / summary.run_id)


def declare(project: Project, day: str, mode: str = "delta") -> None:
    path = project.source_folder("tiny") / "source.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    (number,) = [n for n, line in enumerate(lines) if line.startswith("delivery: ")]
    lines[number] = f"delivery: {{by: folder, date: {day}, path: ../../../deliveries/{day}, mode: {mode}}}"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def deliver(project: Project, day: str, patients: str = "") -> None:
    folder = project.root / "deliveries" / day
    folder.mkdir(exist_ok=True)
    if patients:
        (folder / "patients.csv").write_text(HEADER + patients, encoding="utf-8")
    declare(project, day)


def chain(project: Project, summary: stages.RunSummary) -> list[str]:
    record = read_record(project.runs / "tiny" / summary.run_id / "extract.json", ExtractRecord)
    return [link.run_id for link in record.chain]


def parquet_of(release: Path | None) -> dict[str, bytes]:
    assert release is not None
    apart = ("metadata.parquet", "cdm_source.parquet")
    return {p.name: p.read_bytes() for p in sorted(release.glob("omop/*.parquet")) if p.name not in apart}


def test_a_delta_builds_on_the_current_release(tiny_project: Project, published: RunFolder) -> None:
    deliver(tiny_project, "2024-02-29", ADDED + CHANGED)
    summary = stages.run(tiny_project, "tiny")
    assert chain(tiny_project, summary) == [published.run_id, summary.run_id]
    assert "a delta, delivery 2 of this source: `patients` 2 rows in, 1 replaced, 0 removed, 7 now" in summary.warnings
    again = stages.run(tiny_project, "tiny")
    assert again.repeated and (again.run_id, again.release) == (summary.run_id, summary.release)


def test_an_empty_folder_is_nothing_new(tiny_project: Project, published: RunFolder) -> None:
    before = parquet_of(tiny_project.releases / "tiny" / "current")
    deliver(tiny_project, "2024-02-29")
    summary = stages.run(tiny_project, "tiny")
    assert "a delta, delivery 2 of this source: nothing new" in summary.warnings
    assert parquet_of(summary.release) == before


def test_a_delta_that_was_extracted_only_is_told_by_the_next(tiny_project: Project, published: RunFolder) -> None:
    deliver(tiny_project, "2024-02-29", ADDED)
    lost = stages.extract(tiny_project, "tiny")
    deliver(tiny_project, "2024-03-31", CHANGED)
    summary = stages.run(tiny_project, "tiny")
    assert chain(tiny_project, summary) == [published.run_id, summary.run_id]
    assert any(f"--base {lost.run_id}" in warning for warning in summary.warnings)
    both = stages.run(tiny_project, "tiny", base=lost.run_id[:8])
    assert chain(tiny_project, both) == [published.run_id, lost.run_id, both.run_id]


def test_a_delta_with_a_mapping_that_was_edited_is_applied_once(tiny_project: Project, published: RunFolder) -> None:
    deliver(tiny_project, "2024-02-29", ADDED)
    first = stages.run(tiny_project, "tiny")
    with (tiny_project.source_folder("tiny") / "mapping.yaml").open("a") as file:
        file.write("# edited\n")
    second = stages.run(tiny_project, "tiny")
    assert second.run_id != first.run_id
    assert chain(tiny_project, second) == [published.run_id, second.run_id]
    assert parquet_of(second.release) == parquet_of(first.release)


def test_a_delta_that_cannot_be_read_leaves_the_release_as_it_was(tiny_project: Project, published: RunFolder) -> None:
    current = (tiny_project.releases / "tiny" / "current").readlink()
    deliver(tiny_project, "2024-02-29", ADDED + "P008;F\n")
    with pytest.raises(DataError, match="nothing was changed"):
        stages.run(tiny_project, "tiny")
    assert (tiny_project.releases / "tiny" / "current").readlink() == current
    deliver(tiny_project, "2024-02-29", ADDED)
    assert stages.run(tiny_project, "tiny").persons == 7


def test_status_tells_the_deliveries_that_the_last_run_holds(tiny_project: Project, published: RunFolder) -> None:
    told = CliRunner().invoke(cli, ["status", "--project", str(tiny_project.root)]).output
    assert "full 2024-01-31  " in told
    for day in ("2024-02-29", "2024-03-31"):
        deliver(tiny_project, day, ADDED)
        stages.run(tiny_project, "tiny")
    told = CliRunner().invoke(cli, ["status", "--project", str(tiny_project.root)]).output
    assert "full 2024-01-31 + 2 deltas to 2024-03-31" in told

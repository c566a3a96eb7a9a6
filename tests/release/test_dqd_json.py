"""A release holds dqd.json, and `verify` compares it with what the manifest counts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from oncoweave.files import read_record, sha256_of
from oncoweave.project import Project, RunFolder
from oncoweave.quality.dqd.summary import dqd_counts
from oncoweave.records import CheckRecord
from oncoweave.release.verify import DQD, verify
from oncoweave.release_records import ReleaseManifest
from oncoweave.run import run as whole_run
from oncoweave.stages.check import judge_again

OVERRIDE = """version: 1
thresholds:
  - check: field_standardconceptrecordcompleteness_measurement_measurement_concept_id
    threshold: 100
    reason: it is meant
    owner: qa
    expires: 2099-12-31
"""


def changed(release: Path, copy: Path, old: str, new: str) -> list[str]:
    """What verify finds in a copy of a release whose dqd.json was changed by someone who knows how hashes are stated."""
    shutil.copytree(release, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o750 if path.is_dir() else 0o640)
    path = copy / DQD
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    manifest = ReleaseManifest.model_validate_json((copy / "manifest.json").read_text(encoding="utf-8"))
    pages = tuple(
        page.model_copy(update={"bytes": path.stat().st_size, "sha256": sha256_of(path)}) if page.name == DQD else page
        for page in manifest.pages
    )
    old_sums = (copy / "SHA256SUMS").read_text().splitlines()
    (copy / "manifest.json").write_text(
        manifest.model_copy(update={"pages": pages}).model_dump_json(indent=2) + "\n", encoding="utf-8"
    )
    new_sums = {DQD: sha256_of(path), "manifest.json": sha256_of(copy / "manifest.json")}
    lines = [line.split("  ", 1) for line in old_sums]
    (copy / "SHA256SUMS").write_text("".join(f"{new_sums.get(name, sha)}  {name}\n" for sha, name in lines))
    return [str(finding) for finding in verify(copy)]


def test_a_release_holds_the_dashboard_that_its_manifest_counts(tiny_project: Project, tmp_path: Path) -> None:
    summary = whole_run(tiny_project, "tiny")
    assert summary.release is not None
    assert verify(summary.release) == []
    manifest = ReleaseManifest.model_validate_json((summary.release / "manifest.json").read_text(encoding="utf-8"))
    run = RunFolder(tiny_project.runs / "tiny" / manifest.run_id)
    checked = read_record(run.path / "check.json", CheckRecord)
    assert manifest.dqd == dqd_counts(checked.results)
    assert manifest.dqd.total == 2535
    of_dqd = [result for result in manifest.expectations if result.origin == "dqd"]
    assert len(of_dqd) == manifest.dqd.failed + manifest.dqd.errors > 0
    assert (run.results / "dqd.json").read_bytes() == (summary.release / DQD).read_bytes()
    assert not (run.results / "dqd").exists()

    failed = '"failed":1,"passed":0'
    told = changed(summary.release, tmp_path / "passed", failed, '"failed":0,"passed":1')
    assert f"{DQD}: its overview is not the sum of its results" in told
    assert f"{DQD}: its counts are not those of the manifest" in told
    assert changed(summary.release, tmp_path / "broken", '"CheckResults"', '"Results"') == [
        f"{DQD}: is not the result file of OHDSI's Data Quality Dashboard"
    ]
    again_is_the_same_but_for_its_thresholds(run, tiny_project)


def again_is_the_same_but_for_its_thresholds(run: RunFolder, project: Project) -> None:
    """Judged again by a threshold of the site, without reading data, the run has another dqd.json with the same counts."""
    before = json.loads((run.results / "dqd.json").read_text())
    (project.source_folder("tiny") / "thresholds.yaml").write_text(OVERRIDE)
    shutil.rmtree(run.tables)
    judge_again(run, project)
    after = json.loads((run.results / "dqd.json").read_text())
    check = "field_standardconceptrecordcompleteness_measurement_measurement_concept_id"
    differing = [b for a, b in zip(before["CheckResults"], after["CheckResults"], strict=True) if a != b]
    assert [(one["checkId"], one["thresholdValue"], one["failed"], one["passed"]) for one in differing] == [
        (check, 100, 0, 1)
    ]
    assert after["Metadata"] == before["Metadata"]
    assert after["Overview"]["countOverallFailed"] == [before["Overview"]["countOverallFailed"][0] - 1]

"""A checked run is judged again by what its suites, thresholds and waivers say now; its data are not read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from oncoweave import run as stages
from oncoweave.decisions import Person
from oncoweave.errors import SpecError
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord, ExpectationResult, RunManifest
from oncoweave.release.signoff import Answer
from oncoweave.spec.waivers import Waiver
from tests.conftest import HERE, KEY

SUITE = """version: 1
suite: site
table: person
expectations:
  - expect: expect_column_values_to_be_in_set
    parameters: {column: gender_concept_id, value_set: [8507]}
    id: men_only
    severity: convention
    category: plausibility
    why: A registry of prostate cancer.
"""
CHECK = "site.men_only"
WAIVER = f"""version: 1
waivers:
  - check: {CHECK}
    at_most: 5 rows
    reason: women are asked for at the registry
    owner: QA
    expires: {{day}}
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The tiny project with a suite of its own that fails, checked once."""
    root = tmp_path_factory.mktemp("checked") / "project"
    shutil.copytree(HERE / "projects" / "tiny", root)
    (root / "expectations" / "sources").mkdir(parents=True)
    (root / "expectations" / "sources" / "tiny.yaml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONCOWEAVE_KEY", KEY)
        project = Project.at(root)
        run = stages.extract(project, "tiny")
        stages.map(run, project)
        stages.check(run, project)
        yield project


@pytest.fixture
def project(checked: Project, tmp_path: Path, key: str) -> Project:
    """A copy of the checked project that a test may change."""
    shutil.copytree(checked.root, tmp_path / "project", symlinks=True)
    return Project.at(tmp_path / "project")


@pytest.fixture
def run(project: Project) -> RunFolder:
    (record,) = (project.runs / "tiny").glob("*/check.json")
    return RunFolder(record.parent)


def suite(project: Project) -> Path:
    return project.root / "expectations" / "sources" / "tiny.yaml"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def waive(project: Project, day: date) -> Path:
    """Waive the check for the whole site; the source has waivers of its own."""
    path = project.root / "expectations" / "waivers.yaml"
    path.write_text(WAIVER.format(day=day))
    return path


def result_of(record: CheckRecord) -> ExpectationResult:
    return next(result for result in record.results if result.check == CHECK)


def state(run: RunFolder) -> dict[str, tuple[int, bytes]]:
    """Every file of the run: when it was written, and what it holds."""
    files = (path for path in run.path.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_nothing_is_written_when_nothing_changed(project: Project, run: RunFolder) -> None:
    stages.check(run, project)
    before = state(run)
    assert stages.check(run, project).verdict == "fail"
    assert state(run) == before


def test_the_verdict_is_judged_without_data_and_without_great_expectations(project: Project, run: RunFolder) -> None:
    for folder in (run.tables, run.events, run.snapshot):
        for path in folder.glob("*.parquet"):
            path.write_bytes(b"")  # whoever reads them fails
    waive(project, date.today())
    code = (
        "import sys; from pathlib import Path; from oncoweave.project import Project, RunFolder; from oncoweave.run import check\n"
        "print(check(RunFolder(Path(sys.argv[1])), Project.at(Path(sys.argv[2]))).verdict, 'great_expectations' in sys.modules)"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path), str(project.root)],
        env={**os.environ, "ONCOWEAVE_KEY": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["pass", "False"], done.stderr
    assert time.monotonic() - started < 60


def test_a_waiver_and_its_end_change_results_pages_and_manifest(project: Project, run: RunFolder) -> None:
    others = read_record(run.path / "check.json", CheckRecord).waived
    path = waive(project, date.today())
    record = stages.check(run, project)
    assert (record.verdict, record.waived, record.open["convention"]) == ("pass", others + 1, 0)
    assert read_record(run.path / "check.json", CheckRecord) == record
    assert read_record(run.path / "manifest.json", RunManifest).check == record
    assert '"owner": "QA"' in (run.results / "site.json").read_text()
    before = state(run)
    path.write_text(WAIVER.format(day=date.today() - timedelta(days=1)))
    again = stages.check(run, project)
    assert (again.verdict, [i.state for i in again.idle_waivers if i.check == CHECK]) == ("fail", ["expired"])
    changed = {Path(name).name for name, content in state(run).items() if content != before[name]}
    assert {"check.json", "site.json", "report.html", "manifest.json"} <= changed
    assert not [name for name in changed if name.endswith(".parquet")]


@pytest.mark.parametrize(
    ("old", "new", "verdict", "field"),
    [
        ("severity: convention", "severity: characterization", "pass", ("severity", "characterization")),
        ("    severity", "    mostly: 0.1\n    severity", "pass", ("mostly", 0.1)),
        ("prostate cancer", "men", "fail", ("why", "A registry of men.")),
    ],
)
def test_what_a_suite_says_of_its_counts_judges_the_same_run(
    old: str, new: str, verdict: str, field: tuple[str, object], project: Project, run: RunFolder
) -> None:
    before = result_of(read_record(run.path / "check.json", CheckRecord))
    change(suite(project), old, new)
    record = stages.check(run, project)
    after = result_of(record)
    assert (record.verdict, getattr(after, field[0])) == (verdict, field[1])
    assert (after.evaluated, after.unexpected) == (before.evaluated, before.unexpected) == (6, 5)
    assert stages.extract(project, "tiny").run_id == run.run_id, "it is the same run"


def test_what_a_suite_has_counted_makes_another_run_and_leaves_this_one_as_it_was(
    project: Project, run: RunFolder
) -> None:
    before = read_record(run.path / "check.json", CheckRecord)
    change(suite(project), "[8507]", "[8507, 8532]")
    change(suite(project), "severity: convention", "severity: fatal")
    assert stages.check(run, project) == before
    assert stages.extract(project, "tiny").run_id != run.run_id


def test_a_threshold_of_the_site_judges_again_and_is_taken_back(project: Project, run: RunFolder) -> None:
    before = read_record(run.path / "check.json", CheckRecord)
    path = project.source_folder("tiny") / "thresholds.yaml"
    entry = f"  - {{check: {CHECK}, threshold: 90, reason: r, owner: o, expires: 2099-01-01}}\n"
    path.write_text("version: 1\nthresholds:\n" + entry)
    assert stages.check(run, project).verdict == "pass"
    path.unlink()
    assert stages.check(run, project) == before


def test_results_that_are_judged_otherwise_void_the_sign_off(project: Project, run: RunFolder) -> None:
    answer = Answer("approved", Person(id="jane", name="Jane"), "QA", "", "command line")
    assert [one.check for one in stages.signoff(run, project, answer).accepts if not one.waived] == [CHECK]
    assert stages.approval_of(run, project).lets_pass
    waive(project, date.today())
    stages.check(run, project)
    assert stages.approval_of(run, project).state == "not needed", "it passes, and nobody is asked"
    (project.root / "expectations" / "waivers.yaml").unlink()
    change(suite(project), "prostate cancer", "men")
    stages.check(run, project)
    stands = stages.approval_of(run, project)
    assert stands.state == "open failures" and "since then the results have changed" in stands.why


def test_waivers_that_are_wrong_stop_the_judgement_and_lint_tells_them(project: Project, run: RunFolder) -> None:
    before = (run.path / "check.json").read_bytes()
    change(waive(project, date.today()), "at_most: 5 rows", "at_most: 5")
    with pytest.raises(SpecError) as caught:
        stages.check(run, project)
    assert [(p.file, p.line) for p in caught.value.problems] == [("expectations/waivers.yaml", 4)]
    assert (run.path / "check.json").read_bytes() == before


def test_a_waiver_is_written_below_the_others_and_judged(project: Project, run: RunFolder) -> None:
    path = project.source_folder("tiny") / "waivers.yaml"
    own = path.read_text().split("waivers:\n")[1].replace("  - {", "- {")
    there = (
        "# accepted by the board\nversion: 1\nwaivers:\n- check: person.*   # old\n  reason: 'r'\n  owner: \"o\"\n  expires: 2020-01-01\n"
        + own
        + "\n# the end\n"
    )
    path.write_text(there)
    keys = {"check": CHECK, "at_most": "5 rows", "reason": 'it: "is" # so', "owner": "QA", "expires": date.today()}
    record = stages.waive(run, project, Waiver.model_validate(keys))
    text = path.read_text()
    assert record.verdict == "pass" and text.startswith(there) and f"- check: {CHECK}\n  at_most: 5 rows\n" in text
    longer = Waiver.model_validate(keys | {"expires": date.today() + timedelta(days=9), "at_most": "90 %"})
    assert stages.waive(run, project, longer).waived == record.waived
    assert (
        path.read_text().count(CHECK) == 1
        and "# accepted by the board" in path.read_text()
        and "# old" in path.read_text()
    )
    assert path.stat().st_mode & 0o777 == 0o644

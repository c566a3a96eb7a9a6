"""Data Docs: Great Expectations' pages of the suites open from disk, ask for nothing, and hold neither values nor foreign HTML."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from oncoweave.cli.main import cli
from oncoweave.errors import UsageError
from oncoweave.files import read_record, write_json
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord
from oncoweave.report.data_docs import write_data_docs
from oncoweave.report.gx_html import cleaned, shielded
from tests.report.conftest import HOSTILE, look
from tests.report.test_pages import as_read

MARKERS = ("MARKERQX77", "277.125", "277,125")
SUITE = """version: 1
suite: planted
table: observation
expectations:
  - expect: expect_column_values_to_be_in_set
    parameters: {column: observation_source_value, value_set: %s}
    severity: characterization
    category: conformance
    why: %s
  - expect: expect_column_values_to_match_regex
    parameters: {column: observation_source_value, regex: "^(<b>|p(re|ost))$"}
    where: observation_source_value <> '<i>'
    severity: characterization
    category: plausibility
    why: the codes of the source
"""
PRINTABLE = [word for word in HOSTILE if word.isprintable() and len(word) < 1000]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Path]]:
    """A project whose data hold the markers and whose suite is hostile, and the Data Docs that the command line wrote."""
    root = tmp_path_factory.mktemp("planted") / "project"
    shutil.copytree(Path(__file__).parents[1] / "projects" / "tiny", root)
    for path, old, new in (("patients", ";post;", ";MARKERQX77;"), ("tumours", ";T1;14;", ";T1;277,125;")):
        file = root / "deliveries" / "2024-01-31" / f"{path}.csv"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
    (root / "expectations").mkdir(exist_ok=True)
    words = json.dumps(PRINTABLE, ensure_ascii=False)
    suite = SUITE % (words, json.dumps(" ".join(PRINTABLE), ensure_ascii=False))
    (root / "expectations" / "planted.yaml").write_text(suite, encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        where = ["--project", str(root)]
        ran = CliRunner().invoke(cli, ["run", "tiny", *where])
        assert not ran.return_value, ran.output
        docs = root / "docs"
        done = CliRunner().invoke(cli, ["check", "tiny", "--data-docs", str(docs), *where], catch_exceptions=False)
        assert "Data Docs:" in done.output and done.exit_code == 0
        yield Project.at(root), docs


def run_of(project: Project) -> RunFolder:
    (record,) = (project.runs / "tiny").glob("*/check.json")
    return RunFolder(record.parent)


def test_every_suite_has_a_page_of_its_results_and_one_of_its_expectations(planted: tuple[Project, Path]) -> None:
    project, docs = planted
    results = read_record(run_of(project).path / "check.json", CheckRecord).results
    suites = {result.suite for result in results if result.origin == "suite"}
    assert {"planted", "person"} <= suites
    for kind in ("expectations", "validations"):
        assert {path.stem for path in (docs / kind).glob("*.html")} == suites
    for result in (r for r in results if r.origin == "suite"):
        page = (docs / "validations" / f"{result.suite}.html").read_text(encoding="utf-8")
        assert page.count(f">{result.check}<") == 1
    failed = (docs / "validations" / "planted.html").read_text(encoding="utf-8")
    assert "unexpected values found" in failed and "values must belong to this set" in failed
    assert all(path.stat().st_mode & 0o077 == 0 for path in docs.rglob("*"))


def test_no_value_of_the_data_and_no_address_is_in_any_file(planted: tuple[Project, Path]) -> None:
    project, docs = planted
    written = b"".join(path.read_bytes() for path in run_of(project).tables.glob("*.parquet"))
    assert MARKERS[0].encode() in written  # it is in the tables
    for path in (p for p in docs.rglob("*") if p.is_file()):
        text = path.read_text(encoding="utf-8")
        assert [marker for marker in MARKERS if marker in text] == [], path.name
        assert not re.search(r"https?://(?!127)|<script|<link|<img|\son\w+=|src=|Traceback", _without_texts(text)), path
        assert str(project.root) not in text


def _without_texts(page: str) -> str:
    """A page without what stands in texts: there a sign of HTML is an entity."""
    return re.sub(r">[^<]*<", "><", page)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["index", "validations/planted", "expectations/planted", "validations/person"])
def test_pages_open_from_disk_and_show_hostile_text_as_text(
    name: str, width: int, planted: tuple[Project, Path], browser: Any
) -> None:
    path = planted[1] / f"{name}.html"
    seen = look(browser, path, width)
    assert (seen.requests, seen.console, seen.dialogs, seen.overflow) == ([path.as_uri()], [], [], 0)
    strange = ("script", "img", "iframe", "link", "object", "form", "b", "svg")
    assert {element: seen.elements[element] for element in strange} == dict.fromkeys(strange, 0)
    assert "Data Docs" in seen.title
    if "planted" in name:
        text = re.sub(r"\s+", " ", seen.text)
        assert [word for word in PRINTABLE if as_read(word) not in text] == []


def test_hostile_words_of_the_record_are_shown_as_text(
    planted: tuple[Project, Path], tmp_path: Path, browser: Any
) -> None:
    """Signs that no suite may hold: somebody may have written check.json by hand."""
    project, _ = planted
    run = run_of(project)
    record = read_record(run.path / "check.json", CheckRecord)
    poisoned = [r.model_copy(update={"why": HOSTILE[n % len(HOSTILE)]}) for n, r in enumerate(record.results)]
    try:
        write_json(run.path / "check.json", record.model_copy(update={"results": tuple(poisoned)}))
        write_data_docs(run, project, tmp_path / "docs")
    finally:
        write_json(run.path / "check.json", record)
    path = tmp_path / "docs" / "validations" / "measurement.html"
    seen = look(browser, path)
    text = re.sub(r"\s+", " ", seen.text)
    assert [word for word in HOSTILE if as_read(word) not in text] == []
    assert (seen.requests, seen.console, seen.dialogs, seen.overflow) == ([path.as_uri()], [], [], 0)
    assert seen.elements["script"] == seen.elements["img"] == seen.elements["b"] == 0


def test_writing_again_gives_the_same_bytes_and_takes_pages_away_that_have_no_suite(
    planted: tuple[Project, Path],
) -> None:
    project, docs = planted
    before = {path.name: path.read_bytes() for path in docs.rglob("*.html")}
    (docs / "validations" / "old.html").write_text("x", encoding="utf-8")
    write_data_docs(run_of(project), project, docs)
    assert {path.name: path.read_bytes() for path in docs.rglob("*.html")} == before


def test_a_folder_of_other_things_and_one_of_releases_are_refused(
    planted: tuple[Project, Path], tmp_path: Path
) -> None:
    project, _ = planted
    run = run_of(project)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(UsageError, match=r"holds something else already, as `letter\.txt`"):
        write_data_docs(run, project, tmp_path)
    for folder in (project.releases / "docs", project.releases / "tiny" / "current" / "docs"):
        with pytest.raises(UsageError, match="never part of a release"):
            write_data_docs(run, project, folder)
    assert list(tmp_path.iterdir()) == [tmp_path / "letter.txt"]
    assert not list(project.releases.rglob("index.html"))


def test_only_the_elements_of_the_content_are_kept() -> None:
    page = (
        "<html><body><nav>menu</nav><div class='col-md-10'><p onclick=x>" + shielded("a <b>&amp; $x *y*") + "</p>"
        "<script>alert(1)</script><a href='https://x' data-toggle='collapse'>more</a><a href='javascript:x'>link</a>"
        "<i class='fas fa-times'></i><table><thead><tr><th>Head</th></tr></thead><tbody><tr><td style='x'>1</td></tr>"
        "</table></div><footer>news</footer></body></html>"
    )
    assert cleaned(page) == (
        '<p>a &lt;b&gt;&amp;amp; $x *y*</p>link<span class="tag bad">failed</span><table class="cards"><thead><tr><th>Head</th>'
        '</tr></thead><tbody><tr><td data-label="Head"><span>1</span></td></tr></tbody></table>'
    )

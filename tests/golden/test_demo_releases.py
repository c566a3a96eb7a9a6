"""The releases of the demo tell what is known of its sources: facts.yaml, and accounts that add up."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ruamel.yaml import YAML

from oncoweave.errors import SourceUnreachable
from oncoweave.files import read_record
from oncoweave.project import Project
from oncoweave.records import MapRecord
from oncoweave.run import RunSummary, run

GOLDEN = YAML(typ="safe").load(Path(__file__).with_name("facts.yaml").read_text(encoding="utf-8"))
ROWS = {"gbsg": 686, "colon": 1858, "seer_breast": 4024}
PERSONS = {"gbsg": 686, "colon": 929, "seer_breast": 4024}
ORIGIN = {"gbsg": None, "colon": date(1986, 1, 1), "seer_breast": date(2007, 1, 1)}

pytestmark = pytest.mark.xdist_group("demo")


@dataclass(frozen=True)
class Demo:
    """A source that was run: its summary, its map record, and its release as tables of a database."""

    summary: RunSummary
    mapped: MapRecord
    tables: duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def demos(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Demo]]:
    """The three demo sources, run once for all tests of this module."""
    place = tmp_path_factory.mktemp("demo")
    project = Project(checkout, place / "runs", place / "releases", place / "restricted")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONCOWEAVE_KEY", "0f" * 32)
        try:
            found = {source: _demo(project, source) for source in ROWS}
        except SourceUnreachable as error:
            pytest.skip(f"the demo's wheels cannot be had: {error.message}")
    yield found
    for demo in found.values():
        demo.tables.close()


def _demo(project: Project, source: str) -> Demo:
    summary = run(project, source)
    mapped = read_record(project.runs / source / summary.run_id / "map.json", MapRecord)
    tables = duckdb.connect()
    for path in sorted((project.releases / source / "current" / "omop").glob("*.parquet")):
        tables.execute(f'CREATE TABLE "{path.stem}" AS FROM read_parquet(?)', [str(path)])
    for name, query in GOLDEN["views"].get(source, {}).items():
        tables.execute(f'CREATE VIEW "{name}" AS {query}')
    return Demo(summary, mapped, tables)


@pytest.mark.parametrize("golden", GOLDEN["facts"], ids=lambda golden: f"{golden['source']}: {golden['fact']}")
def test_release_tells_what_is_known_of_the_source(demos: dict[str, Demo], golden: dict[str, Any]) -> None:
    found = demos[golden["source"]].tables.execute(golden["query"]).fetchone()
    assert found == (golden["expected"],)


@pytest.mark.parametrize("source", ROWS)
def test_every_row_is_accounted_for(demos: dict[str, Demo], source: str) -> None:
    ledger = demos[source].mapped.ledger
    assert [line for line in ledger if line.read != line.mapped + line.quarantined + line.excluded] == []
    assert {line.read for line in ledger} == {ROWS[source]}


@pytest.mark.parametrize("source", ROWS)
def test_nothing_of_the_demo_is_quarantined(demos: dict[str, Demo], source: str) -> None:
    summary = demos[source].summary
    assert (summary.records, summary.unreadable, summary.quarantined) == (ROWS[source], 0, 0)


@pytest.mark.parametrize("source", ROWS)
def test_every_row_or_group_becomes_a_person(demos: dict[str, Demo], source: str) -> None:
    assert demos[source].summary.persons == PERSONS[source]


@pytest.mark.parametrize("source", ROWS)
def test_release_passes_and_is_published(demos: dict[str, Demo], source: str) -> None:
    assert demos[source].summary.verdict == "pass"
    assert demos[source].summary.release is not None


@pytest.mark.parametrize("source", ROWS)
def test_release_says_whether_its_dates_are_synthetic(demos: dict[str, Demo], source: str) -> None:
    declared = demos[source].summary.synthetic_origin
    assert (declared[0] if declared else None) == ORIGIN[source]
    (description,) = demos[source].tables.execute("SELECT source_description FROM cdm_source").fetchall()
    origin = ORIGIN[source]
    assert origin is None or origin.isoformat() in str(description[0])


@pytest.mark.parametrize("source", ROWS)
def test_every_source_field_is_mapped_or_ignored_with_a_reason(demos: dict[str, Demo], source: str) -> None:
    assert not [warning for warning in demos[source].summary.warnings if "neither mapped nor ignored" in warning]


@pytest.mark.parametrize("source", ROWS)
def test_concepts_that_no_release_confirms_are_named(demos: dict[str, Demo], source: str) -> None:
    used = {
        concept
        for table, field in (("measurement", "measurement_concept_id"), ("observation", "observation_concept_id"))
        for (concept,) in demos[source].tables.execute(f'SELECT DISTINCT "{field}" FROM "{table}"').fetchall()
    }
    grades = {1634371, 1634752, 1633749, 1635792}
    assert used & grades <= set(demos[source].summary.unconfirmed_concepts)

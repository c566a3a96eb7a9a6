"""The source fhir_r4 that Oncoweave brings along, on Synthea's bundles."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from oncoweave.lint import lint
from oncoweave.project import Project, RunFolder
from oncoweave.records import MapRecord
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.load import load

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = ROOT.parent / "shared" / "data" / "fhir" / "synthea-bundles"
VOCABULARY = ROOT.parent / "shared" / "data" / "synthea" / "dbt-synthea-27" / "vocab"


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, MapRecord]:
    """The six patients, mapped."""
    if not (BUNDLES.is_dir() and VOCABULARY.is_dir()):
        pytest.skip("Synthea's bundles and their vocabulary are not on this machine")
    root = tmp_path_factory.mktemp("fhir")
    for part in ("mappings/sources/fhir_r4", "mappings/concepts"):
        shutil.copytree(ROOT / part, root / part)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        project = Project(root, root / "runs", root / "releases", root / "restricted")
        load(project, VOCABULARY, "v5.0 29-FEB-24")
        assert lint(project, "fhir_r4") == []
        run = extract(project, "fhir_r4", BUNDLES)
        return run, map_stage(run, project)


def test_every_resource_is_in_a_table_or_left_out_with_its_reason(mapped: tuple[RunFolder, MapRecord]) -> None:
    run, record = mapped
    made = {entry.rule: entry.mapped for entry in record.ledger}
    assert record.persons == 6
    assert made["visits"] == 170
    assert made["conditions"] == 51
    assert made["procedures"] == 126
    assert made["immunizations"] == 63
    assert all(entry.quarantined == 0 for entry in record.ledger)
    observations = sum(n for rule, n in made.items() if rule.startswith("observations"))
    with_value = "SELECT count(*) FROM '{}' WHERE number <> '' OR answer NOT IN ('', '[]') OR truth <> ''"
    (told,) = duckdb.sql(with_value.format(run.snapshot / "observations.parquet")).fetchone() or (0,)
    assert observations == told > 700
    assert sum(n for rule, n in made.items() if rule.startswith("components")) == 112


def test_a_prescription_that_is_no_instance_of_an_order_is_left_out(mapped: tuple[RunFolder, MapRecord]) -> None:
    (entry,) = (entry for entry in mapped[1].ledger if entry.rule == "requests")
    assert (entry.read, entry.mapped, entry.excluded) == (122, 0, 122)


def test_facts_are_tied_to_their_encounters(mapped: tuple[RunFolder, MapRecord]) -> None:
    tables = mapped[0].tables
    for table in ("condition_occurrence", "procedure_occurrence", "measurement"):
        sql = f"SELECT count(*) FILTER (WHERE visit_occurrence_id IS NULL), count(*) FROM '{tables / table}.parquet'"
        without, rows = duckdb.sql(sql).fetchone() or (0, 0)
        assert (without, rows > 0) == (0, True), table


def test_no_name_address_or_identifier_is_read(mapped: tuple[RunFolder, MapRecord]) -> None:
    names = [path.name.split("_")[1] for path in BUNDLES.glob("*.gz")]
    for path in [*mapped[0].snapshot.glob("*.parquet"), *mapped[0].tables.glob("*.parquet")]:
        content = duckdb.sql(f"SELECT * EXCLUDE (_file) FROM '{path}'" if "snapshot" in str(path) else f"FROM '{path}'")
        text = "\n".join(str(row) for row in content.fetchall())
        assert [name for name in names if name in text] == [], path.name

"""mCODE's own examples through the source fhir_r4: every resource is accounted for, stages modify their cancers, nothing leaks."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.project import Project, RunFolder
from oncoweave.records import MapRecord
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.load import load

ROOT = Path(__file__).resolve().parents[2]
CONDITION = 1147127


@pytest.fixture(scope="module")
def mapped(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, MapRecord]:
    """The 179 examples, mapped with Synthea's vocabulary, which knows few of their codes."""
    root = tmp_path_factory.mktemp("mcode")
    for part in ("mappings/sources/fhir_r4", "mappings/concepts"):
        shutil.copytree(ROOT / part, root / part)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        project = Project(root, root / "runs", root / "releases", root / "restricted")
        load(project, shared_data / "synthea" / "dbt-synthea-27" / "vocab", "v5.0 29-FEB-24")
        run = extract(project, "fhir_r4", shared_data / "fhir" / "mcode-examples")
        return run, map_stage(run, project)


@pytest.fixture(scope="module")
def examples(shared_data: Path) -> list[dict[str, Any]]:
    """The examples themselves, those in Bundles too, each once."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted((shared_data / "fhir" / "mcode-examples").glob("*.json")):
        resource = json.loads(path.read_text(encoding="utf-8"))
        entries = (
            [entry["resource"] for entry in resource["entry"]] if resource["resourceType"] == "Bundle" else [resource]
        )
        found |= {(one["resourceType"], one["id"]): one for one in entries}
    return list(found.values())


def test_every_resource_is_mapped_left_out_by_reason_or_held_with_its_line(
    mapped: tuple[RunFolder, MapRecord], examples: list[dict[str, Any]]
) -> None:
    run, record = mapped
    assert record.persons == sum(one["resourceType"] == "Patient" for one in examples)
    for entry in record.ledger:
        assert entry.read == entry.mapped + entry.quarantined + entry.excluded, entry.rule
    held = duckdb.sql(
        f"SELECT reason, count(*), count(file), count(line) FROM '{run.quarantine}/map.parquet' GROUP BY 1"
    ).fetchall()
    assert all(rows == files == lines for _, rows, files, lines in held)
    assert {reason for reason, *_ in held} == {
        "duplicate key", "start: missing", "date: missing", "conditions is of another person",
    }  # fmt: skip
    assert duckdb.sql(f"SELECT count(*) FROM '{run.quarantine}/extract.parquet'").fetchone() == (0,)


def test_an_observation_is_one_fact_or_a_panel_or_about_a_cancer_of_somebody_else(
    mapped: tuple[RunFolder, MapRecord], examples: list[dict[str, Any]]
) -> None:
    run, record = mapped
    observations = [one for one in examples if one["resourceType"] == "Observation"]
    panels = [
        one
        for one in observations
        if ("component" in one or "hasMember" in one) and not any(k.startswith("value") for k in one)
    ]
    made = sum(
        entry.mapped for entry in record.ledger if entry.rule.startswith("observations") and entry.fact != "note"
    )
    foreign = "conditions is of another person"
    sql = (
        f"SELECT count(*) FROM '{run.quarantine}/map.parquet' WHERE rule LIKE 'observations%' AND reason = '{foreign}'"
    )
    (others,) = duckdb.sql(sql).fetchone() or (0,)
    assert others == 16  # of john-anyperson, about a condition that the examples give to another patient
    assert made + others + len(panels) == len(observations)


def test_cancers_are_conditions_and_keep_their_histology(
    mapped: tuple[RunFolder, MapRecord], examples: list[dict[str, Any]]
) -> None:
    run, _ = mapped
    codes = Counter(
        one["code"]["coding"][0]["code"]
        for one in examples
        if one["resourceType"] == "Condition" and "onsetDateTime" in one
    )
    found = duckdb.sql(
        f"SELECT condition_source_value, count(*) FROM '{run.tables}/condition_occurrence.parquet' GROUP BY 1"
    ).fetchall()
    assert dict(found) == codes
    sql = f"""SELECT o.observation_source_value, c.condition_source_value FROM '{run.tables}/observation.parquet' AS o
        JOIN '{run.tables}/condition_occurrence.parquet' AS c ON c.condition_occurrence_id = o.observation_event_id
        WHERE o.obs_event_field_concept_id = {CONDITION} ORDER BY ALL"""
    pairs = duckdb.sql(sql).fetchall()
    assert ("82711006", "353431000119107") in pairs
    assert sum(source in ("82711006", "1187332001", "128462008", "77284006", "80248007") for source, _ in pairs) >= 4


def test_stages_and_their_members_modify_the_cancer(mapped: tuple[RunFolder, MapRecord]) -> None:
    run, _ = mapped
    sql = f"""SELECT m.measurement_source_value, m.value_source_value, c.condition_source_value
        FROM '{run.tables}/measurement.parquet' AS m
        JOIN '{run.tables}/condition_occurrence.parquet' AS c ON c.condition_occurrence_id = m.measurement_event_id
        WHERE m.meas_event_field_concept_id = {CONDITION}"""
    modifiers = set(duckdb.sql(sql).fetchall())
    cancer = "353431000119107"
    assert {
        ("399588009", "1222769001", cancer),  # pathological stage, by its focus
        ("384625004", "1229859000", cancer),  # pT, as a member of that stage
        ("399537006", "1222769001", cancer),  # clinical stage
    } <= modifiers


def test_sizes_markers_and_performance_are_measured(mapped: tuple[RunFolder, MapRecord]) -> None:
    run, _ = mapped
    sql = f"SELECT measurement_source_value, value_as_number, unit_source_value, value_source_value FROM '{run.tables}/measurement.parquet'"
    found = set(duckdb.sql(sql).fetchall())
    assert ("33728-7", 2.5, "cm", "2.5") in found
    assert ("89247-1", 0.0, None, "0") in found
    assert ("85337-4", None, None, "LA6576-8") in found


def test_orders_are_left_out_and_administrations_have_dose_and_route(mapped: tuple[RunFolder, MapRecord]) -> None:
    run, record = mapped
    ledger = {entry.rule: entry for entry in record.ledger}
    assert ledger["requests"].mapped == 0
    doses = duckdb.sql(
        f"SELECT drug_source_value, quantity, dose_unit_source_value, route_source_value FROM '{run.tables}/drug_exposure.parquet'"
    ).fetchall()
    assert len(doses) == ledger["administrations"].mapped == 7
    assert ("56946", 272.01, "mg", "47625008") in doses


def test_nothing_that_identifies_is_in_a_table(
    mapped: tuple[RunFolder, MapRecord], examples: list[dict[str, Any]]
) -> None:
    run, _ = mapped
    secrets = {text for one in examples for text in identifying(one)}
    assert len(secrets) > 40
    for path in sorted(run.tables.glob("*.parquet")):
        rows = duckdb.sql(f"FROM '{path}'").fetchall()
        cells = {str(cell) for row in rows for cell in row if isinstance(cell, str)}
        assert cells & secrets == set(), path.name
        assert not any("Anyperson" in cell or "Jenny" in cell for cell in cells), path.name


def identifying(resource: dict[str, Any]) -> list[str]:
    """The names, identifiers and addresses that a resource holds."""
    found = [str(one["value"]) for one in resource.get("identifier", []) if "value" in one]
    if resource["resourceType"] in ("Patient", "Practitioner"):
        for name in resource.get("name", []):
            found += [name.get("family", ""), *name.get("given", []), name.get("text", "")]
        for address in resource.get("address", []):
            found += [*address.get("line", []), address.get("city", ""), address.get("postalCode", "")]
        found += [str(one.get("value", "")) for one in resource.get("telecom", [])]
    return [text for text in found if len(text) > 3] + [resource["id"]]

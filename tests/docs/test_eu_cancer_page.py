"""The page on HL7 Europe's cancer models says what the models, the CDM, the concepts and the mapping language have."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb
import pytest

from docs.eu_cancer_omop import PAGE, page, rows
from oncoweave.omop.model import tables
from oncoweave.omop.routing import TABLE_OF_FACT
from tests.fhir.snapshots import Packages

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_facts_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "stale: run `make reference`"


def test_every_element_of_the_eleven_models_has_a_row_and_nothing_else_has(shared_data: Path) -> None:
    models = shared_data / "fhir" / "eu-cancer-common" / "fsh" / "models"
    found = []
    for path in sorted(models.glob("*.fsh")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        found += [(path.stem, name) for name in re.findall(r"^\* ([\w\[\]]+) \d\.\.", text, flags=re.MULTILINE)]
    assert len({model for model, _ in found}) == 11
    assert sorted({(row.model, row.element) for row in rows()}) == sorted(found)


def test_every_field_is_one_of_the_cdm() -> None:
    known = {(name, field.name) for name, table in tables().items() for field in table.fields}
    assert [(r.table, f) for r in rows() for f in r.fields if (r.table, f) not in known] == []


def test_every_key_is_one_of_the_rule_of_that_fact() -> None:
    reference = (ROOT / "docs" / "mapping-language.md").read_text(encoding="utf-8")
    keys = set(re.findall(r"^\| `(\w+)` \|", reference, flags=re.MULTILINE))
    assert [(r.element, r.keys) for r in rows() if r.keys[0] not in TABLE_OF_FACT or not set(r.keys[1:]) <= keys] == []


def test_every_concept_is_one_of_the_reference_data(shared_data: Path) -> None:
    with (shared_data / "oncology" / "omop_oncology_core_concepts.csv").open(encoding="utf-8") as file:
        known = {int(row["concept_id"]) for row in csv.DictReader(file)}
    concepts = shared_data / "vocab" / "merged" / "CONCEPT.parquet"
    known |= {number for (number,) in duckdb.sql(f"SELECT concept_id FROM '{concepts}'").fetchall()}
    assert {number for row in rows() for number, _ in row.concepts} - known == set()


def test_every_element_of_fhir_is_one_of_r4(shared_data: Path) -> None:
    packages = Packages(shared_data / "fhir" / "packages")
    for path in {path for row in rows() for path in row.fhir}:
        structure = packages.structure(path.partition(".")[0])
        assert structure is not None
        assert path in structure.elements


def test_the_relations_are_those_of_the_guide() -> None:
    assert {row.relation for row in rows()} == {"equivalent", "related-to"}


@pytest.mark.parametrize("model", sorted({row.model for row in rows()}))
def test_a_model_is_filled_by_facts_that_the_mapping_language_has(model: str) -> None:
    assert all(row.fields and row.keys for row in rows() if row.model == model)

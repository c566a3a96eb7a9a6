"""HL7 Europe's cancer models reach OMOP and FHIR as docs/eu_cancer_omop.md says, tried on a registry that has most of their elements."""

from __future__ import annotations

import json
import shutil
from typing import Any

import duckdb
import pytest

from docs.eu_cancer_omop import Row, rows
from oncoweave.project import RunFolder
from tests.fhir.test_mcode import ROOT, mapped

NOT_IN_THE_REGISTRY = {"visit_occurrence", "fact_relationship"}
"""Tables of elements that the made-up registry does not tell: visits, and the evidence of a stage."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    root = tmp_path_factory.mktemp("europe") / "project"
    shutil.copytree(ROOT / "tests" / "projects" / "oncology", root)
    mapping = root / "mappings" / "sources" / "registry" / "mapping.yaml"
    mapping.write_text(mapping.read_text(encoding="utf-8").replace("fhir: mcode", "fhir: eu-cancer"), encoding="utf-8")
    return mapped(root, "registry")[0]


@pytest.mark.parametrize(
    "row", [r for r in rows() if r.table not in NOT_IN_THE_REGISTRY], ids=lambda r: f"{r.model}.{r.element}"
)
def test_an_element_is_in_the_fields_that_the_page_names(row: Row, registry: RunFolder) -> None:
    counts = ", ".join(f"count({name})" for name in row.fields)
    (found,) = duckdb.sql(f"SELECT {counts} FROM '{registry.tables / row.table}.parquet'").fetchall()
    assert any(found), row.fields


def test_every_table_of_the_page_is_one_that_the_registry_fills_or_does_not_tell(registry: RunFolder) -> None:
    filled = {
        row.table
        for row in rows()
        if duckdb.sql(f"SELECT 1 FROM '{registry.tables / row.table}.parquet' LIMIT 1").fetchall()
    }
    assert filled | NOT_IN_THE_REGISTRY == {row.table for row in rows()}
    assert not filled & NOT_IN_THE_REGISTRY


def test_the_resources_have_the_elements_that_the_page_names(registry: RunFolder) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in registry.fhir.glob("*.ndjson"):
        found[path.name.split(".")[0]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    named = {path for row in rows() for path in row.fhir if path.split(".")[0] != "Encounter"}
    without = {path for path in named if not any(_has(r, path.split(".")[1:]) for r in found[path.split(".")[0]])}
    # the registry has no visits, and its procedures belong to no episode of progression
    assert without == {"Condition.encounter"}


def _has(value: Any, path: list[str]) -> bool:
    if not path:
        return True
    if isinstance(value, list):
        return any(_has(one, path) for one in value)
    stem = path[0].removesuffix("[x]")
    members = [m for name, m in value.items() if name == stem or (path[0].endswith("[x]") and name.startswith(stem))]
    return any(_has(member, path[1:]) for member in members)

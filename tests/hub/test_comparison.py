"""What a hub tells of its sources: the catalogue, the comparison, and what it leaves out."""

from __future__ import annotations

import csv
import doctest
import io
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoweave.files import file_record
from oncoweave.hub import facts
from oncoweave.hub.bucket import open_place
from oncoweave.hub.comparison import as_csv
from oncoweave.hub.facts import Facts, facts_of
from oncoweave.hub.intake import Policy, take
from oncoweave.hub.place import Place
from oncoweave.hub.refresh import refresh
from oncoweave.privacy.small_cells import suppressed
from tests.hub.conftest import Another, read_manifest, seal

EXPOSING = "<script>alert(1)</script>"


@pytest.fixture
def hub(published: Path, tmp_path: Path) -> Place:
    """A hub with the whole tiny release, counts from 2 told."""
    place = open_place(str(tmp_path / "hub"))
    take(published, place, Policy(smallest=2))
    refresh(place)
    return place


def tree(place: Place, name: str) -> Any:
    content = place.read(name)
    assert content is not None
    return json.loads(content)


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 40), max_size=6), st.integers(1, 11))
def test_no_small_count_can_be_worked_out_from_the_total(counts: dict[str, int], smallest: int) -> None:
    told = suppressed(counts, smallest)
    hidden = [name for name, count in told.items() if count is None]
    assert all(count is None or count == counts[name] for name, count in told.items())
    assert all(told[name] is None for name, count in counts.items() if 0 < count < smallest)
    others = [name for name, count in counts.items() if count]
    assert (
        not hidden
        or (len(hidden) > 1 and sum(counts[name] for name in hidden) > smallest)
        or set(others) == set(hidden)
    )


def test_the_examples_of_left_out_counts_are_true() -> None:
    assert doctest.testmod(facts).failed == 0


def test_the_facts_are_those_of_the_tables(hub: Place, published: Path) -> None:
    (one,) = tree(hub, "comparison.json")["sources"]
    manifest = read_manifest(published)
    assert one["persons"] == manifest.persons == 6
    assert one["title"] == "A made-up breast cancer registry of six patients"
    assert one["holder"] == "Nobody; every row is invented"
    count = duckdb.sql(f"SELECT count(*) FROM '{published}/omop/measurement.parquet'").fetchall()[0][0]
    (measured,) = [t for t in one["tables"] if t["table"] == "measurement"]
    assert measured["records"] == one["rows"]["measurement"] == count
    assert sum(n or 0 for n in one["sex"].values()) in range(7)
    assert all(concept["persons"] >= 2 for concept in one["concepts"])


def test_small_counts_are_in_no_file_of_the_hub(published: Path, tmp_path: Path) -> None:
    place = open_place(str(tmp_path / "hub"))
    take(published, place, Policy(smallest=100))
    refresh(place)
    (one,) = tree(place, "comparison.json")["sources"]
    assert one["persons"] is None
    assert set(one["sex"].values()) == {None}
    assert one["concepts"] == []
    assert one["years"] is None
    assert {count for name, count in one["rows"].items() if name not in ("cdm_source", "metadata")} <= {None, 0}
    assert {t["records"] for t in one["tables"]} | {t["unmapped_share"] for t in one["tables"]} == {None}
    (dataset,) = tree(place, "catalogue.json")["dcat:dataset"]
    assert dataset["healthdcatap:numberOfUniqueIndividuals"] is None
    assert dataset["healthdcatap:numberOfRecords"] is None


def test_the_catalogue_names_what_a_catalogue_asks_for(hub: Place, published: Path, another: Another) -> None:
    take(another(day="2023-06-30"), hub)
    refresh(hub)
    (dataset,) = tree(hub, "catalogue.json")["dcat:dataset"]
    assert dataset["dct:identifier"] == "tiny"
    assert dataset["dct:publisher"]["foaf:name"] == "Nobody; every row is invented"
    assert dataset["dcat:version"] == published.name
    assert len(dataset["dcat:hasVersion"]) == 2
    assert dataset["healthdcatap:numberOfUniqueIndividuals"] == 6
    checksum = dataset["dcat:distribution"]["spdx:checksum"]["spdx:checksumValue"]
    assert checksum == file_record(published / "manifest.json", "manifest.json").sha256


def test_the_csv_is_safe_in_a_spreadsheet(hub: Place) -> None:
    content = hub.read("comparison.csv")
    assert content is not None
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert {row["measure"] for row in rows} >= {"persons", "rows", "persons by sex", "first year", "holder"}
    told = Facts.model_validate(tree(hub, f"facts/tiny/{rows[0]['release']}.json"))
    hostile = told.model_copy(update={"title": "=cmd|' /C calc'!A0"})
    assert "'=cmd" in as_csv([hostile]).decode()


def test_text_from_a_release_is_shown_as_text(published: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "hostile"))
    file = folder / "omop" / "cdm_source.parquet"
    sql = f"SELECT * REPLACE ('{EXPOSING}' AS cdm_source_name, '{EXPOSING}' AS cdm_holder) FROM '{file}'"
    duckdb.sql(f"COPY ({sql}) TO '{tmp_path}/new.parquet'")
    file.chmod(0o600)
    shutil.copy(tmp_path / "new.parquet", file)
    manifest = read_manifest(folder)
    record = file_record(file, "omop/cdm_source.parquet", 1)
    tables = tuple(record if t.name == record.name else t for t in manifest.tables)
    seal(folder, manifest.model_copy(update={"tables": tables}))
    place = open_place(str(tmp_path / "hub"))
    take(folder, place)
    refresh(place)
    page = place.read("comparison.html")
    assert page is not None
    assert b"&lt;script&gt;" in page
    assert b"<script" not in page


def test_an_empty_hub_has_an_empty_catalogue(place: Place) -> None:
    assert refresh(place) == []
    assert tree(place, "catalogue.json")["dcat:dataset"] == []


def test_the_facts_do_not_depend_on_threads(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = facts_of(published, 2)
    monkeypatch.setenv("ONCOWEAVE_THREADS", "1")
    assert facts_of(published, 2) == first

"""METADATA says what the data rest on, which dates were imputed, and that an origin is made up; never what time it is."""

from __future__ import annotations

from oncoweave.omop.metadata import MetadataRow
from oncoweave.run_identity import read_identity
from tests.map.workshop import RELEASE, Mapped, Workshop

RULES = "- {fact: condition, name: cancer, from: tumours, concept: {map: codes, value: code}, start: seen}"
TUMOURS = f"id,tumour,seen,code\n1,1,01.01.2015,a\n1,2,02.2016,b\n1,3,2016,c\n1,4,02.2016,{'L' * 60}"


def made(workshop: Workshop, **written: str) -> Mapped:
    workshop.concept_map("codes", ("a", 101))
    return workshop.map(RULES, patients="id,born\n1,1950", tumours=TUMOURS, **written)


def test_metadata_names_software_hashes_and_vocabulary(workshop: Workshop) -> None:
    mapped = made(workshop)
    rests_on = read_identity(mapped.run)
    values = dict(mapped.rows("metadata", "name", "value_as_string"))
    assert values["software"] == rests_on.software and values["software"].startswith("oncoweave ")
    assert (values["code SHA-256"], values["mapping SHA-256"]) == (rests_on.code_sha256, rests_on.mapping_sha256)
    assert (values["vocabulary"], values["CDM"]) == (RELEASE, "5.4")


def test_shares_of_imputed_dates_and_cut_texts_are_told(workshop: Workshop) -> None:
    rows = {n: (s, v) for n, s, v in made(workshop).rows("metadata", "name", "value_as_string", "value_as_number")}
    assert rows["share of imputed dates: condition_occurrence, start"] == (
        "2 known to the month, 1 known to the year", 0.75
    )  # fmt: skip
    assert rows["share of truncated texts: condition_occurrence.condition_source_value"] == ("1 rows", 0.25)


def test_a_synthetic_origin_is_told(workshop: Workshop) -> None:
    assert "synthetic origin of dates" not in made(workshop).rows("metadata", "name")
    mapped = made(workshop, source="origin: {date: 1990-01-01, why: no dates were delivered}")
    values = dict(mapped.rows("metadata", "name", "value_as_string"))
    assert values["synthetic origin of dates"] == "1990-01-01: no dates were delivered"


def test_metadata_is_the_same_at_every_run_and_has_no_clock(workshop: Workshop) -> None:
    first, second = made(workshop), made(workshop)
    assert first.table_bytes()["metadata.parquet"] == second.table_bytes()["metadata.parquet"]
    assert set(first.rows("metadata", "metadata_date", "metadata_datetime", "metadata_concept_id")) == {(None, None, 0)}
    assert len(set(first.rows("metadata", "metadata_id"))) == len(first.rows("metadata"))


def test_the_id_of_a_row_follows_from_its_name_alone() -> None:
    assert MetadataRow("software", "a").id == MetadataRow("software", "b").id != MetadataRow("CDM", "a").id

"""What map writes has the columns, order, types and limits of OMOP CDM 5.4, and its required fields are filled."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb
import pytest

from oncoweave.omop.model import tables
from tests.map.workshop import Mapped, Workshop

RULES = """
- {fact: episode, name: disease, from: tumours, concept: disease_episode, object: breast_cancer, start: seen}
- fact: condition
  name: cancer
  from: tumours
  episode: disease
  concept: {map: codes, value: code}
  start: seen
  end: left
- fact: measurement
  name: findings
  from: tumours
  modifies: cancer
  date: seen
  columns: {size: {concept: size, unit: millimeter}, code: {concept: {map: codes}}}
- {fact: procedure, name: excisions, from: tumours, concept: excision, date: seen, quantity: nodes}
- {fact: visit, name: stays, from: tumours, concept: inpatient_visit, start: seen, end: left}
- {fact: visit_detail, name: wards, from: tumours, concept: inpatient_visit, start: seen, end: left, visit: stays}
- {fact: device, name: ports, from: tumours, concept: port_catheter, start: seen, visit: stays}
- {fact: drug, name: drugs, from: tumours, concept: tamoxifen_tablet, start: seen, end: left, quantity: size, days_supply: nodes}
- {fact: observation, name: history, from: tumours, concept: family_history, date: seen, value: code}
- {fact: note, name: letters, from: tumours, date: seen, text: code, modifies: cancer, release: {text: true, because: invented}}
- {fact: specimen, name: samples, from: tumours, concept: tissue, date: seen, quantity: size, unit: millimeter, source_id: tumour}
- {fact: relationship, name: taken, from: tumours, first: excisions, second: samples, relationship: Has specimen}
- {fact: death, name: deaths, from: patients, where: died is not null, because: alive, date: died}
- {fact: location, name: places, from: tumours, zip: code}
- {fact: care_site, name: sites, from: tumours, care_site_name: code, location: places}
- {fact: provider, name: doctors, from: tumours, care_site: sites}
"""
LONG = "L" * 70


@pytest.fixture
def made(workshop: Workshop) -> Mapped:
    workshop.concept_map("codes", ("c", 101), ("m", 203))
    return workshop.map(
        RULES,
        patients="id,born,died\n1,1950,2020\n2,12.1960,",
        tumours=f"""
            id,tumour,seen,left,code,size,nodes
            1,1,01.01.2015,02.01.2015,c,5,0
            1,2,02.2016,,m,,3
            2,1,2017,2018,{LONG},"3,25",
        """,
    )


def test_the_model_is_the_specification(shared_data: Path) -> None:
    with (shared_data / "cdm-spec" / "OMOP_CDMv5.4_Field_Level.csv").open(encoding="utf-8") as lines:
        fields = [r for r in csv.DictReader(lines) if r["cdmTableName"] in tables()]
    written = [(n, f.name, f.required, f.limit) for n, table in tables().items() for f in table.fields]
    given = [(r["cdmTableName"], r["cdmFieldName"], r["isRequired"] == "Yes", _limit(r["cdmDatatype"])) for r in fields]
    assert sorted(written, key=str) == sorted(given, key=str)


def _limit(datatype: str) -> int | None:
    found = re.fullmatch(r"varchar\((\d+)\)", datatype, re.IGNORECASE)
    return int(found[1]) if found else None


SAME_TYPE = {
    "integer": {"INTEGER", "BIGINT"}, "date": {"DATE"}, "timestamp": {"TIMESTAMP"}, "numeric": {"DOUBLE"},
    "float": {"DOUBLE"}, "bigint": {"BIGINT"},
}  # fmt: skip


def test_columns_their_order_and_types_are_those_of_the_ddl(made: Mapped, shared_data: Path) -> None:
    ddl = (shared_data / "cdm-spec" / "OMOPCDM_duckdb_5.4_ddl.sql").read_text(encoding="utf-8").lower()
    for name in tables():
        body = re.search(rf"create table [^\n]*\b{name} \((.*?)\);", ddl, re.DOTALL)
        assert body, name
        wanted = [(line.split()[0], line.split()[1]) for line in body[1].strip().splitlines() if line.strip()]
        found = described(made, name)
        assert [column for column, _ in found] == [column for column, _ in wanted]
        for (column, kind), (_, declared) in zip(found, wanted, strict=True):
            expected = {"VARCHAR"} if declared.startswith(("varchar", "text")) else SAME_TYPE[declared.rstrip(",")]
            assert kind in expected, (name, column)


def described(made: Mapped, name: str) -> list[tuple[str, str]]:
    """Column and type of a written table."""
    with duckdb.connect() as connection:
        rows = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(made.run.tables / f"{name}.parquet")])
        return [(row[0].lower(), row[1]) for row in rows.fetchall()]


def test_keys_are_bigint_and_concepts_integer(made: Mapped) -> None:
    for name, table in tables().items():
        for (column, kind), field in zip(described(made, name), table.fields, strict=True):
            assert kind == field.type
            if column.endswith("_concept_id"):
                assert kind == "INTEGER"
            elif re.search(r"_id$", column) and column not in (
                "unique_device_id",
                "production_id",
                "specimen_source_id",
            ):
                assert kind == "BIGINT"


def test_every_table_of_the_model_is_written_once(made: Mapped) -> None:
    assert {p.stem for p in made.run.tables.glob("*.parquet")} == set(tables())
    assert [f.name for f in made.record.tables] == [f"{name}.parquet" for name in tables()]
    assert {f.name: f.rows for f in made.record.tables} == {f"{n}.parquet": len(made.rows(n)) for n in tables()}


def test_required_fields_are_filled(made: Mapped) -> None:
    for name, table in tables().items():
        rows = made.rows(name)
        assert rows, name
        for field in table.fields:
            assert not field.required or all(row[field.name] is not None for row in rows), (name, field.name)


def test_texts_are_cut_to_their_limit_and_counted(made: Mapped) -> None:
    values = made.rows("condition_occurrence", "condition_source_value")
    assert LONG[:50] in values and LONG not in values
    assert made.record.truncated == {
        "location.zip": 1,
        "condition_occurrence.condition_source_value": 1,
        "measurement.measurement_source_value": 1,
        "measurement.value_source_value": 1,
        "observation.value_as_string": 1,
        "observation.value_source_value": 1,
    }


def test_keys_are_unique_and_references_lead_somewhere(made: Mapped) -> None:
    persons = set(made.rows("person", "person_id"))
    for name, table in tables().items():
        keys = [tuple(row[k] for k in table.key) for row in made.rows(name)]
        assert len(keys) == len(set(keys)), name
        assert keys == sorted(keys), name
        if any(f.name == "person_id" for f in table.fields):
            assert set(made.rows(name, "person_id")) <= persons, name


def test_unset_fields_follow_the_conventions(made: Mapped) -> None:
    assert set(made.rows("person", "race_concept_id", "ethnicity_concept_id", "gender_concept_id")) == {(0, 0, 0)}
    assert made.rows("death", "cause_concept_id") == [0]
    assert set(made.rows("measurement", "operator_concept_id")) == {None}
    assert sorted(made.rows("procedure_occurrence", "quantity"), key=str) == [1, 3, None]
    assert all(row["drug_exposure_end_date"] >= row["drug_exposure_start_date"] for row in made.rows("drug_exposure"))
    assert {row["condition_type_concept_id"] for row in made.rows("condition_occurrence")} == {32879}


def test_cdm_source_is_one_row_that_does_not_depend_on_the_clock(made: Mapped) -> None:
    row = made.row("cdm_source")
    assert (row["cdm_source_name"], row["cdm_source_abbreviation"], row["cdm_holder"]) == (
        "Workshop",
        "clinic",
        "Nobody",
    )
    assert str(row["source_release_date"]) == str(row["cdm_release_date"]) == "2024-01-31"
    assert (row["cdm_version_concept_id"], row["vocabulary_version"]) == (756265, "workshop-1")


def test_a_rule_may_have_a_type_of_its_own(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, type: ehr}
        - {fact: procedure, name: excisions, from: tumours, concept: excision, date: seen}
        """,
        patients="id,born\n1,1950",
        tumours="id,tumour,seen\n1,1,2015",
    )
    assert made.rows("condition_occurrence", "condition_type_concept_id") == [32817]
    assert made.rows("procedure_occurrence", "procedure_type_concept_id") == [32879]

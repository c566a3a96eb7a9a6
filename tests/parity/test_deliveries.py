"""The mapping is for Synthea 3 as such: columns and files that versions add or leave out, and files with a header alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from tests.parity.conftest import DATA, SOURCE, synthea_project

PERSON = "Id,BIRTHDATE,DEATHDATE,SSN,PREFIX,FIRST,MIDDLE,LAST,RACE,ETHNICITY,GENDER,FIPS,ZIP,INCOME"
LATER = {
    "patients": f"{PERSON}\np1,1950-02-03,2020-05-06,999,Mr.,A,B,C,native,hispanic,M,25013,01101,45000",
    "encounters": "Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,PAYER,ENCOUNTERCLASS,CODE,DESCRIPTION,REASONCODE\n"
    "e1,2020-01-01T08:00:00Z,2020-01-03T09:30:00Z,p1,o1,d1,y1,inpatient,183452005,Stay,\n"
    "e2,2020-05-12T08:00:00Z,2020-05-12T08:15:00Z,p1,o1,d1,y1,virtual,185345009,Call,",
    "conditions": "START,STOP,PATIENT,ENCOUNTER,SYSTEM,CODE,DESCRIPTION\n"
    "2020-01-01,,p1,e1,http://snomed.info/sct,195662009,Acute viral pharyngitis (disorder)",
    "procedures": "START,STOP,PATIENT,ENCOUNTER,SYSTEM,CODE,DESCRIPTION,BASE_COST\n"
    "2020-01-02T10:00:00Z,2020-01-02T10:30:00Z,p1,e1,http://snomed.info/sct,399208008,Chest X-ray,1.0",
    "observations": "DATE,PATIENT,ENCOUNTER,CATEGORY,CODE,DESCRIPTION,VALUE,UNITS,TYPE\n"
    "2020-01-01T08:00:00Z,p1,e1,vital-signs,8302-2,Body Height,171.5,cm,numeric\n"
    "2020-01-01T08:00:00Z,p1,e1,survey,72166-2,Tobacco,Never smoker,,text\n"
    "2020-01-01T08:00:00Z,p1,,,QALY,QALY,20.1,a,numeric",
    "medications": "START,STOP,PATIENT,PAYER,ENCOUNTER,CODE,DESCRIPTION",
    "allergies": "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n2001-02-03,,p1,e9,111088007,Latex",
}
"""Further columns and another SYSTEM; medications with a header alone; no devices, supplies, immunizations, careplans."""


def mapped(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, list[dict[str, Any]]]:
    """The rows of each CDM table that the mapping makes of some files."""
    if not DATA.is_dir():
        pytest.skip(f"there is no {DATA.name} in ../shared/data/synthea")
    monkeypatch.setenv("ONCOWEAVE_KEY", "5e" * 32)
    monkeypatch.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
    project = synthea_project(folder)
    (folder / "delivery").mkdir()
    for name, text in files.items():
        (folder / "delivery" / f"{name}.csv").write_text(text + "\n", encoding="utf-8")
    run = extract(project, SOURCE, folder / "delivery")
    map_stage(run, project)
    found = {}
    with duckdb.connect() as connection:
        for path in run.tables.glob("*.parquet"):
            result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
            names = [column[0] for column in result.description or ()]
            found[path.stem] = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return found


def test_a_later_version_with_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = mapped(tmp_path, LATER, monkeypatch)
    (person,) = made["person"]
    assert (person["race_concept_id"], person["ethnicity_concept_id"]) == (8657, 38003563)
    assert {v["visit_source_value"]: v["visit_concept_id"] for v in made["visit_occurrence"]} == {
        "inpatient": 9201, "virtual": 0
    }  # fmt: skip
    (stay,) = [v for v in made["visit_occurrence"] if v["visit_concept_id"] == 9201]
    (condition,) = made["condition_occurrence"]
    assert condition["condition_source_value"] == "195662009" and condition["condition_concept_id"] > 0
    assert condition["visit_occurrence_id"] == stay["visit_occurrence_id"]
    (procedure,) = made["procedure_occurrence"]
    assert procedure["procedure_concept_id"] > 0
    assert {(m["measurement_source_value"], m["value_as_number"]) for m in made["measurement"]} == {
        ("8302-2", 171.5), ("QALY", 20.1)
    }  # fmt: skip
    assert {(o["observation_source_value"], o["value_as_string"]) for o in made["observation"]} == {
        ("72166-2", "Never smoker"), ("111088007", None)
    }  # fmt: skip
    (latex,) = [o for o in made["observation"] if o["observation_source_value"] == "111088007"]
    assert latex["visit_occurrence_id"] is None and latex["observation_concept_id"] == 4008070
    assert [str(d["death_date"]) for d in made["death"]] == ["2020-05-06"]
    assert made["drug_exposure"] == made["device_exposure"] == []


CLOCKS = {
    "patients": "Id,BIRTHDATE,DEATHDATE,GENDER\np1,1950-02-03T00:00:00Z,2020-05-06T07:08:09.5Z,M\np2,1960-02-03T23:30:00-02:00,,F",
    "encounters": "Id,START,STOP,PATIENT,ENCOUNTERCLASS,CODE\n"
    "e1,2020-01-01T08:00:00.123Z,2020-01-01T08:15:00.5Z,p1,ambulatory,185345009\n"
    "e2,2020-01-02T08:00:00,2020-01-02T08:15:00,p1,ambulatory,185345009\n"
    "e3,2020-01-03T08:00,2020-01-03T08:15Z,p1,ambulatory,185345009\n"
    "e4,2020-01-04T23:00:00-05:00,2020-01-04T23:15:00-0500,p1,ambulatory,185345009\n"
    "e5,2020-01-06 08:00:00,2020-01-06 08:15:00+00,p1,ambulatory,185345009\n"
    "e6,2020-01-07,2020-01-07,p1,ambulatory,185345009",
}


def test_days_and_times_in_every_writing_of_iso_8601(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = mapped(tmp_path, CLOCKS, monkeypatch)
    born = sorted((p["year_of_birth"], p["month_of_birth"], p["day_of_birth"]) for p in made["person"])
    assert born == [(1950, 2, 3), (1960, 2, 4)]
    visits = sorted((str(v["visit_start_datetime"]), str(v["visit_end_datetime"])) for v in made["visit_occurrence"])
    assert visits == [
        ("2020-01-01 08:00:00.123000", "2020-01-01 08:15:00.500000"),
        ("2020-01-02 08:00:00", "2020-01-02 08:15:00"),
        ("2020-01-03 08:00:00", "2020-01-03 08:15:00"),
        ("2020-01-05 04:00:00", "2020-01-05 04:15:00"),
        ("2020-01-06 08:00:00", "2020-01-06 08:15:00"),
        ("2020-01-07 00:00:00", "2020-01-07 00:00:00"),
    ]
    (death,) = made["death"]
    assert str(death["death_datetime"]) == "2020-05-06 07:08:09.500000"


def test_a_death_is_told_once_with_and_without_encounters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """p1 has a death certificate, p2 encounters of another kind, p3 none at all, p4 is alive."""
    encounters = (
        "Id,START,STOP,PATIENT,ENCOUNTERCLASS,CODE,REASONCODE\n"
        "e1,2020-05-12T08:00:00Z,2020-05-12T08:15:00Z,p1,wellness,308646001,22298006\n"
        "e2,2019-05-12T08:00:00Z,2019-05-12T08:15:00Z,p2,wellness,185345009,\n"
        "e3,2019-05-12T08:00:00Z,2019-05-12T08:15:00Z,p4,wellness,185345009,"
    )
    patients = "Id,BIRTHDATE,DEATHDATE,GENDER\n" + "\n".join(
        f"p{n},1950-02-0{n},{f'2020-05-0{n}' if n < 4 else ''},F" for n in range(1, 5)
    )
    made = mapped(tmp_path, {"patients": patients, "encounters": encounters}, monkeypatch)
    deaths = sorted((str(d["death_date"]), d["cause_source_value"]) for d in made["death"])
    assert deaths == [("2020-05-01", "22298006"), ("2020-05-02", None), ("2020-05-03", None)]
    (file,) = (tmp_path / "runs").rglob("map.json")
    ledger = {e["rule"]: e for e in json.loads(file.read_text())["ledger"] if e["fact"] == "death"}
    assert [(e["read"], e["mapped"], e["excluded"]) for e in ledger.values()] == [(3, 2, 1), (4, 1, 3)]
    alone = mapped(tmp_path / "alone", {"patients": patients}, monkeypatch)
    assert sorted(str(d["death_date"]) for d in alone["death"]) == ["2020-05-01", "2020-05-02", "2020-05-03"]


def test_patients_alone_are_a_cdm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = mapped(tmp_path, {"patients": "Id,BIRTHDATE,GENDER\np1,1950-02-03,F"}, monkeypatch)
    (person,) = made["person"]
    assert (person["gender_concept_id"], person["race_concept_id"]) == (8532, 0)
    assert made["visit_occurrence"] == []

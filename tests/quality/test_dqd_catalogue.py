"""The catalogue of DQD checks is OHDSI's own for CDM 5.4; the tables of OHDSI are read here only."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from oncoweave.quality.dqd.catalogue import catalogue, kinds, with_names
from oncoweave.quality.dqd.check import Bound, DqdCheck

TABLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "dqd"
Row = Mapping[str, str]


def read(name: str) -> list[dict[str, str]]:
    path = TABLES / f"OMOP_CDMv5.4_{name}.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return [{k: (v or "").strip() for k, v in row.items()} for row in csv.DictReader(lines)]


def yes(column: str) -> Callable[[Row], bool]:
    return lambda row: row[column] == "Yes"


def filled(column: str) -> Callable[[Row], bool]:
    return lambda row: row[column] != ""


FILTERS: Mapping[str, Callable[[Row], bool]] = MappingProxyType(
    {
        "cdmTableName!=''": filled("cdmTableName"),
        "cdmFieldName!=''": filled("cdmFieldName"),
        "cdmDatatype=='integer'": lambda row: row["cdmDatatype"] == "integer",
        "isForeignKey=='Yes' & fkDomain!= ''": lambda row: row["isForeignKey"] == "Yes" and row["fkDomain"] != "",
        "isForeignKey=='Yes' & fkClass!=''": lambda row: row["isForeignKey"] == "Yes" and row["fkClass"] != "",
    }
)
"""The filters of the check descriptions that are neither `x=='Yes'` nor `x!=''`; R's NA is an empty cell."""


def selected(expression: str, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    plain = re.fullmatch(r"(\w+)(=='Yes'|!='')", expression)
    keep = FILTERS.get(expression)
    if keep is None:
        assert plain, expression
        keep = yes(plain[1]) if plain[2] == "=='Yes'" else filled(plain[1])
    return [row for row in rows if keep(row)]


def units(text: str) -> tuple[int, ...]:
    """Two sets of OHDSI's name a unit twice."""
    return tuple(sorted({int(unit) for unit in text.split(",")}))


def compared(name: str, row: Row) -> dict[str, Any]:
    """What a check compares with, by the names of `Parameters`."""
    lower = {
        "isForeignKey": {"fk_table": "fkTableName", "fk_field": "fkFieldName"},
        "fkDomain": {"fk_table": "fkTableName", "fk_field": "fkFieldName"},
        "fkClass": {"fk_table": "fkTableName", "fk_field": "fkFieldName"},
        "sourceValueCompleteness": {"standard_concept_field": "standardConceptFieldName"},
        "plausibleTemporalAfter": {
            "after_table": "plausibleTemporalAfterTableName",
            "after_field": "plausibleTemporalAfterFieldName",
        },
        "plausibleStartBeforeEnd": {"end_field": "plausibleStartBeforeEndFieldName"},
    }.get(name, {})
    found: dict[str, Any] = {ours: row[theirs].lower() for ours, theirs in lower.items()}
    if name in ("isForeignKey", "fkDomain", "fkClass"):
        found |= {"fk_domain": row["fkDomain"], "fk_class": row["fkClass"]}
    if name in ("plausibleValueLow", "plausibleValueHigh"):
        found[name.removeprefix("plausibleValue").lower()] = row[name]
    if name in ("plausibleGender", "plausibleGenderUseDescendants"):
        found["gender"] = row[name]
    if name == "plausibleUnitConceptIds":
        found["units"] = units(row[name])
    return found


def as_ohdsi(row: Row, kind: Row) -> tuple[str, dict[str, Any]]:
    """The check that OHDSI's R package makes of a row: its id and all that it goes by."""
    name, level = kind["checkName"], kind["checkLevel"]
    place = [row[c] for c in ("cdmTableName", "cdmFieldName", "conceptId", "unitConceptId") if row.get(c)]
    threshold = row.get(f"{name}Threshold", "")
    identity = "_".join(part.replace(" ", "") for part in (level, name, *place)).lower()
    return identity, {
        "level": level,
        "threshold": float(threshold) if threshold else None,
        "notes": row.get(f"{name}Notes", ""),
        "severity": kind["severity"],
        "category": kind["kahnCategory"],
        "subcategory": kind["kahnSubcategory"],
        "context": kind["kahnContext"],
        "compared": compared(name, row),
    }


def of_ohdsi() -> Iterator[tuple[str, dict[str, Any]]]:
    levels = {level: read(f"{level.title()}_Level") for level in ("TABLE", "FIELD", "CONCEPT")}
    for kind in read("Check_Descriptions"):
        for row in selected(kind["evaluationFilter"], levels[kind["checkLevel"]]):
            yield as_ohdsi(row, kind)


def as_theirs(check: DqdCheck) -> dict[str, Any]:
    parameters = {
        name: value.text if isinstance(value, Bound) else value
        for name, value in vars(check.parameters).items()
        if value not in ("", None, ())
    }
    if check.name in ("isForeignKey", "fkDomain", "fkClass"):
        parameters = {"fk_domain": "", "fk_class": "", **parameters}
    return {
        "level": check.level,
        "threshold": check.threshold,
        "notes": check.notes,
        "severity": check.severity,
        "category": check.category,
        "subcategory": check.subcategory,
        "context": check.context,
        "compared": parameters,
    }


def test_the_catalogue_is_ohdsis_both_ways() -> None:
    theirs = dict(of_ohdsi())
    ours = {check.id: as_theirs(check) for check in catalogue()}
    assert len(theirs) == 2535
    assert sorted(set(theirs) - set(ours)) == []
    assert sorted(set(ours) - set(theirs)) == []
    assert {i: (ours[i], theirs[i]) for i in theirs if ours[i] != theirs[i]} == {}


def test_every_check_has_an_id_of_its_own_and_a_description_without_gaps() -> None:
    checks = catalogue()
    assert len({check.id for check in checks}) == len(checks) == 2535
    for check in checks:
        assert re.search(r"\s[ .,]|None", check.description) is None, check.description
        assert check.description.endswith(".") and check.table.upper() in check.description


def test_the_kinds_are_the_24_of_today_and_the_3_that_dqd_has_replaced() -> None:
    assert len(kinds()) == 27
    assert {k.name for k in kinds().values() if k.deprecated} == {
        "plausibleTemporalAfter",
        "plausibleDuringLife",
        "plausibleGender",
    }
    assert set(Counter(check.name for check in catalogue())) == set(kinds())


def test_a_bound_is_a_number_a_day_or_a_distance_from_today() -> None:
    bounds = {c.id: c.parameters.low or c.parameters.high for c in catalogue() if "plausibleValue" in c.name}
    assert bounds["field_plausiblevaluehigh_person_year_of_birth"] == Bound("YEAR(GETDATE())+1", years_after=1)
    assert bounds["field_plausiblevaluelow_person_birth_datetime"] == Bound("'18500101'", day=date(1850, 1, 1))
    assert bounds["field_plausiblevaluelow_drug_exposure_quantity"] == Bound("0.0000001", number=1e-7)
    assert bounds["field_plausiblevaluehigh_death_death_date"] == Bound("DATEADD(dd,1,GETDATE())", days_after=1)
    assert str(bounds["field_plausiblevaluehigh_death_death_date"]) == "the day after the delivery"
    assert str(bounds["field_plausiblevaluehigh_person_year_of_birth"]) == "the year of the delivery + 1"
    assert str(bounds["field_plausiblevaluelow_person_birth_datetime"]) == "1850-01-01"
    assert str(bounds["field_plausiblevaluelow_drug_exposure_quantity"]) == "0.0000001"
    for bound in bounds.values():
        assert bound is not None
        assert [bound.number, bound.day, bound.days_after, bound.years_after].count(None) == 3, bound


def test_a_concept_is_described_by_its_name_where_the_vocabulary_has_it() -> None:
    check = next(c for c in catalogue() if c.concepts == (4041261,))
    assert check.id == "concept_plausiblegenderusedescendants_procedure_occurrence_procedure_concept_id_4041261"
    assert "concept 4041261," in check.description
    named = with_names(check, {4041261: "Procedure on female genital system"})
    assert "concept 4041261 (Procedure on female genital system)," in named.description
    assert named.id == check.id
    table = next(c for c in catalogue() if c.level == "TABLE")
    assert with_names(table, {4041261: "x"}) is table

"""From counts to results: what was judged, and why there was nothing to judge, by DQD's rules and our two departures."""

from __future__ import annotations

from contextlib import closing

import duckdb
import pytest

from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.counts import Counts
from oncoweave.quality.dqd.relations import prepare_vocabulary
from oncoweave.quality.dqd.results import Tables, dashboard, results
from oncoweave.quality.judge import judge
from oncoweave.quality.relations import prepare
from oncoweave.records import ExpectationResult, FileRecord, LedgerEntry, MapRecord
from tests.quality.small_cdm import DELIVERY, Cdm

CHECKS = {check.id: check for check in catalogue()}
ALL = frozenset(check.table for check in catalogue())
WROTE = Tables(ALL, ALL)


def one(check: str, counts: Counts, tables: Tables = WROTE) -> ExpectationResult:
    (fact,) = results([CHECKS[check]], {check: counts}, tables)
    (judged,) = judge([fact]).results
    return judged


def outcome(result: ExpectationResult) -> str:
    if result.not_applicable:
        return f"not applicable: {result.not_applicable}"
    return f"error: {result.error}" if result.error else "passed" if result.success else "failed"


NONE = Counts(absent="death")
EMPTY = Counts(0, 0, table_empty=True)
UNFILLED = Counts(0, 7, field_empty=True)


@pytest.mark.parametrize(
    ("check", "counts", "expected"),
    [
        ("field_isrequired_death_death_date", Counts(0, 7), "passed"),
        ("field_isrequired_death_death_date", Counts(1, 7), "failed"),
        ("field_isrequired_death_death_date", Counts(7, 7, field_empty=True), "failed"),
        ("field_isrequired_death_death_date", EMPTY, "not applicable: Table DEATH is empty."),
        ("field_plausiblevaluelow_death_death_date", Counts(1, 100), "passed"),
        ("field_plausiblevaluelow_death_death_date", Counts(2, 100), "failed"),
        (
            "field_plausiblevaluelow_death_death_datetime", UNFILLED,
            "not applicable: Field DEATH.DEATH_DATETIME is not populated.",
        ),
        ("field_plausiblevaluelow_death_death_date", Counts(error="ConversionException"), "error: ConversionException"),
        ("field_plausiblevaluelow_death_death_date", NONE, "not applicable: Table DEATH does not exist."),
        (
            "field_plausiblevaluelow_death_death_date", Counts(absent="death.death_date"),
            "not applicable: Field DEATH.DEATH_DATE does not exist.",
        ),
        ("field_measurevaluecompleteness_death_death_datetime", Counts(7, 7, field_empty=True), "passed"),
        ("field_measurevaluecompleteness_death_death_date", Counts(7, 7, field_empty=True), "failed"),
        ("field_cdmfield_death_death_date", Counts(0, 1, table_empty=True), "passed"),
        ("field_cdmfield_death_death_date", Counts(1, 1), "failed"),
        ("table_measurepersoncompleteness_observation_period", Counts(1, 7), "failed"),
        ("table_measurepersoncompleteness_observation_period", Counts(7, 7, table_empty=True), "failed"),
        ("table_measurepersoncompleteness_death", Counts(7, 7, table_empty=True), "passed"),
        (
            "table_measureconditioneracompleteness_condition_era", EMPTY,
            "not applicable: Table CONDITION_OCCURRENCE is empty.",
        ),
        ("table_measureconditioneracompleteness_condition_era", Counts(1, 7), "failed"),
        (
            "concept_plausiblegender_condition_occurrence_condition_concept_id_26662", Counts(0, 0),
            "not applicable: CONDITION_CONCEPT_ID=26662 is missing from the CONDITION_OCCURRENCE table.",
        ),
        ("concept_plausiblegender_condition_occurrence_condition_concept_id_26662", Counts(5, 100), "passed"),
        ("concept_plausiblegender_condition_occurrence_condition_concept_id_26662", Counts(6, 100), "failed"),
        (
            "concept_plausiblegenderusedescendants_procedure_occurrence_procedure_concept_id_4041261",
            Counts(absent="concept_ancestor"), "not applicable: Table CONCEPT_ANCESTOR does not exist.",
        ),
    ],
)  # fmt: skip
def test_counts_are_judged_as_dqd_judges_them(check: str, counts: Counts, expected: str) -> None:
    assert outcome(one(check, counts)) == expected


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("table_cdmtable_person", "failed"),
        ("table_cdmtable_observation_period", "failed"),
        ("table_cdmtable_visit_occurrence", "not applicable: The source feeds no VISIT_OCCURRENCE."),
        ("table_cdmtable_cost", "not applicable: Oncoweave writes no COST."),
        (
            "table_cdmtable_concept",
            "not applicable: Table CONCEPT belongs to the vocabulary, not to the data of a source.",
        ),
        ("field_isrequired_cost_cost_id", "not applicable: Table COST does not exist."),
        ("field_cdmfield_cost_cost_id", "not applicable: Table COST does not exist."),
    ],
)
def test_a_table_that_was_not_written_fails_only_where_every_cdm_has_it(check: str, expected: str) -> None:
    assert outcome(one(check, Counts(), Tables(frozenset(), frozenset()))) == expected


def test_persons_are_not_missed_in_a_table_that_the_source_does_not_feed() -> None:
    check, counts = "table_measurepersoncompleteness_visit_occurrence", Counts(7, 7, table_empty=True)
    there = Tables(ALL, ALL - {"visit_occurrence"})
    assert outcome(one(check, counts, there)) == "not applicable: The source feeds no VISIT_OCCURRENCE."
    assert outcome(one(check, counts)) == "failed"
    assert outcome(one("table_cdmtable_visit_occurrence", Counts(0, 1), there)) == "passed"


def test_persons_are_not_missed_in_an_era_that_the_vocabulary_does_not_let_derive() -> None:
    lacking = Tables(ALL, ALL, {"drug_era": "CONCEPT_ANCESTOR"})
    told = outcome(one("table_measurepersoncompleteness_drug_era", Counts(7, 7, table_empty=True), lacking))
    assert told == "not applicable: DRUG_ERA cannot be derived: the vocabulary release has no CONCEPT_ANCESTOR."


def entry(fact: str, events: int) -> LedgerEntry:
    return LedgerEntry(
        rule="r",
        column=None,
        table="t",
        fact=fact,
        read=1,
        mapped=1,
        quarantined=0,
        excluded=0,
        events=events,
        unmapped=0,
    )


def test_a_source_feeds_what_has_rows_and_what_a_rule_without_events_is_about() -> None:
    rows = {"person": 2, "drug_exposure": 1, "drug_era": 0, "visit_occurrence": 0, "procedure_occurrence": 0}
    files = [FileRecord(name=f"{name}.parquet", bytes=1, sha256="0", rows=count) for name, count in rows.items()]
    mapped = MapRecord(
        vocabulary="v", unconfirmed_concepts=(), synthetic_origin=None, plan_sha256="", corrections=0, persons=2,
        ledger=(entry("visit", 0), entry("procedure", 3)), unmapped=(), imputed={}, truncated={}, events={},
        tables=tuple(files),
    )  # fmt: skip
    tables = Tables.of(mapped)
    assert tables.wrote == frozenset(rows)
    assert tables.fed == {"person", "drug_exposure", "drug_era", "dose_era", "visit_occurrence"}


def test_a_result_says_where_it_looked_and_what_it_asks() -> None:
    result = one("concept_plausibleunitconceptids_measurement_measurement_concept_id_3018010", Counts(1, 4))
    assert (result.origin, result.suite, result.table, result.column) == (
        "dqd", "dqd", "measurement", "measurement_concept_id",
    )  # fmt: skip
    assert (result.concept, result.unit) == (3018010, "no unit, %")
    assert (result.severity, result.category, result.context) == ("characterization", "plausibility", "verification")
    assert (result.evaluated, result.unexpected, result.mostly) == (4, 1, 0.95)
    assert "3018010" in result.why


def test_of_the_small_cdm_nothing_fails(cdm: Cdm) -> None:
    found = of(cdm)
    assert len({result.check for result in found}) == len(found) == len(CHECKS)
    assert [result.check for result in found if result.error or not result.success] == []


def test_a_defect_is_found_and_its_concept_named(cdm: Cdm) -> None:
    cdm.plant("UPDATE person SET gender_concept_id = 8507")
    cdm.plant("UPDATE condition_occurrence SET condition_concept_id = 441805")
    cdm.plant("UPDATE person SET year_of_birth = NULL WHERE person_id = 2")
    failed = {result.check: result for result in of(cdm) if not result.success}
    gender = failed["concept_plausiblegender_condition_occurrence_condition_concept_id_441805"]
    assert (gender.unexpected, gender.evaluated, gender.concept) == (2, 2, 441805)
    required = failed["field_isrequired_person_year_of_birth"]
    assert (required.severity, required.unexpected, required.evaluated) == ("fatal", 1, 2)


def of(cdm: Cdm) -> list[ExpectationResult]:
    """What the dashboard finds in the small CDM, judged."""
    cdm.write()
    wrote = frozenset(path.stem for path in cdm.run.tables.iterdir())
    with closing(duckdb.connect()) as connection:
        prepare(connection, cdm.run.tables, cdm.concepts, DELIVERY)
        prepare_vocabulary(connection, cdm.concepts.parent)
        return list(judge(dashboard(connection, Tables(wrote, wrote))).results)


def test_the_checks_are_told_in_the_order_of_the_catalogue(cdm: Cdm) -> None:
    checks: list[DqdCheck] = list(catalogue())
    assert [result.check for result in of(cdm)] == [check.id for check in checks]

"""From the counts of DQD checks to results: what was counted, or why there was nothing to judge.

The rules of what is not applicable are DQD's, with two departures (docs/decisions/0024-dqd.md): what no run of Oncoweave
writes is not judged missing, and a required field that is empty in every row fails.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

import duckdb

from oncoweave.omop.model import tables
from oncoweave.omop.routing import TABLE_OF_FACT
from oncoweave.quality.dqd.catalogue import catalogue, units_told, with_names
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.counts import Counts
from oncoweave.quality.dqd.relations import VOCABULARY
from oncoweave.quality.dqd.run import run_dqd
from oncoweave.records import Category, Context, ExpectationResult, MapRecord

SUITE = "dqd"
_ERAS = {"condition_era": "condition_occurrence", "drug_era": "drug_exposure", "dose_era": "drug_exposure"}
REQUIRED_TABLES = ("person", "observation_period")
"""The tables that every CDM has to have (OHDSI's table `Table_Level`, `isRequired`)."""


@dataclass(frozen=True)
class Tables:
    """The tables of a run: those that it `wrote`, with or without rows, and those that its source is meant to feed.

    `lacks` names, by table, the table of the vocabulary without which it can only be written empty.
    """

    wrote: frozenset[str]
    fed: frozenset[str]
    lacks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, mapped: MapRecord) -> Tables:
        """A source feeds what has rows, what a rule is about that made none, and what is derived from these."""
        rows = {file.name.removesuffix(".parquet"): file.rows or 0 for file in mapped.tables}
        fed = {table for table, count in rows.items() if count}
        fed |= {
            TABLE_OF_FACT[entry.fact] for entry in mapped.ledger if entry.fact in TABLE_OF_FACT and not entry.events
        }
        fed |= {era for era, base in _ERAS.items() if base in fed}
        return cls(frozenset(rows), frozenset(fed), {one.table: one.lacks for one in mapped.derived if one.lacks})

    def why_without_persons(self, table: str) -> str:
        """Why persons need no row in a table; empty where they do."""
        if table not in self.fed:
            return f"The source feeds no {table.upper()}."
        lacks = self.lacks.get(table)
        return f"{table.upper()} cannot be derived: the vocabulary release has no {lacks}." if lacks else ""


def dashboard(connection: duckdb.DuckDBPyConnection, run_tables: Tables) -> list[ExpectationResult]:
    """The result of every check of the catalogue.

    The connection holds what `quality.relations.prepare` and `prepare_vocabulary` make. A check of a table that the run did not
    write is not run. Concepts are named where the check has something to judge; of CPT4 they are not, since its names may not
    be passed on.
    """
    checks = catalogue()
    counts = run_dqd(connection, (check for check in checks if check.table in run_tables.wrote))
    found = results(checks, counts, run_tables)
    judged = [check for check, one in zip(checks, found, strict=True) if check.concepts and not one.not_applicable]
    names = _names(connection, {concept for check in judged for concept in check.concepts})
    told = {check.id: with_names(check, names).description for check in judged}
    return [one.model_copy(update={"why": told[one.check]}) if one.check in told else one for one in found]


def results(checks: Iterable[DqdCheck], counts: Mapping[str, Counts], run_tables: Tables) -> list[ExpectationResult]:
    """One result a check, in their order; `counts` are those of the checks that were run."""
    return [_result(check, counts.get(check.id, Counts()), run_tables) for check in checks]


def _names(connection: duckdb.DuckDBPyConnection, concepts: Collection[int]) -> dict[int, str]:
    if not concepts:
        return {}
    with suppress(duckdb.Error):  # a vocabulary without names leaves the concepts without them
        rows = connection.execute(
            "SELECT concept_id, min(concept_name) FROM concept "
            "WHERE concept_id IN (SELECT unnest(?)) AND vocabulary_id <> 'CPT4' GROUP BY concept_id",
            [sorted(concepts)],
        )
        return {int(concept): str(name) for concept, name in rows.fetchall()}
    return {}


def _result(check: DqdCheck, counts: Counts, run_tables: Tables) -> ExpectationResult:
    violated, denominator = counts.violated, counts.denominator
    if check.name == "cdmTable" and check.table in REQUIRED_TABLES and check.table not in run_tables.wrote:
        violated, denominator = 1, 1
    reason = _not_applicable(check, counts, run_tables)
    return ExpectationResult(
        check=check.id,
        origin="dqd",
        suite=SUITE,
        table=check.table,
        expectation=check.name,
        column=check.field or None,
        concept=check.concepts[0] if len(check.concepts) == 1 else None,
        unit=units_told(check.parameters.units),
        severity=check.severity,
        category=cast("Category", check.category.lower()),
        context=cast("Context", check.context.lower()),
        why=check.description,
        success=not counts.error,
        error=None if reason else counts.error or None,
        not_applicable=reason,
        evaluated=denominator,
        unexpected=violated,
        mostly=check.mostly,
    )


def _not_applicable(check: DqdCheck, counts: Counts, run_tables: Tables) -> str:
    """Why there is nothing to judge; empty when there is."""
    if check.table not in run_tables.wrote:
        return _without_table(check)
    if check.name in ("cdmTable", "cdmField"):
        return ""
    if counts.absent:
        return _absent(counts.absent)
    if counts.error:
        return ""
    if check.name == "measureConditionEraCompleteness":
        return "Table CONDITION_OCCURRENCE is empty." if counts.table_empty else ""
    if check.name == "measurePersonCompleteness":
        return run_tables.why_without_persons(check.table)
    return _without_rows(check, counts)


def _without_table(check: DqdCheck) -> str:
    table = check.table.upper()
    if check.name != "cdmTable":
        return f"Table {table} does not exist."
    if check.table in REQUIRED_TABLES:
        return ""
    if check.table in tables():
        return f"The source feeds no {table}."
    if check.table in VOCABULARY:
        return f"Table {table} belongs to the vocabulary, not to the data of a source."
    return f"Oncoweave writes no {table}."


def _absent(what: str) -> str:
    table, _, field = what.upper().partition(".")
    return f"Field {table}.{field} does not exist." if field else f"Table {table} does not exist."


def _without_rows(check: DqdCheck, counts: Counts) -> str:
    table, field = check.table.upper(), check.field.upper()
    if counts.table_empty:
        return f"Table {table} is empty."
    if check.name in ("measureValueCompleteness", "isRequired"):
        return ""
    if counts.field_empty:
        return f"Field {table}.{field} is not populated."
    if check.level == "CONCEPT" and not counts.denominator:
        return f"{field}={','.join(map(str, check.concepts))} is missing from the {table} table."
    return ""

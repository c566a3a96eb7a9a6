"""The era tables, derived from the tables that are written: spans in which a person has a condition or takes an ingredient.

Sources: OMOP CDM 5.4 and its reference scripts (sqlScripts.Rmd); where they leave a choice, docs/decisions tells ours.
Each table is one pass of windows over the few columns that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from oncoweave.compiler.keys import salt
from oncoweave.engine.connection import without_values
from oncoweave.engine.parquet import literal
from oncoweave.omop.doses import DAILY, DOSE_ERAS
from oncoweave.omop.tables import TableWriter
from oncoweave.records import DerivedTable
from oncoweave.vocabulary.bundle import Bundle
from oncoweave.vocabulary.ingredients import MOST, ingredients, strengths

PERSISTENCE = 30
"""Days that may pass between two records of one era."""
UNMAPPED = "concept 0"
NO_INGREDIENT = "no ingredient in the vocabulary"
NO_STRENGTH = "no strength in the vocabulary"
NO_QUANTITY = "no quantity"


@dataclass(frozen=True)
class EraWriter:
    """Writes the era tables of one run beside the tables they are derived from."""

    writer: TableWriter
    bundle: Bundle

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        return self.writer.connection

    def write_drugs(self) -> list[DerivedTable]:
        """drug_era and dose_era."""
        self._count_drugs()
        return [self._drugs(), self._doses()]

    def write_conditions(self) -> DerivedTable:
        """condition_era: records of one concept; one without an end lasts to the next day."""
        source = self._table("condition_occurrence")
        spans = f"""SELECT condition_occurrence_id AS id, person_id, condition_concept_id AS concept_id, condition_start_date AS start_date,
            greatest(condition_start_date, coalesce(condition_end_date, condition_start_date + 1)) AS end_date
            FROM {source} WHERE condition_concept_id <> 0"""
        rows = self.writer.write_rows(
            "condition_era",
            f"""SELECT xor(id, {salt("condition_era")}) AS condition_era_id, person_id, concept_id AS condition_concept_id,
            start_date AS condition_era_start_date, end_date AS condition_era_end_date, records AS condition_occurrence_count
            FROM ({_eras(spans)})""",
        )
        counts = f"SELECT count(*), count(*) FILTER (condition_concept_id = 0) FROM {source}"
        ((read, unmapped),) = self._rows(counts)
        return _derived("condition_era", rows, "condition_occurrence", read, {UNMAPPED: unmapped})

    def _count_drugs(self) -> None:
        """era_drug: the drug concepts of the release, and how many exposures each has, so that nothing is looked up per exposure."""
        quantity = f"quantity > 0 AND quantity <= {MOST}"
        with without_values("counting drugs"):
            self.connection.execute(f"""CREATE OR REPLACE TEMP TABLE era_drug AS
                SELECT drug_concept_id, count(*) AS exposures, count(*) FILTER ({quantity}) AS measured
                FROM {self._table("drug_exposure")} GROUP BY drug_concept_id""")

    def _drugs(self) -> DerivedTable:
        """drug_era: exposures to one ingredient; gap_days are the days between them on which no supply was left."""
        found = ingredients(self.bundle)
        if found is None:
            return self._without("drug_era", "CONCEPT_ANCESTOR")
        self._create("era_ingredient", *found)
        spans = f"""SELECT e.drug_exposure_id AS id, e.person_id, i.ingredient_concept_id AS concept_id,
            e.drug_exposure_start_date AS start_date, greatest(e.drug_exposure_start_date, e.drug_exposure_end_date) AS end_date
            FROM {self._table("drug_exposure")} AS e JOIN era_ingredient AS i ON i.drug_concept_id = e.drug_concept_id"""
        rows = self.writer.write_rows(
            "drug_era",
            f"""SELECT xor(xor(id, {salt("drug_era")}), concept_id::BIGINT) AS drug_era_id, person_id, concept_id AS drug_concept_id,
            start_date AS drug_era_start_date, end_date AS drug_era_end_date, records AS drug_exposure_count, gap_days
            FROM ({_eras(spans)})""",
        )
        return self._accounted("drug_era", rows, "era_ingredient", NO_INGREDIENT)

    def _doses(self) -> DerivedTable:
        """dose_era: exposures to one ingredient at one dose a day."""
        found = strengths(self.bundle)
        if found is None:
            return self._without("dose_era", "DRUG_STRENGTH")
        self._create("era_strength", *found)
        daily = DAILY.format(exposures=self._table("drug_exposure"), most=MOST)
        eras = DOSE_ERAS.format(daily=daily, persistence=PERSISTENCE)
        rows = self.writer.write_rows(
            "dose_era",
            f"""SELECT xor(xor(id, {salt("dose_era")}), xor(concept_id::BIGINT, unit_concept_id::BIGINT << 31)) AS dose_era_id,
            person_id, concept_id AS drug_concept_id, unit_concept_id, CAST(dose AS DOUBLE) AS dose_value,
            start_date AS dose_era_start_date, end_date AS dose_era_end_date FROM ({eras})""",
        )
        return self._accounted("dose_era", rows, "era_strength", NO_STRENGTH)

    def _create(self, name: str, select: str, parameters: dict[str, str]) -> None:
        """A table of what the vocabulary says of the drugs of the release, and of no other drug."""
        wanted = "drug_concept_id <> 0 AND drug_concept_id IN (SELECT drug_concept_id FROM era_drug)"
        with without_values("reading the vocabulary"):
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM ({select}) WHERE {wanted}", parameters
            )

    def _accounted(self, name: str, rows: int, known: str, reason: str) -> DerivedTable:
        """What became of the exposures: those with concept 0, of drugs that are not `known`, and (for a dose) without a quantity."""
        of_day = "a_day IS NOT NULL" if name == "dose_era" else "true"
        sql = f"""SELECT coalesce(sum(d.exposures), 0), coalesce(sum(d.exposures) FILTER (d.drug_concept_id = 0), 0),
            coalesce(sum(d.exposures) FILTER (d.drug_concept_id <> 0 AND k.drug_concept_id IS NULL), 0),
            coalesce(sum(d.exposures - d.measured) FILTER (NOT k.of_day), 0)
            FROM era_drug AS d LEFT JOIN (SELECT drug_concept_id, bool_or({of_day}) AS of_day FROM {known} GROUP BY ALL) AS k
                ON k.drug_concept_id = d.drug_concept_id"""
        ((read, unmapped, unknown, unmeasured),) = self._rows(sql)
        return _derived(
            name, rows, "drug_exposure", read, {UNMAPPED: unmapped, reason: unknown, NO_QUANTITY: unmeasured}
        )

    def _without(self, name: str, needed: str) -> DerivedTable:
        """The table without rows, since the vocabulary does not have what it is derived by."""
        fields = self.writer.write_rows(name, None)
        ((read,),) = self._rows("SELECT coalesce(sum(exposures), 0) FROM era_drug")
        reason = f"the vocabulary {self.bundle.release} has no {needed}"
        return _derived(name, fields, "drug_exposure", read, {reason: read}, lacks=needed)

    def _table(self, name: str) -> str:
        return f"read_parquet({literal(self.writer.folder / f'{name}.parquet')})"

    def _rows(self, sql: str) -> list[tuple[int, ...]]:
        with without_values("counting what eras are made of"):
            return self.connection.execute(sql).fetchall()


def _eras(spans: str) -> str:
    """A SELECT of the eras of `spans` (id, person_id, concept_id, start_date, end_date), with the id of their first span.

    `gap_days` are the days from the end of what was seen to the start of the next, as the reference script counts
    them: supply that is left when the next span starts is not added to it.
    """
    within = "PARTITION BY person_id, concept_id ORDER BY start_date, id"
    reached = f"""SELECT *, max(end_date) OVER ({within} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
        FROM ({spans})"""
    begun = f"""SELECT *, coalesce(start_date > reached + {PERSISTENCE}, true) AS begins,
        CASE WHEN start_date > reached AND start_date <= reached + {PERSISTENCE} THEN start_date - reached ELSE 0 END AS gap
        FROM ({reached})"""
    numbered = f"SELECT *, sum(begins::INTEGER) OVER ({within} ROWS UNBOUNDED PRECEDING) AS era FROM ({begun})"
    return f"""SELECT max(id) FILTER (begins) AS id, person_id, concept_id, min(start_date) AS start_date,
        max(end_date) AS end_date, count(*) AS records, sum(gap) AS gap_days
        FROM ({numbered}) GROUP BY person_id, concept_id, era"""


def _derived(
    name: str, rows: int, source: str, read: int, left_out: dict[str, int], *, lacks: str = ""
) -> DerivedTable:
    told = tuple((reason, int(number)) for reason, number in left_out.items() if number)
    used = int(read) - sum(number for _, number in told)
    return DerivedTable(table=name, rows=rows, source=source, read=int(read), used=used, left_out=told, lacks=lacks)

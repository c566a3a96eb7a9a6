"""One count of rows by concept for all checks that judge concepts: a table has many rows, but few different concepts.

Every function here gives the counts of checks of one table by id. It raises duckdb.Error where its queries cannot run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import duckdb

from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.counts import Counts
from oncoweave.quality.dqd.forms import NOT_STANDARD, listed, named

ASKED_OF_CONCEPTS = ("isForeignKey", "fkDomain", "fkClass", "isStandardValidConcept")


@dataclass(frozen=True)
class Found:
    """So many rows have a concept of this kind in a field: one domain and class, unless CONCEPT has it more than once."""

    field: str
    zero: bool
    known: bool
    domains: list[str]
    classes: list[str]
    standard: bool
    rows: int


def concepts(
    connection: duckdb.DuckDBPyConnection, table: str, checks: Sequence[DqdCheck], rows: int
) -> dict[str, Counts]:
    """Foreign keys to CONCEPT, domains, classes, and whether concepts are standard. The table has so many rows."""
    found = [Found(*row) for row in connection.execute(_kinds(table, checks)).fetchall()]
    return {check.id: _judged(check, [f for f in found if f.field == check.field], rows) for check in checks}


def _judged(check: DqdCheck, found: Sequence[Found], rows: int) -> Counts:
    fails = _FAILS[check.name]
    violated = sum(f.rows for f in found if fails(f, check))
    return Counts(violated, sum(f.rows for f in found) if check.name == "isStandardValidConcept" else rows)


def _differ(values: list[str], wanted: str) -> bool:
    return any(value != wanted for value in values)


_FAILS: dict[str, Callable[[Found, DqdCheck], bool]] = {
    "isForeignKey": lambda f, check: not f.known,
    "fkDomain": lambda f, check: f.known and not f.zero and _differ(f.domains, check.parameters.fk_domain),
    "fkClass": lambda f, check: f.known and not f.zero and _differ(f.classes, check.parameters.fk_class),
    "isStandardValidConcept": lambda f, check: f.known and not f.zero and not f.standard,
}


def _kinds(table: str, checks: Iterable[DqdCheck]) -> str:
    """Counts rows by field and kind of concept. CONCEPT is read once, and of it the concepts that the fields have."""
    fields = sorted({check.field for check in checks})
    tally = " UNION ALL ".join(
        f"SELECT {number} AS field, {named(name)} AS concept_id, count(*) AS n FROM {named(table)} "
        f"WHERE {named(name)} IS NOT NULL GROUP BY {named(name)}"
        for number, name in enumerate(fields)
    )
    names = ", ".join(f"'{name}'" for name in fields)
    return (
        f"WITH tally AS MATERIALIZED ({tally}), used AS MATERIALIZED ("
        f"SELECT concept_id, {_texts('domain_id')} AS domains, {_texts('concept_class_id')} AS classes, "
        f"NOT bool_or({NOT_STANDARD}) AS standard FROM concept "
        "WHERE concept_id IN (SELECT concept_id FROM tally) GROUP BY concept_id) "
        f"SELECT [{names}][1 + t.field], t.concept_id = 0, c.concept_id IS NOT NULL, "
        "coalesce(c.domains, []), coalesce(c.classes, []), coalesce(c.standard, false), CAST(sum(t.n) AS BIGINT) "
        "FROM tally AS t LEFT JOIN used AS c ON c.concept_id = t.concept_id GROUP BY ALL"
    )


def _texts(field: str) -> str:
    return f"list_sort(list(DISTINCT {field}) FILTER (WHERE {field} IS NOT NULL))"


def genders(connection: duckdb.DuckDBPyConnection, table: str, checks: Sequence[DqdCheck]) -> dict[str, Counts]:
    """Plausible genders: of the concepts listed, and of what is below them, in one field."""
    wanted = listed(tuple(sorted({concept for check in checks for concept in check.concepts})))
    below = any(check.name == "plausibleGenderUseDescendants" for check in checks)
    field = named(checks[0].field)
    found = connection.execute(_by_descendant(table, field, wanted) if below else _by_concept(table, field, wanted))
    return _summed(checks, {concept: counts for concept, *counts in found.fetchall()})


def _summed(checks: Sequence[DqdCheck], found: dict[int, list[int]]) -> dict[str, Counts]:
    """The counts of each check: the sum of those of its concepts."""
    nothing = [0, 0, 0]
    counts: dict[str, Counts] = {}
    for check in checks:
        rows, not_male, not_female = map(sum, zip(*(found.get(c, nothing) for c in check.concepts), strict=True))
        counts[check.id] = Counts(not_male if check.parameters.gender == "Male" else not_female, rows)
    return counts


_GENDERS = (
    "CAST(sum(n) AS BIGINT), CAST(coalesce(sum(n) FILTER (WHERE not_male), 0) AS BIGINT), "
    "CAST(coalesce(sum(n) FILTER (WHERE not_female), 0) AS BIGINT)"
)


def _tally(table: str, field: str, among: str) -> str:
    return (
        f"SELECT r.{field} AS concept_id, p.not_male, p.not_female, count(*) AS n FROM {named(table)} AS r "
        f"LEFT JOIN dqd_person AS p ON p.person_id = r.person_id WHERE r.{field} IN {among} GROUP BY ALL"
    )


def _by_concept(table: str, field: str, wanted: str) -> str:
    return f"SELECT concept_id, {_GENDERS} FROM ({_tally(table, field, wanted)}) GROUP BY concept_id"


def _by_descendant(table: str, field: str, wanted: str) -> str:
    return (
        "WITH below AS MATERIALIZED (SELECT ancestor_concept_id AS ancestor, descendant_concept_id AS concept_id "
        f"FROM concept_ancestor WHERE ancestor_concept_id IN {wanted}) "
        f"SELECT ancestor, {_GENDERS} FROM ({_tally(table, field, '(SELECT concept_id FROM below)')}) "
        "JOIN below USING (concept_id) GROUP BY ancestor"
    )


def units(connection: duckdb.DuckDBPyConnection, table: str, checks: Sequence[DqdCheck]) -> dict[str, Counts]:
    """Plausible units of the concepts listed, in one field."""
    wanted = listed(tuple(sorted({concept for check in checks for concept in check.concepts})))
    field = named(checks[0].field)
    found = connection.execute(
        f"SELECT {field}, unit_concept_id, count(*) FROM {named(table)} WHERE {field} IN {wanted} "
        "AND unit_concept_id IS DISTINCT FROM 0 GROUP BY ALL"
    ).fetchall()
    counts: dict[str, Counts] = {}
    for check in checks:
        of_check = [(unit, rows) for concept, unit, rows in found if concept in check.concepts]
        violated = sum(rows for unit, rows in of_check if unit is not None and unit not in check.parameters.units)
        counts[check.id] = Counts(violated, sum(rows for _, rows in of_check))
    return counts

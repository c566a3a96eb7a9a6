"""One scan of a table for all checks that judge its rows one by one: each check is two aggregates of the same query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import duckdb

from oncoweave.engine.parquet import identifier
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.quality.dqd.counts import Counts
from oncoweave.quality.dqd.forms import day, field, form
from oncoweave.quality.dqd.present import Present, Value, aggregate

_ROWS = "count(*)"
PERSON = " LEFT JOIN dqd_person AS p ON p.person_id = r.person_id"
"""What joins a row with the birth and death of its person."""
VISIT = " LEFT JOIN dqd_visit AS v ON v.visit_occurrence_id = r.visit_occurrence_id"
"""What joins a row with the days of its visit."""


@dataclass(frozen=True)
class Pair:
    """The aggregates of a check, and the join that they need beside the table `r`."""

    violated: str
    denominator: str
    join: str = ""


class Scans:
    """The scans of the tables in one connection, which has the relations `dqd_person` and `dqd_visit`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, present: Present, today: str) -> None:
        self._connection, self._present, self._today = connection, present, today

    def pair(self, check: DqdCheck) -> Pair:
        """The aggregates of a check that a scan answers."""
        return _PAIRS[check.name](check, self._present, self._today)

    def scan(
        self, table: str, checks: Sequence[DqdCheck], fields: Iterable[str]
    ) -> tuple[dict[str, Counts], dict[str, Value]]:
        """The counts of the checks by id, and how many rows have each of the fields filled."""
        pairs = {check.id: self.pair(check) for check in checks}
        filled = {name: _filled(f"r.{identifier(name)}") for name in fields}
        values: dict[tuple[str, str], Value] = {}
        for join in sorted({"", *(pair.join for pair in pairs.values())}):
            wanted = [a for pair in pairs.values() if pair.join == join for a in (pair.violated, pair.denominator)]
            wanted += filled.values() if join == "" else ()
            found = aggregate(self._connection, f"{identifier(table)} AS r{join}", wanted)
            values |= {(join, expression): value for expression, value in found.items()}
        counts = {
            id_: counted(values[pair.join, pair.violated], values[pair.join, pair.denominator])
            for id_, pair in pairs.items()
        }
        return counts, {name: values["", expression] for name, expression in filled.items()}


def counted(violated: Value, denominator: Value) -> Counts:
    """Both counts, or the error that one of them is."""
    for value in (violated, denominator):
        if isinstance(value, str):
            return Counts(error=value)
    return Counts(int(violated), int(denominator))


def _where(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _filled(sql: str) -> str:
    return f"count({sql})"


def _empty(check: DqdCheck, _present: Present, _today: str) -> Pair:
    return Pair(f"count(*) - count({field(check)})", _ROWS)


def _datatype(check: DqdCheck, present: Present, today: str) -> Pair:
    return Pair("0" if present.is_integer(check.table, check.field) else _where(form(check, today).failing), _ROWS)


def _alone(check: DqdCheck, _present: Present, today: str) -> Pair:
    """A check of nothing but the row itself."""
    wanted = form(check, today)
    return Pair(_where(wanted.failing), _where(wanted.judged) if wanted.judged else _ROWS)


def _bounded(check: DqdCheck, _present: Present, today: str) -> Pair:
    return Pair(_where(form(check, today).failing), _filled(field(check)))


def _temporal_after(check: DqdCheck, present: Present, today: str) -> Pair:
    if check.parameters.after_table != "person":
        return _alone(check, present, today)
    return Pair(_where(f"p.middle_of_birth_year > {day(field(check))}"), _ROWS, PERSON)


def _after_birth(check: DqdCheck, _present: Present, _today: str) -> Pair:
    return Pair(_where(f"p.birth > {day(field(check))}"), _filled(field(check)), PERSON)


def _during_life(check: DqdCheck, _present: Present, _today: str) -> Pair:
    return Pair(_where(f"{day(field(check))} > p.last_day"), _where("p.died"), PERSON)


def _before_death(check: DqdCheck, present: Present, today: str) -> Pair:
    late = _during_life(check, present, today)
    return Pair(late.violated, _where(f"p.died AND {field(check)} IS NOT NULL"), PERSON)


def _within_visit(check: DqdCheck, _present: Present, _today: str) -> Pair:
    value = day(field(check))
    return Pair(_where(f"{value} < v.first_day OR {value} > v.last_day"), _filled("v.visit_occurrence_id"), VISIT)


_PAIRS: Mapping[str, Callable[[DqdCheck, Present, str], Pair]] = MappingProxyType(
    {
        "isRequired": _empty,
        "measureValueCompleteness": _empty,
        "cdmDatatype": _datatype,
        "standardConceptRecordCompleteness": _alone,
        "sourceConceptRecordCompleteness": _alone,
        "plausibleValueLow": _bounded,
        "plausibleValueHigh": _bounded,
        "plausibleStartBeforeEnd": _alone,
        "plausibleTemporalAfter": _temporal_after,
        "plausibleAfterBirth": _after_birth,
        "plausibleDuringLife": _during_life,
        "plausibleBeforeDeath": _before_death,
        "withinVisitDates": _within_visit,
    }
)
SCANNED = frozenset(_PAIRS)
"""The names of the checks that a scan answers."""

"""Who and what is in the tables, for people who look whether it can be true: persons by year, age, sex and care site, and records
by year. Small groups are left out here already, so that what is written down may be shown to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import duckdb

from oncoweave.engine.connection import connect, without_values
from oncoweave.engine.parquet import identifier, literal
from oncoweave.omop.clinical import CLINICAL, SEXES
from oncoweave.omop.model import tables
from oncoweave.privacy.small_cells import Count, suppressed, told_count
from oncoweave.record import Record

MOST_SITES = 25
"""How many care sites are told apart; the smaller ones are one group."""
LONGEST_YEARS = 150
"""Years further from the last one are one group, so that a wrong date does not stretch a picture."""
UNKNOWN, OTHERS, EARLIER, BEFORE_BIRTH = "unknown", "others", "earlier", "before birth"
"""Groups that are no value of the data."""

_INDEX = """CREATE TABLE first_day AS SELECT p.person_id, p.gender_concept_id, p.care_site_id, f.day,
    CASE WHEN p.year_of_birth IS NULL THEN NULL ELSE try_cast(concat_ws('-', p.year_of_birth,
        coalesce(p.month_of_birth, 7), coalesce(p.day_of_birth, 1)) AS DATE) END AS birth
FROM person AS p LEFT JOIN (SELECT person_id, min(day) AS day FROM ({days}) GROUP BY person_id) AS f USING (person_id)"""
_AGE = """SELECT CASE WHEN day IS NULL OR birth IS NULL THEN '{unknown}' WHEN day < birth THEN '{before}'
    WHEN date_sub('year', birth, day) >= 90 THEN '90+'
    ELSE concat(date_sub('year', birth, day) // 10 * 10, '–', date_sub('year', birth, day) // 10 * 10 + 9) END
FROM first_day"""
_AGES = (BEFORE_BIRTH, *(f"{n}–{n + 9}" for n in range(0, 90, 10)), "90+", UNKNOWN)
_SITE = """SELECT coalesce(nullif(trim(s.care_site_name), ''), nullif(trim(s.care_site_source_value), ''),
    'care site ' || p.care_site_id, '{unknown}') FROM first_day AS p LEFT JOIN care_site AS s USING (care_site_id)"""


class Group(Record):
    """A group of persons; `persons` is None where it is small, or would let a small one be worked out."""

    name: str
    persons: Count


class Distribution(Record):
    """Persons by one thing; the groups add up to all persons. No group, and a reason, where it is told of nobody."""

    by: Literal["sex", "age", "year", "care_site"]
    groups: tuple[Group, ...]


class YearRecords(Record):
    """The records of a table by year of their day, the years without a gap from the first to the last."""

    table: str
    first: int
    records: tuple[Count, ...]


class Distributions(Record):
    """distributions.json. Counts from 1 to `smallest` - 1 are left out, and others by which they could be worked out.

    `since` says what the age and the year are of: the first diagnosis (row of condition_occurrence) of a person or, where the
    source has none, the first record.
    """

    smallest: int
    persons: Count
    since: Literal["diagnosis", "record"]
    persons_by: tuple[Distribution, ...]
    records_by_year: tuple[YearRecords, ...]


def distributions(folder: Path, work: Path, smallest: int) -> Distributions:
    """The distributions of the target tables in `folder`.

    Raises OncoweaveError where a table is not of the CDM's form, which the checks tell of.
    """
    with closing(connect(work=work, allow=[folder])) as connection, without_values("counting distributions"):
        _open(connection, folder)
        is_diagnosis = _one(connection, "SELECT count(*) FROM condition_occurrence") > 0
        days = ["condition_occurrence"] if is_diagnosis else list(CLINICAL)
        union = " UNION ALL ".join(f"SELECT person_id, {_day(table)} AS day FROM {table}" for table in days)
        connection.execute(_INDEX.format(days=union))
        return Distributions(
            smallest=smallest,
            persons=told_count(_one(connection, "SELECT count(*) FROM first_day"), smallest),
            since="diagnosis" if is_diagnosis else "record",
            persons_by=(
                _told("year", _years(connection), smallest),
                _told("age", _ages(connection), smallest),
                _told("sex", _sexes(connection), smallest),
                _told("care_site", _sites(connection), smallest),
            ),
            records_by_year=tuple(
                found for table in (*CLINICAL, "death") if (found := _records(connection, table, smallest))
            ),
        )


def _open(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """A view of each table that is needed; an empty one of a table that was not written."""
    for name in (*CLINICAL, "person", "death", "care_site"):
        path = folder / f"{name}.parquet"
        fields = ", ".join(f"CAST(NULL AS {f.type}) AS {identifier(f.name)}" for f in tables()[name].fields)
        rows = f"FROM read_parquet({literal(path)})" if path.is_file() else f"SELECT {fields} WHERE false"
        connection.execute(f"CREATE VIEW {name} AS {rows}")


def _day(table: str) -> str:
    return "death_date" if table == "death" else CLINICAL[table][1]


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(connection.execute(sql).fetchall()[0][0])


def _counted(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, int]:
    rows = connection.execute(f"SELECT name, count(*) FROM ({sql}) AS t(name) GROUP BY ALL ORDER BY ALL").fetchall()
    return {str(name): int(count) for name, count in rows}


def _told(by: Literal["sex", "age", "year", "care_site"], counts: Mapping[str, int], smallest: int) -> Distribution:
    shown = suppressed(counts, smallest)
    return Distribution(by=by, groups=tuple(Group(name=name, persons=count) for name, count in shown.items()))


def _years(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Persons by the year of their first day, each year from the first to the last."""
    rows = connection.execute("SELECT year(day), count(*) FROM first_day GROUP BY ALL ORDER BY ALL").fetchall()
    found = {int(year): int(count) for year, count in rows if year is not None}
    none = sum(int(count) for year, count in rows if year is None)
    counts: dict[str, int] = {}
    if found:
        first = max(min(found), max(found) - LONGEST_YEARS)
        if early := sum(count for year, count in found.items() if year < first):
            counts[EARLIER] = early
        counts |= {str(year): found.get(year, 0) for year in range(first, max(found) + 1)}
    return counts | ({UNKNOWN: none} if none else {})


def _ages(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    found = _counted(connection, _AGE.format(unknown=UNKNOWN, before=BEFORE_BIRTH))
    seldom = (BEFORE_BIRTH, UNKNOWN)
    return {name: found.get(name, 0) for name in _AGES if name in found or name not in seldom}


def _sexes(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    names = " ".join(f"WHEN {concept} THEN {literal(name)}" for concept, name in SEXES.items())
    sql = f"SELECT CASE coalesce(gender_concept_id, 0) {names} ELSE 'concept ' || gender_concept_id END FROM first_day"
    found = _counted(connection, sql)
    return {name: found.get(name, 0) for name in ("female", "male")} | found


def _sites(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    found = _counted(connection, _SITE.format(unknown=UNKNOWN))
    if set(found) <= {UNKNOWN}:
        return {}
    none = found.pop(UNKNOWN, 0)
    ranked = sorted(found, key=lambda name: (-found[name], name))
    counts = {name: found[name] for name in ranked[:MOST_SITES]}
    if rest := sum(found[name] for name in ranked[MOST_SITES:]):
        counts[OTHERS] = rest
    return counts | ({UNKNOWN: none} if none else {})


def _records(connection: duckdb.DuckDBPyConnection, table: str, smallest: int) -> YearRecords | None:
    sql = f"SELECT year({_day(table)}) AS y, count(*), count(DISTINCT person_id) FROM {table} GROUP BY y ORDER BY y"
    rows: Sequence[tuple[int, int, int]] = [row for row in connection.execute(sql).fetchall() if row[0] is not None]
    if not rows:
        return None
    last = rows[-1][0]
    shown = [row for row in rows if row[0] >= last - LONGEST_YEARS]
    counts = {year: count for year, count, _ in shown}
    small = {year for year, _, persons in shown if told_count(persons, smallest) is None}
    told = suppressed(counts, smallest, small)
    years = range(shown[0][0], last + 1)
    return YearRecords(table=table, first=years[0], records=tuple(told.get(year, 0) for year in years))

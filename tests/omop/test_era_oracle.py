"""The eras against a slow oracle, which goes through each person's records, or days, one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoweave.compiler.keys import salt
from oncoweave.engine.connection import connect
from oncoweave.omop.eras import EraWriter
from oncoweave.omop.tables import TableWriter
from oncoweave.vocabulary.bundle import Bundle
from tests.map.workshop import INGREDIENTS, RELEASE, STRENGTHS, build_vocabulary

DAY = timedelta(days=1)
FIRST = date(2020, 1, 1)
RECORD = st.tuples(
    st.integers(1, 2), st.sampled_from([0, 401, 411, 412, 413, 414, 415, 416, 417]), st.integers(0, 150),
    st.integers(0, 40), st.sampled_from([None, 0, 1, 5, 10, 30]),
)  # fmt: skip
"""person, concept, first day, days to the last (none for a condition that has none), quantity."""
Record = tuple[int, int, int, int, int | None]
Rows = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The workshop's vocabulary."""
    return Bundle.open(build_vocabulary(tmp_path_factory.mktemp("vocabulary")), RELEASE)


def derived(folder: Path, bundle: Bundle, records: Sequence[Record], threads: int = 2) -> dict[str, Path]:
    """The era tables of these records, as conditions and as exposures."""
    with duckdb.connect() as given_:
        given_.execute(
            "CREATE TABLE c (condition_occurrence_id BIGINT, person_id BIGINT, condition_concept_id INTEGER, condition_start_date DATE, condition_end_date DATE)"
        )
        given_.execute(
            "CREATE TABLE d (drug_exposure_id BIGINT, person_id BIGINT, drug_concept_id INTEGER, drug_exposure_start_date DATE, drug_exposure_end_date DATE, quantity DOUBLE)"
        )
        firsts = [FIRST + record[2] * DAY for record in records]
        numbered = list(zip(range(len(records)), records, firsts, strict=True))
        conditions = [(salt(str(n)), r[0], r[1], first, _end(first, r[3])) for n, r, first in numbered]
        exposures = [(salt(str(n)), r[0], r[1], first, first + r[3] * DAY, r[4]) for n, r, first in numbered]
        if records:
            given_.executemany("INSERT INTO c VALUES (?, ?, ?, ?, ?)", conditions)
            given_.executemany("INSERT INTO d VALUES (?, ?, ?, ?, ?, ?)", exposures)
        given_.execute(f"COPY c TO '{folder}/condition_occurrence.parquet' (FORMAT parquet)")
        given_.execute(f"COPY d TO '{folder}/drug_exposure.parquet' (FORMAT parquet)")
    with connect(work=folder, allow=[folder, bundle.folder], threads=threads) as connection:
        eras = EraWriter(TableWriter(connection, folder, (), folder), bundle)
        eras.write_conditions()
        eras.write_drugs()
    return {name: folder / f"{name}.parquet" for name in ("condition_era", "drug_era", "dose_era")}


def _end(first: date, days: int) -> date | None:
    return first + days * DAY if days else None


def rows(path: Path) -> Rows:
    """The rows without their ids, in order; the ids are unique."""
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    assert len({row[0] for row in found}) == len(found)
    return sorted(row[1:] for row in found)


def eras_of(spans: Sequence[tuple[date, date]]) -> list[tuple[date, date, int, int]]:
    """First and last day, number of spans and days without one, of spans with at most 30 days between them."""
    found: list[tuple[date, date, int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + 30 * DAY:
            first, last, number, gap = found[-1]
            found[-1] = (first, max(last, end), number + 1, gap + max((start - last).days, 0))
        else:
            found.append((start, end, 1, 0))
    return found


def grouped(
    records: Sequence[Record], concepts: Callable[[int], Sequence[int]], end: Callable[[date, int], date]
) -> dict[tuple[int, int], list[tuple[date, date]]]:
    """The spans of each person and concept."""
    spans = defaultdict(list)
    for person, concept, start, days, _ in records:
        first = FIRST + start * DAY
        for one in concepts(concept):
            spans[person, one].append((first, end(first, days)))
    return spans


def ingredients_of(drug: int) -> list[int]:
    """The ingredients of a drug."""
    return [i for i, drugs in INGREDIENTS.items() if i != 414 and drug in (i, *drugs)]


def dose_eras(records: Sequence[Record]) -> Rows:
    """Day by day: what was started last and has not ended, added up; then runs of the same dose."""
    taken = defaultdict(list)
    for person, drug, start, days, quantity in records:
        for _, ingredient, amount, unit, numerator, of, _, per in (s for s in STRENGTHS if s[0] == drug):
            if per == 8505:
                dose = Fraction(str(numerator)) * 24
            elif quantity:
                dose = Fraction(str(amount or numerator)) * quantity / (days + 1)
            else:
                continue
            taken[person, ingredient, unit or of].append((start, start + days, dose))
    found: Rows = []
    for (person, ingredient, unit), spans in taken.items():
        runs: list[tuple[int, int, Fraction]] = []
        for day in range(200):
            last = max((start for start, _, _ in spans if start <= day), default=None)
            dose = sum((d for start, end, d in spans if start == last and end >= day), Fraction(0))
            if dose and runs and runs[-1][2] == dose and day - runs[-1][1] <= 30:
                runs[-1] = (runs[-1][0], day, dose)
            elif dose:
                runs.append((day, day, dose))
        found += [
            (person, ingredient, unit, round(float(dose), 6), FIRST + first * DAY, FIRST + last * DAY)
            for first, last, dose in runs
        ]
    return sorted(found)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORD, max_size=14))
def test_eras_are_those_of_the_oracle(bundle: Bundle, tmp_path: Path, records: list[Record]) -> None:
    made = derived(tmp_path, bundle, records)
    conditions = grouped(records, lambda c: [c] if c else [], lambda first, days: first + (days or 1) * DAY)
    assert rows(made["condition_era"]) == sorted(
        (person, concept, start, end, number)
        for (person, concept), spans in conditions.items()
        for start, end, number, _ in eras_of(spans)
    )
    drugs = grouped(records, ingredients_of, lambda first, days: first + days * DAY)
    assert rows(made["drug_era"]) == sorted(
        (person, concept, start, end, number, gap)
        for (person, concept), spans in drugs.items()
        for start, end, number, gap in eras_of(spans)
    )
    assert sorted((*r[:3], round(float(str(r[3])), 6), *r[4:]) for r in rows(made["dose_era"])) == dose_eras(records)


def test_bytes_do_not_depend_on_threads_or_order(bundle: Bundle, tmp_path: Path) -> None:
    records = [(n % 7 + 1, (401, 411, 412, 415, 416)[n % 5], n * 37 % 150, n * 11 % 40, n % 9 + 1) for n in range(800)]
    found = []
    for threads in (1, 2, 4):
        folder = tmp_path / str(threads)
        folder.mkdir()
        found.append({name: path.read_bytes() for name, path in derived(folder, bundle, records, threads).items()})
    assert found[0] == found[1] == found[2]

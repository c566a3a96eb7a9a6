"""The era tables, by cases worked out by hand: what makes one era, what two, and what becomes of what makes none."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from oncoweave.records import DerivedTable
from oncoweave.report.recap import told_of
from tests.map.workshop import Mapped, Workshop

CONDITIONS = (
    "- {fact: condition, name: cancers, from: tumours, concept: {map: codes, value: code}, start: seen, end: left}\n"
)
DRUGS = "- {fact: drug, name: drugs, from: tumours, concept: {map: codes, value: code}, start: seen, end: left, quantity: size}\n"
PATIENTS = "id,born\n1,1950\n2,1960"

Era = tuple[Any, ...]


@pytest.fixture(autouse=True)
def codes(workshop: Workshop) -> None:
    """Codes that are their concept."""
    concepts = (101, 102, 401, 402, 403, 411, 412, 413, 414, 415, 416, 417)
    workshop.concept_map("codes", *((str(concept), concept) for concept in concepts))


def made(workshop: Workshop, rule: str, *rows: str) -> Mapped:
    """Map rows of person, code, first day, last day and quantity; the days are days of January 2020, counted on."""
    lines = [f"{row.split(',')[0]},{number},{_row(row)}" for number, row in enumerate(rows)]
    return workshop.map(rule, patients=PATIENTS, tumours="\n".join(["id,tumour,code,seen,left,size", *lines]))


def _row(row: str) -> str:
    _, code, first, last, quantity = (*row.split(","), "")[:5]
    days = [
        date.fromordinal(date(2019, 12, 31).toordinal() + int(day)).strftime("%d.%m.%Y") if day else ""
        for day in (first, last)
    ]
    return f"{code},{days[0]},{days[1]},{quantity}"


def eras(found: Mapped, table: str, *columns: str) -> list[Era]:
    """The eras in order: concept, first and last day as the rows give them, and the columns asked for."""
    start = date(2019, 12, 31)
    concept = "condition_concept_id" if table == "condition_era" else "drug_concept_id"
    return sorted(
        (
            row[concept],
            (row[f"{table}_start_date"] - start).days,
            (row[f"{table}_end_date"] - start).days,
            *(row[c] for c in columns),
        )
        for row in found.rows(table)
    )


def account(found: Mapped, table: str) -> DerivedTable:
    """What the record tells of a derived table."""
    (told,) = [derived for derived in found.record.derived if derived.table == table]
    assert told.read == told.used + sum(rows for _, rows in told.left_out)
    assert told.rows == len(found.rows(table))
    return told


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["1,101,1,10", "1,101,40,50"], [(101, 1, 50, 2)]),  # 30 days after the end
        (["1,101,1,10", "1,101,41,50"], [(101, 1, 10, 1), (101, 41, 50, 1)]),  # 31 days
        (["1,101,1,100", "1,101,20,30", "1,101,120,125"], [(101, 1, 125, 3)]),  # the one within does not end it
        (["1,101,1,100", "1,101,1,5", "1,101,1,5"], [(101, 1, 100, 3)]),  # on the same day
        (["1,101,1,"], [(101, 1, 2, 1)]),  # without an end, to the next day
        (["1,101,1,", "1,101,32,"], [(101, 1, 33, 2)]),
        (["1,101,1,", "1,101,33,"], [(101, 1, 2, 1), (101, 33, 34, 1)]),
        (["1,101,1,5", "1,102,6,9"], [(101, 1, 5, 1), (102, 6, 9, 1)]),  # of two concepts
        (["1,101,1,5", "2,101,6,9"], [(101, 1, 5, 1), (101, 6, 9, 1)]),  # of two persons
        (["1,101,50,60", "1,101,1,5", "1,101,30,35"], [(101, 1, 60, 3)]),  # in any order
    ],
)  # fmt: skip
def test_condition_eras(workshop: Workshop, rows: list[str], expected: list[Era]) -> None:
    found = made(workshop, CONDITIONS, *rows)
    assert eras(found, "condition_era", "condition_occurrence_count") == expected
    assert account(found, "condition_era").used == len(rows)


def test_unmapped_conditions_are_in_no_era_and_counted(workshop: Workshop) -> None:
    found = made(workshop, CONDITIONS, "1,101,1,5", "1,unknown,1,5", "2,unknown,1,5")
    assert eras(found, "condition_era") == [(101, 1, 5)]
    assert account(found, "condition_era").left_out == (("concept 0", 2),)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["1,411,1,10", "1,411,40,50"], [(401, 1, 50, 2, 30)]),
        (["1,411,1,10", "1,411,41,50"], [(401, 1, 10, 1, 0), (401, 41, 50, 1, 0)]),
        (["1,411,1,10", "1,417,20,30", "1,401,30,35"], [(401, 1, 35, 3, 10)]),  # tablets and the bare ingredient
        (["1,412,1,10"], [(401, 1, 10, 1, 0), (402, 1, 10, 1, 0)]),  # two ingredients, an era of each
        (["1,412,1,10", "1,411,12,20"], [(401, 1, 20, 2, 2), (402, 1, 10, 1, 0)]),
        (["1,413,1,10"], [(403, 1, 10, 1, 0)]),  # an ingredient of RxNorm Extension
        (["1,411,1,30", "1,411,20,25", "1,411,35,40"], [(401, 1, 40, 3, 5)]),  # what is left over is not added
        (["1,411,5,5", "1,411,12,12"], [(401, 5, 12, 2, 7)]),  # single days, as the reference script counts
        (["1,411,1,10", "2,411,11,20"], [(401, 1, 10, 1, 0), (401, 11, 20, 1, 0)]),
    ],
)  # fmt: skip
def test_drug_eras(workshop: Workshop, rows: list[str], expected: list[Era]) -> None:
    found = made(workshop, DRUGS, *rows)
    assert eras(found, "drug_era", "drug_exposure_count", "gap_days") == expected
    assert account(found, "drug_era").used == len(rows)


def test_drugs_without_an_ingredient_are_in_no_era_and_counted(workshop: Workshop) -> None:
    found = made(workshop, DRUGS, "1,411,1,5", "1,414,1,5", "1,414,9,9", "1,unknown,1,5")
    assert eras(found, "drug_era") == [(401, 1, 5)]
    assert account(found, "drug_era").left_out == (("concept 0", 1), ("no ingredient in the vocabulary", 2))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["1,411,1,10,10"], [(401, 1, 10, 20.0)]),  # one tablet of 20 mg a day
        (["1,411,1,10,20"], [(401, 1, 10, 40.0)]),
        (["1,411,1,10,10", "1,411,40,49,10"], [(401, 1, 49, 20.0)]),
        (["1,411,1,10,10", "1,411,41,50,10"], [(401, 1, 10, 20.0), (401, 41, 50, 20.0)]),
        (["1,411,1,10,10", "1,417,11,20,20"], [(401, 1, 20, 20.0)]),  # another tablet, the same dose
        (["1,411,1,10,10", "1,411,11,20,20", "1,411,21,30,10"],
         [(401, 1, 10, 20.0), (401, 11, 20, 40.0), (401, 21, 30, 20.0)]),  # the dose changes
        (["1,411,1,10,10", "1,411,6,15,20"], [(401, 1, 5, 20.0), (401, 6, 15, 40.0)]),  # the later one replaces
        (["1,411,1,10,10", "1,411,9,18,10"], [(401, 1, 18, 20.0)]),  # an early refill is no double dose
        (["1,411,1,10,10", "1,417,1,4,4"], [(401, 1, 4, 30.0), (401, 5, 10, 20.0)]),  # taken together
        (["1,412,1,10,10"], [(401, 1, 10, 20.0), (402, 1, 10, 5.0)]),
        (["1,415,1,2,50"], [(402, 1, 2, 50.0)]),  # 50 mL of 2 mg/mL in two days
        (["1,416,1,7,1"], [(401, 1, 7, 12.0)]),  # a patch, 0.5 mg an hour
        (["1,416,1,7,"], [(401, 1, 7, 12.0)]),
        (["1,411,1,3,1", "1,411,4,9,2"], [(401, 1, 9, 6.666666667)]),  # thirds are equal
    ],
)  # fmt: skip
def test_dose_eras(workshop: Workshop, rows: list[str], expected: list[Era]) -> None:
    found = made(workshop, DRUGS, *rows)
    assert eras(found, "dose_era", "dose_value") == expected
    assert set(found.rows("dose_era", "unit_concept_id")) == {8576}
    assert account(found, "dose_era").used == len(rows)


def test_what_has_no_dose_is_counted(workshop: Workshop) -> None:
    rows = ("1,411,1,10,10", "1,411,1,10,", "1,411,1,10,0", "1,401,1,10,5", "1,414,1,10,5", "1,unknown,1,10,5")
    found = made(workshop, DRUGS, *rows)
    assert eras(found, "dose_era") == [(401, 1, 10)]
    assert account(found, "dose_era").left_out == (
        ("concept 0", 1), ("no strength in the vocabulary", 2), ("no quantity", 2),
    )  # fmt: skip


def test_release_without_ancestors_or_strengths_leaves_the_tables_empty_and_says_so(workshop: Workshop) -> None:
    for table in ("CONCEPT_ANCESTOR", "DRUG_STRENGTH"):
        (bundle,) = workshop.project.root.rglob(f"{table}.parquet")
        bundle.unlink()
    found = made(workshop, DRUGS, "1,411,1,10,10", "1,unknown,1,10,10")
    for table, needed in (("drug_era", "CONCEPT_ANCESTOR"), ("dose_era", "DRUG_STRENGTH")):
        told = account(found, table)
        assert found.rows(table) == []
        assert (told.lacks, told.used, told.read) == (needed, 0, 2)
        assert told.left_out == ((f"the vocabulary workshop-1 has no {needed}", 2),)


def test_ids_of_eras_are_their_own_and_do_not_change_with_other_rows(workshop: Workshop) -> None:
    first = made(workshop, DRUGS + CONDITIONS, "1,412,1,10,10", "1,101,1,10")
    ids = {name: set(first.rows(name, f"{name}_id")) for name in ("condition_era", "drug_era", "dose_era")}
    more = made(
        workshop, DRUGS + CONDITIONS, "1,412,1,10,10", "1,101,1,10", "2,412,1,10,10", "1,412,100,110,10", "2,101,1,1"
    )
    for name, known in ids.items():
        later = more.rows(name, f"{name}_id")
        assert known < set(later)
        assert len(later) == len(set(later))
        assert all(key > 0 for key in later)
    assert len(set().union(*ids.values())) == sum(map(len, ids.values()))


def test_the_recap_says_what_is_in_no_era(workshop: Workshop) -> None:
    told = {d.table: told_of(d) for d in made(workshop, DRUGS, "1,411,1,5,5", "1,414,1,5,5").record.derived}
    assert told["drug_era"] == "drug_era, made of 2 rows of drug_exposure: no ingredient in the vocabulary (1)"
    assert told["condition_era"] == ""
    lacking = DerivedTable(
        table="drug_era", rows=0, source="drug_exposure", read=2, used=0, left_out=(("no CONCEPT_ANCESTOR", 2),),
        lacks="CONCEPT_ANCESTOR",
    )  # fmt: skip
    assert told_of(lacking) == "drug_era is empty: no CONCEPT_ANCESTOR"

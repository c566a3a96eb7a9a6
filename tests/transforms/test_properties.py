"""What holds for every text: codes keep their meaning when written again, and no text makes a transform fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from oncoweave.compiler.transforms import Verb, load_verbs
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.expressions import SQL_TYPES, Expression, Kind, column

VERBS = load_verbs(sorted((Path(__file__).parents[2] / "transforms").glob("*.py")))
TEXTS = st.lists(st.text(max_size=12), min_size=1, max_size=40)
CODES = st.lists(st.text("CcTtNnMmpyrXxisIVab0123456789./-<>=+, ()", max_size=9), min_size=1, max_size=60)


def over(texts: Sequence[str | None], make: Callable[[Expression], Expression]) -> list[object]:
    """The value of an expression for each text."""
    sql = to_duckdb(exp.select(make(column("t", Kind.TEXT)).node)) + " FROM (SELECT unnest($texts::VARCHAR[]) AS t)"
    return [row[0] for row in _engine().execute(sql, {"texts": list(texts)}).fetchall()]


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def storable(texts: list[str]) -> list[str]:
    return [t.replace("\0", "").encode("utf-8", "ignore").decode() for t in texts]


IDEMPOTENT = [
    "icdo3_topography",
    "icdo3_morphology",
    "icdo3_histology",
    "tnm_category",
    "stage_group",
    "grade",
    "squeeze",
    "digits",
]


@pytest.mark.parametrize("name", IDEMPOTENT)
@settings(deadline=None, max_examples=25)
@given(texts=CODES)
def test_normalised_code_stays_as_it_is(name: str, texts: list[str]) -> None:
    verb = VERBS[name]
    once = over(texts, verb)
    assert over([None if o is None else str(o) for o in once], verb) == once


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), min_size=1))
def test_every_spelling_of_a_site_gives_one_code(sites: list[tuple[int, int]]) -> None:
    codes = [f"C{a:02}.{b}" for a, b in sites]
    for spell in (str, str.lower, lambda c: c.replace(".", ""), lambda c: f"  {c.lower().replace('.', '')} "):
        assert over([spell(c) for c in codes], VERBS["icdo3_topography"]) == codes


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(8000, 9999), st.sampled_from("01236")), min_size=1))
def test_every_spelling_of_a_morphology_gives_one_code(found: list[tuple[int, str]]) -> None:
    codes = [f"{m}/{b}" for m, b in found]
    for spell in (str, lambda c: c.replace("/", ""), lambda c: f" M-{c}", lambda c: f"m{c.replace('/', '')}"):
        assert over([spell(c) for c in codes], VERBS["icdo3_morphology"]) == codes


@pytest.mark.parametrize(
    ("axis", "value", "code"),
    [
        ("T", "Tis", "Tis"),
        ("T", "pTa", "Ta"),
        ("N", "pN1mi", "N1mi"),
        ("N", "N0(i+)(sn)", "N0"),
        ("M", "cM0", "M0"),
        ("T", "1mic", "T1mic"),
        ("N", "X", "NX"),
        ("M", "1b", "M1b"),
        ("T", "T5", None),
        ("T", "pT", None),
        ("N", "9", None),
        ("T", "ypT0", "T0"),
        ("T", "rT2", "T2"),
        ("T", "t4D", "T4d"),
        ("T", "IS", "Tis"),
        ("N", "2a", "N2a"),
        ("T", "", None),
    ],
)
def test_tnm_category_is_spelt_as_in_the_vocabulary(axis: str, value: str, code: str | None) -> None:
    assert over([value], lambda t: VERBS["tnm_category"](t, axis)) == [code]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1))
def test_range_gives_its_two_ends(ranges: list[tuple[int, int]]) -> None:
    texts = [f"{a} - {b}" for a, b in ranges]
    assert over(texts, VERBS["lower_bound"]) == [float(a) for a, _ in ranges]
    assert over(texts, VERBS["upper_bound"]) == [float(b) for _, b in ranges]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["<", "<=", ">", ">=", ""]), st.integers(-999, 999)), min_size=1))
def test_comparator_and_comparand_are_the_whole_text(found: list[tuple[str, int]]) -> None:
    texts = [f"{sign} {number}" for sign, number in found]
    assert over(texts, VERBS["comparator"]) == [sign or None for sign, _ in found]
    assert over(texts, VERBS["comparand"]) == [float(number) for _, number in found]


@pytest.mark.parametrize(
    ("unit", "to"), [("mm", "inch"), ("cm", "mm"), ("kg", "pound"), ("month", "day"), ("year", "month")]
)
@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_unit_converts_there_and_back(unit: str, to: str, values: list[int]) -> None:
    def there_and_back(text: Expression) -> Expression:
        number = VERBS["number_of"](text, ".")
        return VERBS["convert"](VERBS["convert"](number, unit, to), to, unit)

    got = over([str(v) for v in values], there_and_back)
    assert got == pytest.approx([float(v) for v in values], rel=1e-12)


OF_TEXT = [v for v in VERBS.values() if set(v.kinds.values()) == {Kind.TEXT}]


@pytest.mark.parametrize("verb", OF_TEXT, ids=[v.name for v in OF_TEXT])
@settings(deadline=None, max_examples=10)
@given(texts=TEXTS)
def test_no_text_makes_a_transform_fail(verb: Verb, texts: list[str]) -> None:
    options: dict[str, str | int] = {"pattern": "%j%y", "first_year": 1900, "separator": "-", "width": 3}
    given_ = {n: options[n] for n in verb.options if n in options}
    made = verb(*[column("t", Kind.TEXT)] * len(verb.kinds), **given_)
    assert len(over(storable(texts), lambda _: made)) == len(texts)
    typed = exp.Anonymous(this="typeof", expressions=[made.node])
    assert over(["x"], lambda _: Expression(Kind.TEXT, typed)) == [SQL_TYPES[made.kind]]

"""The writer: statements with catalogue calls become DuckDB's SQL; parameters and quoting survive."""

from __future__ import annotations

import hashlib
import hmac

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from oncoweave.engine import functions as f
from oncoweave.engine import internal_functions
from oncoweave.engine.dialect import evaluate, pattern_fault, to_duckdb
from oncoweave.engine.expressions import Expression, Kind, KindError, column, literal, null
from oncoweave.engine.numerals import parse_integer, parse_number

INNER = Expression(Kind.TEXT, exp.Placeholder(this="inner"))
OUTER = Expression(Kind.TEXT, exp.Placeholder(this="outer"))


def test_statement_is_written_with_quoted_names_and_parameters() -> None:
    call = internal_functions.hmac63(f.trim(column("id", Kind.TEXT)), INNER, OUTER)
    node = exp.select(exp.alias_(call.node, "key")).from_("stage").where(f.is_filled(column("id", Kind.TEXT)).node)
    sql = to_duckdb(node.union(exp.select(exp.null()), distinct=False))
    assert sql.endswith('AS "key" FROM "stage" WHERE ("id" IS NOT NULL) UNION ALL SELECT NULL')
    assert "$inner" in sql and "$outer" in sql


def test_operands_keep_their_order_without_parentheses_of_the_caller() -> None:
    sum_ = f.add(column("a", Kind.INTEGER), column("b", Kind.INTEGER))
    assert evaluate(f.multiply(f.add(1, 2), 3)) == 9
    plain = exp.Add(this=exp.column("a"), expression=exp.column("b"))
    assert to_duckdb(f.multiply(Expression(Kind.INTEGER, plain), sum_).node).startswith('TRY(("a" + "b") * TRY(')


@settings(deadline=None, max_examples=30)
@given(
    secret=st.binary(min_size=1, max_size=64),
    texts=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
)
def test_hmac_is_the_one_of_the_standard(secret: bytes, texts: list[str]) -> None:
    block = secret.ljust(64, b"\0")
    pads = {"inner": bytes(b ^ 0x36 for b in block), "outer": bytes(b ^ 0x5C for b in block)}
    call = internal_functions.hmac63(column("t", Kind.TEXT), INNER, OUTER)
    sql = to_duckdb(exp.select(call.node)) + " FROM (SELECT unnest($texts::VARCHAR[]) AS t)"
    got = [row[0] for row in duckdb.connect().execute(sql, {**pads, "texts": texts}).fetchall()]
    assert got == [int(hmac.new(secret, t.encode(), hashlib.sha256).hexdigest()[:16], 16) >> 1 for t in texts]


@settings(deadline=None, max_examples=30)
@given(
    secret=st.binary(min_size=16, max_size=16),
    texts=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
)
def test_keyed_hash_is_the_beginning_of_the_hash_of_secret_and_text(secret: bytes, texts: list[str]) -> None:
    call = internal_functions.keyed63(column("t", Kind.TEXT), Expression(Kind.TEXT, exp.Placeholder(this="secret")))
    sql = to_duckdb(exp.select(call.node)) + " FROM (SELECT unnest($texts::VARCHAR[]) AS t)"
    got = [row[0] for row in duckdb.connect().execute(sql, {"secret": secret, "texts": texts}).fetchall()]
    assert got == [int(hashlib.sha256(secret + t.encode()).hexdigest()[:16], 16) >> 1 for t in texts]


@settings(deadline=None, max_examples=100)
@given(st.text(st.sampled_from(" \t\n\x01\x7f!a~\u00a0\u2003\u3000é")))
def test_a_field_is_trimmed_as_any_text_is(text: str) -> None:
    assert evaluate(f.trimmed(literal(text))) == evaluate(f.trim(literal(text)))


def test_hash_of_a_salt_is_the_one_of_the_standard() -> None:
    assert (
        evaluate(internal_functions.sha256_63("person|id"))
        == int(hashlib.sha256(b"person|id").hexdigest()[:16], 16) >> 1
    )


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_literal_text_survives(text: str) -> None:
    assert evaluate(literal(text)) == text


@pytest.mark.parametrize("value", ["a\0b", 2**63, float("inf"), float("nan")])
def test_literal_that_no_engine_holds_is_refused(value: str | int | float) -> None:
    with pytest.raises(KindError):
        literal(value)


@pytest.mark.parametrize(
    ("pattern", "fault"), [("a+", ""), ("(", "missing )"), (r"(a)\1", "invalid escape"), ("(?<=a)b", "invalid")]
)
def test_pattern_is_judged_by_the_engine_that_runs_it(pattern: str, fault: str) -> None:
    assert fault in pattern_fault(pattern)
    assert bool(fault) == bool(pattern_fault(pattern))


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "value"),
    [
        ("1.234,5", ",", ".", 1234.5),
        ("1234,5", ",", ".", 1234.5),
        ("12.34,5", ",", ".", None),
        ("1.5", ",", ".", None),
        ("1,5", ",", "", 1.5),
        ("1.5", ",", "", None),
        ("1'234.5", ".", "'", 1234.5),
        ("1 234 567", ".", " ", 1234567.0),
        (" -7 ", ".", "", -7.0),
        ("1e3", ".", "", 1000.0),
        ("inf", ",", "", None),
        ("", ".", "", None),
        ("1_000", ",", "", None),
    ],
)
def test_number_is_read_as_its_source_writes_it(text: str, decimal: str, thousands: str, value: float | None) -> None:
    assert evaluate(parse_number(text, decimal, thousands)) == value


@pytest.mark.parametrize(
    ("text", "thousands", "value"),
    [
        ("1.234", ".", 1234),
        ("1.23", ".", None),
        ("12", ".", 12),
        ("007", "", 7),
        ("1.0", "", None),
        ("9" * 30, "", None),
    ],
)
def test_integer_is_read_as_its_source_writes_it(text: str, thousands: str, value: int | None) -> None:
    assert evaluate(parse_integer(text, thousands)) == value


def test_sum_does_not_depend_on_the_order_of_rows() -> None:
    sql = to_duckdb(exp.select(f.sum_(column("x", Kind.NUMBER)).node))
    values = [0.1, 0.2, 0.3, 1e15, -1e15, 0.7]
    got = {
        duckdb.connect().execute(sql + " FROM (SELECT unnest($v::DOUBLE[]) AS x)", {"v": v}).fetchall()[0]
        for v in (values, values[::-1], sorted(values))
    }
    assert got == {(1.3,)}


@pytest.mark.parametrize(
    ("values", "first", "last", "only"),
    [
        ([(1, "b"), (1, "a"), (2, "c")], "a", "c", None),
        ([(None, "x"), (3, None)], "x", "x", "x"),
        ([], None, None, None),
    ],
)
def test_first_and_last_do_not_depend_on_the_order_of_rows(
    values: list[tuple[int | None, str | None]], first: str | None, last: str | None, only: str | None
) -> None:
    x, order = column("x", Kind.TEXT), column("o", Kind.INTEGER)
    sql = to_duckdb(exp.select(f.first(x, order).node, f.last(x, order).node, f.only(x).node).from_("t"))
    for rows in (values, values[::-1]):
        connection = duckdb.connect()
        connection.execute("CREATE TABLE t (o INTEGER, x VARCHAR)")
        for row in rows:
            connection.execute("INSERT INTO t VALUES (?, ?)", row)
        assert connection.execute(sql).fetchall() == [(first, last, only)]


@pytest.mark.parametrize(
    "call",
    [
        lambda: f.year("2001"),
        f.year,
        lambda: f.add("a", 1),
        lambda: f.equal("a", 1),
        lambda: f.matches("a", column("p", Kind.TEXT)),
        lambda: f.pad_left("a", column("n", Kind.INTEGER), "0"),
        lambda: f.coalesce("a", null(Kind.TEXT), 1),
    ],
)
def test_call_with_wrong_kinds_is_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(KindError):
        call()

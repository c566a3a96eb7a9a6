"""The subset of SQL that a mapping may use: what it means, what kind it gives, and how a mistake is explained."""

from __future__ import annotations

from datetime import date

import pytest
from sqlglot import exp

from oncoweave.compiler.expressions import Scope, fields_of, only_fields_of, parse, parse_template
from oncoweave.compiler.subset import ExpressionError
from oncoweave.engine.dialect import evaluate, to_duckdb
from oncoweave.engine.expressions import Expression, Kind, column, literal, null

FIELDS = {
    "age": literal(40),
    "size": literal(2.5),
    "sex": literal("f"),
    "seen": literal(date(2001, 5, 17)),
    "dead": literal(True),
    "no_age": null(Kind.INTEGER),
    "no_sex": null(Kind.TEXT),
}
SCOPE = Scope(FIELDS, origin=date(2000, 1, 1))

MEANINGS = [
    ("age", 40),
    ("-age", -40),
    ("- 3", -3),
    ("1.5", 1.5),
    ("'it''s'", "it's"),
    ("true", True),
    ("year(seen) - age", 1961),
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("2 - 3 - 4", -5),
    ("age / 16", 2.5),
    ("age / 0", None),
    ("size * age", 100.0),
    ("sex || '-' || sex", "f-f"),
    ("sex || no_sex", None),
    ("sex = 'f' and age > 39", True),
    ("sex = 'm' or age <> 40", False),
    ("not sex = 'm'", True),
    ("age != 40", False),
    ("age = 40 = true", True),
    ("no_age = 1", None),
    ("not no_age = 1", None),
    ("no_age = 1 or true", True),
    ("no_age = 1 and false", False),
    ("no_age is null", True),
    ("no_age is not null", False),
    ("age in (1, 40)", True),
    ("age not in (1, -40)", True),
    ("no_age in (1, 2)", None),
    ("-null", None),
    ("null + null", None),
    ("null and true", None),
    ("not null", None),
    ("sex || null", None),
    ("null is null", True),
    ("case when null then 1 end", None),
    ("year(null)", None),
    ("sex in ('m', 'f')", True),
    ("seen in (date('2001-05-17'))", True),
    ("age between 40 and 41", True),
    ("age not between 40 and 41", False),
    ("size between 2 and 3", True),
    ("age > size", True),
    ("case when age > 50 then 'old' when age > 30 then 'mid' else 'young' end", "mid"),
    ("case when age > 50 then 'old' end", None),
    ("case sex when 'f' then 1 when 'm' then 2.5 end", 1.0),
    ("case when no_age > 1 then 1 else 0 end", 0),
    ("coalesce(no_sex, sex)", "f"),
    ("coalesce(no_age, null, 7)", 7),
    ("date('2001-05-17') = seen", True),
    ("seen > date('2001-01-31')", True),
    ("origin()", date(2000, 1, 1)),
    ("add_days(origin(), 40)", date(2000, 2, 10)),
    ("days_between(origin(), seen)", 502),
    ("extract('8500/3', '/([0-9])', 1)", "3"),
    ("Case When age = 40 Then 1 Else 2 End", 1),
    ("(((age)))", 40),
    ("age = 40 and (sex = 'm' or size > 1)", True),
]


@pytest.mark.parametrize(("text", "value"), MEANINGS)
def test_expression_means(text: str, value: object) -> None:
    got = evaluate(parse(text, SCOPE))
    assert (type(got), got) == (type(value), value)


MISTAKES = [
    ("aeg + 1", 0, "no field `aeg`", "`age`"),
    ("age + szie", 6, "no field `szie`", "`size`"),
    ("AGE", 0, "no field `AGE`", "`age`"),
    ("1 + yaer(seen)", 4, "no function `yaer`", "`year`"),
    ("COALESCE(sex, 'x')", 0, "no function `COALESCE`", "`coalesce`"),
    (
        "sex = 1",
        0,
        "`sex` is text, and `1` is integer",
        "declare `sex` as integer or number in source.yaml, or compare with '1'",
    ),
    ("1 = sex", 0, "`1` is integer, and `sex` is text", "declare `sex`"),
    ("age = '1'", 0, "`age` is integer, and '1' is text", "write 1 without quotes"),
    ("age in ('1', '2')", 0, "'1' is text", "without quotes"),
    ("seen = '2001-01-31'", 0, "`seen` is date, and '2001-01-31' is text", "date('2001-01-31')"),
    ("seen > sex", 0, "`sex` is text", "declare `sex` as date"),
    ("age > 1 and seen + 1 > seen", 12, "`seen` is date, not a number", "add_days"),
    ("sex + 1", 0, "`sex` is text, not a number", "declare `sex` as integer or number"),
    ("sex = null", 0, "nothing equals null", "is null"),
    ("age and dead", 0, "`age` is integer, not a condition", "compare"),
    ("not sex", 4, "`sex` is text, not a condition", "compare"),
    ("dead is true", 0, "`is` is followed by null", "= true"),
    ("case when age then 1 end", 10, "`age` is integer, not a condition", ""),
    ("case when dead then 1 else 'x' end", 10, "mixes integer and text", ""),
    ("year(sex)", 0, "argument 1 of `year` must be date, not text", ""),
    ("year(seen, 1)", 0, "`year` is called as year(date)", ""),
    ("extract(sex, to_text(age), 1)", 0, "argument 2 of `extract` must be a text written out", ""),
    ("age in (age)", 0, "`in` takes a list of literals", ""),
    ("age in age", 0, "`in` takes a list of literals", ""),
    ("age = ", 4, "goes wrong at `=`", ""),
    ("age = 1)", 7, "goes wrong at `)`", ""),
    ("date('31.01.2001')", 0, "date() takes a day", ""),
    ("date('2001-02-30')", 0, "date() takes a day", ""),
    ("date(sex)", 0, "date() takes a day", ""),
    ("min(age)", 0, "`min` needs `group:`", ""),
    ('"age" = 1', 0, "cannot stand in an expression", "plain name"),
    ("year(date => seen)", 0, "`year` has no named options", ""),
    ("pad_left(sex, age * 2, '0')", 0, "argument 2 of `pad_left` must be a whole number written out", ""),
    ("matches(sex, '(')", 0, "regular expression", "missing )"),
    ("matches(sex, '(?=x)')", 0, "regular expression", "(?="),
    ("age = 'x", 6, "a text is not closed", "partner"),
]


@pytest.mark.parametrize(("text", "offset", "message", "mend"), MISTAKES)
def test_mistake_is_explained_at_its_place(text: str, offset: int, message: str, mend: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, SCOPE)
    error = caught.value
    assert message in error.message
    assert mend in error.help
    assert error.offset == offset


def test_origin_needs_a_declared_origin() -> None:
    with pytest.raises(ExpressionError, match="origin"):
        parse("origin()", Scope(FIELDS))


def test_long_condition_is_no_deep_one() -> None:
    text = " or ".join(f"age = {i}" for i in range(300))
    assert evaluate(parse(text, SCOPE)) is True


def test_deepest_allowed_expression_compiles_at_once() -> None:
    assert evaluate(parse("(" * 35 + "age" + ")" * 35, SCOPE)) == 40
    assert evaluate(parse("absolute(" * 35 + "age" + ")" * 35, SCOPE)) == 40


def test_fields_used_are_found_in_every_corner() -> None:
    text = "case when a in (1) then b else coalesce(c, year(d)) end between e and -f"
    fields = {name: column(name, Kind.DATE if name == "d" else Kind.INTEGER) for name in "abcdefg"}
    assert fields_of(parse(text, Scope(fields))) == set("abcdef")


# Groups

COLUMNS = {
    "id": column("id", Kind.TEXT),
    "n": column("n", Kind.INTEGER),
    "d": column("d", Kind.DATE),
    "part": column("part", Kind.DATE, precision=exp.column("part#", quoted=True)),
}
GROUPED = Scope(COLUMNS, grouped=True, by=frozenset({"id"}), order=(COLUMNS["d"], COLUMNS["n"]))


def test_field_outside_an_aggregate_must_be_the_same_in_its_group() -> None:
    assert only_fields_of(parse("id || to_text(n)", GROUPED)) == {"n"}
    assert only_fields_of(parse("max(d)", GROUPED)) == set()
    assert to_duckdb(parse("n", GROUPED).node) == 'CASE WHEN min("n") = max("n") THEN min("n") END'
    assert to_duckdb(parse("id", GROUPED).node) == '"id"'


def test_first_and_last_follow_the_order_of_the_rule() -> None:
    first = to_duckdb(parse("first(n)", GROUPED).node)
    assert first == 'first("n" ORDER BY "d" NULLS LAST, "n" NULLS LAST, "n") FILTER (WHERE "n" IS NOT NULL)'
    with pytest.raises(ExpressionError, match="order"):
        parse("last(n)", Scope(COLUMNS, grouped=True))


@pytest.mark.parametrize("text", ["min(max(n))", "first(n, d)", "sum(id)", "any(n)", "count()"])
def test_aggregate_is_not_misused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text, GROUPED)


# Precision

PARTIAL = Scope(
    {
        "full": literal(date(2001, 5, 17)),
        "month_": Expression(Kind.DATE, literal(date(2001, 5, 1)).node, exp.Literal.string("month")),
        "year_": Expression(Kind.DATE, literal(date(2001, 1, 1)).node, exp.Literal.string("year")),
        "yes": literal(True),
        "n": literal(1),
    }
)
PRECISIONS = [
    ("full", date(2001, 5, 17), "day"),
    ("month_", date(2001, 5, 1), "month"),
    ("add_days(full, 1)", date(2001, 5, 18), "day"),
    ("add_days(month_, 40)", date(2001, 6, 1), "month"),
    ("add_months(full, 1)", date(2001, 6, 1), "month"),
    ("add_months(year_, 14)", date(2002, 1, 1), "year"),
    ("add_years(full, -40)", date(1961, 1, 1), "year"),
    ("coalesce(null, month_)", date(2001, 5, 1), "month"),
    ("coalesce(year_, full)", date(2001, 1, 1), "year"),
    ("case when yes then month_ else full end", date(2001, 5, 1), "month"),
    ("case when not yes then month_ else full end", date(2001, 5, 17), "day"),
    ("case when not yes then month_ when yes then year_ end", date(2001, 1, 1), "year"),
    ("least(full, month_)", date(2001, 5, 1), "month"),
    ("greatest(full, month_)", date(2001, 5, 17), "day"),
    ("null_if(month_, full)", date(2001, 5, 1), "month"),
]


@pytest.mark.parametrize(("text", "value", "precision"), PRECISIONS)
def test_precision_travels_with_a_date(text: str, value: date, precision: str) -> None:
    found = parse(text, PARTIAL)
    told = evaluate(Expression(Kind.TEXT, found.precision)) if found.precision is not None else "day"
    assert (evaluate(found), told) == (value, precision)


@pytest.mark.parametrize(
    ("text", "value"),
    [("month(year_)", None), ("day(month_)", None), ("month(month_)", 5), ("day(full)", 17), ("year(year_)", 2001)],
)
def test_part_of_a_date_that_is_not_known_is_missing(text: str, value: object) -> None:
    assert evaluate(parse(text, PARTIAL)) == value


# Templates

CODES = Scope({"morph": literal("8500"), "behav": literal(3), "topo": literal("C50.9"), "none": null(Kind.TEXT)})


@pytest.mark.parametrize(
    ("text", "value", "parts"),
    [
        ("{morph}/{behav}-{topo}", "8500/3-C50.9", 3),
        ("{topo}", "C50.9", 1),
        ("fixed", "fixed", 0),
        ("{{{topo}}}", "{C50.9}", 1),
        ("{replace(topo, '.', '}')}", "C50}9", 1),
        ("{morph}/{none}", None, 2),
    ],
)
def test_template_joins_its_parts(text: str, value: object, parts: int) -> None:
    joined, found = parse_template(text, CODES)
    assert (evaluate(joined), joined.kind, len(found)) == (value, Kind.TEXT, parts)


def test_mistake_in_a_template_is_told_at_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_template("{morph}/{bahav}", CODES)
    assert (caught.value.offset, caught.value.help) == (9, "did you mean `behav`?")

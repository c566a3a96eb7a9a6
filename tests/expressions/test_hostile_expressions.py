"""An expression can name nothing but fields, functions of the catalogue and transforms, and cannot exhaust the machine."""

from __future__ import annotations

import time

import pytest

from oncoweave.compiler.expressions import Scope, parse, parse_template
from oncoweave.compiler.subset import ExpressionError
from oncoweave.engine.expressions import Kind, column

SCOPE = Scope({"a": column("a", Kind.TEXT), "n": column("n", Kind.INTEGER), "d": column("d", Kind.DATE)})

HOSTILE = [
    "a; drop table patients",
    "a = 'x'; select 1",
    "a = 'x' -- rest",
    "a /* hidden */ = 'x'",
    "a = 'x' # rest",
    "(select key from secrets)",
    "a in (select a from other)",
    "exists(select 1)",
    "n = any(select 1)",
    "read_csv('/etc/passwd')",
    "read_text('/etc/passwd')",
    "read_blob('/etc/shadow')",
    "read_parquet('s3://bucket/x')",
    "read_json_auto('http://example.org')",
    "glob('/*')",
    "getenv('HOME')",
    "getvariable('key')",
    "current_setting('threads')",
    "query('select 1')",
    "query_table('t')",
    "pg_read_file('x')",
    "system('id')",
    "version()",
    "now()",
    "random()",
    "uuid()",
    "nextval('s')",
    "hash(a)",
    "hmac63(a, a, a)",
    "keyed63(a, a)",
    "sha256_63(a)",
    "xor(n, n)",
    "read_date(a, '%d')",
    "$key",
    "$1",
    "?",
    ":name",
    "@variable",
    "{a}",
    "[a, a]",
    "a[1]",
    "{'k': a}",
    "a.b",
    "main.a",
    "*",
    "count(*)",
    "columns(*)",
    "a::int",
    "cast(a as integer)",
    "try_cast(a as integer)",
    "a collate nocase",
    "a like '%x'",
    "a ilike '%x'",
    "a similar to 'x'",
    "a ~ 'x'",
    "a glob 'x'",
    "x -> x + 1",
    "x => 1",
    "lambda x: x",
    "list_transform([1], x -> x)",
    "sum(n) over ()",
    "sum(n) over (partition by a)",
    "min(n) filter (where a = 'x')",
    "min(distinct n)",
    "row_number() over ()",
    "interval '1' day",
    "d at time zone 'UTC'",
    "date '2001-01-01'",
    "timestamp '2001-01-01'",
    "a is distinct from 'x'",
    "a as b",
    "a b",
    "a, n",
    "(a, n)",
    "if(n = 1, a, a)",
    "a within group (order by n)",
    '"a" = 1',
    "`a` = 1",
    "[a] = 1",
    "E'\\x41' = a",
    "x'41' = a",
    "n'a' = a",
    "$$text$$ = a",
    "0x1F = n",
    "1_000 = n",
    "1e999 = n",
    "99999999999999999999 = n",
    "² = n",
    "n = ٣",
    "n = 1²",
    "n = 1.٣",
    "n = 1e",
    "absolute(a)",
    "negate(a)",
    "a = 'x\0y'",
    "a = 'not closed",
    "'",
    "''' ",
    "(",
    ")",
    "()",
    "a = (",
    "case",
    "case when",
    "case when n = 1 then 2",
    "between",
    "not",
    "",
    "   ",
    "\n",
    "\0",
    "ａ = 'x'",
    "a\u200b = 'x'",
    "а = 'x'",
    "\u202ea = 'x'",
    "a = \u2019x\u2019",
    "select 1",
    "from t",
    "values (1)",
    "copy t to 'x'",
    "attach 'x'",
    "install httpfs",
    "load 'x'",
    "pragma database_list",
    "set threads = 1",
    "call f()",
    "n == 1",
    "n <=> 1",
    "n ^ 1",
    "n % 2",
    "n ** 2",
    "n & 1",
    "n | 1",
    "~n",
    "n << 70",
    "!n",
    "__import__('os')",
    "a.__class__",
    "f'{a}'",
]

EXHAUSTING = {
    "parentheses": "(" * 5_000 + "n" + ")" * 5_000,
    "some parentheses": "(" * 200 + "n" + ")" * 200,
    "forty calls": "abs(" * 45 + "n" + ")" * 45,
    "not": "not " * 3_000 + "n = 1",
    "minus": "- " * 4_000 + "n",
    "case": "case when n = 1 then " * 400 + "n" + " end" * 400,
    "sum": "n" + " + n" * 3_000,
    "short sum": "n" + " + n" * 400,
    "and": "n = 1" + " and n = 1" * 2_000,
    "one megabyte of text": "'" + "x" * 1_000_000 + "' = a",
    "one megabyte of name": "x" * 1_000_000,
    "one megabyte of digits": "1" * 1_000_000,
    "one megabyte of brackets": "[" * 1_000_000,
    "one megabyte of blanks": " " * 1_000_000,
    "many commas": "least(" + "n," * 4_900 + "n)",
    "quotes": "'" * 9_999,
}


@pytest.mark.parametrize("text", [pytest.param(t, id=repr(t)[:40]) for t in HOSTILE])
def test_hostile_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, SCOPE)
    assert caught.value.message
    assert 0 <= caught.value.offset <= len(text)


@pytest.mark.parametrize("name", list(EXHAUSTING))
def test_exhausting_expression_is_refused(name: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(EXHAUSTING[name], SCOPE)
    assert len(caught.value.message) < 200


def test_all_hostile_expressions_together_take_less_than_a_second() -> None:
    start = time.process_time()
    for text in [*HOSTILE, *EXHAUSTING.values()]:
        with pytest.raises(ExpressionError):
            parse(text, SCOPE)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("text", [*EXHAUSTING.values(), "a; b", ""])
def test_exhausting_and_empty_text_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text, SCOPE)


@pytest.mark.parametrize("text", ["{a", "a}", "{a}}{", "{}", "{a;b}", "", "{a}{read_text('x')}", "{" * 9_999, "{d}"])
def test_hostile_template_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_template(text, SCOPE)

"""No value makes a function fail: what cannot be computed is NULL, so that one row never stops a run."""

from __future__ import annotations

from math import prod

import duckdb
import pytest
from sqlglot import exp

from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.expressions import SQL_TYPES, Expression, Kind, column, literal
from oncoweave.engine.functions import CATALOGUE
from oncoweave.engine.signatures import Function, Slot

NASTY: dict[Kind, list[object]] = {
    Kind.TEXT: [
        None,
        "",
        " ",
        "x",
        "0",
        "-1",
        "9" * 40,
        "infinity",
        "nan",
        "1e400",
        "é\u0000\U0001f600",
        "31-02-2001",
        "\\",
        "%",
    ],
    Kind.INTEGER: [None, 0, 1, -1, 3, 9999, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)],
    Kind.NUMBER: [None, 0.0, -0.0, 1.5, 1e308, -1e308, 1e-320, 2.0**63, float("inf"), float("nan")],
    Kind.DATE: [None, "1000-01-01", "9999-12-31", "2000-02-29", "1900-01-01"],
    Kind.BOOLEAN: [None, True, False],
}
LITERALS: dict[Slot, str | int] = {Slot.PATTERN: "(x)|([0-9]+)", Slot.WORD: "%d-%m-%Y", Slot.WHOLE: 2}
GENERIC = (Slot.SAME, Slot.QUANTITY, Slot.ANY)
PLAIN = [f for f in CATALOGUE.values() if f.name not in ("floor_date", "hmac63", "keyed63")]


def kinds_of(function: Function) -> list[tuple[Kind | Slot, ...]]:
    """The argument kinds to try: a generic function is tried with numbers, and with every kind where it makes sense."""
    generic = [Kind.INTEGER, Kind.NUMBER] if Slot.QUANTITY in function.arguments else list(Kind)
    if not set(GENERIC) & set(function.arguments):
        return [function.arguments]
    return [tuple(kind if a in GENERIC else a for a in function.arguments) for kind in generic]


@pytest.mark.parametrize("function", PLAIN, ids=[f.name for f in PLAIN])
def test_no_value_makes_a_function_fail(function: Function) -> None:
    connection = duckdb.connect()
    for kinds in kinds_of(function):
        given = [literal(LITERALS[k]) if isinstance(k, Slot) else column(f"v{i}", k) for i, k in enumerate(kinds)]
        call = function(*given)
        holders = [(f"v{i}", k) for i, k in enumerate(kinds) if isinstance(k, Kind)]
        sets = ", ".join(f'(SELECT unnest(${n}::{SQL_TYPES[k]}[]) AS "{n}")' for n, k in holders)
        connection.execute(f"CREATE OR REPLACE TABLE t AS SELECT * FROM {sets}", {n: NASTY[k] for n, k in holders})
        rows = prod(len(NASTY[k]) for _, k in holders)
        got = connection.execute(_select(call)).fetchall()
        assert len(got) == (1 if function.aggregate else rows)
        assert {g[1] for g in got} <= {SQL_TYPES[call.kind]}


def _select(call: Expression) -> str:
    typed = exp.Anonymous(this="typeof", expressions=[call.node.copy()])
    return to_duckdb(exp.select(exp.alias_(call.node, "value"), exp.alias_(typed, "type")).from_("t"))

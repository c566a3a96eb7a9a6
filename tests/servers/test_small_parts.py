"""The small parts of deliveries from servers: their examples hold, and what an interrupted reading left is cleared away."""

from __future__ import annotations

import doctest
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoweave.engine.servers import checksums, connections, texts
from oncoweave.engine.servers.transports import is_inside
from tests.servers.conftest import Database, Registry


@pytest.mark.parametrize("module", [texts, connections, checksums])
def test_the_examples_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_without_an_exponent(number: float) -> None:
    written = texts.text(number)
    assert written is not None and "e" not in written.lower() and float(written) == number


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_all_its_digits(number: Decimal) -> None:
    written = texts.text(number)
    assert written is not None and "e" not in written.lower() and Decimal(written) == number


@pytest.mark.parametrize("value", [b"x", bytearray(b"x"), [1], {"a": 1}, timedelta(1), object()])
def test_what_has_no_one_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        texts.text(value)


def test_a_time_keeps_its_offset() -> None:
    moment = datetime(2020, 1, 2, 3, 4, 5, 600, timezone(timedelta(hours=2)))
    assert texts.text(moment) == "2020-01-02 03:04:05.000600+02:00"


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("a.csv", True), ("data/a b.csv", True), ("..a/b..csv", True), ("é.csv", True),
        ("../a", False), ("a/../b", False), ("/a", False), ("a//b", False), ("./a", False), ("a/", False),
        ("", False), (".", False), ("..", False), ("~/a", False), ("a\\..\\b", False), ("a\nb", False), ("a\0b", False),
    ],
)  # fmt: skip
def test_a_name_stays_inside_or_is_refused(name: str, inside: bool) -> None:
    assert is_inside(name) is inside


def test_what_a_killed_reading_left_is_cleared_away(database: Database, registry: Registry) -> None:
    left = registry.project.runs / "deliveries" / ".registry.reading" / "rows" / "9.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    registry.query("SELECT 1 AS a")
    assert registry.rows() == [("1",)]
    assert not left.exists() and not registry.left_over()

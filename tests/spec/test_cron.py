"""Cron expressions: what is refused, at which character, and that Airflow's own reading agrees with what is not."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoweave.spec.cron import cron_fault

GOOD = [
    "0 6 * * 1", "*/15 * * * *", "30 2 1 * *", "0 0 29 2 *", "0 6 * * mon-fri", "5,35 8-18/2 * jan,JUL *", "0 0 * * 7",
    "0  6 *  * *", "0 0 31 * *", "59 23 31 12 0", "0 0 31 2 mon",
]  # fmt: skip
WRONG = {
    "": ("five fields", 0),
    "every monday": ("not 2", 0),
    "@daily": ("not 1", 0),
    "0 6 * * * *": ("not 6", 0),
    "60 6 * * *": ("`60` is not a minute", 0),
    "0 24 * * *": ("`24` is not an hour", 2),
    "0 0 0 * *": ("`0` is not a day of the month", 4),
    "0 0 1 13 *": ("`13` is not a month", 6),
    "0 0 1 foo *": ("`foo` is not a month", 6),
    "0 0 * * 8": ("`8` is not a day of the week", 8),
    "0 0,25 * * *": ("`25` is not an hour", 4),
    "0 18-8 * * *": ("the range runs backwards", 2),
    "*/0 * * * *": ("a step is a number from 1", 0),
    "5/10 * * * *": ("a step needs a range", 0),
    "0 6,, * * *": ("`` is not an hour", 4),
    "-1 * * * *": ("`-1` is not a minute", 0),
    "0 0 30 2 *": ("would never run", 4),
    "0 0 31 4,6,9,11 *": ("would never run", 4),
    "1e1 * * * *": ("`1e1` is not a minute", 0),
    "٣ * * * *": ("is not a minute", 0),
    "H * * * *": ("`H` is not a minute", 0),
    "0 0 L * *": ("`L` is not a day of the month", 4),
    "$(id) * * * *": ("is not a minute", 0),
}


@pytest.mark.parametrize("text", GOOD)
def test_what_is_right_has_no_fault(text: str) -> None:
    assert cron_fault(text) is None


@pytest.mark.parametrize("text", list(WRONG))
def test_what_is_wrong_is_told_at_its_character(text: str) -> None:
    message, offset = WRONG[text]
    fault = cron_fault(text)
    assert fault is not None
    assert message in fault[0]
    assert fault[1] == offset


FIELD = st.sampled_from(["*", "*/7", "1", "2-5", "1-6/2", "3,4", "0", "31", "12", "7", "60", "5-1", "x", "mon", "feb"])


@pytest.mark.skipif(not importlib.util.find_spec("croniter"), reason="croniter comes with Airflow: make setup-airflow")
@given(st.tuples(FIELD, FIELD, FIELD, FIELD, FIELD))
def test_airflow_can_run_whatever_has_no_fault(fields: tuple[str, ...]) -> None:
    from datetime import UTC, datetime

    from croniter import croniter

    text = " ".join(fields)
    if cron_fault(text) is None:
        assert croniter(text, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime) is not None

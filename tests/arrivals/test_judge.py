"""Which deliveries are whole and new, which are not and why: decided from what lies there, without any file."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from oncoweave.engine.arrived import Entry, Lying
from oncoweave.orchestration.arrivals import Arrived, Moment, Sighting, judge
from oncoweave.orchestration.taken import Claim, History, instant
from oncoweave.spec.arrival import Arrival

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC).timestamp()
MARKER = Arrival(folder="in/%Y-%m-%d", marker="_READY")
SETTLE = Arrival(folder="in/%Y-%m-%d", settle="60s")


def entry(name: str, age: float = 3600, size: int = 10) -> Entry:
    at = int((NOW - age) * 1e9)
    return Entry(name, size, at, at)


def lying(*entries: Entry, day: str = "2024-02-29", fault: str = "") -> Lying:
    return Lying(day, Path("/in") / day, date.fromisoformat(day), tuple(sorted(entries)), fault)


def state(
    one: Lying, arrival: Arrival = MARKER, before: History | None = None, moment: Moment | None = None
) -> tuple[str, str]:
    judged = judged_of(one, arrival, before, moment)
    return judged.state, judged.reason


def judged_of(one: Lying, arrival: Arrival, before: History | None = None, moment: Moment | None = None) -> Arrived:
    return judge([one], arrival, before or History(), moment or Moment(NOW))[0]


def seen(one: Lying, ago: float) -> Moment:
    return Moment(NOW, {one.name: Sighting(one.pulse, NOW - ago)})


WHOLE = lying(entry("a.csv"), entry("_READY", 60))


def test_a_delivery_with_its_marker_is_complete() -> None:
    judged = judged_of(WHOLE, MARKER)
    assert (judged.state, judged.files, judged.bytes) == ("complete", 1, 10)


@pytest.mark.parametrize(
    ("one", "expected", "told"),
    [
        (lying(entry("a.csv")), "waiting", "there is no _READY yet"),
        (lying(entry("_READY")), "refused", "there is _READY, but no file"),
        (lying(), "refused", "there is no file in it"),
        (lying(entry(".hidden")), "refused", "there is no file in it"),
        (lying(entry("a.csv"), fault="a.csv is a link that leads out of it"), "refused", "link that leads out"),
        (lying(entry("a.csv"), entry("_READY"), day="2024-03-03"), "refused", "its day has not come yet"),
        (lying(entry("a.csv"), entry("b.csv.part"), entry("_READY", 0)), "growing", "b.csv.part is still being"),
        (lying(entry("a.csv", 5), entry("_READY", 60)), "growing", "a.csv is newer than _READY"),
    ],
)
def test_what_is_not_complete_says_why(one: Lying, expected: str, told: str) -> None:
    found, reason = state(one)
    assert found == expected
    assert told in reason


def test_a_file_newer_than_the_marker_is_waited_for_until_it_is_still() -> None:
    assert state(lying(entry("a.csv", 100), entry("_READY", 900)))[0] == "complete"


def test_a_growing_file_is_waited_for() -> None:
    growing = lying(entry("a.csv", 10))
    assert state(growing, SETTLE) == ("growing", "it changed 10 s ago; it is taken when it has been still for 60 s")
    assert state(lying(entry("a.csv", 61)), SETTLE)[0] == "complete"


def test_a_watcher_trusts_its_own_clock_more_than_that_of_the_file_system() -> None:
    behind = lying(entry("a.csv", 9999))  # the server's clock is hours behind: what is written now looks old
    assert state(behind, SETTLE, moment=seen(behind, 0))[0] == "growing"
    assert state(behind, SETTLE, moment=seen(behind, 60))[0] == "complete"
    ahead = lying(entry("a.csv", -3600))
    assert state(ahead, SETTLE, moment=seen(ahead, 60))[0] == "complete"


def test_a_clock_that_is_ahead_is_told() -> None:
    found, reason = state(lying(entry("a.csv", -3600)), SETTLE)
    assert found == "growing"
    assert reason.endswith("; the clock of its file system is ahead")


def test_a_time_in_the_future_that_a_copy_kept_does_not_hold_it_up() -> None:
    kept = Entry("a.csv", 10, int((NOW + 9999) * 1e9), int((NOW - 100) * 1e9))
    assert state(lying(kept), SETTLE)[0] == "complete"


def test_both_marker_and_stillness_are_asked_for_where_both_are_declared() -> None:
    both = Arrival(folder="in/%Y-%m-%d", marker="_READY", settle="5m")
    assert state(lying(entry("a.csv", 200), entry("_READY", 100)), both)[0] == "growing"
    assert state(lying(entry("a.csv", 400), entry("_READY", 301)), both)[0] == "complete"


def test_what_a_run_holds_is_taken_even_without_its_marker() -> None:
    before = History(runs={("2024-02-29", WHOLE.signature(MARKER)): "run1"}, newest=date(2024, 2, 29))
    assert judged_of(WHOLE, MARKER, before).run_id == "run1"
    without = lying(entry("a.csv"))
    assert state(without, MARKER, before)[0] == "taken"


def test_a_replaced_file_makes_another_delivery() -> None:
    before = History(runs={("2024-02-29", WHOLE.signature(MARKER)): "run1"}, newest=date(2024, 2, 29))
    assert state(lying(entry("a.csv", size=11), entry("_READY", 60)), MARKER, before)[0] == "complete"
    assert state(lying(entry("a.csv", age=99), entry("_READY", 60)), MARKER, before)[0] == "complete"


def test_a_delivery_older_than_the_last_is_left_to_people() -> None:
    before = History(runs={("2024-03-01", "x"): "run1"}, newest=date(2024, 3, 1))
    assert state(WHOLE, MARKER, before) == (
        "refused",
        "it came late: the delivery of 2024-03-01 has been taken; to have it, run it by hand",
    )
    changed = History(runs={("2024-02-29", "x"): "run0", ("2024-03-01", "x"): "run1"}, newest=date(2024, 3, 1))
    assert state(WHOLE, MARKER, changed)[1].startswith(
        "it was changed after it was taken, and the delivery of 2024-03-01"
    )


def test_a_run_that_names_no_delivery_counts_by_its_day() -> None:
    before = History(days={date(2024, 2, 29): "byhand"}, newest=date(2024, 2, 29))
    assert judged_of(WHOLE, MARKER, before).run_id == "byhand"


def test_deliveries_before_the_first_day_that_is_asked_for_are_left_alone() -> None:
    assert state(WHOLE, MARKER.model_copy(update={"since": date(2024, 3, 1)}))[0] == "refused"
    assert state(WHOLE, MARKER.model_copy(update={"since": date(2024, 2, 29)}))[0] == "complete"


def claimed(error: str = "", ago: float = 60) -> History:
    since = instant(NOW - ago)
    claim = Claim(name="2024-02-29", signature=WHOLE.signature(MARKER), by="pipeline 7", since=since, error=error)
    return History(claims=(claim,))


def test_a_claimed_delivery_is_not_offered_again_until_its_claim_lapses() -> None:
    assert state(WHOLE, MARKER, claimed()) == ("claimed", "pipeline 7 is reading it, since 2024-03-01 11:59 UTC")
    assert state(WHOLE, MARKER, claimed(ago=25 * 3600))[0] == "complete"


def test_a_failed_delivery_is_not_offered_again_until_it_changes() -> None:
    assert state(WHOLE, MARKER, claimed("a.csv, line 3: …", ago=99 * 3600)) == ("failed", "a.csv, line 3: …")
    assert state(lying(entry("a.csv", size=11), entry("_READY", 60)), MARKER, claimed("bad"))[0] == "complete"


def test_the_signature_knows_nothing_of_the_marker_and_of_rights() -> None:
    touched = [replace(e, changed=e.changed + 1) for e in WHOLE.entries]
    assert lying(*touched).signature(MARKER) == WHOLE.signature(MARKER) == lying(entry("a.csv")).signature(MARKER)
    assert lying(*touched).pulse != WHOLE.pulse

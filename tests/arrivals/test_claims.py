"""Taking deliveries: none twice, none lost, the oldest first, whoever asks how often."""

from __future__ import annotations

import re
import shutil
import threading
import time
from datetime import date
from pathlib import Path

import pytest

from oncoweave.decisions import Person
from oncoweave.errors import EnvironmentFault, SourceUnreachable, UsageError
from oncoweave.files import lock, read_record, write_json
from oncoweave.orchestration.arrivals import Arrived, Moment, survey
from oncoweave.orchestration.claims import claim, set_aside
from oncoweave.orchestration.taken import CLAIM_LASTS, claims_file
from oncoweave.orchestration.watch import AGAIN, Watched, payload_of, watched
from oncoweave.project import Project, RunFolder
from oncoweave.records import ArrivalRecord, CheckRecord, ExtractRecord
from oncoweave.release.signoff import Answer, sign
from oncoweave.run import extract
from tests.arrivals.conftest import Send, declare

NOW = 1e10
"""A moment after everything that these tests write; far away, so that no slow machine comes to it."""


def states(project: Project, now: float = NOW) -> dict[str, str]:
    return {one.name: one.state for one in survey(project, "tiny", Moment(now)).arrived}


def announced(project: Project) -> list[tuple[str, str]]:
    return [(one.name, one.signature) for one in survey(project, "tiny", Moment(NOW)).arrived]


def take(project: Project, by: str, wanted: list[tuple[str, str]] | None = None, now: float = NOW) -> Arrived | None:
    return claim(project, "tiny", by, announced(project) if wanted is None else wanted, now)


def read(project: Project, arrived: Arrived | None) -> str:
    assert arrived is not None
    return extract(project, "tiny", arrived.path, day=arrived.day).run_id


def test_several_that_came_meanwhile_are_taken_oldest_first(project: Project, send: Send) -> None:
    for day in ("2024-03-01", "2024-01-31", "2024-02-29"):
        send(day)
    names = []
    for number in range(3):
        taken = take(project, f"run {number}")
        assert taken is not None
        names.append(taken.name)
        read(project, taken)
    assert names == ["2024-01-31", "2024-02-29", "2024-03-01"]
    assert take(project, "run 3") is None
    assert set(states(project).values()) == {"taken"}


def test_a_run_that_asks_again_gets_what_it_got(project: Project, send: Send) -> None:
    send("2024-02-29")
    send("2024-03-01")
    first = take(project, "run 1")
    assert take(project, "run 1") == Arrived(**{**vars(first), "state": "claimed", "reason": ANY}) if first else False
    read(project, first)
    again = take(project, "run 1")
    assert again is not None
    assert (again.name, again.state) == ("2024-02-29", "taken")


class _Any(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


ANY = _Any()


def test_two_pipelines_never_get_one_delivery(project: Project, send: Send) -> None:
    days = ["2024-01-31", "2024-02-29", "2024-03-01"]
    for day in days:
        send(day)
    wanted = announced(project)
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: got.extend(a.name for a in [take(project, f"run {n}", wanted)] if a))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == days


def test_what_was_announced_and_changed_since_is_not_taken(project: Project, send: Send) -> None:
    folder = send("2024-02-29")
    wanted = announced(project)
    (folder / "patients.csv").write_text("patient\n", encoding="utf-8")
    assert take(project, "run 1", wanted) is None


def test_a_claim_that_led_to_nothing_lapses(project: Project, send: Send) -> None:
    send("2024-02-29")
    take(project, "given up")
    assert states(project) == {"2024-02-29": "claimed"}
    assert states(project, NOW + CLAIM_LASTS + 1) == {"2024-02-29": "complete"}


def test_a_delivery_that_cannot_be_taken_is_set_aside_until_it_is_mended(project: Project, send: Send) -> None:
    folder = send("2024-02-29")
    take(project, "run 1")
    set_aside(project, "tiny", "run 1", "patients.csv, line 3: too few fields")
    assert states(project, NOW + 2 * CLAIM_LASTS) == {"2024-02-29": "failed"}
    shutil.copy(folder / "patients.csv", folder / "copy.csv")
    assert states(project, time.time()) == {"2024-02-29": "growing"}  # copy.csv is newer than the marker
    (folder / "_READY").touch()
    assert states(project) == {"2024-02-29": "complete"}


def test_the_folder_names_the_day_of_the_run(project: Project, send: Send) -> None:
    send("2024-02-29")
    run_id = read(project, take(project, "run 1"))
    run = project.runs / "tiny" / run_id
    assert read_record(run / "extract.json", ExtractRecord).delivery_date == date(2024, 2, 29)
    record = read_record(run / "arrival.json", ArrivalRecord)
    assert (record.name, record.day) == ("2024-02-29", date(2024, 2, 29))


def test_by_hand_the_same_folder_gives_the_same_run_and_counts_as_taken(project: Project, send: Send) -> None:
    folder = send("2024-02-29")
    by_hand = extract(project, "tiny", folder)
    assert states(project) == {"2024-02-29": "taken"}
    assert extract(project, "tiny", folder, day=date(2024, 2, 29)) == by_hand
    assert extract(project, "tiny", folder, day=date(2024, 2, 28)) != by_hand


def test_files_that_were_touched_but_hold_the_same_are_taken_at_once(project: Project, send: Send) -> None:
    folder = send("2024-02-29")
    first = read(project, take(project, "run 1"))
    (folder / "patients.csv").touch()
    (folder / "_READY").touch()
    assert states(project) == {"2024-02-29": "complete"}
    assert read(project, take(project, "run 2")) == first
    assert states(project) == {"2024-02-29": "taken"}


def test_the_same_files_on_another_day_are_another_run(project: Project, send: Send) -> None:
    first = extract(project, "tiny", send("2024-02-29"))
    assert extract(project, "tiny", send("2024-03-01")) != first


def test_a_delivery_that_changes_while_it_is_read_leaves_no_run(
    project: Project, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = send("2024-02-29")
    from oncoweave.engine.snapshot import take_snapshot

    def meanwhile(*given: object) -> object:
        with (folder / "tumours.csv").open("a", encoding="utf-8") as file:
            file.write("\n")
        return take_snapshot(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("oncoweave.stages.extract.take_snapshot", meanwhile)
    with pytest.raises(SourceUnreachable, match="the delivery 2024-02-29 changed while it was read"):
        extract(project, "tiny", folder)
    assert not list(project.runs.glob("tiny/*/extract.json"))
    monkeypatch.undo()


def test_a_damaged_record_of_claims_stops_taking_instead_of_taking_twice(project: Project, send: Send) -> None:
    send("2024-02-29")
    take(project, "run 1")
    claims_file(project, "tiny").write_text("{", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match=r"arrivals\.json is not a valid ClaimsRecord"):
        states(project)


def test_a_lock_that_is_held_is_waited_for(project: Project, send: Send) -> None:
    send("2024-02-29")
    wanted = announced(project)
    with lock(project.runs / "tiny" / ".arrivals.lock", "another"):
        got: list[Arrived | None] = []
        thread = threading.Thread(target=lambda: got.append(take(project, "run 1", wanted)))
        thread.start()
        time.sleep(0.4)
        assert got == []
    thread.join()
    assert got and got[0] is not None


def test_a_delta_waits_for_what_it_builds_on(project: Project, send: Send) -> None:
    declare(project, "{folder: ../../../inbox/%Y-%m-%d, marker: _READY}", mode="delta")
    send("2024-02-01", marker=False)
    for day in ("2024-01-31", "2024-03-01"):
        send(day)
    assert states(project) == {"2024-01-31": "complete", "2024-02-01": "waiting", "2024-03-01": "waiting"}
    run_id = read(project, take(project, "run 1"))
    reasons = {one.name: one.reason for one in survey(project, "tiny", Moment(NOW)).arrived}
    (project.root / "inbox" / "2024-02-01" / "_READY").touch()
    assert reasons["2024-02-01"] == "there is no _READY yet"
    found = {one.name: one for one in survey(project, "tiny", Moment(NOW)).arrived}
    assert found["2024-02-01"].reason == f"it builds on run {run_id}, which is not published yet"
    (project.releases / "tiny" / f"2024-01-31-{run_id[:12]}").mkdir(parents=True)
    assert states(project) == {"2024-01-31": "taken", "2024-02-01": "complete", "2024-03-01": "waiting"}


def test_a_delta_waits_for_no_run_that_failed_or_was_rejected(project: Project, send: Send) -> None:
    declare(project, "{folder: ../../../inbox/%Y-%m-%d, marker: _READY}", mode="delta")
    for day in ("2024-01-31", "2024-03-01"):
        send(day)
    run = project.runs / "tiny" / read(project, take(project, "run 1"))
    assert states(project)["2024-03-01"] == "waiting"
    write_json(run / "check.json", CheckRecord(verdict="fail", results=()))
    assert states(project)["2024-03-01"] == "complete"
    write_json(run / "check.json", CheckRecord(verdict="pass", results=()))
    assert states(project)["2024-03-01"] == "waiting"
    (run / "map.json").write_text("{}")
    sign(RunFolder(run), Answer("rejected", Person(id="qa", name="Q"), "", "not this one", "command line"), None)
    assert states(project)["2024-03-01"] == "complete"


def test_files_of_one_day_are_read_and_no_others(project: Project, place: Path, send: Send) -> None:
    declare(project, '{files: "../../../inbox/%Y-%m-%d_*.csv"}')
    path = project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    path.write_text(re.sub("files: ([a-z]+.csv)", r'files: "*_\1"', path.read_text()))
    for day in ("2024-01-31", "2024-02-29"):
        for file in (project.root / "deliveries" / "2024-01-31").iterdir():
            shutil.copy(file, place / f"{day}_{file.name}")
    found = survey(project, "tiny", Moment(NOW + 99)).arrived
    assert [(one.name, one.state, one.files) for one in found] == [
        ("2024-01-31", "complete", 2),
        ("2024-02-29", "complete", 2),
    ]
    run = extract(project, "tiny", found[1].path, day=found[1].day)
    record = read_record(run.path / "extract.json", ExtractRecord)
    assert [file.name for table in record.tables for file in table.files] == [
        "2024-02-29_patients.csv",
        "2024-02-29_tumours.csv",
    ]
    with pytest.raises(UsageError, match="the files of several days lie in one folder"):
        extract(project, "tiny", place)


def test_an_event_is_repeated_only_while_nobody_takes_the_delivery(project: Project, send: Send) -> None:
    send("2024-01-31")
    send("2024-02-29")

    def step(before: Watched, now: float) -> tuple[Watched, str | None, list[str]]:
        memory, chosen, lines = watched(before, survey(project, "tiny", Moment(now, before.sightings)), now)
        return memory, chosen.name if chosen else None, lines

    memory, name, lines = step(Watched(), NOW)
    assert (name, lines) == (
        "2024-01-31",
        ["tiny, delivery 2024-01-31: complete", "tiny, delivery 2024-02-29: complete"],
    )
    memory, name, lines = step(memory, NOW + 60)
    assert (name, lines) == (None, [])
    memory, name, _ = step(memory, NOW + AGAIN)
    assert name == "2024-01-31"
    taken = take(project, "run 1", now=NOW + AGAIN)
    memory, name, _ = step(memory, NOW + AGAIN + 60)
    assert name == "2024-02-29"
    read(project, taken)
    restarted, name, _ = step(Watched(), NOW + AGAIN + 120)
    assert name == "2024-02-29"
    read(project, take(project, "run 2", now=NOW + AGAIN))
    assert step(Watched(), NOW + 2 * AGAIN)[1] is step(restarted, NOW + 2 * AGAIN)[1] is None


def test_an_event_tells_where_and_how_much_and_no_file(project: Project, send: Send) -> None:
    send("2024-02-29")
    arrived = survey(project, "tiny", Moment(NOW)).next
    assert arrived is not None
    payload = payload_of("tiny", arrived)
    assert payload.pop("signature") == arrived.signature
    assert payload == {
        "source": "tiny",
        "delivery": "2024-02-29",
        "path": str(project.root / "inbox" / "2024-02-29"),
        "day": "2024-02-29",
        "files": 2,
        "bytes": arrived.bytes,
    }

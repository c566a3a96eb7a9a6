"""The watcher of arrivals in a real event loop, and the task that takes what it announced."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from oncoweave.orchestration.arrivals import Survey
from oncoweave.project import Project
from tests.arrivals.conftest import declare

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from oncoweave.airflow.arrivals import ArrivalTrigger

Dags = Callable[[Project], dict[str, "DAG"]]
FOLDERS = "{folder: ../../../inbox/%Y-%m-%d, marker: _READY, every: 1s}"


@pytest.fixture
def project(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("ONCOWEAVE_PROJECT", str(tiny_project.root))
    (tiny_project.root / "inbox").mkdir()
    declare(tiny_project, FOLDERS)
    return tiny_project


def send(project: Project, day: str, *, marker: bool = True) -> Path:
    folder = project.root / "inbox" / day
    shutil.copytree(project.root / "deliveries" / "2024-01-31", folder)
    if marker:
        (folder / "_READY").touch()
    return folder


def assets_of(dag: DAG) -> list[Any]:
    """The assets that a DAG waits for."""
    condition: Any = dag.timetable.asset_condition
    return list(condition.objects)


def trigger_of(dags_of: Dags, project: Project) -> ArrivalTrigger:
    """The trigger as the triggerer makes it: of what the DAG says, through JSON."""
    from airflow._shared.module_loading import import_string

    dag = dags_of(project)["harmonise__tiny"]
    (asset,) = assets_of(dag)
    path, arguments = asset.watchers[0].trigger.serialize()
    made: ArrivalTrigger = import_string(path)(**json.loads(json.dumps(arguments)))
    return made


async def next_event(events: AsyncIterator[Any], seconds: float = 5) -> dict[str, Any] | None:
    try:
        payload: dict[str, Any] = (await asyncio.wait_for(anext(events), seconds)).payload
    except TimeoutError:
        return None
    return payload


def context(run_id: str, *payloads: dict[str, Any]) -> dict[str, Any]:
    """What the task sees of the events that started its run."""
    events = [SimpleNamespace(extra={"from_trigger": True, "payload": payload}) for payload in payloads]
    return {"params": {}, "run_id": run_id, "triggering_asset_events": {"arrival": events} if events else {}}


def arrive(project: Project, run_id: str, *payloads: dict[str, Any]) -> dict[str, str] | None:
    from oncoweave.airflow.arrivals import ArriveOperator

    return ArriveOperator(task_id="arrive", source="tiny").stage(context(run_id, *payloads), project)  # type: ignore[arg-type]


def test_the_dag_waits_for_the_asset_and_arrive_comes_first(dags_of: Dags, project: Project) -> None:
    dag = dags_of(project)["harmonise__tiny"]
    assert [asset.uri for asset in assets_of(dag)] == ["oncoweave://arrival/tiny"]
    assert dag.task_dict["extract"].upstream_task_ids == {"arrive"}


def test_the_same_source_gives_the_same_trigger_and_the_same_dag(dags_of: Dags, project: Project) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    first, again = (DagSerialization.to_dict(dags_of(project)["harmonise__tiny"]) for _ in range(2))
    assert first == again
    before = trigger_of(dags_of, project).serialize()
    assert before == trigger_of(dags_of, project).serialize()
    assert str(project.root) not in json.dumps(before)
    declare(project, FOLDERS.replace("1s", "2s"))
    assert trigger_of(dags_of, project).serialize() != before


def test_the_trigger_fires_for_each_whole_delivery_oldest_first(dags_of: Dags, project: Project) -> None:
    async def watch() -> list[dict[str, Any] | None]:
        events = trigger_of(dags_of, project).run()
        send(project, "2024-03-01")
        waiting = send(project, "2024-02-29", marker=False)
        first = await next_event(events)
        assert first is not None
        (waiting / "_READY").touch()
        assert arrive(project, "run 1", first) == {"path": first["path"], "day": "2024-03-01"}
        return [first, await next_event(trigger_of(dags_of, project).run())]

    first, second = asyncio.run(watch())
    assert first is not None
    assert second is not None
    assert (first["delivery"], second["delivery"]) == ("2024-03-01", "2024-02-29")
    assert set(first) == {"source", "delivery", "path", "day", "files", "bytes", "signature"}
    assert "csv" not in json.dumps(first)


def test_two_watchers_and_repeated_events_take_a_delivery_once(dags_of: Dags, project: Project) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    send(project, "2024-02-29")

    async def both() -> list[dict[str, Any]]:
        events = await asyncio.gather(*(next_event(trigger_of(dags_of, project).run()) for _ in range(2)))
        return [event for event in events if event]

    one, other = asyncio.run(both())
    assert one == other
    taken = arrive(project, "run 1", one)
    assert arrive(project, "run 1", one) == taken
    with pytest.raises(AirflowSkipException, match="have been taken"):
        arrive(project, "run 2", one, other)


def test_a_growing_delivery_is_announced_when_it_is_still(dags_of: Dags, project: Project) -> None:
    declare(project, "{folder: ../../../inbox/%Y-%m-%d, settle: 2s, every: 1s}")
    folder = send(project, "2024-02-29", marker=False)

    async def watch() -> tuple[int, dict[str, Any] | None]:
        events = trigger_of(dags_of, project).run()
        coming = asyncio.ensure_future(next_event(events, 30))
        for number in range(8):
            with (folder / "patients.csv").open("a") as file:
                file.write("\n")
            await asyncio.sleep(0.5)
            assert not coming.done(), number
        written = (folder / "patients.csv").stat().st_size
        return written, await coming

    written, event = asyncio.run(watch())
    assert event is not None
    assert event["bytes"] == written + (folder / "tumours.csv").stat().st_size


def test_a_folder_that_vanishes_and_comes_back_costs_a_line_in_the_log(
    dags_of: Dags, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = project.root / "inbox"
    inbox.rename(project.root / "gone")

    async def watch() -> dict[str, Any] | None:
        coming = asyncio.ensure_future(next_event(trigger_of(dags_of, project).run(), 30))
        await asyncio.sleep(2.5)
        (project.root / "gone").rename(inbox)
        send(project, "2024-02-29")
        return await coming

    assert asyncio.run(watch()) is not None
    told = [line for line in capsys.readouterr().out.splitlines() if "cannot be read" in line]
    assert len(told) == 1
    assert "tiny: " in told[0]


def test_a_folder_that_hangs_holds_up_neither_the_loop_nor_the_end(
    dags_of: Dags, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from oncoweave.airflow import arrivals

    answer = threading.Event()

    def hang(*given: object, **named: object) -> Survey:
        answer.wait(30)
        return Survey("tiny", ())

    monkeypatch.setattr(arrivals, "survey_of", hang)
    monkeypatch.setattr(arrivals, "PATIENCE", 0.3)

    async def watch() -> int:
        coming = asyncio.ensure_future(next_event(trigger_of(dags_of, project).run(), 30))
        beats = 0
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            await asyncio.sleep(0.01)
            beats += 1
        coming.cancel()
        return beats

    began = time.monotonic()
    assert asyncio.run(watch()) > 20
    assert time.monotonic() - began < 10
    assert "does not answer" in capsys.readouterr().out
    answer.set()


def test_bad_data_are_set_aside_and_not_announced_again(dags_of: Dags, project: Project) -> None:
    from oncoweave.errors import DataError
    from oncoweave.orchestration.claims import set_aside_when_faulty
    from oncoweave.run import extract

    folder = send(project, "2024-02-29")
    (folder / "patients.csv").unlink()
    (folder / "_READY").touch()

    async def watch(seconds: float) -> dict[str, Any] | None:
        return await next_event(trigger_of(dags_of, project).run(), seconds)

    event = asyncio.run(watch(5))
    assert event is not None
    taken = arrive(project, "run 1", event)
    assert taken is not None
    with pytest.raises(DataError), set_aside_when_faulty(project, "tiny", "run 1"):
        extract(project, "tiny", Path(taken["path"]))
    assert asyncio.run(watch(2.5)) is None
    shutil.copy(project.root / "deliveries" / "2024-01-31" / "patients.csv", folder)
    (folder / "_READY").touch()
    assert asyncio.run(watch(5)) is not None


@pytest.mark.slow
def test_started_by_hand_it_takes_the_next_and_then_the_newest_again(
    run_dag: Callable[..., dict[str, str]], project: Project
) -> None:
    done = {"arrive": "success", "extract": "success", "map": "success", "check": "success"}
    for day in ("2024-02-29", "2024-03-01"):
        send(project, day)
    for expected in (["2024-02-29"], ["2024-02-29", "2024-03-01"], ["2024-02-29", "2024-03-01"]):
        assert run_dag(project, "harmonise__tiny") == done
        held = [json.loads(path.read_text())["name"] for path in project.runs.glob("tiny/*/arrival.json")]
        assert sorted(held) == expected

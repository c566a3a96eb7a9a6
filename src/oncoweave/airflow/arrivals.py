"""Watches where deliveries arrive, in the triggerer, and gives a pipeline run the delivery that it is to read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from airflow.sdk import Asset, AssetWatcher, Context
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from oncoweave.airflow.connections import connections
from oncoweave.airflow.operators import StageOperator
from oncoweave.airflow.project import project_here
from oncoweave.errors import OncoweaveError, UsageError
from oncoweave.orchestration.arrivals import Arrived, Moment, survey_of
from oncoweave.orchestration.pipeline import Pipeline
from oncoweave.orchestration.watch import Watched, payload_of, watched
from oncoweave.project import Project
from oncoweave.spec.arrival import Arrival
from oncoweave.spec.language import span

PATIENCE = 60.0
"""Seconds after which a folder that does not answer is told of."""

Answer = TypeVar("Answer")


class ArrivalTrigger(BaseEventTrigger):
    """Looks where deliveries of a source arrive, for ever, and fires for each that is whole and new, the oldest first.

    What it is made of is text, so that the same source.yaml gives the same trigger; what it has seen is not kept when the
    triggerer starts anew: it then looks for as long as a delivery must be still, and takes nothing that a run holds.
    """

    def __init__(self, *, source: str, arrival: str, in_order: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.source = source
        self.arrival = arrival
        self.in_order = in_order

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The path of the class and what it is made of."""
        arguments = {"source": self.source, "arrival": self.arrival, "in_order": self.in_order}
        return f"{__name__}.{type(self).__name__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, fire, wait; a folder that cannot be read, or does not answer, gives a line in the log and no more."""
        arrival = Arrival.model_validate_json(self.arrival)
        memory, silent = Watched(), ""
        while True:
            try:
                memory, chosen, lines = await self._answer(partial(self._look, arrival, memory))
                silent = ""
            except (OncoweaveError, OSError) as error:
                told = str(error)
                if told != silent:
                    self.log.warning("%s: %s; looking again every %s", self.source, told, arrival.every)
                chosen, lines, silent = None, [], told
            for line in lines:
                self.log.info("%s", line)
            if chosen is not None:
                yield TriggerEvent(payload_of(self.source, chosen))  # type: ignore[no-untyped-call]
            await asyncio.sleep(span(arrival.every).total_seconds())

    def _look(self, arrival: Arrival, memory: Watched) -> tuple[Watched, Arrived | None, list[str]]:
        now = time.time()
        project = project_here()
        with connections(project, self.source) if arrival.watermark else nullcontext():
            found = survey_of(project, self.source, arrival, Moment(now, memory.sightings), in_order=self.in_order)
        return watched(memory, found, now)

    async def _answer(self, call: Callable[[], Answer]) -> Answer:
        """What the call gives, made in a thread of its own: one that hangs keeps no other waiting, nor the process from ending."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()

        def settle(result: Answer | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            result: Answer | None = None
            error: BaseException | None = None
            try:
                result = call()
            except Exception as caught:
                error = caught
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, result, error)

        Thread(target=work, name=f"arrivals of {self.source}", daemon=True).start()
        while not (await asyncio.wait({future}, timeout=PATIENCE))[0]:
            self.log.warning("%s: the folder where deliveries arrive does not answer", self.source)
        return future.result()


class ArriveOperator(StageOperator):
    """Takes the delivery that was announced; gives its folder and day (of a database neither). Where another run took it already, all is skipped.

    Started by hand without saying which, it takes the next that is whole, else the newest once more.
    """

    def stage(self, context: Context, project: Project) -> dict[str, str] | None:
        from oncoweave.orchestration.claims import claim

        if context["params"].get("delivery"):
            return None  # somebody said which
        events = [event for found in context["triggering_asset_events"].values() for event in found]
        payloads = [event.extra["payload"] for event in events]
        announced = {(told["delivery"], told["signature"]) for told in payloads} if payloads else None
        with connections(project, self.source):
            taken = claim(project, self.source, str(context["run_id"]), announced, time.time())
        if taken is None and announced is None:
            raise UsageError("no delivery has arrived that is whole", mend=f"see `oncoweave arrivals {self.source}`")
        if taken is None:
            raise AirflowSkipException(
                "the deliveries that were announced have been taken, or are no longer as they were"
            )
        return {"path": str(taken.path), "day": taken.day.isoformat()} if taken.day else {}


def arrival_of(pipeline: Pipeline) -> Asset:
    """The asset of what arrives for a source, with its watcher."""
    spec = pipeline.spec
    assert spec is not None
    assert spec.arrival is not None
    text = spec.arrival.model_dump_json(exclude_none=True)
    trigger = ArrivalTrigger(source=pipeline.source, arrival=text, in_order=spec.delivery.mode == "delta")
    return Asset(
        f"oncoweave://arrival/{pipeline.name}",
        watchers=[AssetWatcher(name=f"arrivals of {pipeline.name}", trigger=trigger)],
    )

"""The keys of `source.yaml` that the scheduler reads: when a source is run, by whom, and how often a task is tried."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from oncoweave.spec.language import Label, Span, Spec


class CronSchedule(Spec):
    """A schedule by the clock."""

    cron: str = Field(
        description='Five fields: minute, hour, day of the month, month, day of the week. "0 6 * * 1" is every Monday at six, "30 2 1 * *" the first of every month at half past two.'
    )
    timezone: str = Field(
        default="UTC", description="The time zone that the hours are meant in, such as Europe/Lisbon."
    )


class AssetSchedule(Spec):
    """A schedule by what another pipeline makes: run when it is there anew."""

    asset: Label = Field(
        description="Name of an Airflow asset, such as `oncoweave://release/<source>`, the release of another source."
    )


class Scheduling(Spec):
    """When and how Airflow runs a source; the command line takes no notice of these keys."""

    schedule: CronSchedule | AssetSchedule | Literal["by hand", "on arrival"] = Field(
        default="by hand",
        description="When a delivery is harmonised. `by hand`: when somebody asks for it; `on arrival`: when one has arrived.",
    )
    owner: Label = Field(
        default="data steward", description="Who answers for the source; shown in the list of pipelines."
    )
    tags: tuple[Label, ...] = Field(
        default=(), max_length=20, description="Words to find the source by in the list of pipelines."
    )
    retries: int = Field(
        default=3,
        ge=0,
        le=20,
        description="How often a task is tried again when something could not be reached. A fault in a specification or in the data is not tried again.",
    )
    retry_delay: Span = Field(
        default="5m",
        description="How long to wait before the first retry: 30s, 5m, 1h. Each further wait is twice as long, up to a day.",
    )
    pool: Label | None = Field(
        default=None,
        description="The Airflow pool that the tasks take their places in, so that not too many run at once; it must exist. Airflow's default pool if unset.",
    )
    map_by: Literal["whole", "tables"] = Field(
        default="whole",
        description="whole: one task maps the source. tables: one task for each table of the CDM, which Airflow runs side by side.",
    )

"""What a run may be asked for: the fields of the form that a scheduler shows, as JSON Schema, so that it refuses the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oncoweave.project import RUN_ID
from oncoweave.spec.source import Source


@dataclass(frozen=True)
class FormField:
    """One field of a form: what it holds when nobody fills it in, what it means, and the JSON Schema of its values."""

    default: str | int | bool | None
    title: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=dict)


Form = Mapping[str, FormField]


def harmonise_form(spec: Source) -> Form:
    """What harmonising a source may be asked for."""
    delta = spec.delivery.mode == "delta"
    modes = ["delta", "full"] if delta else ["full"]
    return {
        "delivery": FormField(
            default=None,
            title="Delivery",
            description="The folder of another delivery than the one that source.yaml declares: its path, or its day (YYYY-MM-DD).",
            schema={"type": ["null", "string"], "minLength": 1, "maxLength": 1000, "pattern": r"^[^\x00-\x1f]+$"},
        ),
        "mode": FormField(
            default=modes[0],
            title="Full or delta",
            description="delta: what changed since the delivery before. full: it builds on none."
            if delta
            else "A delivery of this source holds everything.",
            schema={"type": "string", "enum": modes},
        ),
        "dry_run": FormField(
            default=False,
            title="Dry run",
            description="Map and check only: what comes of it is not put up for publication.",
            schema={"type": "boolean"},
        ),
        "sample": FormField(
            default=None,
            title="Sample",
            description="Of a dry run: the first so many persons only. All if empty.",
            schema={"type": ["null", "integer"], "minimum": 1, "maximum": 1_000_000},
        ),
    }


def publish_form() -> Form:
    """What publishing may be asked for."""
    return {
        "run_id": FormField(
            default=None,
            title="Run",
            description="The run to publish, where this is started by hand; the log of the task `check` names it.",
            schema={"type": ["null", "string"], "pattern": f"^{RUN_ID.pattern}$"},
        )
    }

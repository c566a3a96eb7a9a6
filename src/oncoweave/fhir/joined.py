"""What a resource tells of other events than its own: the death of a patient, the stages of a condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from oncoweave.events import union_of
from oncoweave.fhir.template import moment
from oncoweave.records import EventFile

STAGES = frozenset({"tnm_t", "tnm_n", "tnm_m", "stage_group", "summary_stage"})
"""The kinds of facts that stage a condition."""


@dataclass(frozen=True)
class JoinedFact:
    """A fact of other events: SQL of its rows, one for each value of `column`, and which column of the event it is found by."""

    rows: Callable[[Path, Sequence[EventFile]], str]
    column: str
    by: str


def _deaths(events: Path, files: Sequence[EventFile]) -> str:
    died = [file for file in files if "death" in file.targets]
    columns = ["person_id", "start_date", "start_time", "start_precision"]
    return f"SELECT person_id, {moment('start').sql} AS date FROM ({union_of(events, died, columns)})"


def _stages(events: Path, files: Sequence[EventFile]) -> str:
    telling = [f for f in files if f.constants.get("kind") in STAGES and "modifies" in f.columns]
    told = f"SELECT modifies, event_id FROM ({union_of(events, telling, ['modifies', 'event_id', 'target'])}) WHERE target IN ('measurement', 'observation') AND modifies IS NOT NULL"
    one = """'{"reference":"Observation/' || event_id || '"}'"""
    return f"SELECT modifies, '[' || string_agg({one}, ',' ORDER BY event_id) || ']' AS observations FROM ({told}) GROUP BY modifies"


def _diagnoses(events: Path, files: Sequence[EventFile]) -> str:
    telling = [f for f in files if "condition_occurrence" in f.targets and "episode" in f.columns]
    told = f"SELECT episode, event_id FROM ({union_of(events, telling, ['episode', 'event_id', 'target'])}) WHERE target = 'condition_occurrence' AND episode IS NOT NULL"
    one = """'{"condition":{"reference":"Condition/' || event_id || '"}}'"""
    return f"SELECT episode, '[' || string_agg({one}, ',' ORDER BY event_id) || ']' AS conditions FROM ({told}) GROUP BY episode"


JOINED: Mapping[str, JoinedFact] = MappingProxyType(
    {
        "death": JoinedFact(_deaths, "person_id", "person_id"),
        "stages": JoinedFact(_stages, "modifies", "event_id"),
        "diagnoses": JoinedFact(_diagnoses, "episode", "event_id"),
    }
)
"""By name: `death#date`, the moment of a person's death; `stages#observations`, the references to what stages a condition;
`diagnoses#conditions`, the diagnoses that belong to an episode."""

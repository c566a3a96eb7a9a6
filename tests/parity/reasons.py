"""Why our CDM may differ from the peer's: each reason, and the test that a difference must pass to claim it.

README.md beside this file says for each why the peer is wrong by OMOP's conventions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from tests.parity.compare import Difference

Claim = Callable[[Difference], bool]
CLINICAL = frozenset(
    {"condition_occurrence", "drug_exposure", "measurement", "observation", "procedure_occurrence", "device_exposure"}
)


def _left_null(table: str, *columns: str) -> Claim:
    """The peer has nothing in one of the columns where we have what the source says."""
    return lambda d: d.table == table and d.what in columns and d.peer is None and d.ours is not None


def _lost(concept: Callable[[int, int], bool]) -> Claim:
    """A clinical record that only we have, with such a concept and source concept."""
    return lambda d: d.table in CLINICAL and d.what == "ours" and concept(*d.ours[:2])


def _column(table: str, what: str, claim: Claim) -> Claim:
    return lambda d: (d.table, d.what) == (table, what) and claim(d)


REASONS: Mapping[str, Claim] = {
    "unknown_code": _lost(lambda concept, source: concept == 0 and source == 0),
    "code_without_standard": _lost(lambda concept, source: concept == 0 and source > 0),
    "code_not_followed": _lost(lambda concept, source: concept > 0),
    "birth_datetime": _left_null("person", "birth_datetime"),
    "race": _column("person", "race_concept_id", lambda d: d.peer == 0 and d.ours == 8557),
    "end_of_visit": lambda d: d.what in ("visit_end_date", "visit_detail_end_date") and d.peer < d.ours,
    "stay_in_parts": lambda d: (
        (d.table == "visit_occurrence" and d.what == "peer" and d.peer[0] == 9203)
        or (d.table == "visit_occurrence" and d.what == "visit_concept_id" and (d.ours, d.peer) == (262, 9201))
        or (d.what == "visit" and d.ours is not None and d.peer is not None)
    ),
    "days_supply_computed": _column("drug_exposure", "days_supply", lambda d: d.ours is None and d.peer is not None),
    "end_of_prescription": lambda d: (
        d.table == "drug_exposure"
        and d.what in ("drug_exposure_end_date", "drug_exposure_end_datetime")
        and str(d.ours)[:10] == str(d.identity[2] + timedelta(days=29))
        and str(d.peer)[:10] == str(d.identity[2])
    ),
    "era_of_prescription": lambda d: (
        d.table == "drug_era"
        and (d.what == "gap_days" or timedelta(0) < d.ours - d.peer <= timedelta(days=29))
        and (d.what != "gap_days" or d.ours < d.peer)
    ),
    "unit_of_measurement": _left_null("measurement", "unit_concept_id"),
    "value_of_observation": _left_null(
        "observation",
        "CAST(value_as_number AS FLOAT)",
        "value_as_string",
        "value_source_value",
        "unit_concept_id",
        "unit_source_value",
    ),
    "type_by_target": _column(
        "observation", "observation_type_concept_id", lambda d: (d.ours, d.peer) == (32827, 32817)
    ),
    "certificate": _column("death", "death_date", lambda d: d.ours < d.peer),
    "certificate_time": _column("death", "death_datetime", lambda d: d.ours is None),
    "period_of_visits": lambda d: (
        d.table == "observation_period"
        and (
            (d.what == "observation_period_start_date" and d.ours < d.peer)
            or (d.what == "observation_period_end_date" and d.ours > d.peer)
        )
    ),
    "era_of_lost_row": lambda d: d.table == "condition_era" and d.what == "ours",
    "version_concept": _column("cdm_source", "cdm_version_concept_id", lambda d: (d.ours, d.peer) == (756265, 798878)),
}


def reason_of(difference: Difference) -> str | None:
    """The first reason that a difference can claim; None where the peer is not wrong."""
    return next((name for name, claims in REASONS.items() if claims(difference)), None)

"""SQL over the visits of one rule: encounters rolled up into visits, and visits by day. Nothing here reads other facts.

Roll-up (CDM, visit_occurrence): inpatient and emergency encounters of a person that share a day are one stay if one
of them is inpatient, and so are inpatient encounters on two days in a row; an outpatient encounter within the days of
a stay belongs to it. Every other encounter is a visit of its own. A day that the source does not know ties nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from oncoweave.compiler import keys
from oncoweave.compiler.bound import VisitKinds
from oncoweave.events import TYPES

INPATIENT = 9201
EMERGENCY = 9203
OUTPATIENT = 9202
EMERGENCY_TO_INPATIENT = 262
OF_THE_STAY = (
    "concept_id", "start_date", "end_date", "end_precision", "discharged_to_concept_id", "discharged_to_source_value",
)  # fmt: skip
"""The event columns of a rolled-up visit that need not be those of the encounter that leads it."""

_NOT_KNOWN = "coalesce(start_precision, 'day') <> 'day' OR coalesce(end_precision, 'day') IN ('month', 'year')"
_LAST = "coalesce(end_date, start_date)"


def rolled_up(encounters: str, rule: str, kinds: VisitKinds) -> str:
    """SELECT of each encounter's visit: event_id, visit, and of a stay lead, close, concept, first, last.

    `encounters` is a SELECT of events. A visit's id is that of the encounter that leads it XOR a salt of the rule.
    """
    lead = "first(event_id ORDER BY first, last DESC, event_id) FILTER (kind = 'inpatient')"
    kind_of_lead = "first(concept_id ORDER BY first, last DESC, event_id) FILTER (kind = 'inpatient')"
    came = "min(first) FILTER (kind = 'emergency') <= min(first) FILTER (kind = 'inpatient')"
    return f"""WITH e AS ({_by_kind(encounters, kinds)}),
        blocks AS (SELECT *, sum(begins) OVER (PARTITION BY person_id ORDER BY {_ORDER} ROWS UNBOUNDED PRECEDING) AS block
            FROM ({_BEGINS})),
        stays AS (SELECT person_id, block, min(first) AS first, max(last) AS last, {lead} AS lead,
                first(event_id ORDER BY last DESC, first DESC, event_id) FILTER (kind = 'inpatient') AS close,
                CASE WHEN {came} OR {kind_of_lead} = {EMERGENCY_TO_INPATIENT} THEN {EMERGENCY_TO_INPATIENT}
                    WHEN count(DISTINCT concept_id) FILTER (kind = 'inpatient') = 1 THEN {kind_of_lead}
                    ELSE {INPATIENT} END AS concept
            FROM blocks GROUP BY person_id, block HAVING bool_or(kind = 'inpatient')),
        members AS (
            SELECT b.event_id, s.* FROM blocks AS b JOIN stays AS s USING (person_id, block) UNION ALL
            SELECT o.event_id, s.* FROM (SELECT * FROM e WHERE kind = 'outpatient') AS o ASOF JOIN stays AS s
                ON o.person_id = s.person_id AND o.first >= s.first WHERE o.last <= s.last)
        SELECT e.event_id, xor(coalesce(m.lead, e.event_id), {keys.salt("visit", rule)}) AS visit,
            coalesce(m.lead, e.event_id) AS lead, m.close, m.concept, m.first, m.last
        FROM e LEFT JOIN members AS m ON m.event_id = e.event_id"""


def visits_of(encounters: str, rolled: str, columns: Sequence[str]) -> str:
    """SELECT of the event columns of the visits: one for each encounter that leads one.

    A stay has its days and concept, goes to where its last inpatient encounter goes, and otherwise is what leads it. Where
    the source has times, it lasts from the first time known of its first day to the last time known of its last.
    """
    of_the_stay = {
        "event_id": "r.visit",
        "concept_id": "coalesce(r.concept, e.concept_id)",
        "start_date": "coalesce(r.first, e.start_date)",
        "end_date": "coalesce(r.last, e.end_date)",
    }
    closing = {n: f"CASE WHEN r.close IS NULL THEN e.{n} ELSE c.{n} END" for n in OF_THE_STAY if n not in of_the_stay}
    times = {n: f"CASE WHEN r.close IS NULL THEN e.{n} ELSE t.{n} END" for n in ("start_time", "end_time")}
    timed = any(n in columns for n in times)
    sources = {n: {**of_the_stay, **closing, **times}.get(n, f"e.{n}") for n in columns}
    clock = f"LEFT JOIN ({_times(encounters, rolled)}) AS t ON t.visit = r.visit" if timed else ""
    nodes = ", ".join(f"CAST({node} AS {TYPES[name]}) AS {name}" for name, node in sources.items())
    return f"""SELECT {nodes} FROM {rolled} AS r JOIN ({encounters}) AS e ON e.event_id = r.event_id
        LEFT JOIN ({encounters}) AS c ON c.event_id = r.close {clock} WHERE r.event_id = r.lead"""


def by_day(visits: str, kinds: VisitKinds) -> str:
    """SELECT of a person's visit from each day on which it changes: person_id, first, event_id, visit; NULL: none.

    Of several visits on a day an inpatient one comes before an emergency one before any other, then the shortest,
    then the latest start, then the lowest id. Only a visit of several days is compared with the others' days.
    """
    return f"""WITH v AS (SELECT event_id, person_id, visit, start_date AS first, {_LAST} AS last, struct_pack(
                rank := CASE WHEN {_is(kinds.inpatient)} THEN 0 WHEN {_is(kinds.emergency)} THEN 1 ELSE 2 END,
                days := {_LAST} - start_date, before := DATE '9999-12-31' - start_date, id := event_id) AS place
            FROM ({visits}) WHERE NOT ({_NOT_KNOWN})),
        edges AS (SELECT person_id, first AS day FROM v UNION SELECT person_id, last + 1 FROM v),
        open AS (
            SELECT person_id, first AS day, event_id, visit, place FROM v UNION ALL
            SELECT person_id, day, NULL, NULL, NULL FROM edges UNION ALL
            SELECT v.person_id, edges.day, event_id, visit, place FROM v JOIN edges
                ON edges.person_id = v.person_id AND edges.day > v.first AND edges.day <= v.last WHERE v.last > v.first)
        SELECT person_id, day AS first, arg_min(event_id, place) AS event_id, arg_min(visit, place) AS visit
        FROM open GROUP BY person_id, day"""


_ORDER = "first, kind DESC, last, event_id"
_BEGINS = f"""SELECT *, CASE WHEN first <= max(last) OVER before THEN 0
        WHEN kind = 'inpatient' AND first <= 1 + max(CASE WHEN kind = 'inpatient' THEN last END) OVER before THEN 0
        ELSE 1 END AS begins
    FROM e WHERE kind IN ('inpatient', 'emergency')
    WINDOW before AS (PARTITION BY person_id ORDER BY {_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"""
"""Whether an encounter begins a block. An inpatient one stands before an emergency one of the same day, so that a stay
that continues on the next day is seen to do so."""


def _by_kind(encounters: str, kinds: VisitKinds) -> str:
    return f"""SELECT event_id, person_id, concept_id, start_date AS first, {_LAST} AS last,
            CASE WHEN {_NOT_KNOWN} THEN 'other' WHEN {_is(kinds.inpatient)} THEN 'inpatient'
                WHEN {_is(kinds.emergency)} THEN 'emergency' WHEN {_is(kinds.outpatient)} THEN 'outpatient'
                ELSE 'other' END AS kind
        FROM ({encounters})"""


def _times(encounters: str, rolled: str) -> str:
    """SELECT of the first time of a stay's first day and the last time of its last; an end without one has the start's."""
    end = f"CASE WHEN {_LAST} > start_date THEN end_time ELSE coalesce(end_time, start_time) END"
    return f"""SELECT r.visit, min(e.start_time) FILTER (e.start_date = r.first) AS start_time,
            max({end}) FILTER ({_LAST} = r.last) AS end_time
        FROM {rolled} AS r JOIN ({encounters}) AS e ON e.event_id = r.event_id WHERE r.close IS NOT NULL GROUP BY r.visit"""


def _is(concepts: Sequence[int]) -> str:
    return f"concept_id IN ({', '.join(map(str, concepts))})"

"""observation_period: the spans that the mapping gives, and for every other person what a rule makes of the events.

Sources: the table conventions of OMOP CDM 5.4, and ehrObsPeriods.Rmd of its EHR working group; docs/decisions tells
what is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from oncoweave.compiler.keys import salt
from oncoweave.engine.connection import without_values
from oncoweave.events import union_of
from oncoweave.omop.routing import UNSEEN_FACTS
from oncoweave.omop.tables import TableWriter
from oncoweave.records import DerivedTable, EventFile
from oncoweave.spec.periods import ObservationPeriods

GAP = 548
"""Days without an event after which a person is taken to be seen elsewhere (18 months)."""
AFTER = 60
"""Days that observation goes on after the last event, or after death."""
NOTHING = "no dated event"
ONE_DAY = "observed on one day only: no event that counts lies within the bounds"

_NOT_COUNTED = {"registry": frozenset(), "ehr": frozenset({"death", "episode"})}
"""Facts that make no period: to the EHR rule a death is a bound, and an episode is made of events."""


@dataclass(frozen=True)
class PeriodWriter:
    """Writes observation_period. `one_each` says that the mapping gives no person two spans, so that none need merging."""

    writer: TableWriter
    options: ObservationPeriods
    type_concept_id: int
    delivery: date
    one_each: bool

    def write(self) -> DerivedTable:
        """Write the table; a person without any dated event has no period."""
        connection = self.writer.connection
        with without_values("deriving observation periods"):
            connection.execute(f"CREATE OR REPLACE TEMP TABLE period AS {self._spans()}")
            ((used, alone),) = connection.execute(
                "SELECT count(DISTINCT person_id), count(*) FILTER (alone) FROM period"
            ).fetchall()
            ((persons,),) = connection.execute(
                f"SELECT count(*) FROM ({self._of({'person'}, ['person_id'])})"
            ).fetchall()
        rows = self.writer.write_rows(
            "observation_period",
            """SELECT id AS observation_period_id, person_id, start_date AS observation_period_start_date,
                end_date AS observation_period_end_date, type AS period_type_concept_id FROM period""",
        )
        left_out = ((NOTHING, persons - used),) if persons > used else ()
        remarks = ((ONE_DAY, alone),) if alone else ()
        return DerivedTable(
            table="observation_period", rows=rows, source="person", read=persons, used=used, left_out=left_out,
            remarks=remarks,
        )  # fmt: skip

    def _spans(self) -> str:
        """id, person_id, start_date, end_date, type, and whether nothing but one day is known (`alone`)."""
        given = self._of({"observation_period"}, ["person_id", "event_id", "start_date", "end_date", "type_concept_id"])
        spans = "SELECT event_id AS id, person_id, start_date, end_date, type_concept_id AS type FROM given"
        if not self.one_each:
            spans = _MERGED
        found = self._ehr() if self.options.rule == "ehr" else _REGISTRY
        return f"""WITH given AS MATERIALIZED ({given}), counted AS ({self._counted()}), dated AS ({self._dated()}),
            bounds AS ({self._bounds()}), found AS MATERIALIZED ({found})
            SELECT *, false AS alone FROM ({spans}) UNION ALL
            SELECT id, person_id, start_date, end_date, {self.type_concept_id}, false FROM found UNION ALL
            SELECT person_id, person_id, day, day, {self.type_concept_id}, true FROM ({self._alone()})"""

    def _ehr(self) -> str:
        """The EHR rule. Events of one stretch of 548 days are first taken together, since no gap fits between them."""
        first = f"DATE '{self.options.system_start}'" if self.options.system_start else "NULL"
        return f"""
            SELECT xor(xor(person_id, {salt("observation_period")}), seen - DATE '0001-01-01') AS id, person_id,
                start_date, end_date
            FROM (SELECT i.person_id, i.seen, greatest(i.seen, b.birth, {first}) AS start_date,
                    least(i.last + {AFTER}, b.latest) AS end_date
                FROM ({_ISLANDS_OF_EVENTS}) AS i LEFT JOIN bounds AS b ON b.person_id = i.person_id)
            WHERE start_date <= end_date"""

    def _counted(self) -> str:
        """The events that make periods, of persons to whom the mapping gives none."""
        skipped = _NOT_COUNTED[self.options.rule]
        files = [f for f in self._events() if f.fact not in skipped and f.rule not in self.options.without]
        return self._without_given(files)

    def _dated(self) -> str:
        """Every dated event, where not all of them count; else none, since nobody is left."""
        return self._without_given(self._events())

    def _events(self) -> list[EventFile]:
        return [f for f in self.writer.files if f.fact not in UNSEEN_FACTS]

    def _without_given(self, files: list[EventFile]) -> str:
        events = union_of(self.writer.events, files, ["person_id", "start_date", "end_date"])
        others = " AND person_id NOT IN (SELECT person_id FROM given)" if self._has("observation_period") else ""
        return f"""SELECT person_id, start_date, end_date FROM ({events})
            WHERE person_id IS NOT NULL AND start_date IS NOT NULL{others}"""

    def _bounds(self) -> str:
        """For each person the birth, and the last day on which observation can end; of no person by the registry rule."""
        if self.options.rule == "registry":
            return "SELECT NULL::BIGINT AS person_id, NULL::DATE AS birth, NULL::DATE AS latest WHERE false"
        births = self._of({"person"}, ["person_id", "start_date"])
        deaths = self._of({"death"}, ["person_id", "start_date"])
        return f"""SELECT p.person_id, p.start_date AS birth, least(d.death + {AFTER}, DATE '{self.delivery}') AS latest
            FROM ({births}) AS p
            LEFT JOIN (SELECT person_id, max(start_date) AS death FROM ({deaths}) GROUP BY person_id) AS d
                ON d.person_id = p.person_id"""

    def _alone(self) -> str:
        """Persons with events, none of which makes a period: the day of the last one, or the nearest within the bounds."""
        if self.options.rule == "registry" and not self.options.without:
            return "SELECT NULL::BIGINT AS person_id, NULL::DATE AS day WHERE false"
        return """SELECT d.person_id, greatest(least(d.last, b.latest), b.birth) AS day
            FROM (SELECT person_id, max(start_date) AS last FROM dated
                WHERE person_id NOT IN (SELECT person_id FROM found) GROUP BY person_id) AS d
            LEFT JOIN bounds AS b ON b.person_id = d.person_id"""

    def _of(self, facts: set[str], columns: list[str]) -> str:
        return union_of(self.writer.events, [f for f in self.writer.files if f.fact in facts], columns)

    def _has(self, fact: str) -> bool:
        return any(f.fact == fact for f in self.writer.files)


_REGISTRY = """SELECT person_id AS id, person_id, min(start_date) AS start_date,
    max(greatest(start_date, end_date)) AS end_date FROM counted GROUP BY person_id"""

_NUMBERED = """SELECT *, sum(begins) OVER (PARTITION BY person_id ORDER BY {order} ROWS UNBOUNDED PRECEDING) AS island
    FROM (SELECT *, CASE WHEN start_date <= max(end_date) OVER before + {days} THEN 0 ELSE 1 END AS begins FROM {spans}
    WINDOW before AS (PARTITION BY person_id ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))"""

_MERGED = f"""SELECT first(event_id ORDER BY start_date, end_date, event_id) AS id, person_id, min(start_date) AS start_date,
    max(end_date) AS end_date, first(type_concept_id ORDER BY start_date, end_date, event_id) AS type
    FROM ({_NUMBERED.format(order="start_date, end_date, event_id", days=1, spans="given")}) GROUP BY person_id, island"""

_STRETCHES = f"""(SELECT person_id, min(start_date) AS start_date, max(greatest(start_date, end_date)) AS end_date
    FROM counted GROUP BY person_id, (start_date - DATE '0001-01-01') // {GAP})"""

_ISLANDS_OF_EVENTS = f"""SELECT person_id, min(start_date) AS seen, max(end_date) AS last
    FROM ({_NUMBERED.format(order="start_date", days=GAP - 1, spans=_STRETCHES)}) GROUP BY person_id, island"""

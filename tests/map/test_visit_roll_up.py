"""Roll-up: the encounters of one hospital stay become one visit, every encounter a visit detail, and facts have both."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.map.workshop import RELEASE, Mapped, Workshop

PATIENTS = "id,born\n1,12.03.1951\n2,1948"
KINDS = (("in", 9201), ("er", 9203), ("op", 9202), ("home", 581476), ("both", 262), ("?", 0, "UNCHECKED"))
RULES = """
- fact: visit
  name: encounters
  from: stays
  concept: {map: kinds, value: code}
  start: seen
  end: left
  roll_up: true
  discharged_to: {map: kinds, value: to_where}
"""
CANCER = "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, visit: encounters}\n"


def rolled(workshop: Workshop, rows: str, rules: str = RULES, **tables: str) -> Mapped:
    workshop.concept_map("kinds", *KINDS)
    stays = "stay,id,code,seen,left,to_where\n" + "\n".join(line.strip() for line in rows.strip().splitlines())
    return workshop.map(rules, patients=PATIENTS, stays=stays, **tables)


def visits(made: Mapped) -> list[tuple[int, str, str, tuple[str, ...]]]:
    """Concept, first day, last day of each visit, and the kinds of its encounters, by day."""
    details = made.rows("visit_detail", "visit_occurrence_id", "visit_detail_start_date", "visit_detail_source_value")
    found = []
    for row in made.rows("visit_occurrence"):
        codes = tuple(code for visit, _, code in sorted(details, key=str) if visit == row["visit_occurrence_id"])
        days = (str(row["visit_start_date"])[5:], str(row["visit_end_date"])[5:])
        found.append((row["visit_concept_id"], *days, tuple(sorted(codes))))
    return sorted(found)


CASES = {
    "an outpatient encounter within a stay": ("in 1 5, op 3 3", [(9201, 1, 5, "in op")]),
    "outpatient encounters on its first and last day": ("in 1 5, op 1 1, op 5 5", [(9201, 1, 5, "in op op")]),
    "an outpatient encounter that goes past it": ("in 1 5, op 5 6", [(9201, 1, 5, "in"), (9202, 5, 6, "op")]),
    "an outpatient encounter the day before": ("in 2 5, op 1 1", [(9201, 2, 5, "in"), (9202, 1, 1, "op")]),
    "an emergency that leads to a stay": ("er 1 1, in 1 5", [(262, 1, 5, "er in")]),
    "an emergency overnight that leads to a stay": ("er 1 2, in 2 5", [(262, 1, 5, "er in")]),
    "an emergency the day before": ("er 1 1, in 2 5", [(9201, 2, 5, "in"), (9203, 1, 1, "er")]),
    "an emergency during a stay": ("in 1 5, er 3 3", [(9201, 1, 5, "er in")]),
    "two emergencies in a row before a stay": ("er 1 2, er 2 3, in 3 4", [(262, 1, 4, "er er in")]),
    "stays that overlap": ("in 1 5, in 4 8", [(9201, 1, 8, "in in")]),
    "stays on two days in a row": ("in 1 5, in 6 8", [(9201, 1, 8, "in in")]),
    "stays with a day between them": ("in 1 5, in 7 8", [(9201, 1, 5, "in"), (9201, 7, 8, "in")]),
    "a stay that goes on, with an emergency": ("in 1 5, er 6 6, in 6 8", [(9201, 1, 8, "er in in")]),
    "a stay within a stay": ("in 1 9, in 3 4, in 8 8", [(9201, 1, 9, "in in in")]),
    "several outpatient encounters on a day": ("op 1 1, op 1 1", [(9202, 1, 1, "op"), (9202, 1, 1, "op")]),
    "emergencies alone": ("er 1 2, er 2 3", [(9203, 1, 2, "er"), (9203, 2, 3, "er")]),
    "a stay that the source calls both": ("both 1 3, in 3 4", [(262, 1, 4, "both in")]),
    "a visit of another kind within a stay": ("in 1 5, home 2 2", [(9201, 1, 5, "in"), (581476, 2, 2, "home")]),
    "an unmapped encounter within a stay": ("in 1 5, ? 2 2", [(0, 2, 2, "?"), (9201, 1, 5, "in")]),
}


@pytest.mark.parametrize("case", CASES)
def test_encounters_of_one_stay_are_one_visit(case: str, workshop: Workshop) -> None:
    given_, expected = CASES[case]
    rows = [
        f"s{i},1,{code},{int(a):02}.01.2015,{int(b):02}.01.2015,"
        for i, (code, a, b) in enumerate(c.split() for c in given_.split(", "))
    ]
    made = rolled(workshop, "\n".join(rows))
    wanted = [(c, f"01-{a:02}", f"01-{b:02}", tuple(codes.split())) for c, a, b, codes in expected]
    assert visits(made) == sorted(wanted)
    entry = made.entry("encounters")
    assert (entry.read, entry.mapped, entry.events) == (len(rows), len(rows), len(rows) + len(expected))


def test_facts_belong_to_the_visit_and_to_the_encounter(workshop: Workshop) -> None:
    rows = """
        s1,1,er,01.01.2015,01.01.2015,in
        s2,1,in,01.01.2015,04.01.2015,in
        s3,1,in,05.01.2015,09.01.2015,home
        s4,1,op,03.02.2015,,
    """
    tumours = "id,tumour,seen,stay\n1,1,02.01.2015,s1\n1,2,03.01.2015,s3\n1,3,03.02.2015,s4\n1,4,04.02.2015,s9\n2,1,01.01.2015,s1"
    ports = "- {fact: device, name: ports, from: stays, concept: port_catheter, start: seen, visit: encounters}"
    made = rolled(workshop, rows, RULES + CANCER + ports, tumours=tumours)
    (stay,) = [r for r in made.rows("visit_occurrence") if r["visit_concept_id"] == 262]
    (other,) = [r for r in made.rows("visit_occurrence") if r["visit_concept_id"] == 9202]
    details = {
        (r["visit_detail_source_value"], str(r["visit_detail_start_date"])): r for r in made.rows("visit_detail")
    }
    assert (stay["visit_source_value"], stay["discharged_to_concept_id"]) == ("in", 581476)
    er, last = details["er", "2015-01-01"]["visit_detail_id"], details["in", "2015-01-05"]["visit_detail_id"]
    contact = details["op", "2015-02-03"]["visit_detail_id"]
    found = made.rows("condition_occurrence", "condition_start_date", "visit_occurrence_id", "visit_detail_id")
    assert sorted((str(day), visit, detail) for day, visit, detail in found if visit) == [
        ("2015-01-02", stay["visit_occurrence_id"], er),
        ("2015-01-03", stay["visit_occurrence_id"], last),
        ("2015-02-03", other["visit_occurrence_id"], contact),
    ]
    assert [pair[1:] for pair in found if not pair[1]] == [(None, None)] * 2  # no such stay, another person's stay
    links = {(r["visit_occurrence_id"], r["visit_detail_id"]) for r in made.rows("device_exposure")}
    assert links == {(d["visit_occurrence_id"], d["visit_detail_id"]) for d in details.values()}


def test_a_day_that_the_source_does_not_know_ties_nothing(workshop: Workshop) -> None:
    made = rolled(workshop, "s1,1,in,01.01.2015,31.01.2015,\ns2,1,op,01.2015,01.2015,\ns3,1,in,01.2015,02.2015,")
    assert sorted(codes for *_, codes in visits(made)) == [("in",), ("in",), ("op",)]


def test_visits_keep_their_ids_whatever_comes_after(workshop: Workshop) -> None:
    first = "s1,1,in,01.01.2015,04.01.2015,\ns2,1,op,01.03.2015,01.03.2015,"
    before = set(rolled(workshop, first).rows("visit_occurrence", "visit_occurrence_id"))
    later = rolled(workshop, "s4,2,er,01.01.2015,01.01.2015,\n" + first + "\ns3,1,in,05.01.2015,07.01.2015,")
    assert before < set(later.rows("visit_occurrence", "visit_occurrence_id"))


ONE_STAY = "stay,id,code,seen,left,to_where\ns1,1,in,01.01.2015,,"


def rewrite(workshop: Workshop, table: str, rows: str) -> None:
    """Replace a table of the project's vocabulary by a SELECT from itself, `t`."""
    path = workshop.project.root / "mappings" / "vocabulary" / RELEASE / f"{table}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT * FROM read_parquet('{path}')")
        connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")


def test_descendants_of_a_kind_are_of_that_kind(workshop: Workshop) -> None:
    rewrite(workshop, "CONCEPT_ANCESTOR", "SELECT * FROM t UNION ALL SELECT 9201, 581476")
    made = rolled(workshop, "s1,1,home,01.01.2015,04.01.2015,\ns2,1,op,02.01.2015,,\ns3,1,in,05.01.2015,06.01.2015,")
    assert visits(made) == [(9201, "01-01", "01-06", ("home", "in", "op"))]


def test_a_release_without_ancestors_knows_the_four_concepts_alone(workshop: Workshop) -> None:
    (workshop.project.root / "mappings" / "vocabulary" / RELEASE / "CONCEPT_ANCESTOR.parquet").unlink()
    workshop.concept_map("kinds", *KINDS)
    (warning,) = workshop.problems(RULES, patients=PATIENTS, stays=ONE_STAY)
    assert (warning.severity, "has no CONCEPT_ANCESTOR" in warning.message) == ("warning", True)


def test_a_release_without_the_concept_of_a_stay_cannot_roll_up(workshop: Workshop) -> None:
    rewrite(workshop, "CONCEPT", "SELECT * FROM t WHERE concept_id <> 262")
    workshop.concept_map("kinds", *KINDS[:2])
    rules = RULES.replace("  discharged_to: {map: kinds, value: to_where}\n", "")
    problems = workshop.problems(rules, patients=PATIENTS, stays=ONE_STAY)
    message = "rolled-up visits need concept 262, which the vocabulary workshop-1 does not have"
    assert message in [p.message for p in problems if p.severity == "error"]


# The oracle: the same rule in plain Python, by whole components instead of one pass in order.


@dataclass(frozen=True)
class Encounter:
    name: str
    person: int
    kind: str
    first: int
    last: int


def oracle(encounters: list[Encounter]) -> list[tuple[int, int, int, tuple[str, ...]]]:
    """First day, last day, concept and members of every visit."""
    beds = [e for e in encounters if e.kind in ("in", "er")]
    groups = [{e} for e in beds]
    merged = True
    while merged:
        merged = False
        for a in groups:
            b = next((g for g in groups if g is not a and any(tied(x, y) for x in a for y in g)), None)
            if b:
                groups = [g for g in groups if g is not a and g is not b] + [a | b]
                merged = True
                break
    stays = [g for g in groups if any(e.kind == "in" for e in g)]
    alone = [e for e in encounters if not any(e in g for g in stays)]
    visits = []
    for stay in stays:
        first, last = min(e.first for e in stay), max(e.last for e in stay)
        person = next(iter(stay)).person
        inside = {e for e in alone if e.kind == "op" and e.person == person and first <= e.first and e.last <= last}
        alone = [e for e in alone if e not in inside]
        came = [e.first for e in stay if e.kind == "er"]
        concept = 262 if came and min(came) <= min(e.first for e in stay if e.kind == "in") else 9201
        visits.append((first, last, concept, tuple(sorted(e.name for e in stay | inside))))
    concepts = {"er": 9203, "op": 9202}
    return sorted([*visits, *((e.first, e.last, concepts[e.kind], (e.name,)) for e in alone)])


def tied(a: Encounter, b: Encounter) -> bool:
    if a.person != b.person:
        return False
    slack = 1 if a.kind == b.kind == "in" else 0
    return a.first <= b.last + slack and b.first <= a.last + slack


drawn = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.sampled_from(["in", "in", "er", "op"]),
        st.integers(0, 24),
        st.sampled_from([0, 0, 1, 3, 6]),
    ),
    min_size=1,
    max_size=24,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(drawn, min_size=4, max_size=10))
def test_roll_up_is_what_the_oracle_says(rows: list[list[tuple[int, str, int, int]]], workshop: Workshop) -> None:
    """Each list is two persons of their own, so that one run tries many."""
    origin = date(2015, 1, 1)
    encounters = [
        Encounter(f"s{g}x{i}", 2 * g + person, kind, first, first + length)
        for g, drawn_rows in enumerate(rows)
        for i, (person, kind, first, length) in enumerate(drawn_rows)
    ]

    def day(n: int) -> str:
        return (origin + timedelta(days=n)).strftime("%d.%m.%Y")

    lines = [f"{e.name},{e.person},{e.kind},{day(e.first)},{day(e.last)},{e.name}" for e in encounters]
    workshop.concept_map("kinds", *KINDS)
    made = workshop.map(
        RULES.replace("  discharged_to: {map: kinds, value: to_where}\n", "  source_value: to_where\n"),
        patients="id,born\n" + "\n".join(f"{n},1950" for n in range(1, 2 * len(rows) + 1)),
        stays="stay,id,code,seen,left,to_where\n" + "\n".join(lines),
    )
    members: dict[int, list[str]] = {}
    for visit, name in made.rows("visit_detail", "visit_occurrence_id", "visit_detail_source_value"):
        members.setdefault(visit, []).append(name)
    found = [
        ((r["visit_start_date"] - origin).days, (r["visit_end_date"] - origin).days, r["visit_concept_id"],
         tuple(sorted(members.pop(r["visit_occurrence_id"]))))
        for r in made.rows("visit_occurrence")
    ]  # fmt: skip
    assert sorted(found) == oracle(encounters)
    assert not members
    assert Counter(n for *_, names in found for n in names) == Counter(e.name for e in encounters)


def test_the_order_of_rows_does_not_matter(workshop: Workshop, tmp_path: Path) -> None:
    lines = ["s1,1,er,01.01.2015,01.01.2015,", "s2,1,in,01.01.2015,04.01.2015,", "s3,1,in,01.01.2015,04.01.2015,"]
    first = rolled(workshop, "\n".join(lines)).table_bytes()
    assert rolled(workshop, "\n".join(reversed(lines))).table_bytes() == first


def test_a_stay_lasts_from_its_first_time_to_its_last_and_visits_follow_by_time(workshop: Workshop) -> None:
    workshop.concept_map("kinds", *KINDS)
    iso = dict.fromkeys(("seen", "left"), '{type: date, formats: ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]}')
    rows = """
        s1,1,er,2015-01-01T07:00:00Z,2015-01-01T09:00:00Z,
        s2,1,in,2015-01-01,2015-01-03T10:00:00Z,
        s3,1,op,2015-01-03T16:00:00Z,,
        s4,1,op,2015-02-01T15:00:00Z,2015-02-01T16:00:00Z,
        s5,1,op,2015-02-01T09:00:00Z,2015-02-01T18:00:00Z,
    """
    lines = "\n".join(line.strip() for line in rows.strip().splitlines())
    made = workshop.map(RULES, fields=iso, patients=PATIENTS, stays=f"stay,id,code,seen,left,to_where\n{lines}")
    found = sorted(made.rows("visit_occurrence"), key=lambda r: str(r["visit_start_datetime"]))
    assert [(str(r["visit_start_datetime"])[5:], str(r["visit_end_datetime"])[5:]) for r in found] == [
        ("01-01 07:00:00", "01-03 16:00:00"),
        ("02-01 09:00:00", "02-01 18:00:00"),
        ("02-01 15:00:00", "02-01 16:00:00"),
    ]
    before = [r["preceding_visit_occurrence_id"] for r in found]
    assert before == [None, found[0]["visit_occurrence_id"], found[1]["visit_occurrence_id"]]

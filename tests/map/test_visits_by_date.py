"""Linking by date: a fact belongs to the visit of its person whose days hold its first day, to one at most."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.map.workshop import Mapped, Workshop

PATIENTS = "id,born\n1,12.03.1951\n2,1948"
KINDS = (("in", 9201), ("er", 9203), ("op", 9202))
VISITS = """
- {fact: visit, name: stays, from: stays, concept: {map: kinds, value: code}, start: seen, end: left, source_value: name}
"""
DRUGS = """
- {fact: drug, name: drugs, from: treatments, concept: tamoxifen, start: seen, source_value: name, visit: {rule: stays, by: date}}
"""


def linked(workshop: Workshop, stays: str, facts: str, rules: str = VISITS + DRUGS, patients: str = PATIENTS) -> Mapped:
    workshop.concept_map("kinds", *KINDS)
    return workshop.map(
        rules,
        patients=patients,
        stays=f"stay,id,code,seen,left,name\n{stays}",
        treatments=f"treatment,id,seen,name\n{facts}",
    )


def links(made: Mapped) -> dict[str, str | None]:
    """The visit of each fact, both by their names."""
    names = dict(made.rows("visit_occurrence", "visit_occurrence_id", "visit_source_value"))
    found = made.rows("drug_exposure", "drug_source_value", "visit_occurrence_id")
    assert len(found) == len({name for name, _ in found})
    return {name: names.get(visit) for name, visit in found}


STAYS = """s1,1,in,10.01.2015,14.01.2015,stay
s2,1,op,12.01.2015,12.01.2015,contact
s3,1,op,14.01.2015,,after
s4,1,er,20.01.2015,21.01.2015,night
s5,1,op,20.01.2015,20.01.2015,day
s6,2,op,11.01.2015,11.01.2015,other
s7,1,op,01.2016,,some day
s8,1,op,01.02.2015,03.02.2015,long
s9,1,op,02.02.2015,04.02.2015,later"""


def test_a_fact_belongs_to_the_visit_whose_days_hold_its_day(workshop: Workshop) -> None:
    days = {
        "a": "09.01.2015", "b": "10.01.2015", "c": "12.01.2015", "d": "14.01.2015", "e": "15.01.2015", "f": "20.01.2015",
        "g": "21.01.2015", "h": "22.01.2015", "i": "01.2015", "j": "15.01.2016", "k": "01.02.2015", "l": "02.02.2015",
    }  # fmt: skip
    facts = "\n".join(
        [f"{name},1,{day},{name}" for name, day in days.items()] + ["z,2,11.01.2015,z", "y,2,12.01.2015,y"]
    )
    made = linked(workshop, STAYS, facts)
    assert links(made) == {
        "a": None, "b": "stay", "c": "stay", "d": "stay", "e": None, "f": "night", "g": "night", "h": None,
        "i": None, "j": None,  # known to the month only: the fact, the visit
        "k": "long", "l": "later", "z": "other", "y": None,
    }  # fmt: skip
    assert made.counts("drugs") == (14, 14, 0, 0)


def test_a_rolled_up_visit_is_found_with_its_encounter(workshop: Workshop) -> None:
    rules = VISITS.replace("end: left", "end: left, roll_up: true") + DRUGS
    stays = "s1,1,er,10.01.2015,10.01.2015,er\ns2,1,in,10.01.2015,14.01.2015,in\ns3,1,in,15.01.2015,16.01.2015,in2"
    made = linked(workshop, stays, "a,1,10.01.2015,a\nb,1,16.01.2015,b\nc,1,17.01.2015,c", rules)
    (visit,) = made.rows("visit_occurrence", "visit_occurrence_id")
    details = dict(made.rows("visit_detail", "visit_detail_source_value", "visit_detail_id"))
    found = made.rows("drug_exposure", "drug_source_value", "visit_occurrence_id", "visit_detail_id")
    assert sorted(found) == [("a", visit, details["in"]), ("b", visit, details["in2"]), ("c", None, None)]


def test_a_detail_finds_its_visit_by_date_or_is_held_back(workshop: Workshop) -> None:
    wards = """
- {fact: visit_detail, name: wards, from: treatments, concept: inpatient_stay, start: seen, source_value: name,
   visit: {rule: stays, by: date}}
"""
    made = linked(workshop, STAYS, "a,1,11.01.2015,a\nb,1,09.01.2015,b", VISITS + wards)
    names = dict(made.rows("visit_occurrence", "visit_occurrence_id", "visit_source_value"))
    found = made.rows("visit_detail", "visit_detail_source_value", "visit_occurrence_id")
    assert [(name, names[visit]) for name, visit in found] == [("a", "stay")]
    assert made.reasons("wards") == {"quarantined: no visit of stays on that day": 1}


def test_only_a_rule_of_visits_can_be_found_by_date(workshop: Workshop) -> None:
    workshop.concept_map("kinds", *KINDS)
    rules = VISITS + DRUGS.replace("rule: stays", "rule: drugs")
    problems = workshop.problems(
        rules, patients=PATIENTS, stays="stay,id,code,seen,left,name\n", treatments="treatment,id,seen,name\n"
    )
    assert "a drug cannot be named here: `drugs`" in [p.message for p in problems if p.severity == "error"]


def test_there_is_one_other_way_than_the_key(workshop: Workshop) -> None:
    workshop.concept_map("kinds", *KINDS)
    rules = VISITS + DRUGS.replace("by: date", "by: day")
    text, message, _ = workshop.problem(
        rules, patients=PATIENTS, stays="stay,id,code,seen,left,name\n", treatments="treatment,id,seen,name\n"
    )
    assert text.startswith("day") and "day" in message


RANK = {"in": 0, "er": 1, "op": 2}
stays_drawn = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(sorted(RANK)), st.integers(0, 20), st.sampled_from([0, 0, 1, 4, 9])),
    min_size=1,
    max_size=40,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stays=stays_drawn)
def test_the_visit_found_is_the_oracles(stays: list[tuple[int, str, int, int]], workshop: Workshop) -> None:
    origin = date(2015, 1, 1)

    def day(n: int) -> str:
        return (origin + timedelta(days=n)).strftime("%d.%m.%Y")

    ids = count()
    rows = [f"s{next(ids)},{p},{kind},{day(a)},{day(a + n)},{p}.{kind}.{a}.{n}" for p, kind, a, n in stays]
    facts = [f"f{p}x{d},{p},{day(d)},{p} {d}" for p in (1, 2, 3) for d in range(-1, 32)]
    patients = "id,born\n1,1950\n2,1950\n3,1950"
    made = linked(workshop, "\n".join(rows), "\n".join(facts), patients=patients)

    def best(person: int, d: int) -> str | None:
        open_ = [(RANK[k], n, -a, f"{p}.{k}.{a}.{n}") for p, k, a, n in stays if p == person and a <= d <= a + n]
        return min(open_)[3] if open_ else None

    assert links(made) == {f"{p} {d}": best(p, d) for p in (1, 2, 3) for d in range(-1, 32)}

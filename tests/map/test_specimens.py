"""Specimens: what, when, how much, from where; their own number is a pseudonym, and the domain Specimen has its table."""

from __future__ import annotations

from tests.map.workshop import Mapped, Workshop

SAMPLES = """
- fact: specimen
  name: samples
  from: tumours
  concept: {map: kinds, value: kind}
  date: seen
  quantity: size
  unit: millimeter
  anatomic_site: {map: sites, value: site}
  source_id: tube
"""
TUMOURS = """
    id,tumour,seen,kind,site,size,tube
    1,1,01.01.2015,t,l,"2,5",TUBE-4711
    1,2,02.2016,x,,,TUBE-4712
    1,3,02.02.2016,c,q,1,
    1,4,02.02.2016,,q,1,TUBE-4713
"""
FIELDS = {"tube": "{type: identifier}"}


def made(workshop: Workshop, rules: str = SAMPLES, **written: object) -> Mapped:
    workshop.concept_map("kinds", ("t", 511), ("c", 101))
    workshop.concept_map("sites", ("l", 503))
    given = {"patients": "id,born\n1,1950", "tumours": TUMOURS, "fields": FIELDS} | written
    return workshop.map(rules, **given)


def test_a_specimen_has_its_amount_its_site_and_their_source_values(workshop: Workshop) -> None:
    mapped = made(workshop)
    columns = ("specimen_concept_id", "specimen_source_value", "quantity", "unit_concept_id", "unit_source_value",
               "anatomic_site_concept_id", "anatomic_site_source_value", "disease_status_concept_id")  # fmt: skip
    assert sorted(mapped.rows("specimen", *columns), key=str) == [
        (0, "x", None, None, None, None, None, None),
        (511, "t", 2.5, 8588, "8588", 503, "l", None),
    ]
    assert mapped.counts("samples") == (4, 3, 0, 1)
    assert str(mapped.rows("specimen", "specimen_datetime")[0]).endswith("00:00:00")


def test_the_domain_of_the_concept_decides_the_table(workshop: Workshop) -> None:
    mapped = made(workshop)
    assert mapped.rows("condition_occurrence", "condition_concept_id", "condition_source_value") == [(101, "c")]
    rules = "- {fact: observation, name: seen_by_eye, from: tumours, concept: {map: kinds, value: kind}, date: seen}"
    mapped = made(workshop, rules)
    assert mapped.rows("specimen", "specimen_concept_id") == [511]
    assert mapped.rows("observation", "observation_source_value") == ["x"]


def test_the_own_number_of_a_specimen_is_a_pseudonym(workshop: Workshop) -> None:
    mapped = made(workshop)
    numbers = mapped.rows("specimen", "specimen_source_id")
    assert len(set(numbers)) == 2 and all(number.isdigit() for number in numbers)
    written = b"".join(p.read_bytes() for folder in (mapped.run.tables, mapped.run.events) for p in folder.glob("*"))
    assert b"TUBE" not in written
    assert made(workshop).rows("specimen", "specimen_source_id") == numbers


def test_a_specimen_without_its_own_number_has_none(workshop: Workshop) -> None:
    mapped = made(workshop, SAMPLES.replace("  source_id: tube\n", ""), mapping="ignored: {tube: not needed}")
    assert mapped.rows("specimen", "specimen_source_id") == [None, None]


def test_specimens_of_a_group(workshop: Workshop) -> None:
    rules = """
- {fact: specimen, name: samples, from: tumours, group: [id, tube], concept: tissue, date: min(seen), source_id: tube,
   quantity: sum(size)}
"""
    tumours = "id,tumour,seen,size,tube\n1,1,2015,1,A\n1,2,2016,2,A\n1,3,2016,4,B"
    mapped = made(workshop, rules, tumours=tumours)
    assert sorted(mapped.rows("specimen", "quantity")) == [3.0, 4.0]
    assert len(set(mapped.rows("specimen", "specimen_source_id"))) == 2


def test_wrong_keys_of_a_specimen_are_told(workshop: Workshop) -> None:
    def told(change: tuple[str, str], **written: str) -> tuple[str, str, str]:
        workshop.concept_map("kinds", ("t", 511))
        workshop.concept_map("sites", ("l", 503))
        given = {"patients": "id,born\n1,1950", "tumours": TUMOURS} | written
        return workshop.problem(SAMPLES.replace(*change), **given)

    assert told(("source_id: tube", "source_id: tub"))[1:] == (
        "`tub` is not a field of `tumours`",
        "did you mean `tube`?",
    )
    assert told(("  source_id", "  group: [id]\n  source_id"))[1] == "rows of a group may differ in `tube`"
    assert told(("unit: millimeter", "unit: millimeter\n  disease_status: oral"))[2] == (
        "`disease_status` takes concepts of the domain Spec Disease Status"
    )
    assert told(("  quantity: size\n", ""))[1] == "`unit` goes with a number, and there is no `value`"

"""Notes: their text stays at the site unless the mapping says what may leave and why; then everything says so."""

from __future__ import annotations

import pytest

from oncoweave.omop.routing import WITHHELD
from oncoweave.stages.check import check
from tests.map.workshop import Mapped, Workshop

LETTERS = """
- {fact: visit, name: stays, from: stays, concept: inpatient_visit, start: seen, end: left}
- fact: note
  name: letters
  from: stays
  concept: {map: classes, value: class}
  date: seen
  title: heading
  text: note
  visit: stays
"""
RELEASED = LETTERS + "  release: {text: true, title: true, because: the ethics committee allowed it in 2024}\n"
FIELDS = {"heading": "{type: text}"}
STAYS = """
    stay,id,seen,left,class,heading,note
    s1,1,01.01.2015,02.01.2015,d,Letter,Dear Mrs Smith
    s2,1,02.2015,,u,,another secret
    s3,1,02.03.2015,,,Title,third secret
    s4,1,02.04.2015,,d,Title,
    s5,9,02.04.2015,,d,Title,nobody's
    s6,1,,,d,Title,undated
"""


def made(workshop: Workshop, rules: str = LETTERS, **written: object) -> Mapped:
    workshop.concept_map("classes", ("d", 502), ("u", 0, "UNCHECKED"))
    given = {"patients": "id,born\n1,1950", "stays": STAYS, "fields": FIELDS} | written
    return workshop.map(rules, **given)


def everything(mapped: Mapped) -> bytes:
    """What map wrote for others to read, and the events too."""
    return b"".join(path.read_bytes() for folder in (mapped.run.tables, mapped.run.events) for path in folder.glob("*"))


def test_the_text_and_title_of_a_note_stay_at_the_site(workshop: Workshop) -> None:
    mapped = made(workshop)
    columns = ("note_source_value", "note_class_concept_id", "note_text", "note_title")
    assert sorted(mapped.rows("note", *columns), key=str) == [
        ("d", 502, WITHHELD, None), ("u", 0, WITHHELD, None), (None, 0, WITHHELD, None)
    ]  # fmt: skip
    assert not any(text in everything(mapped) for text in (b"secret", b"Smith", b"Letter"))
    assert mapped.record.released_text == ()
    assert not [name for name in mapped.rows("metadata", "name") if name.startswith("released")]


def test_every_row_of_a_note_is_accounted_for(workshop: Workshop) -> None:
    mapped = made(workshop)
    assert mapped.counts("letters") == (6, 3, 2, 1)
    assert mapped.reasons("letters") == {
        "excluded: empty": 1, "quarantined: person not mapped": 1, "quarantined: date: missing": 1
    }  # fmt: skip


def test_a_released_text_is_told_in_the_record_and_in_the_metadata(workshop: Workshop) -> None:
    mapped = made(workshop, RELEASED)
    texts = {(title, text) for title, text in mapped.rows("note", "note_title", "note_text")}
    assert texts == {("Letter", "Dear Mrs Smith"), (None, "another secret"), ("Title", "third secret")}
    (told,) = mapped.record.released_text
    assert (told.rule, told.what, told.because, told.notes) == (
        "letters", ("text", "title"), "the ethics committee allowed it in 2024", 3
    )  # fmt: skip
    rows = {n: (s, v) for n, s, v in mapped.rows("metadata", "name", "value_as_string", "value_as_number")}
    why = ("the ethics committee allowed it in 2024", 3.0)
    assert (rows["released note_text"], rows["released note_title"]) == (why, why)


def test_only_the_title_may_leave(workshop: Workshop) -> None:
    mapped = made(workshop, LETTERS + "  release: {title: true, because: titles come from a closed list}\n")
    assert set(mapped.rows("note", "note_title", "note_text")) == {
        ("Letter", WITHHELD), (None, WITHHELD), ("Title", WITHHELD)
    }  # fmt: skip
    assert b"secret" not in everything(mapped)


def test_the_check_of_the_run_knows_what_was_declared(workshop: Workshop) -> None:
    mapped = made(workshop, RELEASED)
    results = check(mapped.run, mapped.project).results
    declared = [r for r in results if r.expectation == "expect_text_to_be_declared"]
    assert [(r.column, r.success) for r in declared] == [("note_text", True), ("note_title", True)]


def test_a_note_has_its_visit_and_what_it_is_about(workshop: Workshop) -> None:
    rules = LETTERS + "  modifies: cancer\n  encoding: family_history\n  language: positive\n"
    rules += "- {fact: condition, name: cancer, from: stays, concept: breast_cancer, start: seen}\n"
    mapped = made(workshop, rules)
    conditions = set(mapped.rows("condition_occurrence", "condition_occurrence_id"))
    visits = set(mapped.rows("visit_occurrence", "visit_occurrence_id"))
    for row in mapped.rows("note"):
        assert row["visit_occurrence_id"] in visits
        assert row["note_event_id"] in conditions and row["note_event_field_concept_id"] == 1147127
        assert (row["encoding_concept_id"], row["language_concept_id"]) == (502, 701)
        assert str(row["note_datetime"]).endswith("00:00:00")


def test_a_note_without_a_class_has_concept_zero(workshop: Workshop) -> None:
    rules = "- {fact: note, name: letters, from: stays, date: seen, text: note, source_value: class}\n"
    mapped = made(workshop, rules)
    assert sorted(mapped.rows("note", "note_source_value", "note_class_concept_id"), key=str) == [
        ("d", 0), ("u", 0), (None, 0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("release", "message"),
    [
        ("release: {because: so}", "say what leaves the site"),
        ("release: {text: true}", "needs `because`"),
        ("release: true", ""),
    ],
)
def test_a_release_of_text_says_what_and_why(workshop: Workshop, release: str, message: str) -> None:
    workshop.concept_map("classes", ("d", 502))
    found = workshop.problems(LETTERS + f"  {release}\n", patients="id,born\n1,1950", stays=STAYS, fields=FIELDS)
    assert any(message in p.message and p.line for p in found), found


def test_an_identifier_in_a_text_is_refused(workshop: Workshop) -> None:
    workshop.concept_map("classes", ("d", 502))
    rules = LETTERS.replace("text: note", "text: \"id || ': ' || note\"")
    found = workshop.problem(rules, patients="id,born\n1,1950", stays=STAYS, fields=FIELDS)
    assert found[1] == "free text and identifiers may not leave the site: id"
